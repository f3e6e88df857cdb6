"""What the operators of combine teach, each against what it was made to beat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from palestra.rewards import (
    Reward,
    RewardError,
    anneal,
    gate,
    linear,
    route,
    score,
    success,
    trust_weighted,
    worst_of,
)
from palestra.training.advantages import Scored, estimator

from .lab import TabularPolicy, learn
from .shaping_toys import Arms, Job, Text, episode, expected, lists, mean_info, read

SEEDS = range(2)


def taught(env: Arms, reward: Reward, key: str, seed: int, steps: int = 40) -> float:
    """The expected value of what the arms report under the key, after training on the reward."""
    policy, _ = learn(env, reward, steps=steps, groups=2, seed=seed, learning_rate=2.0)
    return expected(env, policy, key)


# ---- G-RA: gate

STEP = read(key="step")


def test_works_g_ra_unit() -> None:
    group = [episode(step=[1, 1], success=[False, False]), episode(step=[1, 1], success=[False, True])]
    assert [sum(values) for values in lists(success + 0.5 * gate(STEP, by=success), group)] == [0, 2]


@pytest.mark.parametrize("seed", SEEDS)
def test_works_g_ra(seed: int) -> None:
    """Farming pays 0.3 a step.  At the start 5 works in 10 turns happen with probability 0.62."""
    job = Job(works=5, horizon=10, idle={"farm": {"step": 1.0}})
    start = sum(math.comb(10, k) for k in range(5, 11)) / 2**10

    def completion(reward: Reward) -> float:
        _, history = learn(job, reward, steps=25, groups=2, seed=seed, learning_rate=2.0)
        return float(np.mean(history[-5:]))

    assert completion(success + 0.3 * STEP) < 0.1 < start < 0.75 < completion(success + 0.3 * gate(STEP, by=success))


# ---- Mixed-R1: route


class Kinds(Text):
    """Four kinds of task with two answers each, and a report in each kind's own terms."""

    REPORTS = {  # noqa: RUF012
        "choice": ({"match": 1.0}, {"match": 0.0}),
        "chart": ({"close": 0.9}, {"close": 0.2}),
        "box": ({"iou": 0.8}, {"iou": 0.1}),
        "open": ({"similar": 0.7}, {"similar": 0.4}),
    }

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.kind = list(self.REPORTS)[(options or {})["task"]]
        return self.kind, {"legal_actions": ["good", "bad"]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        report = self.REPORTS[self.kind][action == "bad"]
        return "", float(action == "good"), True, False, {"kind": self.kind, "legal_actions": [], **report}


BY_KIND = {"choice": read(key="match"), "chart": read(key="close"), "box": read(key="iou"), "open": read(key="similar")}


@pytest.mark.parametrize("seed", SEEDS)
def test_works_mixed_r1(seed: int) -> None:
    """One policy on the mixture; none of the four kinds ends below its start, 0.5."""
    policy, _ = learn(Kinds(), route(BY_KIND, by="kind"), steps=30, tasks=4, seed=seed, learning_rate=2.0)
    good = [policy.probabilities(kind, ["good", "bad"])[0] for kind in Kinds.REPORTS]
    assert min(good) > 0.8
    with pytest.raises(RewardError, match="no reward for kind 'video'"):
        route(BY_KIND, by="kind")([episode(kind=["video"])])


# ---- Trust-GRPO: trust_weighted, annealed

THINKING = read(key="think")
THINKERS = {
    "right": {"true": 1.0, "success": 1.0, "think": 0.2},
    "eloquent": {"true": 0.0, "success": 0.0, "think": 1.0},
    "wrong": {"true": 0.0, "success": 0.0, "think": 0.1},
}


def test_works_trust_grpo_unit() -> None:
    better = [episode(think=[0.8], success=[True]), episode(think=[0.2], success=[False])]
    worse = [episode(think=[0.2], success=[True]), episode(think=[0.8], success=[False])]
    trusted = trust_weighted(THINKING, by=success)
    assert lists(trusted, better) == [[0.8], [0.2]]
    assert lists(trusted, worse) == [[pytest.approx(0.2 * math.exp(-0.6))], [pytest.approx(0.8 * math.exp(-0.6))]]
    annealed = anneal(trusted, linear(1, 0, steps=10))
    assert lists(annealed, better, step=5) == [[0.4], [0.1]]
    assert lists(annealed, better, step=10) == [[0], [0]]


@pytest.mark.parametrize("seed", SEEDS)
def test_works_trust_grpo(seed: int) -> None:
    """The thinking scorer praises wrong answers, by more than a right outcome pays."""
    trusted = trust_weighted(THINKING, by=success)
    plain, kept, annealed = (
        taught(Arms(THINKERS), success + 1.5 * term, "true", seed)
        for term in (THINKING, trusted, anneal(trusted, linear(1, 0, steps=20)))
    )
    assert plain < 0.1
    assert min(kept, annealed) > 0.9


# ---- Multi-objective GRPO: a weighted sum of heads

FRONT = {
    f"{angle}": {"safe": math.sin(math.radians(angle)), "helpful": math.cos(math.radians(angle))}
    for angle in range(0, 91, 15)
}
SAFE, HELPFUL = read(key="safe"), read(key="helpful")


def test_works_multi_objective_grpo_unit() -> None:
    group = [episode(safe=[row["safe"]], helpful=[row["helpful"]]) for row in FRONT.values()]
    reward = 0.3 * SAFE + 0.7 * HELPFUL
    want = [[pytest.approx(0.3 * row["safe"] + 0.7 * row["helpful"])] for row in FRONT.values()]
    assert lists(reward, group) == want
    score(reward, group)
    advantages = estimator("grpo", {})(Scored.by(reward, group))
    assert sum(float(values[0]) for values in advantages) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_works_multi_objective_grpo(seed: int) -> None:
    """The weight moves the policy along a quarter circle."""
    safe, helpful = [], []
    for weight in (0.1, 0.3, 0.7, 0.9):
        env = Arms(FRONT)
        policy, _ = learn(env, weight * SAFE + (1 - weight) * HELPFUL, steps=40, seed=seed, learning_rate=2.0)
        safe.append(expected(env, policy, "safe"))
        helpful.append(expected(env, policy, "helpful"))
    assert (np.diff(safe) > 0.02).all()
    assert (np.diff(helpful) < -0.02).all()


# ---- Reward-Robust RLHF: worst_of

HEADS = [read(key=f"head{index}") for index in range(5)]
ENSEMBLE = {
    "best": {"true": 1.0, **{f"head{index}": 0.8 + 0.02 * index for index in range(5)}},
    "overrated": {"true": 0.0, **{f"head{index}": 0.3 for index in range(4)}, "head4": 6.0},
    "poor": {"true": 0.3, **{f"head{index}": 0.3 for index in range(5)}},
}


def test_works_reward_robust_rlhf_unit() -> None:
    group = [episode(**{key: [value] for key, value in arm.items()}) for arm in ENSEMBLE.values()]
    mean = [[pytest.approx(np.mean([arm[f"head{index}"] for index in range(5)]))] for arm in ENSEMBLE.values()]
    assert lists(worst_of(*HEADS, nominal=1.0), group) == mean


@pytest.mark.parametrize("seed", SEEDS)
def test_works_reward_robust_rlhf(seed: int) -> None:
    """One head of five overrates an arm by so much that it has the best mean."""
    picked = [taught(Arms(ENSEMBLE), worst_of(*HEADS, nominal=nominal), "true", seed) for nominal in (1.0, 0.25, 0.0)]
    assert picked[0] < 0.1
    assert min(picked[1:]) > 0.9


def test_a_uniform_policy_knows_nothing() -> None:
    """The start of the checks above."""
    assert expected(Arms(THINKERS), TabularPolicy(), "true") == pytest.approx(1 / 3)
    _, history = learn(Arms(THINKERS), success, steps=1, groups=20, measure=mean_info("success"))
    assert 0.2 < history[0] < 0.47
