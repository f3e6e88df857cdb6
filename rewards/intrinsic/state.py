"""What a reward may learn from the episodes it has seen, apart from the reward itself.

A reward is an immutable value, and scoring changes nothing.  What is learned from experience (visit counts, a
predictor, labels) is therefore kept in an object of its own, a :class:`Learning`, that the reward only reads: the
reward never refers to another object, and what the object says changes in :meth:`Learning.update` alone, between the
steps, as ``anneal`` changes with the step alone.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...trajectory import Observation, Trajectory
from ..combinator import Combination, Operation, combinator
from ..reward import Named, Reward, Scope, Sum
from ..text import call_text


class Configured:
    """Made by its constructor's arguments, kept under their names: they are its text, and what makes two equal.

    Two that are made alike and updated alike say the same, so a reward that holds both asks one of them.
    """

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({call_text(inspect.signature(type(self)), self.arguments())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configured) and type(self) is type(other) and self.arguments() == other.arguments()

    def __hash__(self) -> int:
        return hash(repr(self))


class Learning(Configured, ABC):
    """Something that learns from scored episodes."""

    @abstractmethod
    def update(self, group: Sequence[Trajectory]) -> None:
        """Learn from the group's trajectories that have an outcome; those without one are passed over."""

    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """All that was learned, as values for JSON, apart from the constructor's arguments."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot: whatever follows is as it would have been there, to the bit."""


class Source(Learning):
    """An intrinsic reward's source: it says what each turn of a trajectory is worth, by what it has learned."""

    @abstractmethod
    def bonus(self, trajectory: Trajectory) -> np.ndarray:
        """Of each turn, [turns] float64; asking changes nothing."""


@combinator(Scope.EPISODE)
def intrinsic(source: Source) -> Operation:
    """What a source such as ``VisitCounts()`` says of each turn, as in ``success + 0.1*intrinsic(VisitCounts())``.

    The source learns by :meth:`Learning.update`, which the training loop calls with every group after it is scored.
    """
    if not isinstance(source, Source):
        raise TypeError(f"intrinsic needs a source, such as VisitCounts(), not {source!r}")
    return lambda episodes: [source.bonus(trajectory) for trajectory in episodes]


def learning_in(reward: Reward) -> list[Learning]:
    """The objects inside a reward that learn, each once, in the order of its text."""
    found: list[Learning] = []
    _collect(reward, found)
    return found


def arrivals(trajectory: Trajectory) -> list[Observation | None]:
    """What each action led to; None for the last one if the trajectory does not say."""
    return [*(turn.observation for turn in trajectory.turns[1:]), trajectory.final_observation][: len(trajectory.turns)]


def scored(group: Sequence[Trajectory]) -> list[Trajectory]:
    """Those that have an outcome."""
    return [trajectory for trajectory in group if trajectory.status.scored]


def text_of(observation: Observation) -> str:
    """An observation's text."""
    return observation if isinstance(observation, str) else str(observation["text"])


def _collect(value: Any, found: list[Learning]) -> None:
    match value:
        case Learning():
            if not any(known is value for known in found):
                found.append(value)
        case Named():
            _collect(value.reward, found)
        case Combination():
            for argument in value.arguments.values():
                _collect(argument, found)
        case Sum():
            for _, term in value.terms:
                _collect(term, found)
        case tuple():
            for item in value:
                _collect(item, found)
        case Mapping():
            for item in value.values():
                _collect(item, found)
