"""Likeness to states that ended well: contrastive goal-conditioned representations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...trajectory import Trajectory
from ..reward import RewardError
from .data import Pair
from .encoders import Encoder
from .fit import preference_loss
from .model import LearnedModel, RewardModel


def goal_loss(preferred: Sequence[Tensor], rejected: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """The contrastive loss of a batch of embedded pairs, each tensor [turns, width].

    From each pair a source turn and a later goal turn are drawn out of the preferred trajectory, uniformly, and a turn
    out of the rejected one: mean of -log sigmoid(cos(source, goal)) - log(1 - sigmoid(cos(source, rejected))), after
    contrastive goal-conditioned learning.  Of a preferred trajectory of a single turn, that turn is both.

    Source: Learning Goal-Conditioned Representations for Language Reward Models (arXiv:2407.13887), whose states are
    tokens; that likeness is the cosine there is confirmed, the form of the logistic loss is the usual one.
    """
    likeness = []
    for good, bad in zip(preferred, rejected, strict=True):
        source = _draw(max(len(good) - 1, 1), generator)
        later = min(source + 1, len(good) - 1)
        goal = later + _draw(len(good) - later, generator)
        other = _draw(len(bad), generator)
        seen = torch.stack([good[goal], bad[other]])
        likeness.append(functional.cosine_similarity(good[source][None], seen))
    cosines = torch.stack(likeness)
    return -(functional.logsigmoid(cosines[:, 0]) + functional.logsigmoid(-cosines[:, 1])).mean()


def goal_conditioned_loss(weight: float, generator: torch.Generator) -> Callable[[RewardModel, Sequence[Pair]], Tensor]:
    """``preference_loss + weight * goal_loss``, for :func:`.fit.fit`."""

    def loss(model: RewardModel, pairs: Sequence[Pair]) -> Tensor:
        states = model.encoder([pair.preferred for pair in pairs] + [pair.rejected for pair in pairs])
        return preference_loss(model, pairs) + weight * goal_loss(states[: len(pairs)], states[len(pairs) :], generator)

    return loss


class GoalModel(LearnedModel):
    """Pays each turn its cosine to a goal state, between -1 and 1: how far an unfinished episode looks like success.

    An encoder trained with :func:`goal_conditioned_loss` has the states on the way to success lie near it.  Source:
    arXiv:2407.13887, which drops the partial answers that are least like the goal.
    """

    kind, link = "process", "identity"

    goal: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("goal", torch.zeros(encoder.width))

    def set_goal(self, examples: Sequence[Trajectory]) -> GoalModel:
        """Take the mean of the last states of ``examples``, trajectories that ended well, for the goal."""
        if not examples or not all(example.turns for example in examples):
            raise RewardError("a goal needs examples, each with a turn")
        with torch.no_grad():
            self.goal.copy_(torch.stack([states[-1] for states in self.encoder(examples)]).mean(dim=0))
        return self

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """Each turn's cosine to the goal, [turns]."""
        return [functional.cosine_similarity(states, self.goal[None]) for states in self.encoder(trajectories)]

    def describe(self, folder: Path) -> dict[str, Any]:
        """The encoder's settings; the goal is among the weights."""
        return {"type": "goal", "encoder": self.encoder.describe(folder)}


def _draw(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator))
