"""Rows: what the learner reads, one per trajectory, in the ids that were really consumed and sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
    weight: float = 1.0
    """How many equal rows it stands for; ``advantages`` are their mean."""

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


def merged(rows: Sequence[Row]) -> list[Row]:
    """Equal rows as one that weighs as much: no sum over them changes, and most of a small game's forwards are spared.

    Rows are equal if their ids are and every advantage has the same sign: clipped losses scale with the advantage's
    size, not with its sign.  The log-probabilities of the sampling may differ by rounding; the first row's are kept.
    """
    found: dict[bytes, list[Row]] = {}
    for row in rows:
        signs = np.sign(row.advantages)
        found.setdefault(row.ids.tobytes() + row.sampled.tobytes() + signs.tobytes(), []).append(row)
    result = []
    for equal in found.values():
        if len(equal) == 1:
            result.append(equal[0])
            continue
        weights = np.array([row.weight for row in equal], np.float32)
        mean = (np.stack([row.advantages for row in equal]) * weights[:, None]).sum(0) / weights.sum()
        result.append(replace(equal[0], advantages=mean, weight=float(weights.sum())))
    return result


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


def weigh_equally(rows: Sequence[Row], unit: Literal["turn", "trajectory"]) -> list[Row]:
    """Scale advantages so that each trajectory, or each turn, counts alike however many tokens it has.

    As GRPO's 1 / |o| (arXiv:2402.03300, eq. 3) does for trajectories; the sum over tokens keeps its denominator, the
    number of sampled tokens.
    """
    sampled = [row for row in rows if row.count]
    sizes = [_sizes(row, unit) for row in sampled]
    units = sum(float((1 / size).sum()) for size in sizes)
    mean = sum(row.count for row in sampled) / max(1.0, units)
    scaled = []
    for row, size in zip(sampled, sizes, strict=True):
        advantages = row.advantages.copy()
        advantages[row.sampled] *= (mean / size).astype(np.float32)
        scaled.append(replace(row, advantages=advantages))
    return scaled


def _sizes(row: Row, unit: Literal["turn", "trajectory"]) -> np.ndarray:
    """For each sampled token of a row, how many its trajectory, or its turn, has; [sampled]."""
    if unit == "trajectory":
        return np.full(row.count, row.count)
    starts = row.sampled & ~np.concatenate([[False], row.sampled[:-1]])
    turn = np.cumsum(starts)[row.sampled] - 1
    return np.bincount(turn)[turn]
