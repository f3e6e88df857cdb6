"""What reward models learn from: preferences between two trajectories, and labelled trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Pair:
    """Two trajectories of which the first was preferred."""

    preferred: Trajectory
    rejected: Trajectory


@dataclass(frozen=True, slots=True)
class Labelled:
    """A trajectory and its label: one number for the outcome, or [turns] numbers, NaN where a step has no label."""

    trajectory: Trajectory
    label: float | np.ndarray


def ranked_pairs(trajectories: Sequence[Trajectory], scores: Sequence[float], margin: float = 0.0) -> list[Pair]:
    """Every pair whose scores differ by more than ``margin``, the higher preferred.

    ``scores`` are the outcomes by which trajectories of one task compare.  Trajectories without an outcome (a fault or
    a timeout) are left out.  Raises ValueError if the lengths differ or a score is not finite.
    """
    if len(trajectories) != len(scores):
        raise ValueError(f"{len(trajectories)} trajectories and {len(scores)} scores")
    if not np.isfinite(np.asarray(scores, np.float64)).all():
        raise ValueError("ranked_pairs: a score is not finite")
    scored = [(one, score) for one, score in zip(trajectories, scores, strict=True) if one.status.scored]
    return [Pair(better, worse) for better, high in scored for worse, low in scored if high - low > margin]
