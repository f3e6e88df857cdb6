"""What an oracle shows, and behaviour cloning of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from ...agents.scripted import OracleAgent
from ...envs.abilities import Solvable
from ...rewards import parse_reward, score
from ...trajectory import Status, Trajectory
from ..recipe import RecipeError
from ..tasks import Tasks
from .buffer import Transitions
from .config import Cloning, ControlConfig
from .evaluation import play_jobs
from .vector import Frame, make_single


class DisturbedOracle(OracleAgent):
    """Follows the environment's oracle, with noise on its actions; ``meant`` are those of the episode without."""

    def __init__(self, frame: Frame, noise: float, seed: int) -> None:
        self.meant: list[np.ndarray] = []
        self._frame, self._noise = frame, noise
        self._np_random = np.random.default_rng(seed)

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Take the environment's solver."""
        super().reset(env, seed)
        self.meant = []

    def act(self, observation: Any, info: Mapping[str, Any]) -> np.ndarray:
        """The oracle's action, disturbed."""
        self.meant.append(self._frame.shrunk(super().act(observation, info)))
        noise = self._noise * self._np_random.standard_normal(len(self.meant[-1]))
        return self._frame.stretched(self.meant[-1] + noise)


def demonstrate(config: ControlConfig) -> tuple[Transitions, np.ndarray]:
    """The transitions of the oracle's episodes on training tasks, and the actions that it meant, [rows, actions].

    Rewards are those that the run maximises.

    Raises:
        RecipeError: the environment has no oracle, or no episode has an outcome.
    """
    env = make_single(config)
    try:
        if not isinstance(env.unwrapped, Solvable):
            raise RecipeError(f"demonstrations.episodes: {config.env} has no oracle() to show any")
        frame = Frame(env.observation_space, env.action_space, config.env)
        agent = DisturbedOracle(frame, config.demonstrations.noise, config.seed)
        shown, meant = [], []
        for job in Tasks(env, config.env, config.seed).shown(config.demonstrations.episodes):
            (episode,) = play_jobs(env, agent, [job])
            if episode.status.scored:
                shown.append(transitions(episode, frame, config))
                meant += agent.meant
    finally:
        env.close()
    if not shown:
        raise RecipeError(f"demonstrations.episodes: the oracle of {config.env} finished no episode")
    return Transitions(*map(np.concatenate, zip(*shown, strict=True))), np.array(meant, np.float32)


def transitions(episode: Trajectory, frame: Frame, config: ControlConfig) -> Transitions:
    """An episode's, with the rewards that the run maximises and their discounted sums to the end."""
    (paid,) = score(parse_reward(config.reward), [episode])
    assert paid is not None, "the episode has an outcome"
    seen = [frame.flat(turn.observation) for turn in episode.turns] + [frame.flat(episode.final_observation)]
    terminated = np.zeros(len(episode.turns), np.float32)
    terminated[-1] = episode.status is Status.TERMINATED
    returns = np.array(paid, np.float32)
    for step in range(len(returns) - 2, -1, -1):
        returns[step] += config.gamma * returns[step + 1]
    actions = np.array([frame.shrunk(turn.action) for turn in episode.turns])
    return Transitions(
        np.array(seen[:-1]), actions, np.array(paid, np.float32), np.array(seen[1:]), terminated, returns
    )


class Imitating(Protocol):
    """A policy that can be told what to do."""

    def imitation_loss(self, observations: Tensor, actions: Tensor) -> Tensor:
        """A number: how far the policy is from doing ``actions`` [rows, actions] at ``observations`` [rows, size]."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is learned."""
        ...


def clone(
    policy: Imitating, observations: np.ndarray, actions: np.ndarray, settings: Cloning, generator: torch.Generator
) -> float:
    """Behaviour cloning, by gradient steps on batches of demonstrations; the mean loss of the last tenth of them.

    Frozen weights are frozen again afterwards.

    Args:
        observations: as the policy sees them, [rows, size].
        actions: what the oracle meant there, [rows, actions].

    Raises:
        FloatingPointError: the loss is not finite.
    """
    parameters = list(policy.parameters())
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    seen, meant = torch.from_numpy(observations), torch.from_numpy(actions)
    losses = []
    for _ in range(settings.updates):
        rows = torch.randint(len(seen), (settings.batch_size,), generator=generator)
        optimizer.zero_grad()
        loss = policy.imitation_loss(seen[rows], meant[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    optimizer.zero_grad()
    for parameter in frozen:
        parameter.requires_grad_(False)
    mean = float(np.mean(losses[-max(1, settings.updates // 10) :]))
    if not np.isfinite(mean):
        raise FloatingPointError(f"the loss of behaviour cloning is {mean}")
    return mean
