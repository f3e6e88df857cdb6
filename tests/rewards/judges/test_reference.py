from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palestra.rewards.judges import Item, PolicyDiscriminator, judged, transcript
from palestra.rewards.judges.reference import distance, train_discriminator
from palestra.rewards.regression import Linear, sigmoid

from ..lab import Env, TabularPolicy, learn, play

STATES, ACTIONS, TURNS = 4, ("left", "stay", "right"), 24


class Loop(Env):
    """Walks through the states in order, whatever is done in them."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.turn = 0
        return "state 0", {"legal_actions": list(ACTIONS)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        return f"state {self.turn % STATES}", 0.0, self.turn == TURNS, False, {"legal_actions": list(ACTIONS)}


def frequencies(item: Item) -> np.ndarray:
    """How often each action was taken in each state, of a transcript."""
    lines = item.text.splitlines()
    counts = np.zeros((STATES, len(ACTIONS)))
    for index in range(0, 4 * TURNS, 4):
        counts[int(lines[index + 1].split()[1]), ACTIONS.index(lines[index + 3])] += STATES / TURNS
    return counts.ravel()


def random_policy(rng: np.random.Generator) -> TabularPolicy:
    policy = TabularPolicy()
    for state in range(STATES):
        policy.logits[f"state {state}"] = dict(zip(ACTIONS, 2 * rng.standard_normal(len(ACTIONS)), strict=True))
    return policy


def shown(policy: TabularPolicy, rng: np.random.Generator, count: int) -> list[Item]:
    return [transcript(play(Loop(), policy, rng)) for _ in range(count)]


def divergence(policy: TabularPolicy, target: TabularPolicy) -> float:
    """KL(policy || target), the mean over the states."""
    both = [[p.probabilities(f"state {state}", list(ACTIONS)) for state in range(STATES)] for p in (policy, target)]
    return float(np.mean([np.sum(own * np.log(own / wanted)) for own, wanted in zip(*both, strict=True)]))


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    return float(np.mean(positive[:, None] > negative[None, :]) + 0.5 * np.mean(positive[:, None] == negative[None, :]))


def test_the_distance_is_symmetric_and_ends_with_its_sum() -> None:
    first, second = np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]])
    assert distance(first, second).tolist() == distance(second, first).tolist() == [[2, 1, 3]]


def test_the_score_is_the_mean_probability_over_the_references() -> None:
    def features(item: Item) -> np.ndarray:
        return np.array([float(item.text)])

    judge = PolicyDiscriminator(features, Linear(np.array([-1.0, -1.0]), 1.0), (Item("1"), Item("3")))
    assert judge.judge(["1"], "same?").score == pytest.approx(np.mean(sigmoid(np.array([1, -3]))))
    assert judge.judge(["1"], "same?", reference="1").score == pytest.approx(sigmoid(np.array(1.0)))
    assert judge.judge(["1", "9"], "same?").pair == pytest.approx(0.38923, abs=1e-4)  # the other is at nearly 0
    bare = PolicyDiscriminator(features, judge.model)
    assert bare.judge(["1"], "same?").abstain
    assert bare.judge(["1"], "same?", reference="2").score == pytest.approx(sigmoid(np.array(-1.0)))


def test_training_needs_two_policies_with_two_items() -> None:
    rng = np.random.default_rng(0)
    for work in ([], [[Item("x"), Item("y")]], [[Item("x"), Item("y")], [Item("z")]]):
        with pytest.raises(ValueError, match="at least two"):
            train_discriminator(work, frequencies, rng, pairs=2)


@pytest.fixture(scope="module")
def discriminator() -> PolicyDiscriminator:
    rng = np.random.default_rng(0)
    work = [shown(random_policy(rng), rng, 10) for _ in range(20)]
    return train_discriminator(work, frequencies, rng, pairs=2000)


def test_works_polar_tells_policies_apart(discriminator: PolicyDiscriminator) -> None:
    """On policies that it was not trained on."""
    rng = np.random.default_rng(1)
    rows = [np.stack([frequencies(item) for item in shown(random_policy(rng), rng, 6)]) for _ in range(20)]
    same = np.concatenate([discriminator.probability(items[:3], items[3:]) for items in rows])
    others = np.concatenate([discriminator.probability(rows[i][:3], rows[j][3:]) for i in range(20) for j in range(i)])
    found = auc(same, others)
    print("AUC on unseen policies:", found)
    assert found >= 0.9


@pytest.mark.slow
def test_works_polar_as_a_reward(discriminator: PolicyDiscriminator) -> None:
    ratios = []
    for seed in range(3):
        rng = np.random.default_rng(100 + seed)
        target = random_policy(rng)
        judge = PolicyDiscriminator(discriminator.features, discriminator.model, tuple(shown(target, rng, 8)))
        before = divergence(TabularPolicy(), target)
        policy, _ = learn(
            Loop(), judged(judge, criteria="like the references"), steps=60, groups=2, learning_rate=2.0, seed=seed
        )
        ratios.append(divergence(policy, target) / before)
    print("KL to the target, after / before:", ratios)
    assert max(ratios) <= 0.5
