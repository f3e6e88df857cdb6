"""Answers judged sentence by sentence, first against their documents and then against the facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from ..trajectory import Turn
from .combinator import Operation, combinator
from .reward import Episodes, RewardError, Values

__all__ = ["sentence_correctness", "sentence_faithfulness"]

Faithfulness = Callable[[str, Sequence[str]], float]
"""``faithful(sentence, documents)``: how far the documents say so, within [0, 1]."""
Reasoning = Callable[[str, Sequence[str], float], str]
"""``reason(sentence, documents, faithful)``: what to make of that, in words: may the documents themselves be wrong?"""
Correctness = Callable[[str, str], float]
"""``correct(sentence, reasoning)``: how likely it is true after that reasoning, within [0, 1]."""

_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[。！？])|\n+")


@combinator()
def sentence_correctness(faithful: Faithfulness, reason: Reasoning, correct: Correctness) -> Operation:
    """The mean over an answer's sentences of ``correct``, asked after ``faithful`` and ``reason``.

    For each turn whose ``info["documents"]`` lists the texts that the answer may rest on; the answer is the action.
    Asking for correctness only at the end of the chain is what lets the judge see that a sentence is faithful to a
    document which is wrong.  An answer without sentences earns 0, as does a turn without documents.  RewardError for a
    judgement outside [0, 1].  Source: TRM (arXiv:2509.25409); the mean over sentences is ours.
    """
    return _over_answers(lambda turn: judge_sentences(turn, faithful, reason, correct)[1])


@combinator()
def sentence_faithfulness(faithful: Faithfulness) -> Operation:
    """The mean over an answer's sentences of ``faithful``: what a grounding-only reward sees.

    See :data:`sentence_correctness`, which also asks whether the documents are right.
    """
    return _over_answers(lambda turn: _faithfulness(turn, faithful))


def judge_sentences(
    turn: Turn, faithful: Faithfulness, reason: Reasoning, correct: Correctness
) -> tuple[np.ndarray, np.ndarray]:
    """The faithfulness and the correctness of each sentence of a turn's answer, both [sentences] float64."""
    documents = turn.info["documents"]
    faithfulness = _faithfulness(turn, faithful)
    sentences = split_sentences(turn.action)
    reasonings = [reason(text, documents, float(f)) for text, f in zip(sentences, faithfulness, strict=True)]
    judged = [correct(text, reasoning) for text, reasoning in zip(sentences, reasonings, strict=True)]
    return faithfulness, _within_bounds(judged, "correct")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text: it is cut after ``. ! ?`` and a space, after their wide forms, and at line ends."""
    return [sentence for piece in _END.split(text) if (sentence := piece.strip())]


def _over_answers(judge: Callable[[Turn], np.ndarray]) -> Operation:
    def operation(episodes: Episodes) -> Values:
        return [np.array([_mean(turn, judge) for turn in episode.turns], np.float64) for episode in episodes]

    return operation


def _mean(turn: Turn, judge: Callable[[Turn], np.ndarray]) -> float:
    if "documents" not in turn.info:
        return 0.0
    scores = judge(turn)
    return float(scores.mean()) if len(scores) else 0.0


def _faithfulness(turn: Turn, faithful: Faithfulness) -> np.ndarray:
    documents = turn.info["documents"]
    return _within_bounds([faithful(text, documents) for text in split_sentences(turn.action)], "faithful")


def _within_bounds(judged: list[float], name: str) -> np.ndarray:
    scores = np.array(judged, np.float64)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise RewardError(f"{name} gave {judged}, not within [0, 1]")
    return scores
