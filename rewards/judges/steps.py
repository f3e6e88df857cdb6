"""Which step of a solution went wrong: labels from continuations of each prefix, and refinements that use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

S = TypeVar("S")
Solution = tuple[S, ...]
Continue = Callable[[tuple[S, ...], np.random.Generator], bool]
"""Samples one continuation of a prefix by the current policy to its end; whether that reaches a right answer."""


def stepwise_labels(
    solution: Sequence[S], continues: Continue[S], samples: int, rng: np.random.Generator
) -> np.ndarray:
    """For each step of a solution whether the policy can still get it right after that step, [steps] bool.

    A prefix is good if any of ``samples`` continuations reaches a right answer, and so is then every shorter one.  This
    approximates V*, where the label of an outcome model is whether this one solution came out right.

    Source: GLoRe (arXiv:2402.10963), stepwise outcome reward models; sampling stops at the first success, which gives
    the same labels.
    """
    if samples < 1:
        raise ValueError(f"stepwise_labels: samples must be at least 1, not {samples}")
    labels = np.zeros(len(solution), bool)
    for end in range(len(solution), 0, -1):  # from the end, as a good prefix settles the shorter ones
        if any(continues(tuple(solution[:end]), rng) for _ in range(samples)):
            labels[:end] = True
            break
    return labels


def outcome_labels(solution: Sequence[S], right: bool) -> np.ndarray:
    """What an outcome model is trained on: every step has the outcome of the whole, [steps] bool."""
    return np.full(len(solution), right)


def first_error(scores: np.ndarray, threshold: float = 0.5) -> int | None:
    """The first step [steps] whose score (or label) is below the threshold; None if there is none."""
    below = np.flatnonzero(np.asarray(scores, np.float64) < threshold)
    return int(below[0]) if len(below) else None


def refined(
    draft: tuple[S, ...],
    *,
    steps: Callable[[tuple[S, ...]], np.ndarray],
    again: Callable[[tuple[S, ...]], tuple[S, ...]],
    rerank: Callable[[tuple[S, ...]], float],
) -> tuple[S, ...]:
    """The best by ``rerank`` of a draft, a global and a local refinement of it.

    ``steps`` scores each step, ``again`` solves from a prefix on: from the empty one for the global refinement, from
    what stands before the first error for the local one (a draft without one has none).  Equal scores go to the draft.

    Source: GLoRe (arXiv:2402.10963): the outcome model as reranker.  There the refiners are models of their own.
    """
    candidates = [draft, again(())]
    error = first_error(steps(draft))
    if error is not None:
        candidates.append(again(draft[:error]))
    return max(candidates, key=rerank)
