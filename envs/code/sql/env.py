"""``TextToSQL-v0``: answer a question about a database by a query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base import Key, Outcome, TextTask, numbered, split_of, task_generator
from .data import Rows, make_labels, make_rows
from .database import Answer, QueryError, open_database
from .domains import DOMAINS, HELD_OUT
from .match import same_answer
from .questions import FAMILIES, Context, Question, ask
from .schema import Engine, Schema, vary

HIDDEN = 3
"""How many databases besides the one that is shown a query is graded on."""
SHOWN_ROWS = 10
_SHOWN_CHARACTERS = 60
_TRIES = 10
_FENCE = re.compile(r"```(?:sql)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Task:
    """A question, and the rows of its databases: first those of the one that is shown, then those of the hidden."""

    schema: Schema
    question: Question
    rows: tuple[Rows, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class State:
    """The last query that was answered, and what the agent sees."""

    query: str = ""
    page: str = ""


class TextToSQL(TextTask[Task, State]):
    """Questions about databases, answered by SQL over several turns.

    Every task has a schema of its own (a domain, a style of names, a choice of columns), data, and a question of one of
    23 families, phrased in one of several ways.  A query is run and its rows are shown, or the database's error; the
    action ``submit`` grades the last query that was answered, and ends the episode.

    The reward is execution match: 1 if the query gives the same rows as the reference on the database that the agent
    sees *and* on three others of the same schema, which it does not see.  So a query that only happens to be right, or
    that holds the answer as a constant, earns nothing.  The rule is that of :func:`~.match.same_answer`; the order of
    the rows counts where the question asks for one.  ``info`` of the last step holds ``success``, ``visible`` (right on
    the database that is seen) and ``execution`` for :mod:`palestra.rewards.code`.

    Databases can only be read, and a query that runs too long is stopped: see :mod:`.database`.

    Domains of the test split appear in no other split.

    Args:
        engine: ``"sqlite"`` or ``"duckdb"``, which the extra ``code`` installs.
        train, validation, test: how many tasks each split has.
        seed: another seed gives other tasks.

    Raises:
        ValueError: an unknown engine.
        ImportError: DuckDB is not installed.
    """

    guide = (
        "Answer the question about the database with one SQL query. Send a SELECT statement and you see its first "
        "rows, or the error that it made; try as many as you need. The database can only be read. When the last query "
        "that you ran answers the question, send: submit\n"
        "The answer must have exactly the columns that are asked for, in any order. The order of the rows matters only "
        "where the question asks for one. The query is also run on other data in the same tables."
    )

    def __init__(
        self, engine: Engine = "sqlite", train: int = 4000, validation: int = 400, test: int = 400, seed: int = 0
    ) -> None:
        super().__init__(numbered(train, validation, test))
        self._engine, self._seed = engine, seed
        self._database = open_database(engine)
        self._loaded: Rows | None = None

    def make_task(self, key: Key) -> Task:
        """Draw schemas and questions until one has answers that differ between its databases and no ties."""
        rng = task_generator(self._seed, key)
        schema = _draw_schema(key[0], rng)
        while True:
            # Some families need several tries until they make a test, and would be rare if each try drew another.
            family = FAMILIES[int(rng.integers(len(FAMILIES)))]
            for _ in range(_TRIES):
                labels = make_labels(schema, rng)
                try:
                    question = ask(Context(schema, labels, self._engine, rng), family)
                except LookupError:
                    break
                rows = tuple(make_rows(schema, labels, rng) for _ in range(1 + HIDDEN))
                answers = self._answers(schema, question, rows)
                if answers is not None:
                    return Task(schema, question, rows, answers)

    def _answers(self, schema: Schema, question: Question, rows: tuple[Rows, ...]) -> tuple[Answer, ...] | None:
        """What the question's query answers on each database; None if that is not much of a test."""
        answers = []
        for each in rows:
            answer = self._query(schema, each, question.sql)
            keys = self._query(schema, each, question.keys).rows[: question.ties + 1] if question.keys else ()
            empty = not answer.rows or all(value is None for row in answer.rows for value in row)
            if empty or len(set(keys)) < len(keys):
                return None
            answers.append(answer)
        if any(same_answer(answer, answers[0], question.ordered) for answer in answers[1:]):
            return None
        return tuple(answers)

    def begin(self, task: Task) -> State:
        """No query yet, and the schema to see."""
        schema = ";\n".join(task.schema.statements(self._engine))
        name = {"sqlite": "SQLite", "duckdb": "DuckDB"}[self._engine]
        return State(page=f"{name} database:\n{schema};\n\nQuestion: {task.question.text}")

    def act(self, task: Task, state: State, action: str) -> Outcome[State]:
        """Run a query, or grade the last one."""
        if action.strip().lower().rstrip(".;") == "submit":
            if not state.query:
                return Outcome(state, feedback="There is nothing to submit: no query has been answered yet.")
            return self._graded(task, state)
        fenced = _FENCE.search(action)
        query = (fenced[1] if fenced else action).strip()
        if not query:
            return Outcome(state, feedback="Write a SELECT statement, or submit.")
        try:
            answer = self._query(task.schema, task.rows[0], query)
        except QueryError as error:
            return Outcome(state, feedback=f"The database says: {error}")
        return Outcome(State(query, _table(answer)))

    def _graded(self, task: Task, state: State) -> Outcome[State]:
        right = [self._is_right(task, number, state.query) for number in range(1 + HIDDEN)]
        success = all(right)
        info = {
            "success": success,
            "visible": right[0],
            "execution": {"status": "ok", "passed": sum(right), "total": len(right)},
        }
        page = "Right." if success else "Wrong."
        return Outcome(State(state.query, page), reward=float(success), done=True, info=info)

    def _is_right(self, task: Task, number: int, query: str) -> bool:
        try:
            answer = self._query(task.schema, task.rows[number], query)
        except QueryError:  # with other data it may take too long, or overflow
            return False
        return same_answer(answer, task.answers[number], task.question.ordered)

    def _query(self, schema: Schema, rows: Rows, sql: str) -> Answer:
        if self._loaded is not rows:
            self._database.load(schema, rows)
            self._loaded = rows
        return self._database.query(sql)

    def show(self, task: Task, state: State) -> str:
        """The schema and the question, or what the last query gave."""
        return state.page

    def advise(self, task: Task, state: State) -> str:
        """The reference query, then ``submit``."""
        return "submit" if state.query == task.question.sql else task.question.sql

    def about(self, task: Task, state: State) -> dict[str, Any]:
        """The family of the question."""
        return {"family": task.question.family}

    def close(self) -> None:
        """Close the database."""
        self._database.close()
        super().close()


def _draw_schema(split: str, rng: np.random.Generator) -> Schema:
    """A schema of the split: the test's domains are its own, training and validation share domains but no schema."""
    domains = DOMAINS[-HELD_OUT:] if split == "test" else DOMAINS[:-HELD_OUT]
    while True:
        schema = vary(domains[int(rng.integers(len(domains)))], rng)
        for_training = split_of("\n".join(schema.statements("sqlite"))) == "train"
        if split == "test" or for_training == (split == "train"):
            return schema


def _table(answer: Answer) -> str:
    """The first rows, for reading."""
    lines = [" | ".join(answer.columns), *(" | ".join(map(_cell, row)) for row in answer.rows[:SHOWN_ROWS])]
    if len(answer.rows) > SHOWN_ROWS:
        lines.append("...")
    return "\n".join([*lines, f"({len(answer.rows)} row{'' if len(answer.rows) == 1 else 's'})"])


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
