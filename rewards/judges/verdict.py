"""What a judge says, in one form for a single score, a pair and a list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement of one, two or more items, or the statement that there is none.

    Exactly one of ``score`` (0 worst to 1 best), ``pair`` (1 the first item is better, -1 the second, 0 a tie, and
    between them for votes) and ``ranking`` (the items' indices, best first) is given, unless the judge abstains.
    ``confidence`` is in [0, 1], or None if nobody said.  Raises ValueError for anything else.
    """

    score: float | None = None
    pair: float | None = None
    ranking: tuple[int, ...] | None = None
    rationale: str = ""
    confidence: float | None = None
    abstain: bool = False

    def __post_init__(self) -> None:
        given = sum(answer is not None for answer in (self.score, self.pair, self.ranking))
        if given != (0 if self.abstain else 1):
            raise ValueError(f"a verdict is one of score, pair and ranking, or it abstains; got {self}")
        for name, value, low in (("score", self.score, 0), ("pair", self.pair, -1), ("confidence", self.confidence, 0)):
            if value is not None and not low <= value <= 1:
                raise ValueError(f"a verdict's {name} is between {low} and 1, not {value}")
        if self.ranking is not None and sorted(self.ranking) != list(range(len(self.ranking))):
            raise ValueError(f"a ranking holds each item once, not {self.ranking}")

    @classmethod
    def none(cls, rationale: str) -> Verdict:
        """The judge abstains, and why."""
        return cls(rationale=rationale, abstain=True)

    def values(self) -> np.ndarray:
        """Each item's value [items] float64, 0 worst to 1 best.

        The score itself; (1 + pair) / 2 and (1 - pair) / 2; or the share of the other items that stand lower.
        Raises ValueError if the judge abstained: there is no number for that.
        """
        if self.score is not None:
            return np.array([self.score], np.float64)
        if self.pair is not None:
            return np.array([1 + self.pair, 1 - self.pair], np.float64) / 2
        if self.ranking is not None:
            values = np.zeros(len(self.ranking))
            values[list(self.ranking)] = np.linspace(1, 0, len(self.ranking))
            return values
        raise ValueError(f"the judge abstained: {self.rationale}")


def compare(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict on several items from a score of each: the score, the difference of two, or the order of more.

    It abstains if one of the items has no score, and is as confident as the least confident score.  Equal scores stand
    in the order of the items.
    """
    missing = [index for index, verdict in enumerate(verdicts) if verdict.score is None]
    rationale = "\n\n".join(verdict.rationale for verdict in verdicts)
    if missing:
        return Verdict.none(f"no score for items {missing}\n\n{rationale}")
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    stated = [verdict.confidence for verdict in verdicts if verdict.confidence is not None]
    confidence = min(stated, default=None)
    if len(scores) == 1:
        return verdicts[0]
    if len(scores) == 2:
        return Verdict(pair=scores[0] - scores[1], rationale=rationale, confidence=confidence)
    ranking = tuple(sorted(range(len(scores)), key=lambda index: -scores[index]))
    return Verdict(ranking=ranking, rationale=rationale, confidence=confidence)


def neutral_mean(values: Sequence[float | None]) -> np.ndarray:
    """[n] float64 with the mean of what is known in the place of what is not; 0 if nothing is known.

    An episode that nobody could judge then has an advantage of 0 in its group.  A fixed number would reward or punish
    it for the judge's silence.
    """
    known = [value for value in values if value is not None]
    mean = math.fsum(known) / len(known) if known else 0.0
    return np.array([mean if value is None else value for value in values], np.float64)
