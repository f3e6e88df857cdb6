"""Advantages from preferences between the members of a group, without a score for any of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .judge import Judge
from .prompt import Case, Item


def preference_matrix(judge: Judge, items: Sequence[Item], criteria: str) -> np.ndarray:
    """How much the judge prefers each row's item to each column's: [items, items] float64 in [-1, 1].

    Each pair is asked in both orders, so that a liking for the first place cancels: d_ij = (v(i, j) - v(j, i)) / 2.
    Where one order abstains the other counts alone; where both do, and on the diagonal, the entry is NaN.
    """
    count = len(items)
    pairs = [(row, column) for row in range(count) for column in range(count) if row != column]
    verdicts = judge.judge_all([Case((items[row], items[column]), criteria) for row, column in pairs])
    asked = np.full((count, count), np.nan)
    for (row, column), verdict in zip(pairs, verdicts, strict=True):
        if verdict.pair is not None:
            asked[row, column] = verdict.pair
    there, back = asked, -asked.T
    return np.where(np.isnan(there), back, np.where(np.isnan(back), there, (there + back) / 2))


def zero_sum_advantages(preferences: np.ndarray) -> np.ndarray:
    """Advantages [n] of a group from its antisymmetric preferences [n, n]; they sum to 0.

    A_i = (1/n) sum_j d_ij / sqrt(sum_ij d_ij^2 / (2 n (n - 1)) + 1e-6).  If d_ij were r_i - r_j this would be GRPO's
    (r_i - mean) / std with the unbiased std.  NaN (nobody could judge, and the diagonal) counts as no preference.
    Raises ValueError if the matrix is not square and antisymmetric.

    Source: Think-RM (arXiv:2505.16265), with the normalisation of its authors' code.
    """
    if preferences.ndim != 2 or preferences.shape[0] != preferences.shape[1]:
        raise ValueError(f"preferences are a square matrix, not of shape {preferences.shape}")
    known = np.nan_to_num(preferences, nan=0.0)
    if not np.allclose(known, -known.T, atol=1e-9):
        raise ValueError("preferences must be antisymmetric: d_ij = -d_ji")
    count = len(known)
    if count < 2:
        return np.zeros(count)
    scale = np.sqrt((known**2).sum() / (2 * count * (count - 1)) + 1e-6)
    return np.asarray(known.sum(axis=1) / count / scale)
