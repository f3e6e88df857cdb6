"""Signal Temporal Logic over what an environment reports: formulas, their robustness, and rewards for timed tasks.

A formula is a value, written like ``Eventually(Above("near_a", 0.0), 0, 5)``.  Signals are numbers in ``info``; time t
is what the step of turn t returned, counted from 0.  Robustness is the margin by which a formula holds: above 0 where
it is satisfied, below 0 where it is violated (Donzé and Maler, FORMATS 2010).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..trajectory import Trajectory
from .combinator import Operation, combinator
from .combine import paid_at_the_end
from .reward import Episodes, RewardError, Scope, Values, place

__all__ = ["Above", "Always", "Below", "Both", "Either", "Eventually", "robustness", "stages"]

Signals = Mapping[str, np.ndarray]
"""One array [time] float64 per key."""


class Formula(ABC):
    """A formula of Signal Temporal Logic in negation normal form: negate a predicate by turning it around."""

    @abstractmethod
    def margin(self, signals: Signals) -> np.ndarray:
        """The robustness at each time, [time] float64; beyond its end a signal is held at its last value."""

    @property
    @abstractmethod
    def keys(self) -> frozenset[str]:
        """The signals it reads."""


@dataclass(frozen=True)
class Above(Formula):
    """x >= threshold, with margin x - threshold."""

    key: str
    threshold: float

    def margin(self, signals: Signals) -> np.ndarray:
        """The robustness at each time."""
        return signals[self.key] - self.threshold

    @property
    def keys(self) -> frozenset[str]:
        """The signal."""
        return frozenset([self.key])


@dataclass(frozen=True)
class Below(Formula):
    """x <= threshold, with margin threshold - x."""

    key: str
    threshold: float

    def margin(self, signals: Signals) -> np.ndarray:
        """The robustness at each time."""
        return self.threshold - signals[self.key]

    @property
    def keys(self) -> frozenset[str]:
        """The signal."""
        return frozenset([self.key])


@dataclass(frozen=True)
class _Pair(Formula):
    left: Formula
    right: Formula

    @property
    def keys(self) -> frozenset[str]:
        """The signals of both."""
        return self.left.keys | self.right.keys


class Both(_Pair):
    """left and right: the lesser margin."""

    def margin(self, signals: Signals) -> np.ndarray:
        """The robustness at each time."""
        return np.minimum(self.left.margin(signals), self.right.margin(signals))


class Either(_Pair):
    """left or right: the greater margin."""

    def margin(self, signals: Signals) -> np.ndarray:
        """The robustness at each time."""
        return np.maximum(self.left.margin(signals), self.right.margin(signals))


@dataclass(frozen=True)
class _Window(Formula):
    formula: Formula
    start: int = 0
    end: int | None = None
    """The window [t + start, t + end]; None for the rest of the episode."""

    def __post_init__(self) -> None:
        if self.start < 0 or (self.end is not None and self.end < self.start):
            raise ValueError(f"{self}: a window needs 0 <= start <= end")

    @property
    def keys(self) -> frozenset[str]:
        """The formula's signals."""
        return self.formula.keys

    def _windows(self, signals: Signals) -> list[np.ndarray]:
        inner = self.formula.margin(signals)
        last = len(inner) - 1
        ends = [last if self.end is None else t + self.end for t in range(len(inner))]
        return [
            inner[np.minimum(np.arange(t + self.start, max(t + self.start, end) + 1), last)]
            for t, end in enumerate(ends)
        ]


class Eventually(_Window):
    """F[start, end]: the formula holds at some time in the window; the greatest margin there."""

    def margin(self, signals: Signals) -> np.ndarray:
        """The robustness at each time."""
        return np.array([window.max() for window in self._windows(signals)])


class Always(_Window):
    """G[start, end]: the formula holds at every time in the window; the least margin there."""

    def margin(self, signals: Signals) -> np.ndarray:
        """The robustness at each time."""
        return np.array([window.min() for window in self._windows(signals)])


