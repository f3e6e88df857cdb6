"""Step rewards out of a policy that was trained on preferences between trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ...trajectory import Trajectory
from ..reward import RewardError, place
from .model import LearnedModel


class Policy(Protocol):
    """A torch module that knows how likely it would have acted as recorded, such as ``LanguagePolicy``."""

    def log_probs(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """One tensor [turns] per trajectory: log pi(action | what came before) of each turn."""


class ImplicitProcessModel(LearnedModel):
    """A process reward model that is a policy: r_t = beta * log(pi(a_t | o_1..t) / pi_ref(a_t | o_1..t)).

    Trained by ``fit(model, pairs, preference_loss)``, which is then DPO over whole trajectories: -log sigmoid(beta *
    log pi/pi_ref of the preferred one - the same of the rejected), since an episode's score is the sum of its steps.
    Its step rewards therefore order trajectories as the preferences do.  Source: OPRL, later iStar
    (arXiv:2509.19199), which trains it in turn with the agent, on pairs of its rollouts ranked by outcome, and adds
    normalised step rewards to the outcome's advantage.

    Args:
        policy: the module that learns, which begins as a copy of the agent.
        reference: the agent as it was when it played, frozen here; None takes the log-probabilities that the
            trajectories recorded.
        beta: above 0.

    Raises:
        ValueError: ``beta`` is not above 0.
    """

    kind, link = "process", "identity"

    def __init__(self, policy: Policy, reference: Policy | None, *, beta: float) -> None:
        super().__init__()
        if not beta > 0:
            raise ValueError(f"beta must be above 0, not {beta}")
        self.beta = beta
        self.policy = cast("nn.Module", policy)
        self.reference = None if reference is None else cast("nn.Module", reference).requires_grad_(False)

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """Each turn's implicit reward, [turns]."""
        learned = cast("Policy", self.policy).log_probs(trajectories)
        if self.reference is None:
            before = [_recorded(one).to(now) for one, now in zip(trajectories, learned, strict=True)]
        else:
            with torch.no_grad():
                before = cast("Policy", self.reference).log_probs(trajectories)
        return [self.beta * (now - then) for now, then in zip(learned, before, strict=True)]

    def describe(self, folder: Path) -> dict[str, Any]:
        """The settings; a policy that is no language model is given again when the model is loaded."""
        parts = {"policy": self.policy, "reference": self.reference}
        return {
            "type": "implicit",
            "beta": self.beta,
            **{name: part and _described(part, folder / name) for name, part in parts.items()},
        }


def _described(policy: nn.Module, folder: Path) -> dict[str, Any]:
    from .language import LanguagePolicy  # which loads transformers; policies of yours need not

    return policy.describe(folder) if isinstance(policy, LanguagePolicy) else {"type": "custom"}


def _recorded(trajectory: Trajectory) -> Tensor:
    for index, turn in enumerate(trajectory.turns):
        if not len(turn.logprobs) or len(turn.logprobs) != len(turn.action_ids):
            raise RewardError(f"no log-probabilities of the sampled ids at turn {index} of {place(trajectory)}")
    return torch.tensor([float(turn.logprobs.sum()) for turn in trajectory.turns])
