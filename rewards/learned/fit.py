"""The losses of reward models, and the one loop that minimises them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..reward import RewardError, place
from .data import Labelled, Pair
from .model import LearnedModel

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)

GRADIENT_NORM = 1.0
"""Where the gradient is clipped: pairs that are far apart must not throw the model far."""


def bradley_terry(preferred: Tensor, rejected: Tensor) -> Tensor:
    """-log sigmoid(preferred - rejected), elementwise: the surprise at a preference (Bradley and Terry, 1952)."""
    return -functional.logsigmoid(preferred - rejected)


def preference_loss(model: LearnedModel, pairs: Sequence[Pair]) -> Tensor:
    """The mean of :func:`bradley_terry` over pairs (and heads), by the episodes' scores."""
    scores = model.totals([pair.preferred for pair in pairs] + [pair.rejected for pair in pairs])
    return bradley_terry(scores[: len(pairs)], scores[len(pairs) :]).mean()


def resampled(pairs: Sequence[Pair], heads: int, generator: torch.Generator) -> list[tuple[Pair, Tensor]]:
    """Each pair with its weights [heads]: how often a head's bootstrap sample holds it (Breiman, 1996)."""
    drawn = torch.randint(len(pairs), (heads, len(pairs)), generator=generator)
    counts = torch.stack([torch.bincount(row, minlength=len(pairs)) for row in drawn], dim=1).float()
    return list(zip(pairs, counts, strict=True))


def ensemble_loss(model: LearnedModel, examples: Sequence[tuple[Pair, Tensor]]) -> Tensor:
    """:func:`preference_loss` where every head weighs the pairs as :func:`resampled` says."""
    pairs = [pair for pair, _ in examples]
    scores = model.totals([pair.preferred for pair in pairs] + [pair.rejected for pair in pairs])
    weights = torch.stack([weight for _, weight in examples]).to(scores.device)
    return (weights * bradley_terry(scores[: len(pairs)], scores[len(pairs) :])).mean()


def label_loss(model: LearnedModel, examples: Sequence[Labelled]) -> Tensor:
    """The mean loss on labels: cross-entropy with 0 to 1 for logistic models, else the squared error.

    An outcome model takes one number per trajectory, a process model [turns], of which NaN ones are left out.
    RewardError for a label of another shape, or outside 0 to 1 for a logistic model.
    """
    scores = model([example.trajectory for example in examples])
    losses = []
    for score, example in zip(scores, examples, strict=True):
        score = score[-1:] if model.kind == "outcome" else score
        label = torch.as_tensor(example.label, dtype=score.dtype, device=score.device)
        label = label.reshape(1) if model.kind == "outcome" and label.numel() == 1 else label
        if label.shape != score.shape[:1]:
            raise RewardError(
                f"a label of shape {tuple(label.shape)}, not {tuple(score.shape[:1])}, for {place(example.trajectory)}"
            )
        known = ~label.isnan()
        target = label[known].reshape(-1, *[1] * (score.dim() - 1)).expand(score[known].shape)
        if model.link == "logistic":
            if not ((target >= 0) & (target <= 1)).all():
                raise RewardError(f"a label outside 0 to 1 for {place(example.trajectory)}")
            losses.append(functional.binary_cross_entropy_with_logits(score[known], target, reduction="none").flatten())
        else:
            losses.append(functional.mse_loss(score[known], target, reduction="none").flatten())
    together = torch.cat(losses)
    return together.mean() if len(together) else together.sum()


def accuracy(model: LearnedModel, pairs: Sequence[Pair]) -> float:
    """The share of pairs whose preferred trajectory has the higher score (of an ensemble: the higher mean)."""
    with torch.inference_mode():
        scores = model.totals([pair.preferred for pair in pairs] + [pair.rejected for pair in pairs])
    scores = scores if scores.dim() == 1 else scores.mean(dim=1)
    return (scores[: len(pairs)] > scores[len(pairs) :]).double().mean().item()


def fit(
    model: M,
    data: Sequence[T],
    loss: Callable[[M, Sequence[T]], Tensor],
    *,
    epochs: int,
    generator: torch.Generator,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
) -> list[float]:
    """Minimise ``loss(model, batch)`` over the data with AdamW; returns each epoch's mean loss.

    Every epoch draws the data in a new order from ``generator``; the model is left in evaluation mode.  Parameters
    that require no gradient stay as they are.

    Raises:
        ValueError: there is no data, or nothing to learn.
        FloatingPointError: the loss or the gradient is not finite; the weights are those before that step.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not data or not parameters:
        raise ValueError("fit needs data, and a model with parameters that require a gradient")
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)
    history = []
    model.train()
    try:
        for _ in range(epochs):
            order = torch.randperm(len(data), generator=generator).tolist()
            total = 0.0
            for start in range(0, len(data), batch_size):
                batch = [data[index] for index in order[start : start + batch_size]]
                optimizer.zero_grad()
                value = loss(model, batch)
                value.backward()
                norm = nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
                if not (torch.isfinite(value) and torch.isfinite(norm)):
                    raise FloatingPointError(f"the loss is {value.item()} and its gradient's norm {norm.item()}")
                optimizer.step()
                total += value.item() * len(batch)
            history.append(total / len(data))
    finally:
        model.eval()
    return history
