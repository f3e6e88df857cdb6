"""Flipped rewards: exact statistics, and what a learner bears."""

from __future__ import annotations

import numpy as np
import pytest

from palestra import Status, Trajectory, Turn
from palestra.rewards import parse_reward
from palestra.rewards.noise import flipped

from .lab import learn
from .shaping_toys import Arms, expected, lists, read

a = read(key="a")


def answers(count: int, value: float = 1.0) -> list[Trajectory]:
    """Episodes that differ in what they did, of two turns."""
    return [
        Trajectory("X-v0", 3, 7, [Turn("o", "think"), Turn("o", f"answer {i}", info={"a": value})], Status.TERMINATED)
        for i in range(count)
    ]


def test_a_flip_mirrors_the_total_on_the_last_turn() -> None:
    group = answers(1, 0.25)
    group[0].turns[0].info["a"] = 0.5
    assert lists(flipped(a, probability=1), group) == [[0.5, pytest.approx(-0.25)]]  # totals 1 - 0.75
    assert lists(flipped(a, probability=1, low=-1), group) == [[0.5, pytest.approx(-1.25)]]  # totals -0.75
    assert lists(flipped(a, probability=0), group) == [[0.5, 0.25]]
    assert lists(flipped(a, probability=1), [Trajectory("X", None, 0, [], Status.TERMINATED)]) == [[]]
    with pytest.raises(ValueError, match="between 0 and 1"):
        flipped(a, probability=1.5)


def test_the_flip_belongs_to_the_trajectory_and_not_to_its_group() -> None:
    group = answers(40)
    reward = flipped(a, probability=0.4)
    together = lists(reward, group)
    assert [lists(reward, [trajectory])[0] for trajectory in group] == together
    order = np.random.default_rng(0).permutation(40)
    assert lists(reward, [group[index] for index in order]) == [together[index] for index in order]
    assert lists(reward, group) == together
    assert lists(reward, group, step=1) != together
    assert lists(flipped(a, probability=0.4, seed=1), group) != together


def test_what_was_sampled_and_continuous_actions_tell_episodes_apart() -> None:
    reward = flipped(a, probability=0.5)

    def values(made: list[Turn]) -> list[list[float]]:
        return lists(reward, [Trajectory("X", 1, 1, [turn], Status.TERMINATED) for turn in made])

    info = {"a": 1.0}
    tokens = [Turn("o", "same", action_ids=np.array([index], np.int32), info=info) for index in range(50)]
    arrays = [Turn("o", np.full(2000, index), info=info) for index in range(50)]
    for made in (tokens, arrays):
        assert {value[0] for value in values(made)} == {0.0, 1.0}


@pytest.mark.parametrize("probability", [0.1, 0.4, 0.5])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_works_noisy_rewards_keep_their_order_in_expectation(probability: float, value: float) -> None:
    """E[r'] = p + (1 - 2p) r, within four standard errors."""
    count = 4000
    mean = np.mean([sum(values) for values in lists(flipped(a, probability=probability), answers(count, value))])
    error = (probability * (1 - probability) / count) ** 0.5
    assert mean == pytest.approx(probability + (1 - 2 * probability) * value, abs=4 * error)


def test_expressions_read_back() -> None:
    text = "flipped(success, probability=0.4)"
    assert str(parse_reward(text)) == text


def learned(probability: float, seed: int, steps: int) -> float:
    """The share of good answers after training on flipped rewards; 0.5 before."""
    env = Arms({"good": {"ok": 1.0}, "bad": {"ok": 0.0}})
    reward = flipped(read(key="ok"), probability=probability)
    policy, _ = learn(env, reward, steps=steps, seed=seed, learning_rate=0.2)
    return expected(env, policy, "ok")


def test_works_noisy_rewards() -> None:
    """40% flipped costs updates and not the end; 50% teaches nothing, on average over seeds."""
    clean = learned(0.0, seed=0, steps=20)
    noisy = [learned(0.4, seed, steps=100) for seed in range(2)]
    nothing = [learned(0.5, seed, steps=20) for seed in range(8)]
    assert clean > 0.9
    assert min(noisy) > 0.85
    assert learned(0.4, seed=0, steps=20) < clean - 0.1
    assert abs(np.mean(nothing) - 0.5) < 0.15
