"""Whether simultaneous gradient play goes to a Nash equilibrium, and with what steps: small-gain certificates.

Each player ascends its own payoff; together they follow x' = -F(x) with the pseudo-gradient F, the players' negative
gradients side by side.  Where F is strongly monotone this contracts to the one equilibrium, and F may be so in a metric
that weighs players differently although it is not in the Euclidean one (Small-Gain Nash: Certified Contraction to Nash
Equilibria in Differentiable Games, 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bounds:
    """What is known of a game's pseudo-gradient on the region of interest.

    ``curvature`` [players]: each player's payoff is so strongly concave in its own variables.  ``coupling``
    [players, players]: entry (i, j) bounds how fast player i's gradient changes with player j's variables; the diagonal
    is the Lipschitz bound of its own.
    """

    curvature: np.ndarray
    coupling: np.ndarray


@dataclass(frozen=True)
class Certificate:
    """Weights [players] of the players' squared distances, with what holds in that metric.

    F is strongly monotone by ``margin`` and Lipschitz by ``lipschitz``.
    """

    weights: np.ndarray
    margin: float
    lipschitz: float

    @property
    def best_step(self) -> float:
        """The step of simultaneous gradient play (Euler) whose certified rate is best: margin / lipschitz^2."""
        return self.margin / self.lipschitz**2

    @property
    def largest_step(self) -> float:
        """Every smaller positive step contracts: 2 margin / lipschitz^2."""
        return 2 * self.best_step

    def rate(self, step: float) -> float:
        """The factor by which the weighted distance to the equilibrium shrinks at least: sqrt(1 - 2 s m + s^2 L^2)."""
        return float(np.sqrt(max(0.0, 1 - 2 * step * self.margin + (step * self.lipschitz) ** 2)))


def bounds_of(jacobians: Sequence[np.ndarray], sizes: Sequence[int]) -> Bounds:
    """The bounds that hold at all of some Jacobians of F, [n, n] each, with players of ``sizes`` variables.

    For a quadratic game one Jacobian says everything; for others the bounds are of the sampled points only, a
    diagnostic and no proof.

    Raises:
        ValueError: the sizes do not add up, or there is no Jacobian.
    """
    if not jacobians or any(jacobian.shape != (sum(sizes),) * 2 for jacobian in jacobians):
        raise ValueError(f"players of {list(sizes)} variables need Jacobians of {sum(sizes)} rows and columns")
    ends = np.cumsum(sizes)
    blocks = [slice(end - size, end) for end, size in zip(ends.tolist(), sizes, strict=True)]
    curvature = np.full(len(sizes), np.inf)
    coupling = np.zeros((len(sizes),) * 2)
    for jacobian in jacobians:
        for i, rows in enumerate(blocks):
            own = jacobian[rows, rows]
            curvature[i] = min(curvature[i], float(np.linalg.eigvalsh((own + own.T) / 2)[0]))
            for j, columns in enumerate(blocks):
                coupling[i, j] = max(coupling[i, j], float(np.linalg.norm(jacobian[rows, columns], 2)))
    return Bounds(curvature, coupling)


def certify(bounds: Bounds) -> Certificate | None:
    """The certificate that the bounds allow, or None where the loop of gains is not small.

    With A = diag(curvature) - coupling off the diagonal, weights W exist that make F strongly monotone if A is an
    M-matrix, for two players if and only if coupling_12 coupling_21 < curvature_1 curvature_2.  They are y / x with
    A x = 1 and A^T y = 1, for which W A + A^T W is positive definite.
    """
    players = len(bounds.curvature)
    gains = np.where(np.eye(players, dtype=bool), 0.0, bounds.coupling)
    matrix = np.diag(bounds.curvature) - gains
    if np.linalg.matrix_rank(matrix) < players:
        return None
    left, right = np.linalg.solve(matrix.T, np.ones(players)), np.linalg.solve(matrix, np.ones(players))
    if left.min() <= 0 or right.min() <= 0:
        return None
    return _certificate(bounds, matrix, left / right)


def timescales(bounds: Bounds) -> tuple[float, float] | None:
    """Of two players, between which ratios of the second's weight to the first's F is strongly monotone; None for none.

    By the quadratic (w_1 coupling_12 + w_2 coupling_21)^2 < 4 w_1 w_2 curvature_1 curvature_2.  Players that learn at
    different speeds may do so within this band.

    Raises:
        ValueError: there are not two players.
    """
    if len(bounds.curvature) != 2:
        raise ValueError(f"the band is of two players, not {len(bounds.curvature)}")
    first, second = float(bounds.coupling[0, 1]), float(bounds.coupling[1, 0])
    product = float(bounds.curvature.prod())
    if bounds.curvature.min() <= 0 or first * second >= product:
        return None
    middle = 2 * product - first * second
    width = 2 * np.sqrt(product * (product - first * second))
    if second == 0:
        return first**2 / (4 * product), float("inf")
    return float((middle - width) / second**2), float((middle + width) / second**2)


def _certificate(bounds: Bounds, matrix: np.ndarray, weights: np.ndarray) -> Certificate | None:
    weights = weights / weights.sum()
    root = np.sqrt(weights)
    scaled = matrix * root[:, None] / root[None]  # W^(1/2) A W^(-1/2)
    margin = float(np.linalg.eigvalsh((scaled + scaled.T) / 2)[0])
    lipschitz = float(np.linalg.norm(bounds.coupling * root[:, None] / root[None], 2))
    return Certificate(weights, margin, lipschitz) if margin > 0 else None
