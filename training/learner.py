"""The learner: gradient steps on rows.  It knows no environment and no algorithm beyond the loss it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from ..agents.choices import restrict
from ..agents.packed import Packing, hidden_states, logits
from ..agents.workers import Replicas, Workers, shares
from .config import Objective, Optimizer
from .losses import LOSSES, kl_penalty
from .rows import Row, merged, micro_batches, weigh_equally

Result = TypeVar("Result")


@dataclass
class _Forward:
    """Per sampled token [tokens]: log-probability under the policy, entropy of its distribution, and the row's data."""

    logprobs: Tensor
    entropy: Tensor
    old: Tensor
    advantages: Tensor
    weights: Tensor


class Learner:
    """Holds the policy and its optimiser.

    Args:
        model: a packed model (see :func:`palestra.agents.packed.load_model`).
        total_steps: length of the run, for the learning rate's decay.
        reference: frozen model for the KL penalty.
        temperature: that of the sampling, so that both sides speak of the same distribution.
        workers: each computes the gradient of a share of every batch.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        optimizer: Optimizer,
        objective: Objective,
        total_steps: int,
        reference: PreTrainedModel | None = None,
        temperature: float = 1.0,
        workers: Workers | None = None,
    ) -> None:
        if objective.loss not in LOSSES:
            raise ValueError(f"unknown loss {objective.loss!r}: one of {', '.join(sorted(LOSSES))}")
        if objective.kl and reference is None:
            raise ValueError("a KL penalty needs a reference model")
        self.model = model
        self.objective = objective
        self.settings = optimizer
        self.total_steps = total_steps
        self.reference = reference
        self.temperature = temperature
        self._workers = workers or Workers()
        self._replicas = Replicas(model, self._workers.count)
        self.device = next(model.parameters()).device
        self.steps = 0
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=optimizer.learning_rate,
            betas=optimizer.betas,
            weight_decay=optimizer.weight_decay,
        )

    def update(self, rows: Sequence[Row], generator: np.random.Generator) -> dict[str, float]:
        """Train on a batch by policy gradient; its metrics.

        ``generator`` shuffles the minibatches.  ``gap_max`` and ``gap_mean`` compare, before the first step, the
        learner's log-probabilities with those recorded at sampling.
        """
        objective = self.objective
        if objective.weighting != "token":
            rows = weigh_equally(rows, objective.weighting)
        rows = merged([row for row in rows if row.count])
        totals: dict[str, float] = {}
        before = self.steps
        for epoch in range(objective.epochs):
            order = generator.permutation(len(rows)) if objective.minibatches > 1 else np.arange(len(rows))
            for number, chosen in enumerate(np.array_split(order, objective.minibatches)):
                minibatch = [rows[index] for index in chosen]
                count = sum(row.count * row.weight for row in minibatch)
                if not count:
                    continue
                self._accumulate(minibatch, count, totals, first=epoch == 0 and number == 0)
                totals["grad_norm"] = totals.get("grad_norm", 0.0) + self._step()
        updates = self.steps - before
        gaps = {key: totals.pop(key) for key in ("gap_max", "gap_mean") if key in totals}
        return {key: value / updates for key, value in totals.items()} | gaps | {"learning_rate": self.rate()}

    def imitate(self, rows: Sequence[Row], context_weight: float = 0.0) -> float:
        """One step of behaviour cloning on demonstrations; the mean cross-entropy per imitated token.

        The advantages of the sampled tokens are their weights.  With a ``context_weight``, the mean cross-entropy of
        the observations is added to the loss, weighted so.
        """
        imitated = max(1.0, sum(float(row.advantages.sum()) for row in rows))
        context = max(1, sum(len(row) - 1 - row.count for row in rows))

        def share(model: PreTrainedModel, rows: Sequence[Row]) -> float:
            weights = torch.from_numpy(np.concatenate([row.advantages[row.sampled] for row in rows])).to(self.device)
            acted = torch.from_numpy(np.concatenate([row.sampled[1:] for row in rows])).to(self.device)
            if context_weight:
                rows = [replace(row, sampled=np.arange(len(row)) > 0) for row in rows]
            distribution, targets = self._distribution(model, rows)
            losses = -distribution.gather(1, targets[:, None])[:, 0]
            own = losses[acted] if context_weight else losses
            loss = (weights * own).sum() / imitated
            whole = loss + context_weight * losses[~acted].sum() / context if context_weight else loss
            whole.backward()
            return loss.item()

        total = sum(self._shared(share, rows))
        self._step()
        return total

    def rate(self) -> float:
        """The learning rate of the next step."""
        settings = self.settings
        warm = min(1.0, (self.steps + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
        done = min(1.0, self.steps / max(1, self.total_steps))
        return settings.learning_rate * warm * (1 - done * (1 - settings.final))

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the weights."""
        return {"optimizer": self.optimizer.state_dict(), "steps": self.steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps = state["steps"]

    def _distribution(self, model: PreTrainedModel, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """What each sampled id was drawn from, as log-probabilities [sampled, vocabulary], and those ids [sampled]."""
        ids, packing, predicts, targets = pack_rows(rows, self.device)
        scores = logits(model, hidden_states(model, ids, packing)[predicts])
        scores = restrict(scores, [ids for row in rows for ids in row.allowed or [None] * row.count])
        return (scores / self.temperature).log_softmax(-1), targets

    def _shared(
        self, gradient: Callable[[PreTrainedModel, Sequence[Row]], Result], rows: Sequence[Row]
    ) -> list[Result]:
        """What ``gradient`` returns for each micro-batch, whose gradient it adds to that of the model it is given."""

        def work(share: tuple[PreTrainedModel, Sequence[Row]]) -> list[Result]:
            model, part = share
            return [gradient(model, micro) for micro in micro_batches(part, self.objective.max_batch_tokens)]

        parts = shares(rows, len, self._workers.count)
        results = self._workers.map(work, list(zip(self._replicas.models, parts, strict=False)))
        self._replicas.gather()
        return [result for part in results for result in part]

    def _forward(self, model: PreTrainedModel, rows: Sequence[Row]) -> _Forward:
        distribution, targets = self._distribution(model, rows)
        sampled = [row.sampled for row in rows]
        old = np.concatenate([row.logprobs[mask] for row, mask in zip(rows, sampled, strict=True)])
        advantages = np.concatenate([row.advantages[mask] for row, mask in zip(rows, sampled, strict=True)])
        counts = [row.count for row in rows]
        return _Forward(
            logprobs=distribution.gather(1, targets[:, None])[:, 0],
            entropy=-(distribution.exp() * distribution).sum(-1),
            old=torch.from_numpy(old).to(self.device),
            advantages=torch.from_numpy(advantages).to(self.device),
            weights=torch.from_numpy(np.repeat([np.float32(row.weight) for row in rows], counts)).to(self.device),
        )

    @torch.no_grad()
    def _reference_logprobs(self, rows: Sequence[Row]) -> Tensor:
        assert self.reference is not None
        distribution, targets = self._distribution(self.reference, rows)
        return distribution.gather(1, targets[:, None])[:, 0]

    def _accumulate(self, rows: Sequence[Row], count: float, totals: dict[str, float], first: bool) -> None:
        """Accumulate the gradient of a minibatch of ``count`` sampled tokens; add its metrics to ``totals``."""
        for described in self._shared(lambda model, micro: self._policy_gradient(model, micro, count), rows):
            gap_max, gap_mean = described.pop("gap_max"), described.pop("gap_mean")
            if first:
                totals["gap_max"] = max(totals.get("gap_max", 0.0), gap_max)
                totals["gap_mean"] = totals.get("gap_mean", 0.0) + gap_mean
            for key, value in described.items():
                totals[key] = totals.get(key, 0.0) + value

    def _policy_gradient(self, model: PreTrainedModel, rows: Sequence[Row], count: float) -> dict[str, float]:
        """Add the gradient of one micro-batch, as its share of a minibatch; what it adds to the metrics."""
        objective = self.objective
        out = self._forward(model, rows)
        policy = LOSSES[objective.loss](out.logprobs, out.old, out.advantages, objective.clip) @ out.weights / count
        entropy = out.entropy @ out.weights / count
        anneal = objective.anneal ** min(1.0, self.steps / max(1, self.total_steps))
        loss = policy - anneal * objective.entropy * entropy
        described = {"policy_loss": policy, "entropy": entropy}
        if objective.kl:
            kl = kl_penalty(out.logprobs, self._reference_logprobs(rows)) @ out.weights / count
            loss = loss + anneal * objective.kl * kl
            described["kl"] = kl
        loss.backward()
        with torch.no_grad():
            gap = (out.logprobs - out.old).abs()
            ratio = (out.logprobs - out.old).exp()
            outside = (ratio < 1 - objective.clip.low) | (ratio > 1 + objective.clip.high)
            described["clip_fraction"] = outside.float() @ out.weights / count
            described["gap_mean"] = gap @ out.weights / count
            described["gap_max"] = gap.max()
        return {key: value.item() for key, value in described.items()}

    def _step(self) -> float:
        """Apply the gradients that were accumulated; their norm before clipping.

        Raises:
            FloatingPointError: if they are not finite; the weights are then as before.
        """
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm).item()
        if not np.isfinite(norm):
            self.optimizer.zero_grad(set_to_none=True)
            raise FloatingPointError(f"the gradient's norm is {norm} at optimiser step {self.steps}")
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        return norm


def pack_rows(rows: Sequence[Row], device: torch.device) -> tuple[Tensor, Packing, Tensor, Tensor]:
    """Rows side by side: ids [tokens], their packing, the places that predict a sampled id [sampled], and those ids."""
    ids = torch.from_numpy(np.concatenate([row.ids for row in rows]).astype(np.int64)).to(device)
    places = torch.from_numpy(np.flatnonzero(np.concatenate([row.sampled for row in rows]))).to(device)
    return ids, Packing([len(row) for row in rows], device=device), places - 1, ids[places]
