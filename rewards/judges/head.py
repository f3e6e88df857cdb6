"""A small judge without references, distilled from a large one that had them, and when to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..regression import Linear, ridge
from .judge import PointwiseJudge
from .prompt import Case, Features, Item
from .verdict import Verdict


@dataclass(frozen=True, repr=False, eq=False)
class QualityHead(PointwiseJudge):
    """Predicts an item's quality from its features alone, bounded to [0, 1]; made by :func:`distil`."""

    features: Features
    model: Linear

    def score_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """A score for each case; the criteria are those that it was distilled with."""
        if not cases:
            return []
        rows = np.stack([self.features(case.items[0]) for case in cases])
        return [Verdict(score=float(score)) for score in np.clip(self.model(rows), 0, 1)]


def recalibrated(self_scores: np.ndarray, similarity: np.ndarray, share: float = 0.5) -> np.ndarray:
    """Scores [n] that a model gave with the gold answer in view, corrected by the likeness to it [n]; all in [0, 1].

    (1 - share) * score + share * similarity.  Source: Self-J (arXiv:2409.00935), which recalibrates by semantic
    similarity; that it is a weighted mean is our reading.
    """
    if self_scores.shape != similarity.shape or not 0 <= share <= 1:
        raise ValueError(f"need as many similarities as scores and a share in [0, 1], got {similarity.shape}, {share}")
    return (1 - share) * self_scores + share * similarity


def distil(items: Sequence[Item], targets: np.ndarray, features: Features, penalty: float = 1.0) -> QualityHead:
    """A head that gives the targets [items], such as :func:`recalibrated` scores, without seeing a reference.

    Source: Self-J (arXiv:2409.00935); a ridge regression stands here for the fine-tuned model.
    """
    return QualityHead(features, ridge(np.stack([features(item) for item in items]), targets, penalty))


def selected(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Which answers to give [n] bool, in selective instruction following: those of at least the predicted quality.

    For serving, not for training: a reward that left out what scores low would make bad work neutral.
    """
    return np.asarray(scores >= threshold)
