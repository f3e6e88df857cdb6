"""Regressions in NumPy, small enough to be fitted on the spot: linear by least squares, and logistic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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


def logistic(
    rows: np.ndarray, targets: np.ndarray, penalty: float = 1.0, *, bias: bool = True, steps: int = 30
) -> Linear:
    """The logistic regression of targets [n] in [0, 1] on rows [n, features], by Newton's method.

    Minimises the sum of the cross-entropies plus ``penalty`` / 2 times the squared weights; the bias, 0 without
    ``bias``, is not penalised.  The problem is convex, and a step is bounded to length 5.  ValueError as in
    :func:`ridge`, and for a target outside [0, 1].
    """
    _check(rows, targets, penalty)
    if not ((targets >= 0) & (targets <= 1)).all():
        raise ValueError("logistic: targets lie in [0, 1]")
    design = np.column_stack([rows, np.ones(len(rows))]) if bias else rows
    shrink = np.full(design.shape[1], penalty)
    if bias:
        shrink[-1] = 1e-6  # so that targets that are all the same have a finite bias
    weights = np.zeros(design.shape[1])
    for _ in range(steps):
        probability = sigmoid(design @ weights)
        gradient = design.T @ (probability - targets) + shrink * weights
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + np.diag(shrink)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step * min(1.0, 5.0 / max(float(np.linalg.norm(step)), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return Linear(weights[:-1], float(weights[-1])) if bias else Linear(weights, 0.0)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64))))


def _check(rows: np.ndarray, targets: np.ndarray, penalty: float) -> None:
    if rows.ndim != 2 or targets.shape != (len(rows),) or not len(rows):
        raise ValueError(f"need rows [n, features] and targets [n], got {rows.shape} and {targets.shape}")
    if not penalty > 0:
        raise ValueError(f"the penalty must be above 0, not {penalty}")
