"""Goal-conditioned representations: the loss by hand, and judging episodes half-way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from palestra import Status, Trajectory, Turn
from palestra.rewards import RewardError
from palestra.rewards.learned.data import Pair
from palestra.rewards.learned.encoders import FeatureEncoder
from palestra.rewards.learned.fit import fit
from palestra.rewards.learned.goals import GoalModel, goal_conditioned_loss, goal_loss
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.learned.reward import learned
from palestra.rewards.learned.saved import load, save

from .bench import auroc, episode, generator

LENGTH = 10


def walk(rng: np.random.Generator) -> Trajectory:
    """A random walk whose state is (step, place): it succeeds if it ends above where it began."""
    places = np.cumsum(rng.choice([-1, 1], LENGTH))
    turns = []
    for step, place in enumerate(places):
        features = np.zeros((LENGTH, 2 * LENGTH + 1))
        features[step, LENGTH + place] = 1
        turns.append(Turn(str(step), "a", info={"features": features.ravel()}))
    turns[-1].reward = float(places[-1] > 0)
    return Trajectory("Walk-v0", None, 0, turns, Status.TERMINATED)


def half(trajectory: Trajectory) -> Trajectory:
    return Trajectory("Walk-v0", None, 0, trajectory.turns[: LENGTH // 2], Status.TRUNCATED)


def model(seed: int) -> RewardModel:
    return RewardModel(FeatureEncoder("features", LENGTH * (2 * LENGTH + 1), (16,), seed=seed), seed=seed)


def pairs(count: int, rng: np.random.Generator) -> list[Pair]:
    walks = [walk(rng) for _ in range(4 * count)]
    good = [one for one in walks if one.score == 1]
    bad = [one for one in walks if one.score == 0]
    return [Pair(*both) for both in zip(good[:count], bad[:count], strict=True)]


def test_the_loss_by_hand() -> None:
    east, north = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])

    def surprise(like: float, unlike: float) -> float:
        return math.log1p(math.exp(-like)) + math.log1p(math.exp(unlike))

    # Two turns leave no choice of source and goal, one turn is both.
    assert goal_loss([torch.stack([east, east])], [north[None]], generator()).item() == pytest.approx(surprise(1, 0))
    assert goal_loss([torch.stack([east, north])], [-east[None]], generator()).item() == pytest.approx(surprise(0, -1))
    assert goal_loss([east[None]], [2 * east[None]], generator()).item() == pytest.approx(surprise(1, 1))


def test_the_goal_is_later_than_the_source() -> None:
    # Turn t points at angle t, so that the cosine tells how far apart source and goal are.
    angles = torch.tensor([0.0, 0.5, 1.0, 1.5])
    good, bad = torch.stack([angles.cos(), angles.sin()], dim=1), torch.tensor([[-1.0, 0.0]])
    noise, found = generator(), set()
    for _ in range(200):
        losses = goal_loss([good], [bad], noise)
        found.add(round(losses.item(), 5))
    apart = {
        round(math.log1p(math.exp(-math.cos(angles[g] - angles[s]))) + math.log1p(math.exp(-math.cos(angles[s]))), 5)
        for s in range(4)
        for g in range(s + 1, 4)
    }
    assert found == apart


def test_a_goal_model_pays_the_cosine_to_the_mean_of_what_ended_well(tmp_path: Path) -> None:
    made = GoalModel(FeatureEncoder("features", 2, hidden=()))
    made.set_goal([episode([[9, 9], [1, 0]]), episode([[0, 1]])])
    assert made.goal.tolist() == [0.5, 0.5]
    trajectory = episode([[2, 2], [1, 0], [-3, 3]])
    [paid] = learned(made)([trajectory])
    np.testing.assert_allclose(paid, [1, math.sqrt(0.5), 0], atol=1e-6)  # type: ignore[arg-type]
    save(made, tmp_path)
    np.testing.assert_allclose(load(tmp_path).pay([trajectory])[0], made.pay([trajectory])[0])
    with pytest.raises(RewardError, match="a goal needs examples"):
        made.set_goal([])


@pytest.mark.slow
def test_works_goal_conditioned_rm() -> None:
    """Judging walks after half of their steps, at which no model has seen a walk end."""
    measured = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        data, walks = pairs(100, rng), [walk(rng) for _ in range(200)]
        labels, halves = [bool(one.score) for one in walks], [half(one) for one in walks]
        found = []
        for weight in (0.0, 1.0):
            made = model(seed)
            loss = goal_conditioned_loss(weight, generator(seed))
            fit(made, data, loss, epochs=20, learning_rate=1e-2, generator=generator())
            found.append(auroc([value[-1] for value in made.pay(halves)], labels))
            likeness = GoalModel(made.encoder).set_goal([pair.preferred for pair in data]).pay(halves)
        found += [auroc([value[-1] for value in likeness], labels), *majorities(likeness, walks, rng)]
        measured.append(found)
    alone, both, goal, everything, pruned = np.mean(measured, axis=0)
    print(f"AUROC alone {alone:.3f}, with goals {both:.3f}, likeness {goal:.3f}; votes {everything:.3f}, {pruned:.3f}")
    assert both > alone + 0.1
    assert goal > 0.65
    assert pruned >= everything - 0.02


def majorities(likeness: list[np.ndarray], walks: list[Trajectory], rng: np.random.Generator) -> tuple[float, float]:
    """How often most of 9 answers are right: of all, and of the 4 whose first halves are most like the goal.

    A walk that succeeds gives the right answer, one that fails any of three wrong ones.
    """
    right = np.array([one.score == 1 for one in walks])
    like = np.array([value[-1] for value in likeness])
    wins = np.zeros((500, 2))
    for row in wins:
        drawn = rng.choice(len(walks), 9, replace=False)
        answers = np.where(right[drawn], 0, rng.integers(1, 4, 9))
        kept = answers[np.argsort(-like[drawn])[:4]]
        row[:] = [np.bincount(some, minlength=4).argmax() == 0 for some in (answers, kept)]
    return float(wins[:, 0].mean()), float(wins[:, 1].mean())
