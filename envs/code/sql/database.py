"""Databases that answer queries and nothing else: what they are, and SQLite's.

A query may do nothing but read its own database, and it is stopped when it works too long.  In SQLite the bound is a
number of its machine's instructions, so that the same query ends in the same way on every machine; in DuckDB
(:mod:`.duckdb_process`) it is processor time.  What would answer differently from one run to the next (random numbers,
the clock) is refused, but for SQLite's functions of dates, which read :data:`NOW`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from .data import Rows
from .schema import Engine, Schema

MOST_ROWS = 2_000
"""What a query may answer; an answer with more rows is an error."""
MOST_INSTRUCTIONS = 3_000_000
"""How long a query may take in SQLite, in instructions of its virtual machine."""
NOW = "2024-06-01 12:00:00"
"""The clock of SQLite's functions of dates."""
MOST_CHARACTERS = 4_096
"""Of a query, and in SQLite of a value."""


class QueryError(ValueError):
    """The database does not answer the query; the message is for who wrote it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows that a query gave: numbers, texts and None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class Database(Protocol):
    """What holds one task's tables at a time."""

    def load(self, schema: Schema, rows: Rows) -> None:
        """Hold these tables and rows, and no others."""
        ...

    def query(self, sql: str) -> Answer:
        """The answer to one SELECT statement; raises :class:`QueryError`."""
        ...

    def close(self) -> None:
        """Forget everything.  May be called again."""
        ...


def open_database(engine: Engine) -> Database:
    """An empty database in memory.

    Raises :class:`ValueError` for an unknown engine, and :class:`ImportError` for one that is not installed.
    """
    if engine == "sqlite":
        return SQLite()
    if engine == "duckdb":
        from .duckdb_process import DuckDB

        return DuckDB()
    raise ValueError(f"engine must be 'sqlite' or 'duckdb', not {engine!r}")


class SQLite:
    """A database of the SQLite that comes with Python."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._left = 0

    def load(self, schema: Schema, rows: Rows) -> None:
        """See :class:`Database`."""
        self._connection.close()
        self._connection = connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        for statement in schema.statements("sqlite"):
            connection.execute(statement)
        for table, values in rows.items():
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values[0]))})", values)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_CHARACTERS)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MOST_CHARACTERS)
        _own_clock(connection)
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(self._count, 10_000)

    def _count(self) -> bool:
        self._left -= 10_000
        return self._left <= 0

    def query(self, sql: str) -> Answer:
        """See :class:`Database`."""
        self._left = MOST_INSTRUCTIONS
        try:
            cursor = self._connection.execute(sql)
            rows = cursor.fetchmany(MOST_ROWS + 1)
        # Warning: Python 3.11's for a second statement.  ValueError: a null character, or no UTF-8.
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise QueryError(_explained(error)) from error
        if cursor.description is None:
            raise QueryError("that is no query; write one SELECT statement")
        cursor.close()
        columns = tuple(column[0] for column in cursor.description)
        return Answer(columns, checked([[_plain(value) for value in row] for row in rows]))

    def close(self) -> None:
        """See :class:`Database`."""
        self._connection.close()


_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_UNREPEATABLE = {"random", "randomblob", "load_extension", "changes", "total_changes", "last_insert_rowid"}


def _authorize(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
    allowed = action in _READING and not (action == sqlite3.SQLITE_FUNCTION and second in _UNREPEATABLE)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _explained(error: Exception) -> str:
    text = str(error)
    if text == "interrupted":
        return f"the query was stopped: it takes more than {MOST_INSTRUCTIONS:,} instructions"
    if text == "not authorized":
        return "not authorized: the database can only be read, by SELECT statements"
    return text


def _own_clock(connection: sqlite3.Connection) -> None:
    """Have the functions of dates read :data:`NOW` for the time that it is."""
    plain = sqlite3.connect(":memory:", check_same_thread=False)

    def call(name: str, *arguments: Any) -> Any:
        times = arguments[1:] if name == "strftime" else arguments
        if not times:
            times = ("now",)
        if isinstance(times[0], str) and times[0].strip().lower() == "now":
            times = (NOW, *times[1:])
        values = (*arguments[:1], *times) if name == "strftime" and arguments else times
        return plain.execute(f"SELECT {name}({', '.join('?' * len(values))})", values).fetchone()[0]

    for name in ("date", "time", "datetime", "julianday", "unixepoch", "strftime"):
        connection.create_function(name, -1, partial(call, name), deterministic=True)
    for keyword, function in (("current_date", "date"), ("current_time", "time"), ("current_timestamp", "datetime")):
        connection.create_function(keyword, 0, partial(call, function), deterministic=True)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def checked(rows: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """The rows of an answer; raises :class:`QueryError` if they are too many."""
    if len(rows) > MOST_ROWS:
        raise QueryError(f"the answer has more than {MOST_ROWS:,} rows")
    return tuple(map(tuple, rows))
