"""Sentence-level judgement: the chain from faithfulness to correctness, and what it sees that faithfulness does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from palestra import Status, Trajectory, Turn
from palestra.rewards import RewardError
from palestra.rewards.sentences import judge_sentences, sentence_correctness, sentence_faithfulness, split_sentences

FACTS = {"Paris is in France.", "Water boils at 100 degrees.", "Rome is in Italy."}
DOCUMENTS = ["Paris is in France. The Moon is made of cheese.", "Rome is in Italy."]


def faithful(sentence: str, documents: Sequence[str]) -> float:
    return float(any(sentence in document for document in documents))


def reason(sentence: str, documents: Sequence[str], faithfulness: float) -> str:
    """A judge that knows the facts and says whether the documents do."""
    source = "The documents say so" if faithfulness else "The documents do not say so"
    return f"{source}, and I {'know it' if sentence in FACTS else 'doubt it'}."


def correct(sentence: str, reasoning: str) -> float:
    return float("know it" in reasoning)


def answered(text: str, **info: Any) -> Trajectory:
    return Trajectory("QA-v0", None, 0, [Turn("q", text, info=info)], Status.TERMINATED)


def test_sentences() -> None:
    assert split_sentences('Yes. "No!" he said?  Pi is 3.14.\n- a list\n\n- of two') == [
        "Yes.", '"No!', "he said?", "Pi is 3.14.", "- a list", "- of two",
    ]  # fmt: skip
    assert split_sentences("是的。不是！") == ["是的。", "不是！"]
    assert split_sentences(" \n ") == []


def test_scores_by_hand() -> None:
    group = [
        answered("Paris is in France. The Moon is made of cheese. Water boils at 100 degrees.", documents=DOCUMENTS),
        answered("", documents=DOCUMENTS),
        answered("Paris is in France."),
    ]
    right = [float(value[0]) for value in sentence_correctness(faithful, reason, correct)(group) if value is not None]
    grounded = [float(value[0]) for value in sentence_faithfulness(faithful)(group) if value is not None]
    assert right == pytest.approx([2 / 3, 0, 0])
    assert grounded == pytest.approx([2 / 3, 0, 0])


def test_each_judge_sees_what_came_before_it() -> None:
    seen: list[tuple[str, Any]] = []

    def judge(sentence: str, documents: Sequence[str]) -> float:
        seen.append(("faithful", tuple(documents)))
        return 0.25

    def think(sentence: str, documents: Sequence[str], faithfulness: float) -> str:
        seen.append(("reason", faithfulness))
        return "because"

    def decide(sentence: str, reasoning: str) -> float:
        seen.append(("correct", reasoning))
        return 0.5

    turn = answered("One. Two.", documents=DOCUMENTS).turns[0]
    faithfulness, correctness = judge_sentences(turn, judge, think, decide)
    assert faithfulness.tolist() == [0.25, 0.25]
    assert correctness.tolist() == [0.5, 0.5]
    assert [name for name, _ in seen] == ["faithful"] * 2 + ["reason"] * 2 + ["correct"] * 2
    assert ("reason", 0.25) in seen
    assert ("correct", "because") in seen


def test_a_judgement_lies_within_bounds() -> None:
    with pytest.raises(RewardError, match=r"faithful gave \[2.0\]"):
        sentence_faithfulness(lambda sentence, documents: 2.0)([answered("Yes.", documents=DOCUMENTS)])


def test_works_trm() -> None:
    """Three sentences with planted truths: the one that is faithful to a wrong document is the one that tells."""
    planted = {
        "Paris is in France. The Moon is made of cheese. Rome is in Spain.": [True, False, False],
        "Water boils at 100 degrees. Rome is in Italy. The Moon is made of cheese.": [True, True, False],
        "The Moon is made of cheese. Rome is in Spain. Paris is in Spain.": [False, False, False],
    }
    flagged = {"faithfulness": 0, "correctness": 0}
    wrong = 0
    for answer, truths in planted.items():
        trajectory = answered(answer, documents=DOCUMENTS)
        scores = judge_sentences(trajectory.turns[0], faithful, reason, correct)
        wrong += truths.count(False)
        for name, values in zip(flagged, scores, strict=True):
            flagged[name] += sum(value < 0.5 for value, truth in zip(values, truths, strict=True) if not truth)
        assert [value >= 0.5 for value in scores[1]] == truths
        [total] = sentence_correctness(faithful, reason, correct)([trajectory])
        assert total is not None
        assert total[0] == pytest.approx(sum(truths) / 3)
    assert wrong == 6
    assert flagged == {"faithfulness": 3, "correctness": 6}
