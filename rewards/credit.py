"""Credit for single turns: returns redistributed over them, and rewards for steps that judges or models value.

Advantages that credit turns (``returns_to_go``, ``gigpo``, ``empg``) stand in ``palestra.training.advantages``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..trajectory import Trajectory, Turn
from .combinator import Operation, combinator
from .combine import paid_at_the_end, totals
from .intrinsic.state import Learning, scored
from .lift import turn_reward
from .reward import Episodes, Reward, RewardError, Scope, Values, place

__all__ = ["ReturnDecoder", "implicit_prm", "redistributed", "thoughts", "tool_contrast"]

Latents = Callable[[Turn], Sequence[float]]
"""From a turn to numbers that say how well it went in several respects; always as many."""


def own_score(trajectory: Trajectory) -> float:
    """What the environment itself paid for the episode."""
    return trajectory.score


class ReturnDecoder(Learning):
    """Per-turn rewards r(z) = w z + b, linear in each turn's latents z, fitted so that an episode's sum is its return.

    Minimises sum_episodes (sum_t r(z_t) - R)^2 + ridge (|w|^2 + b^2) over all episodes learned from, in closed form;
    before the first it is 0.  ``returns`` says what R is.  RewardError if the latents of a turn are not numbers, not
    finite, or not as many as before.

    Of agents who are paid one return together, it finds each one's own part from that agent's trajectories: what the
    others do on average is in its constant.

    Source: LaRe (arXiv:2412.11120), whose latents are code that a language model wrote and whose decoder is a network
    trained on the same squared error.
    """

    def __init__(
        self, latents: Latents, returns: Callable[[Trajectory], float] = own_score, ridge: float = 1e-3
    ) -> None:
        if not ridge > 0:
            raise ValueError(f"ReturnDecoder: ridge {ridge} is not above 0")
        self.latents, self.returns, self.ridge = latents, returns, ridge
        self._gram: np.ndarray = np.zeros((0, 0))
        self._moment: np.ndarray = np.zeros(0)

    def decode(self, trajectory: Trajectory) -> np.ndarray:
        """The reward of each turn, [turns] float64."""
        if not len(self._moment):
            return np.zeros(len(trajectory.turns))
        weights = np.linalg.solve(self._gram + self.ridge * np.eye(len(self._gram)), self._moment)
        return np.asarray(self._inputs(trajectory) @ weights, np.float64)

    def error(self, group: Sequence[Trajectory]) -> float:
        """The mean squared difference between the sums of what is decoded and the returns."""
        return float(np.mean([(self.decode(each).sum() - self.returns(each)) ** 2 for each in scored(group)]))

    def update(self, group: Sequence[Trajectory]) -> None:
        """Fit the group's returns too."""
        for trajectory in scored(group):
            if not trajectory.turns:
                continue
            sums = self._inputs(trajectory).sum(axis=0)
            if not len(self._moment):
                self._gram, self._moment = np.zeros((len(sums), len(sums))), np.zeros(len(sums))
            self._gram = self._gram + np.outer(sums, sums)
            self._moment = self._moment + sums * self.returns(trajectory)

    def snapshot(self) -> dict[str, Any]:
        """The moments of latents and returns."""
        return {"gram": self._gram.tolist(), "moment": self._moment.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the moments of a snapshot."""
        self._moment = np.array(state["moment"], np.float64)
        self._gram = np.array(state["gram"], np.float64).reshape(len(self._moment), len(self._moment))

    def _inputs(self, trajectory: Trajectory) -> np.ndarray:
        """The latents of each turn and a 1, [turns, d + 1]."""
        rows = [np.append(np.asarray(self.latents(turn), np.float64).ravel(), 1.0) for turn in trajectory.turns]
        expected = len(self._moment) or (len(rows[0]) if rows else 1)
        for number, row in enumerate(rows):
            if len(row) != expected or not np.isfinite(row).all():
                raise RewardError(
                    f"ReturnDecoder: the latents of turn {number} of {place(trajectory)} are {row[:-1].tolist()}, "
                    f"not {expected - 1} finite numbers"
                )
        return np.array(rows).reshape(len(rows), expected)


@combinator(Scope.EPISODE)
def redistributed(reward: Reward, by: ReturnDecoder) -> Operation:
    """The reward's total, spread over the turns as the decoder says; what the decoder leaves is spread evenly.

    r_t + (R - sum r) / turns: the sum over an episode is that of ``reward``, whatever was learned, so that only the
    credit of turns changes.  Advantages of whole returns do not see it; ``returns_to_go`` and ``gigpo`` do.
    """
    if not isinstance(by, ReturnDecoder):
        raise TypeError(f"redistributed needs a ReturnDecoder, not {by!r}")

    def spread(trajectory: Trajectory, values: np.ndarray) -> np.ndarray:
        decoded = by.decode(trajectory)
        return decoded + (values.sum() - decoded.sum()) / max(len(decoded), 1)

    return lambda episodes: [
        spread(trajectory, values) for trajectory, values in zip(episodes, episodes.values(reward), strict=True)
    ]


@combinator(Scope.GROUP)
def thoughts(judged: Reward, *, by: Reward, threshold: float = 1.0) -> Operation:
    """Neighbouring turns that were judged alike are one thought; each thought pays once, on its last turn.

    ``judged`` is a reward that is above 0 on right turns.  Of n thoughts in an episode, a right one pays 1 / n and a
    wrong one -p / n, where p is the share of the group's episodes in which ``by`` totals at least ``threshold``: while
    the agent can do little, trying costs nothing, and what it can do it should do without mistakes.  How finely the
    turns are cut then does not matter, and more steps of a kind earn nothing.

    Source: TP-GRPO (arXiv:2507.23317), for the merging of steps and for adapting to capability; the amounts are ours.
    """

    def operation(episodes: Episodes) -> Values:
        share = float((totals(episodes.values(by)) >= threshold).mean())
        result: Values = []
        for values in episodes.values(judged):
            paid, ends = np.zeros(len(values)), thought_ends(values > 0)
            paid[ends] = np.where(values[ends] > 0, 1.0, -share) / max(len(ends), 1)
            result.append(paid)
        return result

    return operation


def thought_ends(right: np.ndarray) -> np.ndarray:
    """The last turns of the runs of equal judgements [turns], as indices."""
    if not len(right):
        return np.zeros(0, np.int64)
    return np.append(np.flatnonzero(right[1:] != right[:-1]), len(right) - 1)


@combinator(Scope.GROUP)
def tool_contrast(used: Reward, *, by: Reward, margin: float = 0.0) -> Operation:
    """1 or -1 for using a tool, by whether those of the group who used it did better or worse than the others.

    An episode used it if ``used`` totals more than 0; how well it did is ``by``'s total.  If the mean of those who used
    it is above the others' by more than ``margin``, they get 1 each; if it is below by more, -1; otherwise, or where
    all or none used it, 0.  Paid on the last turn.

    Source: the group contrastive masking of GCPO (GeometryZero, arXiv:2506.07160); its second part, a reward for
    length, is ``response_length``.
    """
    if not margin >= 0:
        raise ValueError(f"tool_contrast: margin {margin} is below 0")

    def operation(episodes: Episodes) -> Values:
        with_tool = totals(episodes.values(used)) > 0
        outcome = totals(episodes.values(by))
        sign = 0.0
        if with_tool.any() and not with_tool.all():
            gain = float(outcome[with_tool].mean() - outcome[~with_tool].mean())
            sign = float(np.sign(gain)) if abs(gain) > margin else 0.0
        return paid_at_the_end(sign * with_tool, episodes)

    return operation


@turn_reward
def implicit_prm(turn: Turn, beta: float = 0.05, key: str = "log_ratio") -> float:
    """``beta`` times the turn's log pi(a) - log pi_ref(a): the process reward that an outcome model implies.

    ``info[key]`` holds the log-ratio of each sampled token between a model trained on outcomes by
    r(y) = beta log pi(y) / pi_ref(y) and its reference, or their sum; the turns' rewards sum to r of the episode.
    RewardError without it.  Source: arXiv:2412.01981.
    """
    if key not in turn.info:
        raise RewardError(f"implicit_prm: no info[{key!r}]: something must score the turn with both models first")
    return beta * float(np.sum(turn.info[key]))
