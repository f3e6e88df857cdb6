"""Progress rewards: exact on small numbers, and what they teach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Group
from palestra.rewards import Reward, RewardError, Scope, delta, env, parse_reward
from palestra.rewards.progress import improvement, penalized_progress, up_to

from .lab import TabularPolicy, learn
from .shaping_toys import Text, episode, lists, mean_info, read

a, b, c = (read(key=key) for key in "abc")


def test_penalties_multiply_progress() -> None:
    group = [episode(a=[1, 2, -1], b=[1, 0.5, 0.5], c=[0.5, 0.5, 1])]
    assert lists(penalized_progress(a, b, c), group) == [[0.5, 0.5, -0.5]]
    assert lists(penalized_progress(a), group) == [[1, 2, -1]]
    assert penalized_progress(a, b).scope is Scope.TURN
    assert penalized_progress(delta(a), b).scope is Scope.PAST
    for factor in (-0.1, 1.5):
        with pytest.raises(RewardError, match=rf"read\(key='b'\) is {factor}, outside \[0, 1\], at turn 1"):
            penalized_progress(a, b)([episode(a=[1, 1], b=[1, factor])])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_penalties_never_pay_for_standing_still(rows: list[tuple[float, float]]) -> None:
    completion, factors = (list(column) for column in zip(*rows, strict=True))
    completion = sorted(completion)
    [paid] = lists(penalized_progress(delta(a), b), [episode(a=completion, b=factors)])
    assert sum(paid) <= completion[-1] + 1e-12
    assert all(value >= -1e-12 for value in paid)


def test_nothing_is_paid_after_an_infraction() -> None:
    group = [episode(a=[1, 2, 3, 4], b=[0, 0, 1, 0]), episode(a=[1, 2], b=[0, 0]), episode(a=[1, 2], b=[1, 1])]
    assert lists(up_to(a, infraction=b), group) == [[1, 2, 3, 0], [1, 2], [1, 0]]
    assert up_to(a, infraction=b).scope is Scope.PAST


def test_improvement_is_the_gain_over_the_attempt_before() -> None:
    group = [episode(a=[0, 1]), episode(a=[1, 0]), episode(a=[0.5]), episode(a=[]), episode(a=[0, 0.5, 0.25])]
    assert lists(improvement(a), group) == [[0, 1], [0, -1], [0], [], [0, 0.5, -0.25]]
    assert lists(a + 2 * improvement(a), group[:2]) == [[0, 3], [1, -2]]
    assert improvement(a).scope is Scope.PAST


@pytest.mark.parametrize(
    "text",
    [
        "penalized_progress(delta(env), turns)",
        "up_to(env, infraction=invalid_action)",
        "env + 2*improvement(env)",
    ],
)
def test_expressions_read_back(text: str) -> None:
    assert str(parse_reward(text)) == text


# ---- What they teach


class Track(Text):
    """Six cells in eight turns: ``go`` is safe, ``rush`` may crash, ``wait`` is comfortable."""

    ACTIONS = ("go", "rush", "wait")

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.cell = self.time = 0
        return "0", {"legal_actions": self.ACTIONS}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        kind = self.ACTIONS.index(action)
        self.time += 1
        self.cell = min(6, self.cell + (1, 2, 0)[kind])
        crashed = bool(self.rng.random() < (0.02, 0.25, 0.0)[kind])
        info = {"completion": self.cell / 6, "calm": (1.0, 0.5, 1.0)[kind], "comfort": (0.5, 0.0, 1.0)[kind]}
        info |= {"crashed": float(crashed), "legal_actions": self.ACTIONS}
        return str(self.cell), 0.0, crashed or self.cell == 6, self.time == 8, info


COMPLETION = read(key="completion")
SIMPLE = penalized_progress(delta(COMPLETION), read(key="calm"))
ADDITIVE = delta(COMPLETION) - 0.5 * read(key="crashed") + 0.2 * read(key="comfort")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_works_carl(seed: int) -> None:
    """Completion with batches of 8 and of 64 episodes, at the same number of updates."""

    def completion(reward: Reward, groups: int) -> float:
        _, history = learn(
            Track(seed), reward, steps=60, groups=groups, seed=seed, learning_rate=1.0, measure=mean_info("completion")
        )
        return float(np.mean(history[-10:]))

    small, large = completion(SIMPLE, 1), completion(SIMPLE, 8)
    assert large > small - 0.03
    assert min(small, large) > 0.92
    additive_small, additive_large = completion(ADDITIVE, 1), completion(ADDITIVE, 8)
    assert max(additive_small, additive_large) < 0.86
    # It ends low whatever the batch: that a larger one makes it worse is not seen here.
    assert abs(additive_large - additive_small) < 0.05


def test_works_carl_unit() -> None:
    """A hard infraction ends the pay even where the environment plays on."""
    group = [episode(completion=[0.25, 0.5, 0.75], crashed=[0, 1, 0])]
    assert lists(up_to(delta(COMPLETION), infraction=read(key="crashed")), group) == [[0.25, 0.25, 0]]


class Attempts(Text):
    """Two attempts at one of two questions; the second sees the first, and ``keep`` repeats it."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.question = (options or {})["task"]
        self.first = ""
        return f"question {self.question}", {"legal_actions": ["A", "B", "C"]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        right = "AB"[self.question]
        if not self.first:
            self.first = action
            info = {"right": float(action == right), "legal_actions": ["keep", "A", "B", "C"]}
            return f"question {self.question}, said {action}", 0.0, False, False, info
        said = self.first if action == "keep" else action
        info = {"right": float(said == right), "first": float(self.first == right), "legal_actions": []}
        return "", float(said == right), True, False, info


def attempts(reward: Reward, seed: int) -> np.ndarray:
    """First and second accuracy, wrong-to-right and right-to-wrong, at the end of training from a habit to keep."""

    def measure(batch: list[Group]) -> list[float]:
        infos = [trajectory.turns[-1].info for group in batch for trajectory in group]
        pairs = [(info["first"], info["right"]) for info in infos]
        return [*np.mean(pairs, axis=0), pairs.count((0, 1)) / len(pairs), pairs.count((1, 0)) / len(pairs)]

    policy = TabularPolicy()
    for question in range(2):
        for said in "ABC":
            policy.logits[f"question {question}, said {said}"] = {"keep": 2.0}
    _, history = learn(
        Attempts(), reward, steps=80, tasks=2, seed=seed, learning_rate=1.0, policy=policy, measure=measure
    )
    return np.asarray(np.mean(history[-10:], axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_works_score(seed: int) -> None:
    """Paid for the second attempt alone, a policy repeats its first; with the bonus it corrects.

    It does so here by failing first, since a weight above 1 makes that worth most and nothing anchors this policy.
    """
    first, second, mended, spoiled = attempts(env, seed)
    assert abs(second - first) < 0.05
    assert second > 0.9
    first, second, mended, spoiled = attempts(env + 2 * improvement(read(key="right")), seed)
    assert second - first > 0.5
    assert mended > spoiled + 0.5
    assert second > 0.9
    assert first < 0.6  # on each question it either fails first or has nothing to correct
    # A weight below 1 leaves a right first attempt worth more, and nothing to correct.
    first, second, _, _ = attempts(read(key="right") + 0.5 * improvement(read(key="right")), seed)
    assert min(first, second) > 0.9
