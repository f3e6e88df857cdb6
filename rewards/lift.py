"""Rewards from plain functions of a turn, an episode or a group."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ..trajectory import Group, Trajectory
from .reward import TOTAL, Episodes, Reward, RewardError, Scope, Values, place
from .text import describe, freeze, reference


def turn_reward(function: Callable[..., float]) -> Part:
    """Lift ``function(turn) -> number``.  Further arguments need defaults; ``reward(limit=512)`` changes them."""
    return _lift(function, Scope.TURN)


def episode_reward(function: Callable[..., Any]) -> Part:
    """Lift ``function(trajectory) -> number`` (paid on the last turn) or ``-> array [turns]``.

    The trajectory always has an outcome and at least one turn.  Further arguments need defaults.
    """
    return _lift(function, Scope.EPISODE)


def group_reward(function: Callable[..., Any]) -> Part:
    """Lift ``function(group) -> one number or array [turns] per trajectory``.

    The group holds only the trajectories that have an outcome.  Further arguments need defaults.
    """
    return _lift(function, Scope.GROUP)


class Part(Reward):
    """A reward lifted from a plain function; see the decorators above."""

    recorded = True

    def __init__(self, function: Callable[..., Any], scope: Scope, parameters: Mapping[str, Any]) -> None:
        if function.__name__ == TOTAL:
            raise ValueError(f"{TOTAL!r} is the name of the whole reward; give the part another")
        bound = ", ".join(f"{name}={describe(value)}" for name, value in parameters.items())
        call = f"({bound})" if bound else ""
        name = function.__name__ + call
        super().__init__(scope, reference(function) + call, name, {name: self})
        self._set(function=function, parameters=MappingProxyType(dict(parameters)), __doc__=function.__doc__)

    function: Callable[..., Any]
    parameters: Mapping[str, Any]

    def _key(self) -> tuple[Any, ...]:
        return self.function, self.parameters

    def _bind(self, parameters: dict[str, Any]) -> Reward:
        declared = list(inspect.signature(self.function).parameters.values())[1:]
        defaults = {parameter.name: parameter.default for parameter in declared}
        for name in parameters:
            if name not in defaults:
                known = f"; it has {', '.join(defaults)}" if defaults else "; it has none"
                raise TypeError(f"reward {self.name} has no parameter {name!r}{known}")
        chosen = {**self.parameters, **{name: freeze(value) for name, value in parameters.items()}}
        # In the order of the signature and without defaults, so that equal rewards have equal texts.
        kept = {name: chosen[name] for name in defaults if name in chosen and chosen[name] != defaults[name]}
        return Part(self.function, self.scope, kept)

    def _values(self, episodes: Episodes) -> Values:
        if self.scope is Scope.GROUP:
            results = self._ask(Group(list(episodes)), "this group")
            if len(results) != len(episodes):
                raise RewardError(f"reward {self.name} gave {len(results)} results for {len(episodes)} trajectories")
            return [self._per_turn(result, trajectory) for result, trajectory in zip(results, episodes, strict=True)]
        if self.scope is Scope.EPISODE:
            return [
                self._per_turn(self._ask(episode, place(episode)) if episode.turns else [], episode)
                for episode in episodes
            ]
        return [self._per_turn(self._ask_turns(trajectory), trajectory) for trajectory in episodes]

    def _ask(self, subject: Any, place: str) -> Any:
        try:
            return self.function(subject, **self.parameters)
        except Exception as error:
            error.add_note(f"in the reward {self.name}, {place}")
            raise

    def _ask_turns(self, trajectory: Trajectory) -> list[Any]:
        results: list[Any] = [None] * len(trajectory.turns)
        for index, turn in enumerate(trajectory.turns):
            try:
                results[index] = self.function(turn, **self.parameters)
            except Exception as error:
                error.add_note(f"in the reward {self.name}, turn {index} of {place(trajectory)}")
                raise
        return results

    def _per_turn(self, result: Any, trajectory: Trajectory) -> np.ndarray:
        """One number goes to the last turn; one number per turn is taken as it is."""
        turns = len(trajectory.turns)
        try:
            array = np.array(result)
        except ValueError:  # ragged
            array = np.array(None)
        if array.size == 0 and turns == 0:
            return np.zeros(0)
        if array.dtype.kind not in "biuf" or array.shape not in ((), (turns,)):
            raise RewardError(
                f"reward {self.name} must give a number, or one for each of the {turns} turns; "
                f"it gave {result!r:.200} for {place(trajectory)}"
            )
        if array.shape == (turns,):
            return array.astype(np.float64)
        values = np.zeros(turns)
        if turns:
            values[-1] = array
        return values


def _lift(function: Callable[..., Any], scope: Scope) -> Part:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise TypeError(f"{function.__name__} must take the {scope.name.lower()} that it rewards")
    for parameter in parameters[1:]:
        if parameter.default is parameter.empty:
            raise TypeError(f"{function.__name__}: parameter {parameter.name!r} needs a default")
    return Part(function, scope, {})
