"""Rewards that are learned beside a policy, from demonstrations or from preferences, and paid instead of the task's.

Both are a perceptron of :mod:`palestra.rewards.learned` on the observation and the action, learned a little in each
iteration and then asked about all its steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...rewards.learned.adversarial import adversarial_loss, discriminator, logits
from ...rewards.learned.encoders import FeatureEncoder
from ...rewards.learned.fit import bradley_terry
from ...rewards.learned.model import RewardModel
from .buffer import Transitions
from .config import LearnedReward
from .normalise import Normaliser
from .rollout import Rollout

_FEATURES = "features"
"""What trajectories call them, for whoever saves a model and reads them."""


class Learned(ABC):
    """A reward model at work; observations are raw, actions the policy's, and both are seen as the policy sees them."""

    def __init__(self, model: RewardModel, settings: LearnedReward, normaliser: Normaliser) -> None:
        self.model, self.settings = model, settings
        self._normaliser = normaliser
        self._optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)

    def features(self, observations: np.ndarray, actions: np.ndarray) -> Tensor:
        """[..., observation + action], with actions kept within -1 and 1."""
        return torch.from_numpy(np.concatenate([self._normaliser(observations), np.clip(actions, -1, 1)], -1))

    @abstractmethod
    def pay(self, rollout: Rollout) -> np.ndarray:
        """The rewards [horizon, envs] of an iteration's steps."""

    @abstractmethod
    def learn(self, rollout: Rollout, generator: torch.Generator) -> dict[str, float]:
        """Learn from an iteration's steps; what was measured."""

    def learn_from(self, shown: Transitions) -> None:  # noqa: B027 - not every reward needs demonstrations
        """Take in the oracle's demonstrations."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _descend(self, loss: Tensor) -> None:
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()


class Adversarial(Learned):
    """Pays -log(1 - D(s, a)), where D tells demonstrations from the policy's steps (GAIL, arXiv:1606.03476).

    Never below 0: where an episode ends at success, a policy is paid for putting success off.
    """

    def __init__(self, inputs: int, settings: LearnedReward, normaliser: Normaliser, seed: int) -> None:
        super().__init__(discriminator(_FEATURES, inputs, seed=seed), settings, normaliser)

    def learn_from(self, shown: Transitions) -> None:
        """These are the expert's."""
        self._observations, self._actions = shown.observations, shown.actions

    def pay(self, rollout: Rollout) -> np.ndarray:
        """-log(1 - D) of every step."""
        with torch.inference_mode():
            scores = logits(self.model, self.features(rollout.observations, rollout.actions))
            return functional.softplus(scores).numpy()

    def learn(self, rollout: Rollout, generator: torch.Generator) -> dict[str, float]:
        """Tell the two apart better; the loss, and how often they are told apart."""
        expert = self.features(self._observations, self._actions)
        learner = self.features(rollout.observations[rollout.valid], rollout.actions[rollout.valid])
        losses, right = [], []
        for _ in range(self.settings.updates):
            drawn = (
                rows[torch.randint(len(rows), (self.settings.batch_size,), generator=generator)]
                for rows in (expert, learner)
            )
            shown, own = drawn
            loss = adversarial_loss(self.model, shown, own, generator=generator)
            self._descend(loss)
            losses.append(loss.item())
            with torch.inference_mode():
                told = (logits(self.model, shown) > 0).sum() + (logits(self.model, own) < 0).sum()
                right.append(told.item() / (2 * len(own)))
        return {"reward/loss": float(np.mean(losses)), "reward/accuracy": float(np.mean(right))}

    def state(self) -> dict[str, Any]:
        """The demonstrations too."""
        shown = {"observations": self._observations, "actions": self._actions}
        return super().state() | {name: torch.from_numpy(rows) for name, rows in shown.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        super().restore(state)
        self._observations, self._actions = state["observations"].numpy(), state["actions"].numpy()


class Preferences(Learned):
    """Pays a score whose sums over segments agree with which of two was preferred (arXiv:1706.03741, equation 1).

    The segments are compared by the sum of the reward that the environment, or the run's own expression, pays: a
    teacher that answers as a person would who sees the task's reward.  The policy learns from the answers alone.
    """

    def __init__(self, inputs: int, settings: LearnedReward, normaliser: Normaliser, seed: int) -> None:
        model = RewardModel(FeatureEncoder(_FEATURES, inputs, (64, 64), seed), "process", seed=seed)
        super().__init__(model, settings, normaliser)
        self._segments: list[np.ndarray] = []
        """Of each answer the two segments, [2, steps, observation + action], raw and the preferred one first."""

    def pay(self, rollout: Rollout) -> np.ndarray:
        """The score of every step."""
        with torch.inference_mode():
            return logits(self.model, self.features(rollout.observations, rollout.actions)).numpy()

    def learn(self, rollout: Rollout, generator: torch.Generator) -> dict[str, float]:
        """Ask about new pairs, and agree with all answers so far; the loss, and how often answers are met."""
        self._ask(rollout, generator)
        if not self._segments:
            return {}
        size = rollout.observations.shape[-1]
        together = np.stack(self._segments)
        pairs = self.features(together[..., :size], together[..., size:])
        losses, right = [], []
        for _ in range(self.settings.updates):
            rows = torch.randint(len(pairs), (max(1, self.settings.batch_size // 10),), generator=generator)
            preferred, rejected = logits(self.model, pairs[rows]).sum(-1).unbind(1)
            loss = bradley_terry(preferred, rejected).mean()
            self._descend(loss)
            losses.append(loss.item())
            right.append((preferred > rejected).float().mean().item())
        labels = float(len(self._segments))
        return {
            "reward/loss": float(np.mean(losses)),
            "reward/accuracy": float(np.mean(right)),
            "reward/labels": labels,
        }

    def state(self) -> dict[str, Any]:
        """The answers too."""
        return super().state() | {"segments": [torch.from_numpy(pair) for pair in self._segments]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        super().restore(state)
        self._segments = [pair.numpy() for pair in state["segments"]]

    def _ask(self, rollout: Rollout, generator: torch.Generator) -> None:
        """Have pairs of segments compared, each within one episode; a tie says nothing."""
        length = self.settings.segment
        horizon, envs = rollout.rewards.shape
        broken = rollout.ended | ~rollout.valid
        within = [
            (start, env)
            for start, env in np.ndindex(max(0, horizon - length + 1), envs)
            if rollout.valid[start + length - 1, env] and not broken[start : start + length - 1, env].any()
        ]
        if not within:
            return
        steps = np.concatenate([rollout.observations, np.clip(rollout.actions, -1, 1)], -1)
        for pair in torch.randint(len(within), (self.settings.labels, 2), generator=generator).tolist():
            places = [(slice(within[index][0], within[index][0] + length), within[index][1]) for index in pair]
            worth = [rollout.rewards[place].sum() for place in places]
            if worth[0] != worth[1]:
                ordered = sorted(range(2), key=lambda index: -worth[index])
                self._segments.append(np.stack([steps[places[index]] for index in ordered]))


LEARNED = {"adversarial": Adversarial, "preferences": Preferences}
"""By the names of :class:`~palestra.training.control.config.LearnedReward`."""
