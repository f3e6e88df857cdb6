"""The reward: an immutable value that gives each trajectory of a group one number per turn.

:mod:`.lift` makes rewards from plain functions, :mod:`.combine` holds the operators beyond ``+``, ``-`` and scaling.
Nothing is mixed into the environment's own reward, which stays in the turns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from functools import reduce
from types import MappingProxyType
from typing import Any, overload

import numpy as np

from ..trajectory import Trajectory

Values = list[np.ndarray]
"""One float64 array [turns] per trajectory."""

TOTAL = "total"
"""The name under which :func:`score` records the whole reward."""


class RewardError(ValueError):
    """A reward gave something that is not one finite number per turn, or cannot be evaluated here."""


class Scope(IntEnum):
    """How much experience a reward must see before it knows the value of a turn."""

    TURN = 1  # that turn
    PAST = 2  # it and the turns before it
    EPISODE = 3
    GROUP = 4


class Episodes(Sequence[Trajectory]):
    """What a reward reads: trajectories that have an outcome, and the training step.

    Each reward is evaluated once here, so a part that is named twice is asked once and agrees with itself.
    """

    def __init__(
        self, trajectories: Sequence[Trajectory], step: int, recorded: dict[int, dict[str, np.ndarray]] | None = None
    ) -> None:
        self.trajectories = tuple(trajectories)
        self.step = step
        self.recorded = {id(trajectory): {} for trajectory in trajectories} if recorded is None else recorded
        self._known: dict[Reward, Values] = {}

    def __len__(self) -> int:
        return len(self.trajectories)

    def __getitem__(self, index: Any) -> Any:
        return self.trajectories[index]

    def __iter__(self) -> Iterator[Trajectory]:
        return iter(self.trajectories)

    def subset(self, indices: Sequence[int]) -> Episodes:
        """Some of the trajectories, as if they were the whole group."""
        return Episodes([self.trajectories[index] for index in indices], self.step, self.recorded)

    def values(self, reward: Reward) -> Values:
        """The reward's values, one float64 array [turns] per trajectory; RewardError where one is not finite."""
        if reward not in self._known:
            values = reward._values(self) if self.trajectories else []
            _check(reward, values, self.trajectories)
            self._known[reward] = values
            if reward.recorded:
                self.record(reward.name, values)
        return self._known[reward]

    def record(self, name: str, values: Values) -> None:
        """Keep a part's values under its name."""
        for trajectory, value in zip(self.trajectories, values, strict=True):
            self.recorded[id(trajectory)][name] = value


