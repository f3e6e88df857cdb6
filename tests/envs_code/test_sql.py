"""TextToSQL-v0: questions and their queries, what counts as the same answer, and databases that can only be read."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import numpy as np
import pytest

import palestra
from palestra.envs.abilities import EnvironmentFault
from palestra.envs.check import Settings
from palestra.envs.code.sql import TextToSQL, duckdb_process
from palestra.envs.code.sql.database import MOST_ROWS, Answer, QueryError, open_database
from palestra.envs.code.sql.domains import DOMAINS, HELD_OUT
from palestra.envs.code.sql.match import same_answer
from palestra.envs.code.sql.questions import FAMILIES, Context
from palestra.envs.code.sql.schema import Engine


def opened(env: TextToSQL, task: int, split: str = "train") -> str:
    return env.reset(options={"task": task, "split": split})[0]


def submitted(env: TextToSQL, query: str) -> tuple[float, dict[str, Any]]:
    info = env.step(query)[4]
    assert info["valid_action"], info
    _, reward, terminated, _, info = env.step("submit")
    assert terminated
    return reward, info


def reference(env: TextToSQL) -> str:
    return env.oracle()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_it_keeps_every_promise(engine: Engine) -> None:
    sizes = {"train": 60, "validation": 20, "test": 20}
    report = palestra.check("TextToSQL-v0", kwargs={"engine": engine, **(sizes if engine == "duckdb" else {})})
    assert report.passed, str(report)


def test_no_schema_is_in_two_splits() -> None:
    env = TextToSQL()
    shown = {
        split: {opened(env, task, split).split("\nQuestion")[0] for task in range(100)}
        for split in ("train", "validation", "test")
    }
    assert min(map(len, shown.values())) > 10
    for split, others in (("train", ("validation", "test")), ("validation", ("test",))):
        assert not any(shown[split] & shown[other] for other in others)


def test_it_forks_is_deterministic_and_answers_nonsense() -> None:
    only = [
        "same_seed_same_episode",
        "hostile_actions_are_answered",
        "hostile_actions_do_no_harm",
        "restore_in_another_instance",
        "info_is_json",
    ]
    report = palestra.check("TextToSQL-v0", only=only, settings=Settings(episodes=1, steps=4, oracle_tasks=2))
    assert report.passed, str(report)


def test_the_reference_queries_of_every_family_are_right() -> None:
    env = TextToSQL()
    families = Counter[str]()
    for task in range(150):
        opened(env, task, ("train", "validation", "test")[task % 3])
        reward, info = submitted(env, reference(env))
        assert reward == 1.0
        assert info["execution"] == {"status": "ok", "passed": 4, "total": 4}
        families[info["family"]] += 1
    assert set(families) == {family.__name__ for family in FAMILIES}


def test_held_out_domains_are_only_in_the_test_split() -> None:
    held_out = {table.singular for domain in DOMAINS[-HELD_OUT:] for table in domain.tables}
    known = {table.singular for domain in DOMAINS[:-HELD_OUT] for table in domain.tables}
    env = TextToSQL()
    for task in range(30):
        assert {table.singular for table in env.make_task(("train", task)).schema.tables} <= known
        assert {table.singular for table in env.make_task(("test", task)).schema.tables} <= held_out
    assert not held_out & known


def test_a_question_has_several_phrasings() -> None:
    env = TextToSQL()
    task = env.make_task(("train", 0))
    for family in FAMILIES:
        texts = set()
        for seed in range(40):
            context = Context(
                DOMAINS[0], {table.name: ["x"] for table in DOMAINS[0].tables}, "sqlite", np.random.default_rng(seed)
            )
            try:
                phrasings, _ = family(context)
            except LookupError:
                continue
            assert len(set(phrasings)) == 3
            texts |= set(phrasings)
        assert len(texts) >= 3, family.__name__
    assert task.question.text


def test_the_answer_as_a_constant_is_right_only_where_it_is_seen() -> None:
    env = TextToSQL()
    for task in range(12):
        opened(env, task)
        rows = env.make_task(("train", task)).answers[0].rows
        values = ", ".join("(" + ", ".join("NULL" if v is None else repr(v) for v in row) + ")" for row in rows)
        reward, info = submitted(env, f"SELECT * FROM (VALUES {values})")
        assert info["visible"]
        assert not info["success"]
        assert reward == 0.0


MUTATIONS = [
    (" > ", " < "), ("AVG(", "SUM("), ("MAX(", "MIN("), (" DESC", " ASC"), ("COUNT(*)", "COUNT(*) + 1"),
    ("NOT IN", "IN"), ("INTERSECT", "UNION"), ("DISTINCT ", ""), (" = '", " <> '"),
    ("LIMIT 1", "LIMIT 2"), ("100.0 *", "1.0 *"), ("IS NULL", "IS NOT NULL"),
]  # fmt: skip


def test_queries_that_are_nearly_right_are_wrong() -> None:
    env = TextToSQL()
    tried, survived = 0, []
    for task in range(100):
        opened(env, task)
        query = reference(env)
        # One more everywhere is the same order.
        changeable = query.replace("ORDER BY COUNT(*)", "")
        for old, new in MUTATIONS:
            if old in changeable:
                opened(env, task)
                tried += 1
                reward, info = submitted(env, query.replace(old, new))
                if reward:
                    survived.append((info["family"], old))
    assert tried > 100
    # Two small counts may be equal on every database.
    assert len(survived) < 0.03 * tried, survived


def answer(*rows: tuple[Any, ...], columns: int = 0) -> Answer:
    return Answer(tuple("abcdef"[: columns or len(rows[0])]), rows)


def test_what_counts_as_the_same_answer() -> None:
    two = answer((1, "x"), (2, "y"))
    assert same_answer(answer((2, "y"), (1, "x")), two, ordered=False)
    assert not same_answer(answer((2, "y"), (1, "x")), two, ordered=True)
    assert same_answer(answer(("x", 1.0), ("y", 2)), two, ordered=True)
    assert not same_answer(answer((1, "x"), (2, "y"), (2, "y")), two, ordered=False)
    assert not same_answer(answer((1, "x", 0), (2, "y", 0)), two, ordered=False)
    assert not same_answer(answer((1, "y"), (2, "x")), two, ordered=False)
    assert same_answer(answer((0.1 + 0.2,)), answer((0.3,)), ordered=True)
    assert not same_answer(answer((0.3001,)), answer((0.3,)), ordered=True)
    assert not same_answer(answer(("1",)), answer((1,)), ordered=True)
    assert not same_answer(answer((None,)), answer((0,)), ordered=True)
    assert same_answer(answer((None, 1)), answer((1, None)), ordered=True)


FORBIDDEN = {
    "sqlite": {
        "DROP TABLE {}": "can only be read",
        "DELETE FROM {}": "can only be read",
        "PRAGMA query_only = 0": "can only be read",
        "ATTACH 'x.db' AS x": "can only be read",
        "BEGIN": "can only be read",
        "SELECT 1; DROP TABLE {}": "one statement",
        "SELECT random()": "random",
        "SELECT load_extension('x')": "load_extension",
        "SELECT zeroblob(1000000000)": "too big",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT COUNT(*) FROM t": "instructions",
        "SELECT 1 FROM {0} a, {0} b, {0} c": f"more than {MOST_ROWS:,} rows",
        "SELECT '\x00'": "null character",
        "SELECT " + "1," * 9000 + "1": "too large",
        "SELECT missing FROM {}": "no such column: missing",
        "-- nothing": "no query",
    },
    "duckdb": {
        "DROP TABLE {}": "can only be read",
        "COPY (SELECT 1) TO '/tmp/stolen.csv'": "can only be read",
        "SET threads = 4": "can only be read",
        "INSTALL httpfs": "can only be read",
        "SELECT 1; SELECT 2": "can only be read",
        "SELECT * FROM read_text('/etc/passwd')": "disabled by configuration",
        "SELECT random()": "differently each time",
        "SELECT now()": "differently each time",
        "SELECT current_timestamp": "differently each time",
        "SELECT repeat('a', 2000000000)": "stopped",
        "SELECT missing FROM {}": "not found",
    },
}


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_a_database_can_only_be_read_and_a_query_only_take_so_long(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_process, "MOST_SECONDS", 0.5)
    env = TextToSQL(engine=engine)
    opened(env, 0)
    table = env.make_task(("train", 0)).schema.tables[0].name
    before = env.snapshot()
    for query, why in FORBIDDEN[engine].items():
        _, reward, terminated, _, info = env.step(query.format(table) if "{" in query else query)
        assert (reward, terminated, info["valid_action"]) == (0.0, False, False), query
        assert why in info["feedback"], query
    assert env.snapshot() == before
    assert submitted(env, reference(env))[0] == 1.0
    env.close()


def test_the_clock_of_a_database_stands_still() -> None:
    database = open_database("sqlite")
    task = TextToSQL().make_task(("train", 0))
    database.load(task.schema, task.rows[0])
    asked = (
        "SELECT date('now'), datetime(), current_date, strftime('%Y', 'now'), date('2020-02-28', '+1 day'), date(NULL)"
    )
    assert database.query(asked).rows == (
        ("2024-06-01", "2024-06-01 12:00:00", "2024-06-01", "2024", "2020-02-29", None),
    )


def test_an_error_can_be_mended_and_nothing_submitted_is_no_end() -> None:
    env = TextToSQL()
    opened(env, 1)
    assert "nothing to submit" in env.step("submit")[4]["feedback"]
    assert "syntax error" in env.step("SELEC 1")[4]["feedback"]
    page = env.step(f"My answer:\n```sql\n{reference(env)}\n```")[0]
    assert "row" in page
    assert env.step("SELECT FROM")[0] == page
    assert env.step(" Submit. ")[1] == 1.0


def test_duckdb_is_asked_in_a_process_that_may_be_lost() -> None:
    env = TextToSQL(engine="duckdb")
    opened(env, 2)
    assert submitted(env, reference(env))[0] == 1.0
    opened(env, 2)
    process = env._database._process  # type: ignore[attr-defined]
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(EnvironmentFault, match="-9"):
        env.step(reference(env))
    opened(env, 2)
    assert submitted(env, reference(env))[0] == 1.0
    env.close()
    assert process.poll() is not None


def test_a_wrong_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="'sqlite' or 'duckdb'"):
        TextToSQL(engine="oracle")  # type: ignore[arg-type]
    database = open_database("sqlite")
    with pytest.raises(QueryError, match="no such table"):
        database.query("SELECT * FROM t")
