"""Replies to choose from, token by token: which ids may follow what was sampled so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

NEVER = -1e9
"""The logit of an id that may not follow.  Not minus infinity, so that p log p is 0 there and not undefined."""


class Choices:
    """A prefix tree of replies.

    Args:
        replies: ids [a] each, none of them empty, none the beginning of another.

    Raises:
        ValueError: a reply is empty or begins another, so that it is not plain where one ends.
    """

    def __init__(self, replies: Sequence[np.ndarray]) -> None:
        ends = {tuple(reply.tolist()) for reply in replies}
        following: dict[tuple[int, ...], set[int]] = {}
        for reply in ends:
            for length, token in enumerate(reply):
                following.setdefault(reply[:length], set()).add(token)
        for reply in ends:
            if not reply or reply in following:
                raise ValueError(f"the reply {list(reply)} is empty, or another begins with it")
        self._next = {prefix: np.array(sorted(tokens), np.int64) for prefix, tokens in following.items()}
        self._next |= dict.fromkeys(ends, np.zeros(0, np.int64))

    def after(self, prefix: tuple[int, ...]) -> np.ndarray:
        """The ids [n] int64, in order, that may follow ``prefix``; none where a reply is complete.

        Raises KeyError for a ``prefix`` with which no reply begins.
        """
        return self._next[prefix]

    def branches(self) -> list[tuple[int, ...]]:
        """The prefixes after which there is a choice."""
        return [prefix for prefix, tokens in self._next.items() if len(tokens) > 1]


def allowed_ids(replies: Sequence[np.ndarray], chosen: np.ndarray) -> list[np.ndarray]:
    """The ids that each token of the reply ``chosen`` [a], one of ``replies``, was drawn from: an array for each."""
    tree, ids = Choices(replies), tuple(chosen.tolist())
    return [tree.after(ids[:length]) for length in range(len(ids))]


def restrict(scores: torch.Tensor, allowed: Sequence[np.ndarray | None]) -> torch.Tensor:
    """``scores`` [n, vocabulary] with :data:`NEVER` at the ids that are not ``allowed``; None allows a row all."""
    if all(ids is None for ids in allowed):
        return scores
    free = torch.tensor([ids is None for ids in allowed], device=scores.device)
    kept = free[:, None].expand(scores.shape).clone()
    few = [(row, ids) for row, ids in enumerate(allowed) if ids is not None]
    rows = np.repeat([row for row, _ in few], [len(ids) for _, ids in few])
    columns = np.concatenate([ids for _, ids in few])
    kept[torch.from_numpy(rows).to(scores.device), torch.from_numpy(columns).to(scores.device)] = True
    return scores.masked_fill(~kept, NEVER)
