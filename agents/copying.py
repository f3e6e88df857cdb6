"""What a model should know before it reads its first page: that what was there before can be said again."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers import PreTrainedModel

LENGTH = 64
"""Ids of a row."""
SHORTEST = 6
"""Ids that are repeated, at least; at most half a row."""


def learn_to_copy(
    model: PreTrainedModel, steps: int, *, first: int = 0, rows: int = 16, learning_rate: float = 3e-3, seed: int = 0
) -> float:
    """Train ``model`` for so many ``steps`` on random ids that come again and again; the last loss, in nats a token.

    Each row repeats ids drawn evenly from ``first`` up, so that nothing can be learned but to look for what stood
    before and to say what followed there: induction heads (Olsson et al. 2022, arXiv:2209.11895).  A small model that
    is then cloned from few demonstrations copies words that it has never seen, where it otherwise learns the
    demonstrated ones by heart.  A model of 128 dimensions and three layers takes 0.15 s a step on one core.  Torch's
    own generator is left as it was.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
    places, found = torch.arange(LENGTH), float("nan")
    training = model.training
    model.train()
    for step in range(steps):
        periods = torch.randint(SHORTEST, LENGTH // 2, (rows, 1), generator=generator)
        drawn = torch.randint(first, model.config.vocab_size, (rows, LENGTH), generator=generator)
        ids = drawn.gather(1, places % periods)
        told = (places > periods)[:, 1:]
        losses = functional.cross_entropy(model(input_ids=ids).logits[:, :-1].mT, ids[:, 1:], reduction="none")
        loss = losses[told].mean()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / 50) * max(0.05, 1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        found = float(loss.detach())
    model.train(training)
    return found
