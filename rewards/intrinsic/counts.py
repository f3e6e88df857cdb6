"""Bonuses for what was rarely seen, by counting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...trajectory import Trajectory
from ..reward import RewardError, place
from .features import Features, Key
from .state import Source, arrivals, scored, text_of


class VisitCounts(Source):
    """1 / sqrt(n) for what a turn leads to, where n is how often it was reached, this time included.

    n counts the episodes learned from and the turns of this one so far.  ``key`` says which observations are the same:
    by default those with one text; ``SimHash(...)`` counts similar ones together.  A last turn that led to no
    recorded observation gets 0.  Source: #Exploration (arXiv:1611.04717), r = beta / sqrt(n(phi(s))).
    """

    def __init__(self, key: Key = text_of) -> None:
        self.key = key
        self._counts: dict[str, int] = {}

    def bonus(self, trajectory: Trajectory) -> np.ndarray:
        """Of each turn, [turns] float64, above 0 and at most 1."""
        here: dict[str, int] = {}
        values = np.zeros(len(trajectory.turns))
        for turn, key in enumerate(self._keys(trajectory)):
            if key is not None:
                here[key] = here.get(key, 0) + 1
                values[turn] = 1 / math.sqrt(self._counts.get(key, 0) + here[key])
        return values

    def count(self, key: str) -> int:
        """How often the key was reached in the episodes learned from."""
        return self._counts.get(key, 0)

    def update(self, group: Sequence[Trajectory]) -> None:
        """Count what the group's turns led to."""
        for trajectory in scored(group):
            for key in self._keys(trajectory):
                if key is not None:
                    self._counts[key] = self._counts.get(key, 0) + 1

    def snapshot(self) -> dict[str, Any]:
        """The counts."""
        return {"counts": dict(self._counts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the counts of a snapshot."""
        self._counts = {str(key): int(count) for key, count in state["counts"].items()}

    def _keys(self, trajectory: Trajectory) -> list[str | None]:
        return [None if seen is None else self.key(seen) for seen in arrivals(trajectory)]


class PseudoCounts(Source):
    """1 / sqrt(N + 0.01) for what a turn leads to, with the count N that a density model implies.

    N = rho (1 - rho') / (rho' - rho), where rho is the model's probability of the features and rho' what it would be
    after seeing them once more; for observed frequencies that is the count itself.  The model takes the signs of the
    ``features`` (above 0 or not) as independent, each with Krichevsky-Trofimov's estimate (n_i + 1/2) / (n + 1), so
    that an unseen mixture of familiar features is less new than unfamiliar ones.  Source: arXiv:1606.01868, whose
    model is of images (CTS).
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self._ones: np.ndarray = np.zeros(0)
        self._seen = 0

    def bonus(self, trajectory: Trajectory) -> np.ndarray:
        """Of each turn, [turns] float64, above 0 and at most 10."""
        values = np.zeros(len(trajectory.turns))
        for turn, signs in enumerate(self._signs(trajectory)):
            if signs is not None:
                values[turn] = 1 / math.sqrt(self.count(signs) + 0.01)
        return values

    def count(self, signs: np.ndarray) -> float:
        """The pseudo-count of binary features [d]."""
        if not self._seen:
            return 0.0
        same = np.where(signs, self._ones, self._seen - self._ones)
        before = np.log((same + 0.5) / (self._seen + 1)).sum()
        after = np.log((same + 1.5) / (self._seen + 2)).sum()
        # Logarithms, for with many features rho underflows: N = (1 - rho') / (rho' / rho - 1).
        return float(-np.expm1(after) / np.expm1(after - before))

    def update(self, group: Sequence[Trajectory]) -> None:
        """Add what the group's turns led to."""
        for trajectory in scored(group):
            for signs in self._signs(trajectory):
                if signs is not None:
                    self._ones = signs + (self._ones if self._seen else 0.0)
                    self._seen += 1

    def snapshot(self) -> dict[str, Any]:
        """How many were seen, and how many of them had each feature."""
        return {"seen": self._seen, "ones": self._ones.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the counts of a snapshot."""
        self._seen, self._ones = int(state["seen"]), np.array(state["ones"], np.float64)

    def _signs(self, trajectory: Trajectory) -> list[np.ndarray | None]:
        found: list[np.ndarray | None] = []
        for seen in arrivals(trajectory):
            signs = None if seen is None else self.features(seen) > 0
            if signs is not None and self._seen and signs.shape != self._ones.shape:
                raise RewardError(
                    f"PseudoCounts: features of shape {signs.shape}, not {self._ones.shape}, in {place(trajectory)}"
                )
            found.append(signs)
        return found
