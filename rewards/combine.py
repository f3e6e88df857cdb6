"""Operators on rewards beyond ``+``, ``-`` and scaling, written like ``gate(valid_action, by=success)``.

Where one compares episodes, an episode counts with its total, the sum of its turns' values.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..trajectory import Trajectory
from .combinator import Operation, combinator
from .reward import Episodes, Named, Reward, RewardError, Scope, Values, place

__all__ = [
    "anneal",
    "clip",
    "delta",
    "gate",
    "harmonic",
    "lexicographic",
    "named",
    "product",
    "route",
    "trust_weighted",
    "worst_of",
]


@combinator(Scope.EPISODE)
def gate(reward: Reward, *, by: Reward, threshold: float = 1.0) -> Operation:
    """The reward in the episodes where ``by`` totals at least ``threshold``, and 0 in the others.

    ``success + gate(steps, by=success)`` is gated reward accumulation: steps that can be farmed pay nothing unless the
    task is done.  Source: G-RA (arXiv:2508.10548).
    """

    def operation(episodes: Episodes) -> Values:
        opened = totals(episodes.values(by)) >= threshold
        return [values * is_open for values, is_open in zip(episodes.values(reward), opened, strict=True)]

    return operation


@combinator()
def clip(reward: Reward, low: float | None = None, high: float | None = None) -> Operation:
    """Each turn's value bounded to [low, high]; None leaves a side open."""
    if low is None and high is None:
        raise ValueError("clip needs low, high or both")
    if low is not None and high is not None and low > high:
        raise ValueError(f"clip: low {low} is above high {high}")
    return lambda episodes: [np.clip(values, low, high) for values in episodes.values(reward)]


@combinator(Scope.PAST)
def delta(reward: Reward) -> Operation:
    """Each turn's gain over the turn before: v_t - v_(t-1), with v_(-1) = 0.

    For rewards that say how far along a turn is: an episode then totals its last value, however often it goes back and
    forth, so that repeating a good step earns nothing.
    """
    return lambda episodes: [np.diff(values, prepend=0.0) for values in episodes.values(reward)]


@combinator()
def anneal(reward: Reward, schedule: Callable[[int], float]) -> Operation:
    """The reward times ``schedule(step)`` at each training step, as in ``anneal(hint, linear(1, 0, steps=100))``."""
    if not callable(schedule):
        raise TypeError(f"anneal needs a schedule, such as linear(1, 0, steps=100), not {schedule!r}")
    return lambda episodes: [schedule(episodes.step) * values for values in episodes.values(reward)]


@combinator()
def product(*rewards: Reward) -> Operation:
    """The product of the rewards, turn by turn."""
    _need_two("product", rewards)
    return lambda episodes: [np.prod(values, axis=0) for values in _stacked(episodes, rewards)]


@combinator()
def harmonic(*rewards: Reward, weights: tuple[float, ...] | None = None) -> Operation:
    """The weighted harmonic mean of rewards that are at least 0, turn by turn: sum(w) / sum(w / r), and 0 if any is 0.

    It lies between the smallest and the largest, nearer to the smallest.  RewardError for a negative value.
    """
    _need_two("harmonic", rewards)
    weight = np.ones(len(rewards)) if weights is None else np.asarray(weights, np.float64)
    if weight.shape != (len(rewards),) or not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError(f"harmonic needs a weight above 0 for each of the {len(rewards)} rewards, got {weights}")

    def operation(episodes: Episodes) -> Values:
        return [
            _harmonic(values, weight, trajectory)
            for values, trajectory in zip(_stacked(episodes, rewards), episodes, strict=True)
        ]

    return operation


@combinator(Scope.GROUP)
def lexicographic(*rewards: Reward, margin: float = 0.0) -> Operation:
    """The share of the group's other episodes that an episode beats, by the first reward that tells the two apart.

    A reward tells two episodes apart if their totals differ by more than ``margin`` standard deviations of that reward
    in the group, so its scale does not matter.  A tie in every reward counts one half; so does having nobody to compare
    with.  Paid on the last turn.  Source of the comparison: HERON (arXiv:2309.02632).
    """
    _need_two("lexicographic", rewards)
    if not margin >= 0:
        raise ValueError(f"lexicographic: margin {margin} is below 0")

    def operation(episodes: Episodes) -> Values:
        count = len(episodes)
        verdict = np.zeros((count, count))  # 1 where the row's episode is better than the column's, -1 where worse
        for reward in rewards:
            total = totals(episodes.values(reward))
            difference = total[:, None] - total[None, :]
            told_apart = np.abs(difference) > margin * total.std()
            verdict = np.where((verdict == 0) & told_apart, np.sign(difference), verdict)
        beaten = 0.5 + verdict.sum(axis=1) / (2 * max(count - 1, 1))
        return paid_at_the_end(beaten, episodes)

    return operation


