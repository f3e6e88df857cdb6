"""Proximal policy optimisation for continuous control (Schulman et al., arXiv:1707.06347)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import gae
from .buffer import Transitions
from .config import PPOConfig
from .demonstrations import clone
from .learned_reward import LEARNED, Learned
from .networks import GaussianPolicy, Parallel, perceptron
from .normalise import Normaliser, ReturnScale
from .rollout import Rollout
from .skills import Discriminator, SkillVector
from .vector import Vector


@dataclass(frozen=True, slots=True)
class Batch:
    """Transitions to learn from, [rows, ...]; observations are normalised.

    ``advantages``, ``values`` and ``returns`` are [rows, critics].
    """

    observations: Tensor
    actions: Tensor
    logprobs: Tensor
    advantages: Tensor
    values: Tensor
    returns: Tensor

    def take(self, rows: Tensor) -> Batch:
        """Some of them."""
        return Batch(*(getattr(self, name)[rows] for name in self.__slots__))


_MEASURES = ("train/policy_loss", "train/value_loss", "train/kl", "train/clipped")


class PPO:
    """A Gaussian policy and a value function, learned from the steps of a vector environment.

    With skills there are two rewards, and a value function for each or for their sum.
    """

    def __init__(self, config: PPOConfig, vector: Vector) -> None:
        generator = torch.Generator().manual_seed(config.seed)
        frame, skills = vector.frame, config.skills
        self.config = config
        self.vector: Vector | SkillVector = SkillVector(vector, skills.number) if skills.number else vector
        size = frame.observation_size + skills.number
        self.policy = GaussianPolicy(size, frame.action_size, config.hidden, config.initial_std, generator)
        self._weights = torch.tensor([1.0, skills.weight] if skills.number and skills.critics == "each" else [1.0])
        """Of the critics' advantages in the policy's loss."""
        values = [perceptron([size, config.hidden, config.hidden, 1], 1.0, generator) for _ in self._weights]
        self.value = values[0] if len(values) == 1 else Parallel(values)
        self._parameters = [*self.policy.parameters(), *self.value.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=config.learning_rate, eps=1e-5, fused=True)
        self.normaliser = Normaliser(size, config.normalise_observations)
        self._scale = ReturnScale(vector.num_envs, config.gamma, config.normalise_returns, len(values))
        kind = config.learned_reward.kind
        self._learned: Learned | None = None
        if kind != "none":
            inputs = frame.observation_size + frame.action_size
            self._learned = LEARNED[kind](inputs, config.learned_reward, self.normaliser, config.seed)
        self._discriminator: Discriminator | None = None
        if skills.number:
            self._discriminator = Discriminator(
                frame.observation_size, config.hidden, skills, self.normaliser, generator
            )
        self._rollout = Rollout.empty(config.horizon, vector.num_envs, size, frame.action_size)

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self.vector.begin(seed)
        self._scale.begin()

    def learn_from(self, shown: Transitions, meant: np.ndarray, generator: torch.Generator) -> dict[str, float]:
        """Clone the demonstrations, as far as the config says; what was measured."""
        self.normaliser.update(shown.observations)
        if self._learned is not None:
            self._learned.learn_from(shown)
        if not self.config.cloning.updates:
            return {}
        seen = self.normaliser(shown.observations)
        return {"cloning/loss": clone(self.policy, seen, meant, self.config.cloning, generator)}

    def act(self, observation: np.ndarray) -> np.ndarray:
        """The most likely action, [..., actions], for raw observations [..., size], a skill's one-hot behind each."""
        with torch.inference_mode():
            return self.policy(torch.from_numpy(self.normaliser(observation))).numpy()

    def iterate(self, generator: torch.Generator, done: float) -> dict[str, float]:
        """Take ``horizon`` steps and learn from them; ``done`` is the share of the run before.  What was measured."""
        rollout = self._collect(generator)
        informed = self.normaliser.informed
        if not informed:
            # The first steps say what the units are: a policy that has learned nothing acts alike in any.
            self.normaliser.update(rollout.observations[rollout.valid])
        rewards, measured = rollout.rewards, {}
        if self._learned is not None:
            measured = self._learned.learn(rollout, generator)
            rewards = self._learned.pay(rollout) * rollout.valid
        if self._discriminator is not None:
            measured |= self._discriminator.learn(rollout, generator)
            told = self._discriminator.pay(rollout) * rollout.valid
            each = self.config.skills.critics == "each"
            rewards = np.stack([rewards, told], -1) if each else rewards + self.config.skills.weight * told
        rewards = self._scale(rewards, rollout.ended)
        self._optimizer.param_groups[0]["lr"] = self.config.learning_rate * (1 - done * (1 - self.config.final))
        measured |= self._learn(self._batch(rollout, rewards), generator)
        if informed:
            self.normaliser.update(rollout.observations[rollout.valid])
        return measured

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        state = {
            "policy": self.policy.state_dict(),
            "value": self.value.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "normaliser": self.normaliser.state(),
            "scale": self._scale.state(),
        }
        parts = {"learned": self._learned, "skills": self._discriminator}
        return state | {name: part.state() for name, part in parts.items() if part is not None}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave; :meth:`begin` comes after."""
        self.policy.load_state_dict(state["policy"])
        self.value.load_state_dict(state["value"])
        self.normaliser.restore(state["normaliser"])
        self._scale.restore(state["scale"])
        if self._learned is not None:
            self._learned.restore(state["learned"])
        if self._discriminator is not None:
            self._discriminator.restore(state["skills"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _collect(self, generator: torch.Generator) -> Rollout:
        """Act for ``horizon`` steps."""
        rollout, vector = self._rollout, self.vector
        std = self.policy.log_std.detach().exp()
        noise = (std * torch.randn(rollout.actions.shape, generator=generator)).numpy()
        for step in range(self.config.horizon):
            rollout.observations[step] = vector.observations
            actions = rollout.actions[step] = self.act(vector.observations) + noise[step]
            taken = vector.step(actions)
            rollout.next_observations[step] = taken.next_observations
            rollout.rewards[step] = taken.rewards
            rollout.terminated[step], rollout.ended[step] = taken.terminated, taken.ended
            rollout.valid[step] = taken.valid
        return rollout

    def _batch(self, rollout: Rollout, rewards: np.ndarray) -> Batch:
        """The rollout's transitions, with their advantages and what the policy and the value said before learning.

        ``rewards`` are [horizon, envs], or [horizon, envs, critics].
        """
        observations = torch.from_numpy(self.normaliser(rollout.observations))
        actions = torch.from_numpy(rollout.actions)
        with torch.inference_mode():
            logprobs = self.policy.logprobs(self.policy(observations), actions)
            values = self.value(observations).numpy()
            next_values = np.empty_like(values)
            next_values[:-1] = values[1:]
            last = rollout.ended.copy()
            last[-1] = True
            finals = torch.from_numpy(self.normaliser(rollout.next_observations[last]))
            next_values[last] = self.value(finals).numpy()
        rewards = rewards.reshape(values.shape)
        terminated, ended = rollout.terminated[..., None], rollout.ended[..., None]
        advantages = gae.advantages(
            rewards, values, next_values, terminated, ended, self.config.gamma, self.config.gae_lambda
        )
        kept = torch.from_numpy(rollout.valid)
        parts = [torch.from_numpy(part) for part in (advantages, values, advantages + values)]
        # Made outside the inference mode, whose tensors no gradient may pass.
        return Batch(*(part.clone()[kept] for part in (observations, actions, logprobs, *parts)))

    def _learn(self, batch: Batch, generator: torch.Generator) -> dict[str, float]:
        config = self.config
        sums = torch.zeros(len(_MEASURES))
        count = 0
        for _ in range(config.epochs):
            for rows in torch.randperm(len(batch.actions), generator=generator).chunk(config.minibatches):
                sums += self._descend(batch.take(rows))
                count += 1
        measured = dict(zip(_MEASURES, (sums / count).tolist(), strict=True))
        if not np.isfinite(sum(measured.values())):
            raise FloatingPointError(f"the loss is not finite: {measured}")
        spread = batch.returns.var(0)
        explained = torch.where(spread > 0, 1 - (batch.returns - batch.values).var(0) / spread, 0.0).mean()
        return measured | {
            "train/entropy": float(self.policy.entropy().detach()),
            "train/explained_variance": float(explained),
            "train/learning_rate": self._optimizer.param_groups[0]["lr"],
        }

    def _descend(self, batch: Batch) -> Tensor:
        """One gradient step; what :data:`_MEASURES` names."""
        config = self.config
        advantages = batch.advantages
        advantages = ((advantages - advantages.mean(0)) / (advantages.std(0) + 1e-8)) @ self._weights
        log_ratio = self.policy.logprobs(self.policy(batch.observations), batch.actions) - batch.logprobs
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
        policy_loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
        value_loss = self._value_loss(batch)
        loss = policy_loss + config.value_weight * value_loss
        if config.entropy:
            loss = loss - config.entropy * self.policy.entropy()
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, config.max_norm)
        self._optimizer.step()
        with torch.no_grad():
            divergence = (ratio - 1 - log_ratio).mean()  # Schulman's estimate of KL(old, new), never below 0
            outside = (ratio != clipped).float().mean()
            return torch.stack([policy_loss.detach(), value_loss.detach(), divergence, outside])

    def _value_loss(self, batch: Batch) -> Tensor:
        """Half the mean squared error, or with ``value_clip`` the larger of it and that of the clipped values."""
        values = self.value(batch.observations)
        errors = (values - batch.returns).square()
        if self.config.value_clip is not None:
            moved = (values - batch.values).clamp(-self.config.value_clip, self.config.value_clip)
            errors = torch.maximum(errors, (batch.values + moved - batch.returns).square())
        return 0.5 * errors.mean()
