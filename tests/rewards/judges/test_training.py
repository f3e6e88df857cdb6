"""Judges in training: what they are paid, and which sample goes into which stage."""

from __future__ import annotations

import numpy as np
import pytest

from palestra.rewards.judges import Case, Item
from palestra.rewards.judges.prompt import render
from palestra.rewards.judges.training import Stages, preference_reward, split_by_verdict

from .stubs import verdict

PAIR = Case((Item("a lamp"), Item("a sofa")), "is it a lamp?")


def reply(body: str, case: Case = PAIR) -> str:
    return verdict(render(case, 1), body)


def test_works_rm_r1_reward() -> None:
    assert preference_reward(reply("A"), PAIR, gold=1) == 1
    assert preference_reward(reply("B"), PAIR, gold=-0.5) == 1
    for wrong in (reply("B"), reply("tie"), reply("C"), "A", "<verdict>A</verdict>", "", reply("A")[:-30]):
        assert preference_reward(wrong, PAIR, gold=1) == -1
    with pytest.raises(ValueError, match="needs a pair"):
        preference_reward(reply("A"), PAIR, gold=0)
    with pytest.raises(ValueError, match="needs a pair"):
        preference_reward(reply("A"), Case((Item("x"),), "good?"), gold=1)


def test_works_unifiedreward_think_router() -> None:
    replies = [reply("A"), reply("B"), reply("A"), "nonsense", reply("B")]
    assert split_by_verdict(replies, [PAIR] * 5, [1, 1, -1, 1, -1]) == Stages(rejection=(0, 4), grpo=(1, 2, 3))


class TinyJudge:
    """A categorical judge of pairs of screenshots: softmax over A, B and nonsense, linear in what the pictures show."""

    bodies = ("A", "B", "I like both")

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.weights = np.zeros(12)
        self.nonsense = -2.0

    def probabilities(self, case: Case) -> np.ndarray:
        side = float(self.weights @ difference(case))
        logits = np.array([side, -side, self.nonsense])
        weights = np.exp(logits - logits.max())
        return np.asarray(weights / weights.sum())

    def sample(self, case: Case) -> int:
        return int(self.rng.choice(3, p=self.probabilities(case)))

    def reinforce(self, case: Case, choice: int, amount: float) -> None:
        """One step of ``amount * grad log p(choice)``."""
        error = np.eye(3)[choice] - self.probabilities(case)
        self.weights += amount * (error[0] - error[1]) * difference(case)
        self.nonsense += amount * error[2]

    def accuracy(self, cases: list[Case], golds: list[float]) -> float:
        """Of its likeliest verdicts."""
        likeliest = [int(self.probabilities(case).argmax()) for case in cases]
        return float(np.mean([choice == int(gold < 0) for choice, gold in zip(likeliest, golds, strict=True)]))


def difference(case: Case) -> np.ndarray:
    """Of two screenshots: their mean colours in each quadrant, [12], as shares."""
    means = [item.images[0].reshape(2, 4, 2, 4, 3).mean(axis=(1, 3)).ravel() / 255 for item in case.items]
    return np.asarray(means[0] - means[1])


def pairs(rng: np.random.Generator, taste: np.ndarray, count: int) -> tuple[list[Case], list[float]]:
    """Pairs of pictures of four flat quadrants, and which one the taste prefers."""
    cases, golds = [], []
    for _ in range(count):
        colours = rng.integers(0, 256, (2, 2, 1, 2, 1, 3))
        pictures = [np.broadcast_to(colour, (2, 4, 2, 4, 3)).reshape(8, 8, 3).astype(np.uint8) for colour in colours]
        cases.append(Case(tuple(Item("screen", (picture,)) for picture in pictures), "the nicer one"))
        golds.append(float(np.sign(taste @ difference(cases[-1]))))
    return cases, golds


def grpo(judge: TinyJudge, cases: list[Case], golds: list[float], rate: float = 1.0) -> None:
    """One step per case: eight replies, their rewards whitened within the group."""
    for case, gold in zip(cases, golds, strict=True):
        choices = [judge.sample(case) for _ in range(8)]
        rewards = np.array([preference_reward(reply(judge.bodies[choice], case), case, gold) for choice in choices])
        if rewards.std() > 0:
            for choice, advantage in zip(choices, (rewards - rewards.mean()) / rewards.std(), strict=True):
                judge.reinforce(case, choice, rate * float(advantage) / 8)


def test_works_rm_r1_training() -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        taste = rng.standard_normal(12)
        held_out = pairs(rng, taste, 300)
        judge = TinyJudge(rng)
        before = judge.accuracy(*held_out)
        cases, golds = pairs(rng, taste, 200)
        for rate in (1.0, 0.5, 0.25):
            grpo(judge, cases, golds, rate)
        after = judge.accuracy(*held_out)
        print("held-out accuracy before and after:", before, after)
        assert 0.4 < before < 0.6
        assert after >= 0.9


def test_works_unifiedreward_think_stages() -> None:
    ends: list[tuple[float, float, float]] = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        taste = rng.standard_normal(12)
        held_out = pairs(rng, taste, 300)
        judge = TinyJudge(rng)
        cases, golds = pairs(rng, taste, 15)
        for _ in range(10):  # the cold start: a little data, from a teacher that errs at times
            for case, gold in zip(cases, golds, strict=True):
                told = gold if rng.random() < 0.9 else -gold
                judge.reinforce(case, int(told < 0), 1.0)
        cold = judge.accuracy(*held_out)

        cases, golds = pairs(rng, taste, 300)
        choices = [judge.sample(case) for case in cases]
        replies = [reply(judge.bodies[choice], case) for choice, case in zip(choices, cases, strict=True)]
        stages = split_by_verdict(replies, cases, golds)
        assert sorted(stages.rejection + stages.grpo) == list(range(300))
        for index in stages.rejection:
            judge.reinforce(cases[index], choices[index], 1.0)
        rejection = judge.accuracy(*held_out)
        grpo(judge, [cases[index] for index in stages.grpo], [golds[index] for index in stages.grpo])
        ends.append((cold, rejection, judge.accuracy(*held_out)))
    print("held-out accuracy after each stage:", ends)
    assert all(rejection > cold and final > cold for cold, rejection, final in ends)
    means = np.mean(ends, axis=0)
    assert means[2] > means[0] + 0.05
