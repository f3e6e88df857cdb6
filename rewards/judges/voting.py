"""Several samples of one judge, averaged: with a second judge that throws out the worst of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .judge import Judge
from .prompt import Case, Item
from .verdict import Verdict, neutral_mean

_SOUND = (
    "The text shows what was to be judged, and then one judge's reasoning and verdict on it. Score the judgement, not "
    "what was judged: is the reasoning sound, does it keep to the criteria, and does the verdict follow from it?"
)


@dataclass(frozen=True, repr=False)
class Vote(Judge):
    """The mean of ``votes`` samples of a judge, of those that do not abstain.

    Scores and preferences are averaged; rankings by the mean share of others that stand lower.  Averaged scores order
    items as DeepSeek-GRM's summed ones do (arXiv:2504.02495), and are EditScore's self-ensemble (arXiv:2509.23909).

    ``meta`` is a judge of judgements, as DeepSeek-GRM's meta reward model: it scores each sample, and only the ``keep``
    best are averaged (half of the votes unless said; if bad samples are rarer, or cancel out, keep more).  A sample on
    which it abstains has the mean of its scores.  The vote abstains if no sample is left.

    The confidence says how far the samples agree: 1 - 2 std of scores, the share of preferences on the winning side,
    1 - 2 std of the items' values in rankings.  That measure is ours.
    """

    inner: Judge
    votes: int = 4
    meta: Judge | None = None
    keep: int | None = None

    def __post_init__(self) -> None:
        if self.votes < 1:
            raise ValueError(f"Vote: votes must be at least 1, not {self.votes}")
        if self.keep is not None and (self.meta is None or not 1 <= self.keep <= self.votes):
            raise ValueError(f"Vote: keep needs a meta judge and is between 1 and {self.votes}, not {self.keep}")

    def judge_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict per case, from all samples of all cases in one go."""
        samples = self.inner.judge_all([case for case in cases for _ in range(self.votes)])
        ballots = [samples[start : start + self.votes] for start in range(0, len(samples), self.votes)]
        valid = [[sample for sample in ballot if not sample.abstain] for ballot in ballots]
        if self.meta is not None:
            valid = self._filter(self.meta, cases, valid)
        return [_mean(ballot) for ballot in valid]

    def check_criteria(self, criteria: str) -> None:
        """As the judge inside."""
        self.inner.check_criteria(criteria)

    def _filter(self, meta: Judge, cases: Sequence[Case], ballots: list[list[Verdict]]) -> list[list[Verdict]]:
        keep = self.keep or max(self.votes // 2, 1)
        judgements = [judgement(case, vote) for case, ballot in zip(cases, ballots, strict=True) for vote in ballot]
        scores = iter(meta.judge_all(judgements))
        kept = []
        for ballot in ballots:
            sound = neutral_mean([next(scores).score for _ in ballot])
            best = sorted(np.argsort(-sound, kind="stable")[:keep])
            kept.append([ballot[index] for index in best])
        return kept


def judgement(case: Case, verdict: Verdict) -> Case:
    """A judge's verdict on a case as a case itself: is it sound?"""
    shown = "\n\n".join(f"[item {index}]\n{item.text}" for index, item in enumerate(case.items, 1))
    answer = np.array2string(verdict.values(), precision=3, separator=", ")
    text = f"{shown}\n\n[the reasoning]\n{verdict.rationale}\n\n[the verdict: each item's value from 0 to 1]\n{answer}"
    images = tuple(image for item in case.items for image in item.images)
    return Case((Item(text, images),), f"{_SOUND}\n\nThe criteria were:\n{case.criteria}", case.reference)


def _mean(ballot: list[Verdict]) -> Verdict:
    if not ballot:
        return Verdict.none("every sample of the vote abstained")
    values = np.stack([vote.values() for vote in ballot])  # [votes, items]
    mean = values.mean(axis=0)
    rationale = "\n\n".join(vote.rationale for vote in ballot)
    agreement = max(0.0, 1 - 2 * float(values.std(axis=0).mean()))
    if ballot[0].score is not None:
        return Verdict(score=float(mean[0]), rationale=rationale, confidence=agreement)
    if ballot[0].pair is not None:
        pair = float(np.clip(2 * mean[0] - 1, -1, 1))
        on_side = float(np.mean([np.sign(vote.values()[0] - 0.5) == np.sign(pair) for vote in ballot]))
        return Verdict(pair=pair, rationale=rationale, confidence=on_side)
    ranking = tuple(int(index) for index in np.argsort(-mean, kind="stable"))
    return Verdict(ranking=ranking, rationale=rationale, confidence=agreement)
