"""Directions in the plane that bodies on a floor move in."""

from __future__ import annotations

import numpy as np


def as_seen(vectors: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """Vectors of the floor ``[..., 2]`` as a body sees them whose heading has that cosine and sine: ahead and left."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack([cosine * x + sine * y, cosine * y - sine * x], axis=-1)


def wrapped(angle: float) -> float:
    """The same angle in [-pi, pi]."""
    return float(np.arctan2(np.sin(angle), np.cos(angle)))
