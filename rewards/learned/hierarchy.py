"""Preferences from an order of importance: compare by what matters most, and by the next only where that ties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...trajectory import Trajectory
from ..reward import Reward
from .data import Pair


def compare(first: np.ndarray, second: np.ndarray, margins: np.ndarray) -> int:
    """1 if ``first`` is better, -1 if ``second`` is, 0 if neither, by the first factor that tells them apart.

    All arguments are [factors], the most important first.  A factor tells two apart if they differ by more than its
    margin; the higher is better.
    """
    for difference, margin in zip(first - second, margins, strict=True):
        if abs(difference) > margin:
            return 1 if difference > 0 else -1
    return 0


def hierarchical_pairs(
    trajectories: Sequence[Trajectory],
    factors: Sequence[Reward],
    count: int,
    rng: np.random.Generator,
    margins: float | Sequence[float] = 0.0,
) -> list[Pair]:
    """Up to ``count`` preferences between randomly drawn trajectories, for training a reward model on.

    A factor is a reward, and a trajectory has its total; a trajectory without an outcome is left out.  Margins are in
    standard deviations of each factor over the trajectories, so that no factor's scale matters.  Draws that tie in
    every factor give no pair.

    Source: HERON (arXiv:2309.02632); margins relative to the deviation, and dropping what ties, as in the authors'
    code.

    Raises:
        ValueError: no factors, fewer than two trajectories with an outcome, or margins that do not fit.
    """
    scored = [trajectory for trajectory in trajectories if trajectory.status.scored]
    if not factors or len(scored) < 2:
        raise ValueError("hierarchical_pairs needs a factor, and two trajectories with an outcome")
    limits = np.broadcast_to(np.asarray(margins, np.float64), len(factors)) if np.ndim(margins) == 0 else margins
    limit = np.asarray(limits, np.float64)
    if limit.shape != (len(factors),) or not (limit >= 0).all():
        raise ValueError(f"margins must be at least 0, one for all or one for each of {len(factors)}, not {margins}")
    columns = [[value.sum() for value in factor(scored) if value is not None] for factor in factors]
    values = np.array(columns).T
    limit = limit * values.std(axis=0)
    pairs = []
    for _ in range(count):
        one, other = rng.choice(len(scored), 2, replace=False)
        verdict = compare(values[one], values[other], limit)
        if verdict:
            better, worse = (one, other) if verdict > 0 else (other, one)
            pairs.append(Pair(scored[better], scored[worse]))
    return pairs
