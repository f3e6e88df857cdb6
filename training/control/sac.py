"""Soft actor-critic (Haarnoja et al., arXiv:1812.05905), alone or after demonstrations."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .buffer import Buffer, Transitions
from .config import SACConfig
from .demonstrations import clone
from .networks import Critics, ResidualPolicy, SquashedGaussian
from .normalise import Normaliser
from .vector import Vector

_MEASURES = ("train/policy_loss", "train/value_loss", "train/value", "train/entropy", "train/temperature")
_ACTIONS = 10
"""Actions of each kind that the conservative loss compares with the shown one."""


class SAC:
    """A squashed Gaussian policy, critics with slow copies, and a temperature that holds the entropy at its target."""

    def __init__(self, config: SACConfig, vector: Vector) -> None:
        generator = torch.Generator().manual_seed(config.seed)
        frame = vector.frame
        self.config, self.vector = config, vector
        sizes = (frame.observation_size, frame.action_size)
        self.policy: SquashedGaussian | ResidualPolicy = (
            ResidualPolicy(*sizes, config.hidden, config.residual, generator)
            if config.residual
            else SquashedGaussian(*sizes, config.hidden, generator)
        )
        self.critics = Critics(config.critics, sum(sizes), config.hidden, config.layer_norm, generator)
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self._learned = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        self._policy_optimizer = self._adam(self._learned)
        self._critic_optimizer = self._adam(self.critics.parameters())
        self._temperature_optimizer = self._adam([self.log_temperature])
        self.normaliser = Normaliser(sizes[0], config.normalise_observations)
        self.buffer = Buffer(config.buffer, *sizes)
        self._shown: Buffer | None = None
        """The demonstrations, if later batches hold some of them."""
        self._taken = 0
        """Steps of all environments so far."""
        self._taught = False
        """Whether the policy has learned from demonstrations."""

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self.vector.begin(seed)

    def learn_from(self, shown: Transitions, meant: np.ndarray, generator: torch.Generator) -> dict[str, float]:
        """Clone the demonstrations, and learn from them by Cal-QL, as far as the config says; what was measured."""
        config, measured = self.config, {}
        self.normaliser.update(shown.observations)
        if config.cloning.updates:
            taught = self.policy.base if isinstance(self.policy, ResidualPolicy) else self.policy
            loss = clone(taught, self.normaliser(shown.observations), meant, config.cloning, generator)
            measured["cloning/loss"] = loss
        if config.offline.updates or config.offline.share:
            self._shown = Buffer(len(meant), shown.observations.shape[1], meant.shape[1])
            self._shown.add(shown)
        sums = torch.zeros(len(_MEASURES))
        for _ in range(config.offline.updates):
            assert self._shown is not None
            sums += self.learn(self._shown.draw(config.batch_size, generator), generator, config.offline.conservative)
        if config.offline.updates:
            names = (name.replace("train/", "offline/") for name in _MEASURES)
            measured |= dict(zip(names, (sums / config.offline.updates).tolist(), strict=True))
        if not config.offline.share:
            self._shown = None
        self._taught = True
        return measured

    def act(self, observation: np.ndarray) -> np.ndarray:
        """The most likely action [actions], for a raw observation [size]."""
        with torch.inference_mode():
            return self.policy(self._seen(observation[None]))[0].numpy()

    def iterate(self, generator: torch.Generator, done: float) -> dict[str, float]:
        """Take ``horizon`` steps, and learn after each; what was measured."""
        config = self.config
        seen = []
        updates, sums = 0, torch.zeros(len(_MEASURES))
        for _ in range(config.horizon):
            seen.append(self.vector.observations)
            self._step(generator)
            if self._taken > config.warm_up:
                for _ in range(round(config.updates_per_step * self.vector.num_envs)):
                    sums += self.learn(self._draw(generator), generator)
                    updates += 1
        self.normaliser.update(np.concatenate(seen))
        if not updates:
            return {}
        measured = dict(zip(_MEASURES, (sums / updates).tolist(), strict=True))
        if not np.isfinite(sum(measured.values())):
            raise FloatingPointError(f"the loss is not finite: {measured}")
        return measured

    def learn(self, batch: Transitions, generator: torch.Generator, conservative: float = 0.0) -> Tensor:
        """One gradient step of critics, policy and temperature; what :data:`_MEASURES` names."""
        config = self.config
        observations, next_observations = self._seen(batch.observations), self._seen(batch.next_observations)
        actions, rewards, terminated = map(torch.from_numpy, (batch.actions, batch.rewards, batch.terminated))
        temperature = self.log_temperature.detach().exp()
        believed = self._believed(generator)
        with torch.no_grad():
            noise = torch.randn(actions.shape, generator=generator)
            next_actions, next_logprobs = self.policy.sample(next_observations, noise)
            following = self.targets(next_observations, next_actions)[believed].min(0).values
            following = following - temperature * next_logprobs
            target = rewards + config.gamma * (1 - terminated) * following
        values = self.critics(observations, actions)
        value_loss = 0.5 * (values - target).square().mean(1).sum()
        whole = value_loss
        if conservative:
            whole = whole + conservative * self._overestimation(values, observations, batch, generator)
        self._critic_optimizer.zero_grad()
        whole.backward()
        self._critic_optimizer.step()

        sampled, logprobs = self.policy.sample(observations, torch.randn(actions.shape, generator=generator))
        policy_loss = (temperature * logprobs - self.critics(observations, sampled)[believed].min(0).values).mean()
        self._policy_optimizer.zero_grad()
        policy_loss.backward(inputs=self._learned)
        self._policy_optimizer.step()

        entropy = -logprobs.detach().mean()
        self._temperature_optimizer.zero_grad()
        (self.log_temperature * (entropy + actions.shape[1])).backward()  # the target is minus one nat for each number
        self._temperature_optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(self.targets.parameters(), self.critics.parameters(), strict=True):
                slow.lerp_(fast, config.tau)
        return torch.stack([policy_loss.detach(), value_loss.detach(), values.detach().mean(), entropy, temperature])

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, the transitions in the buffers included."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"log_temperature": self.log_temperature.detach(), "normaliser": self.normaliser.state()}
        state |= {"buffer": self.buffer.state(), "taken": self._taken, "taught": self._taught}
        return state | ({"shown": self._shown.state()} if self._shown is not None else {})

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave; :meth:`begin` comes after."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        with torch.no_grad():
            self.log_temperature.copy_(state["log_temperature"])
        self.normaliser.restore(state["normaliser"])
        self.buffer.restore(state["buffer"])
        self._taken, self._taught = state["taken"], state["taught"]
        if "shown" in state:
            frame = self.vector.frame
            self._shown = Buffer(state["shown"]["added"], frame.observation_size, frame.action_size)
            self._shown.restore(state["shown"])

    def _parts(self) -> dict[str, Any]:
        """What has a ``state_dict``."""
        return {
            "policy": self.policy,
            "critics": self.critics,
            "targets": self.targets,
            "policy_optimizer": self._policy_optimizer,
            "critic_optimizer": self._critic_optimizer,
            "temperature_optimizer": self._temperature_optimizer,
        }

    def _step(self, generator: torch.Generator) -> None:
        """Act once in every environment, and remember it."""
        vector = self.vector
        before, shape = vector.observations, (vector.num_envs, vector.frame.action_size)
        if self._taken < self.config.warm_up and not self._taught:
            actions = (2 * torch.rand(shape, generator=generator) - 1).numpy()
        else:
            with torch.inference_mode():
                sampled, _ = self.policy.sample(self._seen(before), torch.randn(shape, generator=generator))
            actions = sampled.numpy()
        step = vector.step(actions)
        rewards, terminated = step.rewards.astype(np.float32), step.terminated.astype(np.float32)
        unknown = np.full_like(rewards, -np.inf)
        rows = Transitions(before, actions, rewards, step.next_observations, terminated, unknown)
        self.buffer.add(rows.take(step.valid))
        self._taken += vector.num_envs

    def _draw(self, generator: torch.Generator) -> Transitions:
        """A batch, of which a share are demonstrations where there are any to keep."""
        count = self.config.batch_size
        if self._shown is None:
            return self.buffer.draw(count, generator)
        shown = round(count * self.config.offline.share)
        parts = self._shown.draw(shown, generator), self.buffer.draw(count - shown, generator)
        return Transitions(*map(np.concatenate, zip(*parts, strict=True)))

    def _believed(self, generator: torch.Generator) -> Tensor:
        """The critics whose smaller value counts this time, [2]."""
        return torch.randperm(self.config.critics, generator=generator)[:2]

    def _overestimation(
        self, values: Tensor, observations: Tensor, batch: Transitions, generator: torch.Generator
    ) -> Tensor:
        """Cal-QL's regulariser: how far other actions' values stand above those of the actions that were shown.

        mean over critics of log sum_a exp(max(Q(s, a), R) - log density(a)) - Q(s, shown), where a are uniform actions
        and the policy's, and R is the return that was seen, which only bounds the policy's (arXiv:2303.05479,
        equation 5.1, in the sampled form of CQL(H), arXiv:2006.04779, appendix F).
        """
        rows, size = batch.actions.shape
        many = observations.repeat_interleave(_ACTIONS, 0)
        noise = torch.randn(rows * _ACTIONS, size, generator=generator)
        uniform = 2 * torch.rand(rows * _ACTIONS, size, generator=generator) - 1
        with torch.no_grad():
            own, logprobs = self.policy.sample(many, noise)
        returns = torch.from_numpy(batch.returns).repeat_interleave(_ACTIONS)
        of_own = torch.maximum(self.critics(many, own), returns) - logprobs
        of_uniform = self.critics(many, uniform) + size * math.log(2)
        both = torch.cat([each.view(-1, rows, _ACTIONS) for each in (of_own, of_uniform)], -1)
        return (both.logsumexp(-1) - values).mean(1).sum()

    def _seen(self, observations: np.ndarray) -> Tensor:
        """Raw observations as networks see them."""
        return torch.from_numpy(self.normaliser(observations))

    def _adam(self, parameters: Any) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, fused=True)
