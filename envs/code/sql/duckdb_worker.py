"""The process that DuckDB answers in, run as a script: one request a line of standard input, one answer a line.

A function of DuckDB that works on one large value cannot be interrupted, and may take what memory there is; a process
can be ended.  The kernel does that, at a bound on its processor time that is set before each query.
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
import resource
import signal
import sys
from typing import Any

import duckdb

MOST_MEMORY = 3 << 30
"""Bytes of address space; DuckDB's own bound, which its buffers keep to, is lower."""


class Refused(ValueError):
    """A query that may not be run."""


def main() -> None:
    """Answer requests until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "200MB"})
    forbidden = unrepeatable(connection)
    # Above all no files and no network; nothing can be set after that.
    for setting in ("temp_directory = ''", "enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "query" in request:
            signal.setitimer(signal.ITIMER_PROF, request["seconds"])
            reply = answer(connection, request["query"], request["rows"], forbidden)
            signal.setitimer(signal.ITIMER_PROF, 0)
        else:
            load(connection, request["create"], request["tables"])
            reply = {}
        print(json.dumps(reply), flush=True)


def load(connection: duckdb.DuckDBPyConnection, create: list[str], tables: dict[str, list[list[Any]]]) -> None:
    """Hold these tables and no others."""
    for (old,) in reversed(connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY table_oid").fetchall()):
        connection.execute(f"DROP TABLE {old}")
    for statement in create:
        connection.execute(statement)
    for table, rows in tables.items():
        # One statement: executemany takes a millisecond a row.
        marks = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))
        connection.execute(f"INSERT INTO {table} VALUES {marks}", [value for row in rows for value in row])


def unrepeatable(connection: duckdb.DuckDBPyConnection) -> re.Pattern[str]:
    """What answers differently from one run to the next, or on another machine."""
    found = connection.execute(
        "SELECT function_name FROM duckdb_functions() WHERE stability IS NOT NULL "
        "GROUP BY ALL HAVING bool_and(stability <> 'CONSISTENT')"
    ).fetchall()
    called = "|".join(sorted({name for (name,) in found} | {"getenv", "pragma_version", "version", "age"}))
    return re.compile(rf"\b({called}|duckdb_\w+)\s*\(|\b(current_\w+|using\s+sample|tablesample)\b", re.IGNORECASE)


def answer(
    connection: duckdb.DuckDBPyConnection, sql: str, most_rows: int, forbidden: re.Pattern[str]
) -> dict[str, Any]:
    """The columns and rows of a query, at most one more than ``most_rows``, or the error that it made."""
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise Refused("the database can only be read; write one SELECT statement")
        if found := forbidden.search(statements[0].query):
            raise Refused(f"{found[0].rstrip('( ')} is not allowed: it answers differently each time")
        connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            cursor = connection.execute(statements[0])
            columns = [str(column[0]) for column in cursor.description or ()]
            rows = [list(map(plain, row)) for row in cursor.fetchmany(most_rows + 1)]
        finally:
            connection.execute("ROLLBACK")
    except (duckdb.Error, Refused) as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "the query takes too much memory"}
    return {"columns": columns, "rows": rows}


def plain(value: Any) -> Any:
    """A number, a text or None."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


if __name__ == "__main__":
    main()
