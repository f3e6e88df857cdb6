"""Users who disagree: a reward that depends on a latent of the user, inferred from a few preferences."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...trajectory import Trajectory
from .data import Pair
from .encoders import Encoder, in_one_batch, seeded
from .fit import bradley_terry
from .model import KINDS, LearnedModel


class UserRewardModel(LearnedModel):
    """r(s, z) with a user's latent z ~ q(z | the user's pairs), a Gaussian with diagonal covariance.

    A pair is read as the mean embeddings of its two trajectories, the preferred one first; the pairs' codes are
    averaged, so that their order and number do not matter.  Without :meth:`for_user` the latent is the prior's mean, 0.

    Source: VPL, variational preference learning (arXiv:2408.10075), whose published code reads a fixed number of pairs
    side by side instead.  Its rescaling of rewards between users is not here.

    Args:
        encoder: reads trajectories.
        kind: ``"outcome"`` or ``"process"``.
        latent: entries of z.
        hidden: width of the layers.
        seed: of the weights; torch's own generator is left as it was.
    """

    link = "identity"

    user: Tensor

    def __init__(
        self, encoder: Encoder, kind: str = "outcome", *, latent: int = 4, hidden: int = 32, seed: int = 0
    ) -> None:
        super().__init__()
        if kind not in KINDS or (kind == "process" and not encoder.causal):
            raise ValueError(f"kind must be one of {KINDS}, {KINDS[0]} for an encoder that looks ahead; not {kind!r}")
        self.encoder, self.kind, self.latent, self.hidden = encoder, kind, latent, hidden
        with seeded(seed):
            self.reader = nn.Sequential(nn.Linear(2 * encoder.width, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
            self.posterior_head = nn.Linear(hidden, 2 * latent)
            self.decoder = nn.Sequential(nn.Linear(encoder.width + latent, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.register_buffer("user", torch.zeros(latent))

    def posterior(self, context: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | context), each [latent]; the prior's, zeros, without context."""
        if not context:
            return torch.zeros_like(self.user), torch.zeros_like(self.user)
        states = self.encoder([pair.preferred for pair in context] + [pair.rejected for pair in context])
        seen = torch.stack([state.mean(dim=0) for state in states])
        codes = self.reader(torch.cat([seen[: len(context)], seen[len(context) :]], dim=1))
        mean, log_variance = self.posterior_head(codes.mean(dim=0)).chunk(2)
        return mean, log_variance

    def scores(self, trajectories: Sequence[Trajectory], latent: Tensor) -> list[Tensor]:
        """r(s_t, z) of each turn, one tensor [turns] per trajectory."""
        states = self.encoder(trajectories)
        rows = [torch.cat([state, latent.expand(len(state), -1)], dim=1) for state in states]
        return [score.squeeze(-1) for score in in_one_batch(self.decoder, rows)]

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """The score for the user that the model is set to."""
        return self.scores(trajectories, self.user)

    def for_user(self, context: Sequence[Pair]) -> UserRewardModel:
        """A copy that judges for the user who gave these preferences, by the mean of their latent."""
        personal = copy.deepcopy(self)
        with torch.no_grad():
            personal.user.copy_(self.posterior(context)[0])
        return personal

    def margins(self, pairs: Sequence[Pair], latent: Tensor) -> Tensor:
        """Score of the preferred trajectory minus that of the rejected, [pairs]."""
        scores = self.scores([pair.preferred for pair in pairs] + [pair.rejected for pair in pairs], latent)
        totals = torch.stack([score[-1] if self.kind == "outcome" else score.sum() for score in scores])
        return totals[: len(pairs)] - totals[len(pairs) :]

    def information(
        self, context: Sequence[Pair], candidates: Sequence[Pair], samples: int, generator: torch.Generator
    ) -> Tensor:
        """What the user's answer to each candidate would tell of z, [candidates] nats: H(mean p) - mean H(p).

        The mutual information between answer and latent over ``samples`` draws from q(z | context); asking about the
        pair with the most is the active query.
        """
        with torch.no_grad():
            mean, log_variance = self.posterior(context)
            noise = torch.randn(samples, self.latent, generator=generator).to(mean.device)
            drawn = mean + (0.5 * log_variance).exp() * noise
            answers = torch.stack([self.margins(candidates, latent) for latent in drawn]).sigmoid()
        return _entropy(answers.mean(dim=0)) - _entropy(answers).mean(dim=0)

    def describe(self, folder: Path) -> dict[str, Any]:
        """The settings; the user is among the weights."""
        return {
            "type": "user",
            "kind": self.kind,
            "latent": self.latent,
            "hidden": self.hidden,
            "encoder": self.encoder.describe(folder),
        }


def user_loss(
    context: int, kl_weight: float, generator: torch.Generator
) -> Callable[[UserRewardModel, Sequence[Sequence[Pair]]], Tensor]:
    """The negative evidence bound of users' preferences, for :func:`.fit.fit` over one list of pairs per user.

    Mean over users of: the surprise at all of the user's pairs, given z drawn from the posterior of 1 to ``context`` of
    them, plus ``kl_weight`` times KL(q(z | context) || N(0, 1)).
    """

    def loss(model: UserRewardModel, users: Sequence[Sequence[Pair]]) -> Tensor:
        bounds = []
        for pairs in users:
            order = torch.randperm(len(pairs), generator=generator)
            count = 1 + int(torch.randint(min(context, len(pairs)), (1,), generator=generator))
            mean, log_variance = model.posterior([pairs[index] for index in order[:count]])
            noise = torch.randn(model.latent, generator=generator).to(mean.device)
            margins = model.margins(pairs, mean + (0.5 * log_variance).exp() * noise)
            surprise = bradley_terry(margins, torch.zeros_like(margins)).mean()
            bounds.append(surprise + kl_weight * standard_kl(mean, log_variance))
        return torch.stack(bounds).mean()

    return loss


def standard_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, summed over the last dimension."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=-1)


def _entropy(probability: Tensor) -> Tensor:
    return -(torch.xlogy(probability, probability) + torch.xlogy(1 - probability, 1 - probability))
