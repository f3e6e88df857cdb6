"""DuckDB, in a process of its own: the other side of :mod:`.duckdb_worker`."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ...abilities import EnvironmentFault
from .data import Rows
from .database import MOST_CHARACTERS, MOST_ROWS, Answer, QueryError, checked
from .schema import Schema

MOST_SECONDS = 2.0
"""How long a query may take, in seconds of processor time."""
_WORKER = Path(__file__).with_name("duckdb_worker.py")


class DuckDB:
    """A database of DuckDB, which the extra ``code`` installs.

    Raises:
        ImportError: it is not installed.
        EnvironmentFault: its process was killed.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("duckdb") is None:
            raise ImportError("engine='duckdb' needs DuckDB: pip install 'palestra[code]'")
        self._process: subprocess.Popen[bytes] | None = None
        self._held: dict[str, Any] = {}

    def load(self, schema: Schema, rows: Rows) -> None:
        """See :class:`~.database.Database`."""
        self._held = {"create": schema.statements("duckdb"), "tables": rows}
        if self._process is not None:
            self._ask(self._process, self._held)

    def query(self, sql: str) -> Answer:
        """See :class:`~.database.Database`."""
        if len(sql) > MOST_CHARACTERS:
            raise QueryError("query string is too large")
        if not sql.isprintable() and any("\ud800" <= character <= "\udfff" for character in sql):
            raise QueryError("the query is no Unicode text")
        if self._process is None:
            self._process = self._started()
        reply = self._ask(self._process, {"query": sql, "rows": MOST_ROWS, "seconds": MOST_SECONDS})
        if "error" in reply:
            raise QueryError(reply["error"])
        return Answer(tuple(reply["columns"]), checked(reply["rows"]))

    def _started(self) -> subprocess.Popen[bytes]:
        # -I: nothing but what is installed decides what the worker imports.
        command = [sys.executable, "-I", str(_WORKER)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._ask(process, self._held)
        return process

    def _ask(self, process: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if line:
            reply: dict[str, Any] = json.loads(line)
            return reply
        self.close()
        if process.returncode == -signal.SIGPROF:
            raise QueryError(f"the query was stopped: it takes more than {MOST_SECONDS:g} seconds")
        if process.returncode in (-signal.SIGABRT, -signal.SIGSEGV) and "query" in request:
            raise QueryError("the query was stopped: it takes too much memory")
        raise EnvironmentFault(f"the process of DuckDB ended with {process.returncode}")

    def close(self) -> None:
        """See :class:`~.database.Database`."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.communicate()
