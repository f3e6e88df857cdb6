"""Reward models: a head on an encoder that judges whole episodes or single steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...trajectory import Trajectory
from ..reward import RewardError, place
from .encoders import Encoder, in_one_batch, seeded

KINDS = ("outcome", "process")
LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda score: score,
    "logistic": torch.sigmoid,
    "softplus": functional.softplus,
}
"""From a score to what is paid: itself; the probability whose logit it is; -log(1 - probability)."""


class LearnedModel(nn.Module, ABC):
    """A model that scores the turns of trajectories, and pays what it learned through :func:`.reward.learned`.

    An *outcome* model's score of an episode is that of its last turn, paid there (Cobbe et al., arXiv:2110.14168).  A
    *process* model's is the sum over its turns, each paid where it is earned (Lightman et al., arXiv:2305.20050, for
    labelled steps; Christiano et al., arXiv:1706.03741, for preferences between sums).  Preferences leave a score's
    zero open: an outcome model may be off by a constant, a process model by one per turn, which then pays or punishes
    long episodes unless the compared ones differ in length.
    """

    kind: str
    link: str

    @abstractmethod
    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """Each turn's score, one tensor [turns] (or [turns, heads]) per trajectory."""

    @abstractmethod
    def describe(self, folder: Path) -> dict[str, Any]:
        """The settings as JSON; what is not JSON goes to files of its own in ``folder``."""

    def totals(self, trajectories: Sequence[Trajectory]) -> Tensor:
        """Each episode's score, [episodes] (or [episodes, heads]); RewardError for one without turns."""
        for trajectory in trajectories:
            if not trajectory.turns:
                raise RewardError(f"no turns to judge in {place(trajectory)}")
        scores = self(trajectories)
        return torch.stack([score[-1] if self.kind == "outcome" else score.sum(dim=0) for score in scores])

    def combined(self, paid: Tensor) -> Tensor:
        """What several heads pay together: [turns, heads] to [turns]."""
        return paid

    def pay(self, trajectories: Sequence[Trajectory]) -> list[np.ndarray]:
        """One float64 array [turns] per trajectory; the model is asked as it is, and not changed."""
        training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                paid = [self.combined(LINKS[self.link](score)) for score in self(trajectories)]
        finally:
            self.train(training)
        values = [part.double().cpu().numpy() for part in paid]
        if self.kind == "outcome":
            for value in values:
                value[:-1] = 0.0
        return values

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x}>"


class RewardModel(LearnedModel):
    """Linear heads on an encoder.

    Several heads are an ensemble, whose members fit() trains on resamples of the data: they pay ``nominal * mean +
    (1 - nominal) * min``, the trade between the expected reward and the worst of an uncertainty set that Reward-Robust
    RLHF optimises (arXiv:2409.15360).  There the set comes from a Bayesian multi-head model; how its heads are spread
    and which one is nominal is not taken from the paper here: bootstrapped heads, and their mean.

    Args:
        encoder: reads trajectories.
        kind: ``"outcome"`` or ``"process"``.
        link: how a score becomes a reward, one of :data:`LINKS`; ``"logistic"`` for models of 0/1 labels.
        heads: members of the ensemble.
        nominal: the weight of the mean, 0 to 1.
        seed: of the heads' weights; torch's own generator is left as it was.

    Raises:
        ValueError: a setting out of range, or steps to be judged by an encoder that looks ahead.
    """

    def __init__(
        self,
        encoder: Encoder,
        kind: str = "outcome",
        link: str = "identity",
        *,
        heads: int = 1,
        nominal: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if kind not in KINDS or link not in LINKS:
            raise ValueError(f"kind must be one of {KINDS} and link of {tuple(LINKS)}, not {kind!r} and {link!r}")
        if kind == "process" and not encoder.causal:
            raise ValueError("this encoder's turns depend on later ones, so it can judge outcomes only")
        if heads < 1 or not 0 <= nominal <= 1:
            raise ValueError(f"heads {heads} must be at least 1 and nominal {nominal} between 0 and 1")
        self.encoder, self.kind, self.link, self.heads, self.nominal = encoder, kind, link, heads, nominal
        with seeded(seed):
            self.head = nn.Linear(encoder.width, heads)

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """Each turn's score, [turns], or [turns, heads] of an ensemble."""
        scores = in_one_batch(self.head, self.encoder(trajectories))
        return [score.squeeze(-1) for score in scores] if self.heads == 1 else scores

    def combined(self, paid: Tensor) -> Tensor:
        """The heads together: nominal * mean + (1 - nominal) * min, [turns, heads] to [turns]."""
        if self.heads == 1:
            return paid
        return self.nominal * paid.mean(dim=-1) + (1 - self.nominal) * paid.min(dim=-1).values

    def describe(self, folder: Path) -> dict[str, Any]:
        """The settings, the encoder's within."""
        return {
            "type": "reward",
            "kind": self.kind,
            "link": self.link,
            "heads": self.heads,
            "nominal": self.nominal,
            "encoder": self.encoder.describe(folder),
        }
