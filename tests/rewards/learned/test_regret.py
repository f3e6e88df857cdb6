"""Preferences by regret: exact values by hand, and what each assumption about preferences recovers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from palestra import Status, Trajectory, Turn
from palestra.rewards.learned.fit import fit
from palestra.rewards.learned.regret import (
    RewardTable,
    Segment,
    SegmentPair,
    TabularMDP,
    one_hot,
    partial_return_loss,
    regret_loss,
)
from palestra.rewards.learned.reward import learned
from palestra.rewards.learned.saved import load, save

from .bench import generator

SIDE = 5
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))


def grid(seed: int) -> tuple[TabularMDP, np.ndarray]:
    """A 5 x 5 grid where each move costs 1, mud costs 3 more, and reaching the far corner pays 10 and ends it."""
    rng = np.random.default_rng(seed)
    mud = rng.random(SIDE * SIDE) < 0.25
    transitions, reward = np.zeros((SIDE * SIDE, 4, SIDE * SIDE)), np.zeros((SIDE * SIDE, 4))
    for state in range(SIDE * SIDE - 1):
        row, column = divmod(state, SIDE)
        for action, (down, right) in enumerate(MOVES):
            following = min(max(row + down, 0), SIDE - 1) * SIDE + min(max(column + right, 0), SIDE - 1)
            reward[state, action] = -1 - 3 * mud[following] + 10 * (following == SIDE * SIDE - 1)
            transitions[state, action, following] = following != SIDE * SIDE - 1
    start = np.ones(SIDE * SIDE) / (SIDE * SIDE - 1)
    start[-1] = 0
    return TabularMDP(transitions, start, 0.99), reward


def segments(mdp: TabularMDP, count: int, length: int, rng: np.random.Generator) -> list[Segment]:
    """Random walks from random states; one that reaches the end stays there, where nothing is paid or lost."""
    made = []
    for _ in range(count):
        state, steps = int(rng.choice(len(mdp.start), p=mdp.start)), []
        for _ in range(length):
            action = int(rng.integers(4))
            steps.append((state, action))
            chances = mdp.transitions[state, action]
            state = int(chances.argmax()) if chances.any() else len(mdp.start) - 1
        made.append(np.array(steps))
    return made


def preferences(mdp: TabularMDP, reward: np.ndarray, count: int, seed: int) -> list[SegmentPair]:
    """Noisy choices of somebody who goes by regret under the true reward."""
    rng = np.random.default_rng(seed)
    first, second = segments(mdp, count, 3, rng), segments(mdp, count, 3, rng)
    table = RewardTable(mdp)
    table.reward.data = torch.from_numpy(reward)
    with torch.no_grad():
        lead = (table.regrets(second) - table.regrets(first)).numpy()
    prefers_first = rng.random(count) < 1 / (1 + np.exp(-lead))
    return [(a, b) if yes else (b, a) for a, b, yes in zip(first, second, prefers_first, strict=True)]


def recovered(loss: object, pairs: list[SegmentPair], mdp: TabularMDP, reward: np.ndarray) -> float:
    """The learned reward's optimal policy: its true return between the uniform policy's (0) and the best (1)."""
    table = RewardTable(mdp)
    fit(table, pairs, loss, epochs=60, batch_size=100, learning_rate=0.05, generator=generator())  # type: ignore[arg-type]
    best = mdp.expected_return(mdp.optimal(reward), reward)
    moves = mdp.transitions.mean(axis=1)
    uniform = mdp.start @ np.linalg.solve(np.eye(len(moves)) - mdp.discount * moves, reward.mean(axis=1))
    got = mdp.expected_return(mdp.optimal(table.reward.detach().numpy()), reward)
    return float((got - uniform) / (best - uniform))


def test_values_and_regret_by_hand() -> None:
    # State 0: action 0 stays and pays 1, action 1 goes to state 1 and pays 0.  State 1: action 0 pays 4 and ends.
    transitions = np.zeros((2, 2, 2))
    transitions[0, 0, 0] = transitions[0, 1, 1] = transitions[1, 1, 0] = 1
    reward = np.array([[1.0, 0.0], [4.0, 0.0]])
    patient, hasty = (TabularMDP(transitions, np.array([1.0, 0.0]), discount) for discount in (0.9, 0.5))
    assert patient.optimal(reward).tolist() == [0, 1]  # 1 / (1 - 0.9) = 10 for ever, and 9 by way of state 1
    assert hasty.optimal(reward).tolist() == [0, 0]  # 1 / (1 - 0.5) = 2, as much as 0.5 * 4
    assert patient.expected_return(np.array([0, 1]), reward) == pytest.approx(10)
    assert patient.expected_return(np.array([1, 0]), reward) == pytest.approx(3.6)
    table = RewardTable(patient)
    table.reward.data = torch.from_numpy(reward)
    walks = [np.array([[0, 0], [0, 0]]), np.array([[0, 1], [1, 0]])]
    # V* = [10, 9], Q* = [[10, 8.1], [4, 9]].
    np.testing.assert_allclose(table.regrets(walks).detach(), [0, (10 - 8.1) + (9 - 4)])
    assert table.partial_returns(walks).tolist() == [2, 4]
    pair = (walks[0], walks[1])
    assert regret_loss(table, [pair]).item() == pytest.approx(np.log1p(np.exp(-6.9)))
    assert partial_return_loss(table, [pair]).item() == pytest.approx(np.log1p(np.exp(2)))


def test_regret_is_at_least_zero_and_its_gradient_exact() -> None:
    mdp, reward = grid(0)
    rng = np.random.default_rng(0)
    walks, table = segments(mdp, 20, 4, rng), RewardTable(mdp)
    table.reward.data = torch.from_numpy(reward + 0.01 * rng.normal(size=reward.shape))
    assert (table.regrets(walks) >= -1e-9).all()
    weights = torch.from_numpy(rng.normal(size=20))
    (weights @ table.regrets(walks)).backward()
    assert table.reward.grad is not None
    for state, action in ((0, 1), (7, 0), (12, 3)):
        around = []
        for step in (1e-5, -1e-5):
            table.reward.data[state, action] += step
            around.append((weights @ table.regrets(walks)).item())
            table.reward.data[state, action] -= step
        assert table.reward.grad[state, action].item() == pytest.approx((around[0] - around[1]) / 2e-5, abs=1e-4)


@pytest.mark.parametrize("shift", [-1.0, 0.0, 2.5])
def test_shaping_changes_no_regret(shift: float) -> None:
    """Regret sees a reward up to potential shaping; a partial return does not."""
    mdp, reward = grid(1)
    rng = np.random.default_rng(0)
    potential = shift * rng.normal(size=len(reward))
    potential[-1] = 0
    # What an action leads to, the last state where the episode ends.
    following = np.where(mdp.transitions.any(axis=2), mdp.transitions.argmax(axis=2), len(reward) - 1)
    shaped = reward + mdp.discount * potential[following] - potential[:, None]
    shaped[-1] = reward[-1]
    walks, table = segments(mdp, 20, 3, rng), RewardTable(mdp)
    table.reward.data = torch.from_numpy(reward)
    before = table.regrets(walks).detach().numpy()
    table.reward.data = torch.from_numpy(shaped)
    np.testing.assert_allclose(table.regrets(walks).detach().numpy(), before, atol=1e-8)


def test_a_table_becomes_a_reward(tmp_path: Path) -> None:
    mdp, reward = grid(2)
    table = RewardTable(mdp)
    table.reward.data = torch.from_numpy(reward)

    def locate(turn: Turn) -> tuple[int, int]:
        return int(turn.observation), int(turn.action)

    trajectory = Trajectory("Grid-v0", None, 0, [Turn("23", "0"), Turn("3", "2")], Status.TERMINATED)
    model = table.as_model(locate)
    [paid] = learned(model)([trajectory])
    np.testing.assert_allclose(paid, [reward[23, 0], reward[3, 2]])  # type: ignore[arg-type]
    save(model, tmp_path)
    again = load(tmp_path, features=one_hot(locate, mdp.shape))
    np.testing.assert_array_equal(again.pay([trajectory])[0], paid)  # type: ignore[arg-type]
    trajectory.turns[0].observation = "25"
    with pytest.raises(IndexError):
        learned(model)([trajectory])


def test_what_is_no_mdp_is_refused() -> None:
    stay = np.ones((1, 1, 1))
    for transitions, start, discount in (
        (0.5 * stay, np.ones(1), 0.9),
        (stay, np.zeros(1), 0.9),
        (stay, np.ones(1), 1.0),
        (np.ones((1, 1, 2)) / 2, np.ones(1), 0.9),
    ):
        with pytest.raises(ValueError, match=r"must be|not in"):
            TabularMDP(transitions, start, discount)


@pytest.mark.slow
def test_works_regret_preference_model() -> None:
    found = []
    for seed in range(5):
        mdp, reward = grid(seed)
        pairs = preferences(mdp, reward, 300, seed)
        found.append([recovered(loss, pairs, mdp, reward) for loss in (regret_loss, partial_return_loss)])
    print(f"share of the best return, by regret and by partial return: {np.round(found, 2).tolist()}")
    for by_regret, by_return in found:
        assert by_regret > 0.9
        assert by_return < 0.5
