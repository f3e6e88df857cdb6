"""Observations as vectors and as short keys."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

import numpy as np

from ...trajectory import Observation
from .state import Configured, text_of

Features = Callable[[Observation], np.ndarray]
"""From an observation to a vector [d] float64, always of the same length; changes nothing."""
Key = Callable[[Observation], str]
"""From an observation to what makes two of them count as the same."""


class HashedWords(Configured):
    """The words of an observation's text as a vector: each adds +1 or -1 in a place that a hash of it names.

    Of ``dimension`` places; the length is then brought to 1, and a text without words is all 0.  The same in every
    process.  Source: feature hashing (arXiv:0902.2206).
    """

    def __init__(self, dimension: int = 64) -> None:
        if dimension < 1:
            raise ValueError(f"HashedWords: dimension {dimension} is below 1")
        self.dimension = dimension

    def __call__(self, observation: Observation) -> np.ndarray:
        vector = np.zeros(self.dimension)
        for word in re.findall(r"\w+", text_of(observation).lower()):
            code = zlib.crc32(word.encode())
            vector[(code >> 1) % self.dimension] += 1.0 if code & 1 else -1.0
        length = float(np.linalg.norm(vector))
        return vector / length if length > 0 else vector


class SimHash(Configured):
    """A key of ``bits`` signs, so that similar observations tend to share it: sgn(A features), A normal by ``seed``.

    Source: #Exploration (arXiv:1611.04717), with the sign of 0 taken as +1.
    """

    def __init__(self, features: Features, bits: int = 16, seed: int = 0) -> None:
        if bits < 1:
            raise ValueError(f"SimHash: bits {bits} is below 1")
        self.features, self.bits, self.seed = features, bits, seed
        self._matrix: np.ndarray | None = None

    def __call__(self, observation: Observation) -> str:
        features = self.features(observation)
        if self._matrix is None:  # made when the length is known; it depends on nothing else
            self._matrix = np.random.default_rng(self.seed).normal(size=(self.bits, len(features)))
        return "".join("1" if sign else "0" for sign in self._matrix @ features >= 0)
