"""A judge that asks how near an item is to a reference: could the same policy have made both?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..regression import Linear, logistic, sigmoid
from .judge import PointwiseJudge
from .prompt import Case, Features, Item
from .verdict import Verdict


@dataclass(frozen=True, repr=False, eq=False)
class PolicyDiscriminator(PointwiseJudge):
    """The probability that an item and the references come from one policy, as their mean over the references.

    It knows no criterion of quality: what is good is what the target policy does, whose work the ``references`` are.
    A case with a reference of its own is compared with that.  Abstains if there is neither.

    Source: POLAR (arXiv:2507.05197), which pre-trains a language model for this; here it is a logistic model of how far
    the two items' features lie apart, dimension by dimension, fitted by :func:`train_discriminator`.
    """

    features: Features
    model: Linear
    references: tuple[Item, ...] = ()

    def score_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """A score for each case."""
        known = [self.features(reference) for reference in self.references]
        return [self._score(case, known) for case in cases]

    def probability(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """That rows of features [n, features] come from the same policies, [n] float64; the order does not matter."""
        return sigmoid(self.model(distance(first, second)))

    def _score(self, case: Case, known: list[np.ndarray]) -> Verdict:
        references = known if case.reference is None else [self.features(Item(case.reference))]
        if not references:
            return Verdict.none("there is no reference")
        candidate = np.tile(self.features(case.items[0]), (len(references), 1))
        return Verdict(score=float(self.probability(candidate, np.stack(references)).mean()))


def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How far two rows of features lie apart in each dimension, and in all: [n, features + 1]."""
    apart = np.abs(first - second)
    return np.column_stack([apart, apart.sum(axis=1)])


def train_discriminator(
    work: Sequence[Sequence[Item]], features: Features, rng: np.random.Generator, *, pairs: int, penalty: float = 1.0
) -> PolicyDiscriminator:
    """Learn to tell whether two items come from one policy, from several policies' work.

    ``work`` holds the items of each policy, at least two of each.  Half of the ``pairs`` are of one policy, half of
    two.  Raises ValueError if there are fewer than two policies or items.
    """
    if len(work) < 2 or min(map(len, work)) < 2:
        raise ValueError("train_discriminator needs at least two policies with two items each")
    rows = [np.stack([features(item) for item in items]) for items in work]
    first, second, labels = [], [], []
    for index in range(pairs):
        policy, other = rng.choice(len(rows), 2, replace=False)
        same = index % 2 == 0
        own = rng.choice(len(rows[policy]), 2, replace=False)
        first.append(rows[policy][own[0]])
        second.append(rows[policy][own[1]] if same else rows[other][rng.integers(len(rows[other]))])
        labels.append(float(same))
    model = logistic(distance(np.stack(first), np.stack(second)), np.array(labels), penalty)
    return PolicyDiscriminator(features, model)
