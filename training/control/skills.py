"""Skills: a latent variable of each episode beside the observation, and the reward for being told apart.

A policy that is paid for it reaches with each skill what it reaches with no other (DIAYN, arXiv:1802.06070).  Beside
rewards of other scales that is learned where each has a critic of its own (SLIM, arXiv:2402.00823).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..recipe import RecipeError
from .config import ControlConfig, PPOConfig, Skills, entries
from .networks import perceptron
from .normalise import Normaliser
from .rollout import Rollout
from .vector import Step, Vector


def skills_of(config: ControlConfig) -> int:
    """How many skills a run learns; 0 where it learns none."""
    return config.skills.number if isinstance(config, PPOConfig) else 0


def with_skill(observations: np.ndarray, skills: Any, number: int) -> np.ndarray:
    """Observations [..., size] with the one-hot of a skill [...] behind each: float32 [..., size + number]."""
    return np.concatenate([observations, np.eye(number, dtype=np.float32)[skills]], -1)


class SkillVector:
    """A vector environment in which each episode has a skill, drawn uniformly, that is seen behind the observation."""

    def __init__(self, vector: Vector, number: int) -> None:
        self._vector, self._number = vector, number
        self.frame, self.num_envs = vector.frame, vector.num_envs

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self._vector.begin(seed)
        self._np_random = np.random.default_rng(seed)
        self.skills = self._drawn()
        """Of the episodes under way, [envs]."""

    @property
    def observations(self) -> np.ndarray:
        """What to act on next, [envs, size + number]."""
        return with_skill(self._vector.observations, self.skills, self._number)

    def step(self, actions: np.ndarray) -> Step:
        """Take actions [envs, actions] of the policy."""
        step = self._vector.step(actions)
        seen = with_skill(step.next_observations, self.skills, self._number)
        self.skills = np.where(step.ended, self._drawn(), self.skills)
        return replace(step, next_observations=seen)

    def _drawn(self) -> np.ndarray:
        return self._np_random.integers(self._number, size=self.num_envs)


class Discriminator:
    """Pays log q(z | s') - log p(z): how surely what an action leads to tells the skill z; at most log(number).

    Its mean is a lower bound of the mutual information of skills and states.

    Args:
        size: of an observation, without the skill.
        normaliser: of observations with the skill behind them, as the policy sees them.
        generator: of the weights.

    Raises:
        RecipeError: ``settings.seen`` leaves nothing of the observation.
    """

    def __init__(
        self, size: int, hidden: int, settings: Skills, normaliser: Normaliser, generator: torch.Generator
    ) -> None:
        self._settings, self._normaliser = settings, normaliser
        self._columns = np.arange(size)[entries(settings.seen)]
        if not len(self._columns):
            raise RecipeError(f"skills.seen: {settings.seen} is none of the {size} entries of the observation")
        self.network = perceptron([len(self._columns), hidden, hidden, settings.number], 1.0, generator)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate, fused=True)

    def pay(self, rollout: Rollout) -> np.ndarray:
        """The rewards [horizon, envs] of an iteration's steps."""
        skills = _skills_in(rollout.next_observations, self._settings.number)
        with torch.inference_mode():
            likelihoods = functional.log_softmax(self.network(self._inputs(rollout.next_observations)), -1)
            told = likelihoods.gather(-1, skills[..., None]).squeeze(-1)
        return told.numpy() + math.log(self._settings.number)

    def learn(self, rollout: Rollout, generator: torch.Generator) -> dict[str, float]:
        """Tell the skills of an iteration's steps apart better; the loss in nats, and how often they are told."""
        reached = rollout.next_observations[rollout.valid]
        inputs, skills = self._inputs(reached), _skills_in(reached, self._settings.number)
        losses, right = [], []
        for _ in range(self._settings.updates):
            rows = torch.randint(len(inputs), (self._settings.batch_size,), generator=generator)
            logits = self.network(inputs[rows])
            loss = functional.cross_entropy(logits, skills[rows])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            losses.append(loss.item())
            right.append((logits.argmax(-1) == skills[rows]).float().mean().item())
        return {"skills/loss": float(np.mean(losses)), "skills/accuracy": float(np.mean(right))}

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _inputs(self, observations: np.ndarray) -> Tensor:
        return torch.from_numpy(self._normaliser(observations)[..., self._columns])


def _skills_in(observations: np.ndarray, number: int) -> Tensor:
    """Which skill is behind each observation, [...]."""
    return torch.from_numpy(observations[..., -number:].argmax(-1))
