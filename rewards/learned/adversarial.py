"""Telling an expert from the learner: the reward of adversarial imitation, kept smooth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .encoders import FeatureEncoder, Features
from .model import RewardModel


def discriminator(
    features: Features | str, inputs: int, hidden: tuple[int, ...] = (64, 64), seed: int = 0
) -> RewardModel:
    """A process model whose logit says how like the expert's a turn is, and which pays -log(1 - D) for it.

    Features are those of a turn's state and action.
    """
    return RewardModel(FeatureEncoder(features, inputs, hidden, seed), "process", "softplus", seed=seed)


def logits(model: RewardModel, rows: Tensor) -> Tensor:
    """The discriminator's logits [rows] on raw features [rows, inputs]."""
    encoder = model.encoder
    if not isinstance(encoder, FeatureEncoder):
        raise TypeError("adversarial imitation needs a model on features")
    return model.head(encoder.net(rows)).squeeze(-1)


def adversarial_loss(
    model: RewardModel,
    expert: Tensor,
    learner: Tensor,
    *,
    generator: torch.Generator,
    penalty: float = 10.0,
    target: float = 1.0,
) -> Tensor:
    """The discriminator's loss on the features of expert and learner, each [rows, inputs] with as many rows.

    mean[-log D(expert) - log(1 - D(learner))] + penalty * mean[max(0, |grad_x logit(x)| - target)^2] with x on lines
    between the two, which holds the reward's slope to about ``target``: without that, off-policy learning from it fails
    (arXiv:2006.16785).  The constants and the one-sided form are those of the authors' code.  GAIL itself is
    arXiv:1606.03476.
    """
    if expert.shape != learner.shape:
        raise ValueError(f"as many rows of both are needed, not {tuple(expert.shape)} and {tuple(learner.shape)}")
    told = functional.softplus(-logits(model, expert)) + functional.softplus(logits(model, learner))
    if penalty == 0:
        return told.mean()
    mix = torch.rand(len(expert), 1, generator=generator).to(expert.device)
    norms = slopes(model, mix * learner + (1 - mix) * expert)
    return told.mean() + penalty * (norms - target).clamp(min=0).square().mean()


def slopes(model: RewardModel, rows: Tensor) -> Tensor:
    """|d logit / d features| at each row, [rows]; differentiable, so that it can be a penalty."""
    inputs = rows.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(logits(model, inputs).sum(), inputs, create_graph=True)
    return gradient.norm(dim=1)
