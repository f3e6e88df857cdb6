"""Step rewards out of a policy: DPO by hand, and the step that decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from palestra import Status, Trajectory, Turn
from palestra.rewards.learned.data import Pair, ranked_pairs
from palestra.rewards.learned.fit import accuracy, fit, preference_loss
from palestra.rewards.learned.implicit import ImplicitProcessModel
from palestra.rewards.learned.saved import SavedModelError, load, save

from .bench import generator

STEPS, ACTIONS = 10, 4
DECISIVE, RIGHT = 3, 2


class Table(nn.Module):
    """A softmax over actions for each step; the observation is the step's number, the action a digit."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(STEPS, ACTIONS))

    def log_probs(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        table = self.logits.log_softmax(dim=1)
        return [
            torch.stack([table[int(turn.observation), int(turn.action)] for turn in trajectory.turns])
            for trajectory in trajectories
        ]


def play(probabilities: np.ndarray, rng: np.random.Generator) -> Trajectory:
    """Ten choices, of which the fourth alone decides success."""
    actions = [int(rng.choice(ACTIONS, p=row)) for row in probabilities]
    turns = [Turn(str(step), str(action)) for step, action in enumerate(actions)]
    turns[-1].reward = float(actions[DECISIVE] == RIGHT)
    return Trajectory("Choices-v0", None, 0, turns, Status.TERMINATED)


UNIFORM = np.full((STEPS, ACTIONS), 1 / ACTIONS)


def ranked(count: int, rng: np.random.Generator) -> list[Pair]:
    """Each failure beside a success, of this many random episodes."""
    episodes = [play(UNIFORM, rng) for _ in range(count)]
    good, bad = ([one for one in episodes if one.score == score] for score in (1, 0))
    return [Pair(good[index % len(good)], one) for index, one in enumerate(bad)]


def trained(seed: int) -> ImplicitProcessModel:
    model = ImplicitProcessModel(Table(), Table(), beta=0.5)
    pairs = ranked(256, np.random.default_rng(seed))
    fit(model, pairs, preference_loss, epochs=8, learning_rate=0.1, generator=generator())
    return model


def test_a_steps_reward_is_the_log_ratio_and_the_loss_is_trajectory_dpo() -> None:
    model = ImplicitProcessModel(Table(), Table(), beta=0.5)
    model.policy.logits.data[0, 1] = 1.0
    first, second = play(UNIFORM, np.random.default_rng(0)), play(UNIFORM, np.random.default_rng(1))
    first.turns[0].action, second.turns[0].action = "1", "0"
    normal = math.log(3 + math.e)
    ratios = [1 - normal + math.log(4), -normal + math.log(4)]
    for one, ratio in zip((first, second), ratios, strict=True):
        np.testing.assert_allclose(model.pay([one])[0], [0.5 * ratio] + [0] * (STEPS - 1), atol=1e-6)
    wanted = math.log1p(math.exp(-0.5 * (ratios[0] - ratios[1])))
    assert preference_loss(model, [Pair(first, second)]).item() == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(ValueError, match="beta must be above 0"):
        ImplicitProcessModel(Table(), None, beta=0.0)


def test_the_reference_is_frozen_and_policies_of_ones_own_are_given_again(tmp_path: Path) -> None:
    model = ImplicitProcessModel(Table(), Table(), beta=0.5)
    fit(
        model, ranked(16, np.random.default_rng(0)), preference_loss, epochs=1, learning_rate=0.1, generator=generator()
    )
    assert model.reference is not None
    assert model.reference.logits.abs().max() == 0 < model.policy.logits.abs().max()  # type: ignore[operator,union-attr]
    save(model, tmp_path)
    with pytest.raises(SavedModelError, match="needs policies="):
        load(tmp_path)
    one = play(UNIFORM, np.random.default_rng(0))
    again = load(tmp_path, policies=(Table(), Table()))
    assert again.pay([one])[0].tolist() == model.pay([one])[0].tolist()


@pytest.mark.slow
def test_works_oprl_ranks_the_decisive_step_first_and_orders_by_the_sum() -> None:
    measured = []
    for seed in range(3):
        model, rng = trained(seed), np.random.default_rng(100 + seed)
        paid = np.abs(np.array(model.pay([play(UNIFORM, rng) for _ in range(200)])))
        measured.append([(paid.argmax(axis=1) == DECISIVE).mean(), accuracy(model, ranked(100, rng))])
    first, ordered = np.mean(measured, axis=0)
    print(f"decisive step first {first:.3f}, sums in order {ordered:.3f}")
    assert first > 0.9
    assert ordered > 0.95


def gradient(group: list[Trajectory], probabilities: np.ndarray, model: ImplicitProcessModel | None) -> np.ndarray:
    """The policy gradient [steps, actions] with GRPO's advantage, plus that of the normalised step rewards."""
    scores = np.array([episode.score for episode in group])
    advantages = np.repeat((scores - scores.mean())[:, None] / (scores.std() + 1e-6), STEPS, axis=1)
    if model:
        steps = np.array(model.pay(group))
        advantages = advantages + (steps - steps.mean()) / (steps.std() + 1e-6)
    total = np.zeros_like(probabilities)
    for episode, row in zip(group, advantages, strict=True):
        for step, (turn, advantage) in enumerate(zip(episode.turns, row, strict=True)):
            total[step] += advantage * (np.eye(ACTIONS)[int(turn.action)] - probabilities[step])
    return total / len(group)


def episodes_to_success(seed: int, combined: bool, target: float = 0.9) -> int:
    """Episodes until nine in ten succeed; the implicit model learns in turn with the agent, on the same groups."""
    rng, agent, size = np.random.default_rng(seed), np.zeros((STEPS, ACTIONS)), 16
    model = ImplicitProcessModel(Table(), Table(), beta=0.5)
    for batch in range(50):
        probabilities = np.exp(agent) / np.exp(agent).sum(axis=1, keepdims=True)
        if probabilities[DECISIVE, RIGHT] >= target:
            return batch * size
        group = [play(probabilities, rng) for _ in range(size)]
        pairs = ranked_pairs(group, [episode.score for episode in group])
        if combined and pairs:
            for policy in (model.policy, model.reference):
                policy.logits.data = torch.from_numpy(agent).float()  # type: ignore[union-attr]
            fit(model, pairs, preference_loss, epochs=2, learning_rate=0.05, generator=generator(batch))
        agent += 0.5 * gradient(group, probabilities, model if combined and pairs else None)
    return 50 * size


@pytest.mark.slow
def test_works_oprl_learns_sooner_and_with_less_noise() -> None:
    needed = np.array([[episodes_to_success(seed, combined) for combined in (False, True)] for seed in range(5)])
    model, noise = trained(0), []
    for given in (None, model):
        rng = np.random.default_rng(9)
        found = np.array([gradient([play(UNIFORM, rng) for _ in range(16)], UNIFORM, given) for _ in range(100)])
        noise.append(found.var(axis=0).sum() / np.square(found.mean(axis=0)).sum())
    print(f"episodes {needed.mean(axis=0)}, variance over squared mean {noise[0]:.2f}, {noise[1]:.2f}")
    assert (needed[:, 1] < needed[:, 0]).all()
    assert noise[1] < 0.8 * noise[0]
