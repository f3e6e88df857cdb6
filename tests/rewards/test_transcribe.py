"""Transcripts judged by what can be answered from them alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, parse_reward, success
from palestra.rewards.transcribe import (
    CellQuestion,
    Table,
    cell_questions,
    look_up,
    read_table,
    same_answer,
    self_contained,
    table_qa,
)


def said(action: Any, **info: Any) -> Trajectory:
    return Trajectory("See-v0", None, 0, [Turn("o", action, info=info)], Status.TERMINATED)


def value(reward: Reward, trajectory: Trajectory) -> float:
    [values] = reward([trajectory])
    assert values is not None
    return float(values[0])


def find_colour(question: str, description: str) -> str:
    """An answerer that knows only the description."""
    return next((word for word in description.split() if word in COLOURS), "unknown")


COLOURS = ("yellow", "blue")
PERCEPTION = self_contained(find_colour)


def test_self_contained_by_hand() -> None:
    asked = {"question": "What colour is the banana?", "answer": "Blue"}
    assert value(PERCEPTION, said("<description>a blue banana</description> yellow", **asked)) == 1
    assert value(PERCEPTION, said("<description>a banana</description> blue", **asked)) == 0
    assert value(PERCEPTION, said("<description>  </description> blue", **asked)) == 0
    assert value(PERCEPTION, said("blue", **asked)) == value(PERCEPTION, said(None, **asked)) == 0
    assert value(PERCEPTION, said("<description>a blue banana</description>")) == 0
    with pytest.raises(RewardError, match="answer"):
        value(PERCEPTION, said("x", question="?"))


def test_the_answerer_is_not_asked_in_vain() -> None:
    def never(question: str, description: str) -> str:
        raise AssertionError

    assert value(self_contained(never), said("blue", question="?", answer="blue")) == 0


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (" New  York. ", "new york", True),
        ("1.50", "1.5", True),
        ("+3", "3.0", True),
        ("-0", "0", True),
        ("nan", "nan", True),
        ("inf", "1e999", False),
        ("3", "4", False),
        ("", "0", False),
    ],
)
def test_same_answer(left: str, right: str, same: bool) -> None:
    assert same_answer(left, right) is same


TABLE: Table = [["city", "people", "area"], ["Rome", "2.8", "1285"], ["Oslo", "0.7", "454"], ["Lima", "10", "2672"]]


def html(table: Table) -> str:
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in table)
    return f"<table>{rows}</table>"


def test_reading_a_table() -> None:
    assert read_table(html(TABLE)) == TABLE
    assert read_table("a <TABLE border=1><thead><tr><th>a<th>b<tr><td>1 <b>2</b>&amp;<td> </table><table><td>x") == [
        ["a", "b"],
        ["1 2&", " "],
    ]
    assert read_table("<table><td rowspan=1000000000>x</table>") == [["x"]]
    assert read_table("no table") is read_table("<table></table>") is read_table("<td>x</td>") is None
    assert read_table("<table><td>" + "x" * 100_000) is None


@settings(max_examples=50)
@given(st.text(alphabet="<>/tabletrdh &;#x1\n\"'", max_size=80))
def test_any_text_reads_as_a_table_or_not(text: str) -> None:
    table = read_table("<table>" + text)
    assert table is None or any(table)


def test_questions_and_answers() -> None:
    questions = cell_questions(TABLE)
    assert len(questions) == 6
    assert questions[0] == CellQuestion("Rome", "people", "2.8")
    assert questions[0].text == "What is the people of Rome?"
    assert [look_up(TABLE, question) for question in questions] == [question.answer for question in questions]
    assert look_up(TABLE, CellQuestion("Paris", "area", "")) is look_up(TABLE, CellQuestion("Rome", "age", "")) is None
    assert look_up([["a", "b"], ["x"]], CellQuestion("x", "b", "")) is look_up([], questions[0]) is None
    with pytest.raises(ValueError, match="headers are the same"):
        cell_questions([["", "a", "A "], ["x", "1", "2"]])


def test_table_qa_by_hand() -> None:
    asked = {"questions": [tuple(question) for question in cell_questions(TABLE)]}
    assert value(table_qa(), said(html(TABLE), **asked)) == 1
    assert value(table_qa(), said(html(TABLE[:2]), **asked)) == pytest.approx(2 / 6)
    assert value(table_qa(), said(html([row[:2] for row in TABLE]), **asked)) == pytest.approx(3 / 6)
    assert value(table_qa(), said(html(TABLE[::-1]), **asked)) == 0  # the headers are not where they should be
    assert value(table_qa(), said("no table", **asked)) == value(table_qa(), said(5, **asked)) == 0
    assert value(table_qa(), said(html(TABLE))) == 0
    assert value(table_qa(lambda table, question: "10"), said(html(TABLE), **asked)) == pytest.approx(1 / 6)
    with pytest.raises(RewardError, match="empty"):
        value(table_qa(), said(html(TABLE), questions=[]))
    assert str(parse_reward("success + table_qa()")) == "success + table_qa()"


def random_table(rng: np.random.Generator) -> Table:
    numbers = rng.integers(100, 1000, (8, 5))
    rows = [[f"r{index}", *(str(number) for number in row)] for index, row in enumerate(numbers)]
    return [["", *(f"c{index}" for index in range(5))], *rows]


def ranks(values: list[float]) -> np.ndarray:
    """Ranks with ties at their mean."""
    array = np.array(values)
    return np.array([(array < x).sum() + ((array == x).sum() - 1) / 2 for x in array])


def rank_correlation(rng: np.random.Generator, truth: Table, headers: float) -> float:
    """Spearman's, of the reward and the share of right cells, over 60 candidates.

    A candidate has wrong cells, and some leave out a row; a header is wrong ``headers`` times as often as a cell.
    """
    asked = {"questions": [tuple(question) for question in cell_questions(truth)]}
    scores, accuracies = [], []
    for _ in range(60):
        candidate = [row[:] for row in truth]
        wrong = rng.random((9, 6)) < rng.uniform(0, 0.5)
        wrong[0] &= rng.random(6) < headers
        wrong[:, 0] &= rng.random(9) < headers
        for row, column in np.argwhere(wrong):
            candidate[row][column] = "?"
        if rng.random() < 0.3:
            missing = int(rng.integers(1, 9))
            del candidate[missing]
            wrong[missing] = True
        scores.append(value(table_qa(), said(html(candidate), **asked)))
        accuracies.append(1 - float(wrong.mean()))
    return float(np.corrcoef(ranks(scores), ranks(accuracies))[0, 1])


@pytest.mark.parametrize("seed", range(5))
def test_works_trivia(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_table(rng)
    asked = {"questions": [tuple(question) for question in cell_questions(truth)]}
    assert value(table_qa(), said(html(truth), **asked)) == 1
    corrupted, falling = [row[:] for row in truth], []
    for row, column in rng.permutation([(row, column) for row in range(1, 9) for column in range(1, 6)]):
        corrupted[row][column] = "?"
        falling.append(value(table_qa(), said(html(corrupted), **asked)))
    assert falling == pytest.approx([1 - (n + 1) / 40 for n in range(40)])
    assert rank_correlation(rng, truth, headers=0) > 0.9


def test_works_trivia_less_well_with_wrong_headers() -> None:
    """A wrong header takes a whole row or column of questions with it, and counts as one cell."""
    generators = [np.random.default_rng(seed) for seed in range(5)]
    correlations = [rank_correlation(rng, random_table(rng), headers=0.3) for rng in generators]
    assert 0.8 < np.mean(correlations) < 0.98


def images(rng: np.random.Generator, n: int, common: float) -> tuple[np.ndarray, np.ndarray]:
    """Kinds 0 or 1 and colours [n]: kind 0 is mostly yellow and kind 1 mostly blue."""
    kind = rng.integers(2, size=n)
    return kind, np.where(rng.random(n) < common, kind, 1 - kind)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def sampled(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray((rng.random(len(logits)) < softmax(logits)[:, 1]).astype(int))


def trained(reward: Reward, seed: int) -> tuple[float, float]:
    """Accuracy on common and on prior-breaking images of a policy that describes, then answers from kind and text.

    The descriptor sees the colour; the answer sees the kind and the description.  In training 9 of 10 follow the prior.
    """
    rng = np.random.default_rng(seed)
    describe, answer = rng.normal(scale=0.1, size=(2, 2)), rng.normal(scale=0.1, size=(2, 2, 2))
    paid = np.zeros((2, 2, 2))  # by true colour, described colour and answer
    for colour, described, answered in np.ndindex(2, 2, 2):
        text = f"<description>a {COLOURS[described]} thing</description> {COLOURS[answered]}"
        info = {"question": "What colour?", "answer": COLOURS[colour], "success": colour == answered}
        paid[colour, described, answered] = value(reward, said(text, **info))
    for _ in range(400):
        kind, colour = images(rng, 256, common=0.9)
        described = sampled(describe[colour], rng)
        answered = sampled(answer[kind, described], rng)
        rewards = paid[colour, described, answered]
        advantage = (rewards - rewards.mean()) / 256
        for head, index, choice in ((describe, (colour,), described), (answer, (kind, described), answered)):
            gradient = (np.eye(2)[choice] - softmax(head[index])) * advantage[:, None]
            np.add.at(head, index, 10.0 * gradient)

    def accuracy(common: float) -> float:
        kind, colour = images(rng, 5000, common)
        return float((sampled(answer[kind, sampled(describe[colour], rng)], rng) == colour).mean())

    return accuracy(1.0), accuracy(0.0)


def test_works_vision_sr1() -> None:
    both = np.mean([trained(success + PERCEPTION, seed) for seed in range(5)], axis=0)
    answer_only = np.mean([trained(success, seed) for seed in range(5)], axis=0)
    assert both.min() > 0.9
    assert answer_only[0] > 0.9
    assert answer_only[1] < both[1] - 0.3