@combinator(Scope.EPISODE)
def robustness(formula: Formula) -> Operation:
    """The margin by which the whole episode satisfies the formula, from time 0, on the last turn.

    RewardError where a turn's ``info`` lacks one of its signals.
    """
    _need_formula("robustness", formula)

    def operation(episodes: Episodes) -> Values:
        margins = [
            formula.margin(_signals(formula.keys, trajectory))[0] if trajectory.turns else 0.0
            for trajectory in episodes
        ]
        return paid_at_the_end(np.array(margins), episodes)

    return operation


@combinator(Scope.PAST)
def stages(
    subgoals: tuple[tuple[Formula, int], ...], *, invariant: Formula | None = None, bonus: float = 1.0
) -> Operation:
    """Dense pay for timed subgoals, one after another: ((formula, deadline), ...), with increasing deadlines.

    Each turn earns what it adds to the margin of its stage's formula over the turn before (the first turn: 0).  The
    turn at which that margin is at least 0 earns ``bonus`` more, and the next stage begins on the following turn.  The
    first turn past a missed deadline, or on which the ``invariant`` is violated, costs ``bonus``, and nothing is
    earned from there on.  The formulas speak of single turns, so Eventually and Always are refused.

    Source: the stage-wise reward of TGPO (arXiv:2510.00225), for one allocation of times to subgoals; the paper's
    abstract does not give its form, and this one is ours.  TGPO's search over allocations belongs to the policy.
    """
    if not subgoals or not all(isinstance(item, tuple) and len(item) == 2 for item in subgoals):
        raise ValueError(f"stages needs pairs of a formula and a deadline, got {subgoals!r}")
    for formula in [*(formula for formula, _ in subgoals), *([invariant] if invariant else [])]:
        _need_formula("stages", formula)
        if _looks_ahead(formula):
            raise ValueError(f"stages reads single turns and cannot take {formula}")
    deadlines = [deadline for _, deadline in subgoals]
    if sorted(set(deadlines)) != deadlines:
        raise ValueError(f"stages: the deadlines {deadlines} do not increase")
    keys = frozenset[str]().union(*(formula.keys for formula, _ in subgoals), invariant.keys if invariant else ())

    def operation(episodes: Episodes) -> Values:
        return [_staged(_signals(keys, trajectory), len(trajectory.turns)) for trajectory in episodes]

    def _staged(signals: Signals, turns: int) -> np.ndarray:
        values = np.zeros(turns)
        gains = [np.diff(formula.margin(signals), prepend=formula.margin(signals)[:1]) for formula, _ in subgoals]
        reached = [formula.margin(signals) >= 0 for formula, _ in subgoals]
        broken = invariant.margin(signals) < 0 if invariant else np.zeros(turns, bool)
        stage = 0
        for t in range(turns):
            if broken[t] or (stage < len(subgoals) and t > deadlines[stage]):
                values[t] = -bonus
                break
            if stage < len(subgoals):
                values[t] = gains[stage][t] + bonus * reached[stage][t]
                stage += int(reached[stage][t])
        return values

    return operation


def _need_formula(name: str, formula: Any) -> None:
    if not isinstance(formula, Formula):
        raise TypeError(f'{name} needs a formula such as Above("x", 0.0), not {formula!r}')


def _looks_ahead(formula: Formula) -> bool:
    if isinstance(formula, _Pair):
        return _looks_ahead(formula.left) or _looks_ahead(formula.right)
    return isinstance(formula, _Window)


def _signals(keys: frozenset[str], trajectory: Trajectory) -> Signals:
    """The signals of an episode, each [turns]."""
    for index, turn in enumerate(trajectory.turns):
        missing = sorted(key for key in keys if key not in turn.info)
        if missing:
            raise RewardError(f"no info[{missing[0]!r}] at turn {index} of {place(trajectory)}")
    return {key: np.array([turn.info[key] for turn in trajectory.turns], np.float64) for key in keys}