class Reward(ABC):
    """What counts as good: a value that reads a group and gives one array [turns] per trajectory.

    ``success + 0.2 * valid_action - 0.01 * turns`` is one.  ``str(reward)`` is an expression that
    :func:`~palestra.rewards.parse_reward` reads back to an equal reward.
    """

    scope: Scope
    recorded = False
    """Whether :func:`score` records it wherever it stands; the terms of the outermost sum are recorded in any case."""

    def __init__(self, scope: Scope, text: str, name: str, parts: Mapping[str, Reward]) -> None:
        self._set(scope=scope, text=text, name=name, parts=MappingProxyType(dict(parts)))

    text: str
    name: str
    """The name it is recorded under."""
    parts: Mapping[str, Reward]
    """The named rewards inside it, itself included, by name."""

    def _set(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __setattr__(self, attribute: str, value: Any) -> None:
        raise AttributeError(f"rewards are immutable; cannot set {attribute!r} of {self}")

    @abstractmethod
    def _values(self, episodes: Episodes) -> Values:
        """The values on a non-empty group in which every trajectory has an outcome."""

    @abstractmethod
    def _key(self) -> tuple[Any, ...]:
        """What makes two rewards of one class equal."""

    @property
    def terms(self) -> tuple[tuple[float, Reward], ...]:
        """The reward as a weighted sum: its (weight, reward) terms."""
        return ((1.0, self),)

    @overload
    def __call__(self, group: Sequence[Trajectory], /, *, step: int = 0) -> list[np.ndarray | None]: ...

    @overload
    def __call__(self, /, **parameters: Any) -> Reward: ...

    def __call__(self, group: Sequence[Trajectory] | None = None, /, **keywords: Any) -> Any:
        """``reward(group, step=0)``: one float64 array [turns] per trajectory, None for one without an outcome.

        ``reward(limit=512)`` instead gives the same reward with other parameters, where it was lifted from a function
        that has some.  Raises RewardError where a value is not finite.
        """
        if group is None:
            return self._bind(keywords)
        return _evaluate(self, group, **keywords)[0]

    def _bind(self, parameters: dict[str, Any]) -> Reward:
        raise TypeError(f"{self} takes no parameters, got {', '.join(parameters) or 'an empty call'}")

    def named(self, name: str) -> Reward:
        """The same reward, recorded under ``name``."""
        return Named(self, name)

    def __add__(self, other: Reward) -> Reward:
        return _sum(self.terms + _operand(other, "+").terms)

    def __sub__(self, other: Reward) -> Reward:
        return self + -1.0 * _operand(other, "-")

    def __mul__(self, weight: float) -> Reward:
        if isinstance(weight, Reward):
            raise TypeError(f"write product({self}, {weight}) to multiply two rewards turn by turn")
        if isinstance(weight, bool) or not isinstance(weight, (int, float, np.integer, np.floating)):
            return NotImplemented
        return _sum(tuple((float(weight) * own, reward) for own, reward in self.terms))

    __rmul__ = __mul__
    __array_ufunc__ = None  # so that a NumPy scalar on the left leaves the product to us

    def __truediv__(self, divisor: float) -> Reward:
        if isinstance(divisor, Reward):
            raise TypeError("a reward divides by numbers only")
        return self * (1.0 / divisor)

    def __neg__(self) -> Reward:
        return -1.0 * self

    def __pos__(self) -> Reward:
        return self

    def __radd__(self, other: Any) -> Reward:
        return _operand(other, "+") + self

    def __rsub__(self, other: Any) -> Reward:
        return _operand(other, "-") - self

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text

    def __deepcopy__(self, memo: dict[int, Any]) -> Reward:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from .parse import parse_reward  # the parser stands above the values that it builds

        return parse_reward, (self.text,)


class Sum(Reward):
    """A weighted sum of rewards; sums inside sums are flattened, so addition associates."""

    def __init__(self, terms: tuple[tuple[float, Reward], ...]) -> None:
        for weight, reward in terms:
            if not np.isfinite(weight):
                raise ValueError(f"the weight of {reward} is {weight}")
        text = _sum_text(terms)
        rewards = [reward for _, reward in terms]
        super().__init__(max(reward.scope for reward in rewards), text, text, merge_parts(rewards))
        self._set(_terms=terms)

    _terms: tuple[tuple[float, Reward], ...]

    @property
    def terms(self) -> tuple[tuple[float, Reward], ...]:
        return self._terms

    def _key(self) -> tuple[Any, ...]:
        return self._terms

    def _values(self, episodes: Episodes) -> Values:
        weights = [weight for weight, _ in self._terms]
        columns = [episodes.values(reward) for _, reward in self._terms]
        return [
            reduce(np.add, (weight * value for weight, value in zip(weights, values, strict=True)))
            for values in zip(*columns, strict=True)
        ]


class Named(Reward):
    """A reward that is recorded under a name of its own."""

    recorded = True

    def __init__(self, reward: Reward, name: str) -> None:
        if not isinstance(name, str) or not name or name == TOTAL:
            raise ValueError(f"a part's name is a non-empty text other than {TOTAL!r}, got {name!r}")
        parts = merge_parts([reward])
        if parts.get(name, reward) != reward:
            raise ValueError(f"{name!r} is already the name of {parts[name]}")
        super().__init__(reward.scope, f"named({reward}, {name!r})", name, parts | {name: self})
        self._set(reward=reward)

    reward: Reward

    def _key(self) -> tuple[Any, ...]:
        return self.name, self.reward

    def _values(self, episodes: Episodes) -> Values:
        return episodes.values(self.reward)


def score(reward: Reward, group: Sequence[Trajectory], step: int = 0) -> list[np.ndarray | None]:
    """Evaluate the reward at training step ``step`` and record it.

    Returns one float64 array [turns] per trajectory.  ``trajectory.rewards`` gets every part under its name,
    unweighted, every term of the outermost sum, and the whole under ``"total"``; the environment's own reward is left
    alone.

    A trajectory without an outcome (a fault or a timeout) is no part of the group: its place in the answer is None, it
    gets no reward arrays, and the others are scored as if it were not there.

    Raises RewardError, naming the part and the turn, if a value is not finite; then nothing is recorded.
    """
    values, recorded = _evaluate(reward, group, step)
    for trajectory, value in zip(group, values, strict=True):
        if value is not None:
            parts = recorded[id(trajectory)]
            trajectory.rewards.update({name: part.copy() for name, part in parts.items()})
            trajectory.rewards[TOTAL] = value.copy()
    return values


def objectives(reward: Reward, trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """The vector form of a scored trajectory's reward, for learners with several objectives.

    Returns ``(vectors [turns, terms], weights [terms])``: the terms of the outermost sum, of which
    ``vectors @ weights`` is the total.  Raises RewardError if :func:`score` has not recorded them.
    """
    missing = [term.name for _, term in reward.terms if term.name not in trajectory.rewards]
    if missing:
        raise RewardError(f"{', '.join(missing)} not recorded for {place(trajectory)}: call score first")
    columns = [trajectory.rewards[term.name] for _, term in reward.terms]
    return np.stack(columns, axis=1), np.array([weight for weight, _ in reward.terms])


def merge_parts(rewards: Sequence[Reward]) -> dict[str, Reward]:
    """The parts of several rewards by name; ValueError if two different ones share a name."""
    merged: dict[str, Reward] = {}
    for reward in rewards:
        for name, part in reward.parts.items():
            if merged.setdefault(name, part) != part:
                raise ValueError(f"two different parts are named {name!r}: {merged[name]} and {part}; rename one")
    return merged


def _evaluate(
    reward: Reward, group: Sequence[Trajectory], step: int = 0
) -> tuple[list[np.ndarray | None], dict[int, dict[str, np.ndarray]]]:
    episodes = Episodes([trajectory for trajectory in group if trajectory.status.scored], step)
    totals = iter(episodes.values(reward))
    for _, term in reward.terms:
        episodes.record(term.name, episodes.values(term))
    # Copies, so that a caller that writes into the answer does not write into a record.
    values = [next(totals).copy() if trajectory.status.scored else None for trajectory in group]
    return values, episodes.recorded


def _check(reward: Reward, values: Values, trajectories: Sequence[Trajectory]) -> None:
    if len(values) != len(trajectories):
        raise RewardError(f"reward {reward.name} gave {len(values)} arrays for {len(trajectories)} trajectories")
    for value, trajectory in zip(values, trajectories, strict=True):
        if value.shape != (len(trajectory.turns),):
            turns = len(trajectory.turns)
            raise RewardError(f"reward {reward.name} gave shape {value.shape}, not ({turns},), for {place(trajectory)}")
    if not values or np.isfinite(np.concatenate(values)).all():
        return
    for value, trajectory in zip(values, trajectories, strict=True):
        for turn in np.flatnonzero(~np.isfinite(value)):
            raise RewardError(f"reward {reward.name} is {value[turn]} at turn {turn} of {place(trajectory)}")


def place(trajectory: Trajectory) -> str:
    """Which trajectory an error is about."""
    return f"the {trajectory.role}'s episode of {trajectory.env_id} (task {trajectory.task}, seed {trajectory.seed})"


def _operand(other: Any, operator: str) -> Reward:
    if isinstance(other, Reward):
        return other
    raise TypeError(
        f"cannot apply {operator} to a reward and {other!r}: a bare number could mean each turn or each episode; "
        f"write {other!r}*turns for a number on each turn"
    )


def _sum(terms: tuple[tuple[float, Reward], ...]) -> Reward:
    return terms[0][1] if len(terms) == 1 and terms[0][0] == 1.0 else Sum(terms)


def _sum_text(terms: tuple[tuple[float, Reward], ...]) -> str:
    text = ""
    for weight, reward in terms:
        sign = "-" if weight < 0 else "+"
        size = abs(weight)
        factor = "" if size == 1 else f"{int(size) if size.is_integer() and size < 1e15 else size!r}*"
        text += (f" {sign} " if text else sign.strip("+")) + factor + reward.text
    return text
