"""Rewards in front of Gymnasium environments pay what scoring the episode would."""

from __future__ import annotations

import doctest
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from palestra import Status, Trajectory, Turn
from palestra.rewards import (
    Reward,
    RewardError,
    RewardWrapper,
    anneal,
    clip,
    delta,
    env,
    gate,
    group_reward,
    lexicographic,
    linear,
    solved,
    success,
    truncated,
    turns,
    valid_action,
    wrapper,
)


class Counter(gym.Env[np.ndarray, np.int64]):
    """Adds up the actions, paying each; done at 5 or more."""

    observation_space = spaces.Box(0, 10, (1,), np.float64)
    action_space = spaces.Discrete(3)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.total = 0.0
        return np.array([self.total]), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.total += float(action)
        done = self.total >= 5
        info = {"success": done, "valid_action": bool(action)}
        return np.array([self.total]), float(action), done, False, info


def counter(limit: int = 100) -> gym.Env[Any, Any]:
    return gym.wrappers.TimeLimit(Counter(), limit)


def play(wrapped: gym.Env[Any, Any], actions: list[int]) -> tuple[list[float], list[dict[str, Any]]]:
    wrapped.reset(seed=3)
    steps = [wrapped.step(action) for action in actions]
    return [float(step[1]) for step in steps], [step[4] for step in steps]


def test_turn_rewards_are_paid_at_once_and_episode_rewards_at_the_end() -> None:
    rewards, infos = play(RewardWrapper(counter(), success + 0.5 * env - 0.25 * turns), [2, 0, 2, 1])
    assert rewards == [0.75, -0.25, 0.75, 1.25]
    assert [info["env_reward"] for info in infos] == [2, 0, 2, 1]
    assert infos[0]["rewards"] == {"env": 2, "turns": 1, "total": 0.75}
    assert infos[3]["rewards"] == {"success": 1, "env": 1, "turns": 1, "total": 1.25}
    assert infos[3]["success"] is True


def test_rewards_of_the_past_see_the_turns_before() -> None:
    rewards, _ = play(RewardWrapper(counter(), delta(env)), [1, 2, 0, 2])
    assert rewards == [1, 1, -2, 2]


@pytest.mark.parametrize(
    "reward",
    [
        env,
        success + 0.2 * valid_action - 0.01 * turns,
        delta(env) + clip(delta(env), 0, 1),
        gate(env, by=success) + env,
        gate(env, by=solved(threshold=6)) - truncated,
        success - 0.5 * gate(delta(env), by=success),
    ],
    ids=str,
)
@pytest.mark.parametrize("actions", [[2, 2, 2], [0, 1, 2, 2], [1, 0, 0, 0]])
def test_an_episode_comes_to_what_scoring_it_gives(reward: Reward, actions: list[int]) -> None:
    paid, infos = play(RewardWrapper(counter(4), reward), actions)
    own = [Turn(None, action, float(action), info=info) for action, info in zip(actions, infos, strict=True)]  # type: ignore[arg-type]
    status = Status.TERMINATED if infos[-1]["success"] else Status.TRUNCATED
    [values] = reward([Trajectory("Counter", None, 3, own, status)])
    assert values is not None
    assert sum(paid) == pytest.approx(values.sum())


def test_episodes_do_not_mix() -> None:
    wrapped = RewardWrapper(counter(), delta(env) + success)
    first = play(wrapped, [2, 2, 2])
    play(wrapped, [1])
    assert play(wrapped, [2, 2, 2]) == first


def test_annealed_rewards_follow_the_training_step() -> None:
    wrapped = RewardWrapper(counter(), anneal(env, linear(1, 0, steps=4)))
    assert play(wrapped, [2])[0] == [2]
    wrapped.training_step = 3
    assert play(wrapped, [2])[0] == [0.5]


@group_reward
def rank(group: Any) -> list[float]:
    return [0.0] * len(group)


@pytest.mark.parametrize("reward", [env + rank, lexicographic(env, turns)], ids=str)
def test_a_group_reward_is_refused_with_an_explanation(reward: Reward) -> None:
    with pytest.raises(ValueError, match=r"(rank|lexicographic\(env, turns\)) compares the episodes of a group"):
        RewardWrapper(counter(), reward)


def test_stepping_without_a_reset_is_refused() -> None:
    wrapped = RewardWrapper(Counter(), env)
    wrapped.env.reset()
    with pytest.raises(gym.error.ResetNeeded):
        wrapped.step(1)
    play(wrapped, [2, 2, 2])
    with pytest.raises(gym.error.ResetNeeded):
        wrapped.step(1)


def test_an_environment_that_does_not_say_success_is_an_error_not_a_zero() -> None:
    lake = RewardWrapper(gym.make("FrozenLake-v1", is_slippery=False), success)
    lake.reset(seed=0)
    lake.step(1)
    with pytest.raises(RewardError, match="solved"):
        lake.step(2)  # into the hole


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped:UserWarning")
def test_it_passes_gymnasiums_checker_and_vectorises() -> None:
    check_env(RewardWrapper(Counter(), success - 0.1 * turns), skip_render_check=True)
    vector = gym.vector.SyncVectorEnv([lambda: RewardWrapper(counter(), success - 0.25 * turns)] * 2)
    vector.reset(seed=0)
    vector.step(np.array([2, 1]))
    vector.step(np.array([2, 1]))
    _, rewards, terminations, _, _ = vector.step(np.array([2, 1]))
    assert rewards.tolist() == [0.75, -0.25]
    assert terminations.tolist() == [True, False]


def test_a_wrapped_environment_can_be_made_again_from_its_spec() -> None:
    wrapped = RewardWrapper(gym.make("FrozenLake-v1"), env - 0.5 * turns)
    assert wrapped.spec is not None
    again = gym.make(wrapped.spec)
    again.reset(seed=0)
    assert again.step(0)[1] == -0.5


def test_the_docstrings_example_runs() -> None:
    assert doctest.testmod(wrapper).attempted > 0
    assert doctest.testmod(wrapper).failed == 0