@combinator(Scope.EPISODE)
def route(rewards: Mapping[str, Reward], by: str = "env_id") -> Operation:
    """Each episode by the reward for its kind of task: ``route({"WebShop-v0": success, "FrozenLake-v1": env})``.

    The kind is the trajectory's ``env_id``, ``role`` or ``split``, or any other key in the ``info`` of its last turn.
    A reward sees only the episodes of its kind.  RewardError for a kind without a reward.
    Source: Mixed-R1 (arXiv:2505.24164).
    """
    if not rewards or not all(isinstance(reward, Reward) for reward in rewards.values()):
        raise TypeError("route needs a reward for each kind of task, as in {'kind': success}")

    def operation(episodes: Episodes) -> Values:
        result: Values = [np.zeros(0)] * len(episodes)
        kinds = [_kind(trajectory, by, rewards) if trajectory.turns else None for trajectory in episodes]
        for kind, reward in rewards.items():
            indices = [index for index, found in enumerate(kinds) if found == kind]
            for index, values in zip(indices, episodes.subset(indices).values(reward), strict=True):
                result[index] = values
        return result

    return operation


@combinator()
def worst_of(*ensemble: Reward, nominal: float = 0.0) -> Operation:
    """The least value of an ensemble, turn by turn, mixed with its mean: nominal * mean + (1 - nominal) * min.

    One member that overrates an answer then cannot raise its reward.  Source: Reward-Robust RLHF (arXiv:2409.15360),
    with the mean as the nominal reward.
    """
    _need_two("worst_of", ensemble)
    if not 0 <= nominal <= 1:
        raise ValueError(f"worst_of: nominal {nominal} is not between 0 and 1")
    return lambda episodes: [
        nominal * values.mean(axis=0) + (1 - nominal) * values.min(axis=0) for values in _stacked(episodes, ensemble)
    ]


@combinator(Scope.GROUP)
def trust_weighted(reward: Reward, *, by: Reward, threshold: float = 0.5) -> Operation:
    """The reward times how far the group's outcomes bear it out.

    The outcomes are ``by``: an episode is right if it totals at least ``threshold``.  With m+ and m- the mean totals of
    the reward over right and wrong episodes, the trust is 1 if m+ >= m-, else exp(m+ - m-).  In a group that is all
    right or all wrong there is nothing to check the reward against, and it is 0.
    Source: Trust-GRPO (arXiv:2505.17018), and its authors' code for the last rule.
    """

    def operation(episodes: Episodes) -> Values:
        right = totals(episodes.values(by)) >= threshold
        values = episodes.values(reward)
        trust = 0.0
        if right.any() and not right.all():
            total = totals(values)
            trust = float(np.exp(min(total[right].mean() - total[~right].mean(), 0.0)))
        return [trust * value for value in values]

    return operation


def named(reward: Reward, name: str) -> Reward:
    """The same reward, recorded under ``name``."""
    return Named(reward, name)


def totals(values: Values) -> np.ndarray:
    """The sum of each episode's values, [episodes] float64."""
    return np.array([value.sum() for value in values])


def paid_at_the_end(amounts: np.ndarray, episodes: Episodes) -> Values:
    """One amount [episodes] per episode, on its last turn."""
    values = [np.zeros(len(trajectory.turns)) for trajectory in episodes]
    for value, amount in zip(values, amounts, strict=True):
        value[-1:] = amount
    return values


def _need_two(operator: str, rewards: tuple[Reward, ...]) -> None:
    if len(rewards) < 2:
        raise ValueError(f"{operator} needs at least two rewards")


def _stacked(episodes: Episodes, rewards: tuple[Reward, ...]) -> list[np.ndarray]:
    """For each episode the values of all rewards, [rewards, turns]."""
    return [np.stack(values) for values in zip(*(episodes.values(reward) for reward in rewards), strict=True)]


def _harmonic(values: np.ndarray, weight: np.ndarray, trajectory: Trajectory) -> np.ndarray:
    if (values < 0).any():
        turn = int(np.flatnonzero((values < 0).any(axis=0))[0])
        raise RewardError(f"harmonic: a value below 0, {values[:, turn].min()}, at turn {turn} of {place(trajectory)}")
    result = np.zeros(values.shape[1])
    positive = (values > 0).all(axis=0)
    result[positive] = weight.sum() / (weight[:, None] / values[:, positive]).sum(axis=0)
    return result


def _kind(trajectory: Trajectory, by: str, rewards: Mapping[str, Reward]) -> Any:
    if by in ("env_id", "role", "split"):
        kind = getattr(trajectory, by)
    elif by in trajectory.turns[-1].info:
        kind = trajectory.turns[-1].info[by]
    else:
        raise RewardError(f"route: no info[{by!r}] in the last turn of {place(trajectory)}")
    if kind not in list(rewards):  # which need not be hashable
        close = difflib.get_close_matches(str(kind), rewards, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are rewards for {', '.join(map(repr, rewards))}"
        raise RewardError(f"route: no reward for {by} {kind!r} of {place(trajectory)}; {hint}")
    return kind
