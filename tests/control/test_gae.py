from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from palestra.training.control import gae
from palestra.training.control.config import PPOConfig
from palestra.training.control.ppo import PPO
from palestra.training.control.vector import Vector

from . import envs  # noqa: F401 - registers them

GAMMA = 0.9
FOR_EVER = 1 / (1 - GAMMA)
"""What 1 a step is worth that never ends."""


def by_definition(
    rewards: Any, values: Any, next_values: Any, terminated: Any, ended: Any, gamma: float, decay: float
) -> np.ndarray:
    """Sum over l of (gamma decay)^l delta_{t+l}, as far as the episode goes."""
    result = np.zeros(rewards.shape)
    steps, columns = rewards.shape
    for column in range(columns):
        for start in range(steps):
            weight = 1.0
            for step in range(start, steps):
                after = 0.0 if terminated[step, column] else next_values[step, column]
                delta = rewards[step, column] + gamma * after - values[step, column]
                result[start, column] += weight * delta
                if ended[step, column]:
                    break
                weight *= gamma * decay
    return result


def test_it_is_the_sum_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    rewards, values, next_values = rng.normal(size=(3, 40, 6))
    terminated = rng.random((40, 6)) < 0.1
    ended = terminated | (rng.random((40, 6)) < 0.1)
    arguments = (rewards, values, next_values, terminated, ended, 0.97, 0.9)
    np.testing.assert_allclose(gae.advantages(*arguments), by_definition(*arguments), rtol=1e-5, atol=1e-5)


class Constant(torch.nn.Module):
    """Values every state alike, and remembers which it was asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[torch.Tensor] = []

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        self.asked.append(observations.reshape(-1))
        return torch.full((*observations.shape[:-1], 1), FOR_EVER)


def advantages_in(env: str, mode: AutoresetMode) -> np.ndarray:
    """The advantages of 24 steps in each of 2 environments, as a learner gets them, where values are FOR_EVER."""
    made = gymnasium.make_vec(env, 2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    config = PPOConfig(
        env=env, num_envs=2, horizon=24, gamma=GAMMA, normalise_returns=False, normalise_observations=False
    )
    learner = PPO(config, Vector(made, env))
    learner.value = Constant()  # type: ignore[assignment]
    learner.begin(0)
    rollout = learner._collect(torch.Generator().manual_seed(0))
    return learner._batch(rollout, rollout.rewards).advantages.numpy()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_what_is_cut_off_is_worth_as_much_as_what_goes_on(mode: AutoresetMode) -> None:
    found = advantages_in("ControlChain-v0", mode)
    # One step in six begins an episode, where the environment does that in a step of its own.
    assert len(found) == (2 * 20 if mode is AutoresetMode.NEXT_STEP else 2 * 24)
    np.testing.assert_allclose(found, 0, atol=1e-5)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_after_a_terminal_state_nothing_follows(mode: AutoresetMode) -> None:
    """Of three steps the last is worth 1, not FOR_EVER, and the ones before see that coming."""
    short = (1 - FOR_EVER) * np.array([(GAMMA * 0.95) ** 2, GAMMA * 0.95, 1])
    found = advantages_in("ControlShortChain-v0", mode)
    np.testing.assert_allclose(np.sort(found.reshape(-1)), np.sort(np.tile(short, len(found) // 3)), rtol=1e-5)
