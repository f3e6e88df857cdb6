"""Linear models in NumPy, for judges that are small enough to be fitted on the spot."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .prompt import Item

Features = Callable[[Item], np.ndarray]
"""What a linear model sees of an item: [features] float64, the same number for every item."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``weights`` [features] and ``bias``; calling it on rows [n, features] gives [n] float64."""

    weights: np.ndarray
    bias: float

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows @ self.weights + self.bias)


def ridge(rows: np.ndarray, targets: np.ndarray, penalty: float = 1.0) -> Linear:
    """The least squares fit of targets [n] on rows [n, features] with ``penalty`` times the squared weights.

    The bias is not penalised.  Raises ValueError for shapes that do not fit or a penalty that is not above 0.
    """
    _check(rows, targets, penalty)
    centre, mean = rows.mean(axis=0), targets.mean()
    centred = rows - centre
    gram = centred.T @ centred + penalty * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (targets - mean))
    return Linear(weights, float(mean - centre @ weights))


def logistic(rows: np.ndarray, labels: np.ndarray, penalty: float = 1.0, steps: int = 30) -> Linear:
    """The logistic regression of labels [n] (0 or 1) on rows [n, features], by Newton's method; see :func:`ridge`."""
    _check(rows, labels, penalty)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("logistic: labels are 0 or 1")
    design = np.column_stack([rows, np.ones(len(rows))])
    shrink = np.full(design.shape[1], penalty)
    shrink[-1] = 1e-6  # so that labels that are all the same have a finite bias
    weights = np.zeros(design.shape[1])
    for _ in range(steps):
        probability = sigmoid(design @ weights)
        gradient = design.T @ (probability - labels) + shrink * weights
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + np.diag(shrink)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step * min(1.0, 5.0 / max(float(np.linalg.norm(step)), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return Linear(weights[:-1], float(weights[-1]))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64))))


def hashed_words(size: int = 256) -> Features:
    """How often each word occurs, in ``size`` buckets by checksum and divided by the root of the number of words."""

    def features(item: Item) -> np.ndarray:
        words = item.text.lower().split()
        counts = np.zeros(size)
        for word in words:
            counts[zlib.crc32(word.encode("utf-8", "replace")) % size] += 1
        return np.asarray(counts / np.sqrt(max(len(words), 1)))

    return features


def _check(rows: np.ndarray, targets: np.ndarray, penalty: float) -> None:
    if rows.ndim != 2 or targets.shape != (len(rows),) or not len(rows):
        raise ValueError(f"need rows [n, features] and targets [n], got {rows.shape} and {targets.shape}")
    if not penalty > 0:
        raise ValueError(f"the penalty must be above 0, not {penalty}")
