"""Rows: what the learner reads, one per trajectory, in the ids that were really consumed and sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..agents.choices import allowed_ids
from ..trajectory import Trajectory, Turn


@dataclass(frozen=True, slots=True)
class Row:
    """A context with sampled parts.

    ``ids`` [n] int32; ``sampled`` [n] bool marks the ids that the policy chose; ``logprobs`` [n] float32 and
    ``advantages`` [n] float32 belong to those and are 0 elsewhere.  ``allowed`` holds for each sampled id those that it
    was drawn from, or None for the whole vocabulary; it is empty where that is so for all.
    """

    ids: np.ndarray
    sampled: np.ndarray
    logprobs: np.ndarray
    advantages: np.ndarray
    allowed: tuple[np.ndarray | None, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def count(self) -> int:
        """How many of the ids were sampled."""
        return int(self.sampled.sum())


def to_rows(trajectory: Trajectory, advantages: np.ndarray) -> list[Row]:
    """The rows of a trajectory whose turns have ``advantages`` [turns]: one for each context that was begun."""
    starts = [number for number, turn in enumerate(trajectory.turns) if number and turn.fresh]
    bounds = zip([0, *starts], [*starts, len(trajectory.turns)], strict=True)
    return [_row(trajectory.turns[first:last], advantages[first:last]) for first, last in bounds]


def to_row(trajectory: Trajectory, advantages: np.ndarray) -> Row:
    """The row of a trajectory that is one context, and whose turns have ``advantages`` [turns]."""
    return _row(trajectory.turns, advantages)


def _row(turns: Sequence[Turn], advantages: np.ndarray) -> Row:
    ids, sampled, logprobs, values = [], [], [], []
    allowed: list[np.ndarray | None] = []
    for turn, advantage in zip(turns, advantages, strict=True):
        context, action = len(turn.context_ids), len(turn.action_ids)
        ids += [turn.context_ids, turn.action_ids]
        sampled += [np.zeros(context, bool), np.ones(action, bool)]
        logprobs += [np.zeros(context, np.float32), turn.logprobs]
        values += [np.zeros(context, np.float32), np.full(action, advantage, np.float32)]
        allowed += allowed_ids(turn.choices, turn.action_ids) if turn.choices else [None] * action
    return Row(
        np.concatenate(ids).astype(np.int32),
        np.concatenate(sampled),
        np.concatenate(logprobs).astype(np.float32),
        np.concatenate(values),
        tuple(allowed) if any(each is not None for each in allowed) else (),
    )


def micro_batches(rows: Sequence[Row], max_tokens: int) -> Iterator[list[Row]]:
    """Split rows, in order, into batches of at most ``max_tokens`` ids (a longer row is a batch of its own)."""
    batch: list[Row] = []
    tokens = 0
    for row in rows:
        if batch and tokens + len(row) > max_tokens:
            yield batch
            batch, tokens = [], 0
        batch.append(row)
        tokens += len(row)
    if batch:
        yield batch
