"""Rewards for writing down what is seen: can somebody who has only the transcript answer?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from typing import NamedTuple

import numpy as np

from ..trajectory import Turn
from .combinator import Operation, combinator
from .reward import Episodes, RewardError, Values

__all__ = ["look_up", "self_contained", "table_qa"]

Table = list[list[str]]
"""Rows of cells; the first row and the first column are headers."""

MAX_CHARACTERS = 100_000

_DESCRIPTION = re.compile(r"<description>(.*?)</description>", re.DOTALL | re.IGNORECASE)


class CellQuestion(NamedTuple):
    """What is in the cell of a row and a column, by their headers?"""

    row: str
    column: str
    answer: str

    @property
    def text(self) -> str:
        """The question in words."""
        return f"What is the {self.column} of {self.row}?"


@combinator()
def self_contained(answerer: Callable[[str, str], str]) -> Operation:
    """1 on each turn whose ``<description>`` alone is enough to answer ``info["question"]`` with ``info["answer"]``.

    ``answerer(question, description)`` answers without the image; for self-rewarding it is the policy's own model.  A
    turn without a question, or without a description in its action, earns 0, and the answerer is not asked.  Answers
    are compared by :func:`same_answer`.

    Source: Vision-SR1 (arXiv:2508.19652).  Its authors' code adds this reward, with weight 1, to 0.9 for the answer
    given with the image and 0.1 for the form: ``0.9*success + 0.1*my_module:form + self_contained(my_module:answer)``.
    """

    def judge(turn: Turn) -> float:
        if "question" not in turn.info:
            return 0.0
        if "answer" not in turn.info:
            raise RewardError('self_contained: info["question"] without info["answer"]')
        found = _DESCRIPTION.search(turn.action) if isinstance(turn.action, str) else None
        if found is None or not found[1].strip():
            return 0.0
        return float(same_answer(answerer(turn.info["question"], found[1].strip()), turn.info["answer"]))

    def operation(episodes: Episodes) -> Values:
        return [np.array([judge(turn) for turn in episode.turns], np.float64) for episode in episodes]

    return operation


def look_up(table: Table, question: CellQuestion) -> str | None:
    """The cell under the question's headers, None if a header is missing: the answerer that makes no mistakes.

    The first row and column of that name count.
    """
    header = [_plain(cell) for cell in table[0]] if table else []
    if (column := _plain(question.column)) not in header:
        return None
    for row in table[1:]:
        if row and _plain(row[0]) == _plain(question.row):
            index = header.index(column)
            return row[index] if index < len(row) else None
    return None


@combinator()
def table_qa(answerer: Callable[[Table, CellQuestion], str | None] = look_up) -> Operation:
    """The share of ``info["questions"]`` that are answered right from the HTML table in the action.

    On each turn that has questions: a list of (row header, column header, answer), as :func:`cell_questions` makes
    them from a known table.  ``answerer(table, question)`` sees only the transcribed table; a language model would read
    ``question.text``.  An action without a table that can be read earns 0.  RewardError for an empty list.

    Source: TRivia (arXiv:2512.01248), which generates its questions with a model that looks at the image; here they
    follow a template, cell by cell.
    """

    def judge(turn: Turn) -> float:
        if "questions" not in turn.info:
            return 0.0
        questions = [CellQuestion(*question) for question in turn.info["questions"]]
        if not questions:
            raise RewardError('table_qa: info["questions"] is empty')
        table = read_table(turn.action) if isinstance(turn.action, str) else None
        if table is None:
            return 0.0
        answers = [answerer(table, question) for question in questions]
        right = [
            answer is not None and same_answer(answer, question.answer)
            for answer, question in zip(answers, questions, strict=True)
        ]
        return sum(right) / len(right)

    def operation(episodes: Episodes) -> Values:
        return [np.array([judge(turn) for turn in episode.turns], np.float64) for episode in episodes]

    return operation


def cell_questions(table: Sequence[Sequence[str]]) -> list[CellQuestion]:
    """One question for each cell that is not a header.  ValueError if two rows or two columns have the same header."""
    columns, rows = table[0][1:], [row[0] for row in table[1:]]
    for headers in (columns, rows):
        if len({_plain(header) for header in headers}) < len(headers):
            raise ValueError(f"two headers are the same: {headers}")
    return [
        CellQuestion(row[0], column, cell) for row in table[1:] for column, cell in zip(columns, row[1:], strict=True)
    ]


def read_table(text: str) -> Table | None:
    """The cells of the first ``<table>`` in a text, None if it has none or none with a cell.

    Cells that span several rows or columns count once, where they stand.  A text of more than 100,000 characters is
    not read.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    reader = _TableReader()
    reader.feed(text)
    reader.close()
    return reader.table if any(reader.table) else None


def same_answer(given: str, expected: str) -> bool:
    """Whether two answers are equal as numbers, or as texts apart from case, white space and a final full stop."""
    left, right = _plain(given).rstrip("."), _plain(expected).rstrip(".")
    return left == right or (_is_number(left) and _is_number(right) and float(left) == float(right))


class _TableReader(HTMLParser):
    """Collects the cells of the first table; unclosed rows and cells end where the next begins."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Table = []
        self.state = "before"  # then "inside", then "after"
        self.in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table" and self.state == "before":
            self.state = "inside"
        elif self.state == "inside" and tag == "tr":
            self.table.append([])
            self.in_cell = False
        elif self.state == "inside" and tag in ("td", "th"):
            if not self.table:
                self.table.append([])
            self.table[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if self.state == "inside" and tag == "table":
            self.state = "after"
        elif tag in ("td", "th", "tr"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        if self.state == "inside" and self.in_cell:
            self.table[-1][-1] += data


def _plain(text: str) -> str:
    return " ".join(str(text).split()).casefold()


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", text, re.ASCII) is not None
