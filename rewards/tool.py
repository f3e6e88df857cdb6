"""Tool calls: how near a call comes to the reference, and whether a query returns what the reference returns.

The action is text.  Calls are JSON objects ``{"name": ..., "arguments": {...}}`` (``"parameters"`` is read as
``"arguments"``) inside ``<tool_call>`` and ``</tool_call>``, one or several to a pair of tags; without tags the whole
text is one call, or a list of them.  ``tool_format + tool_correct`` is ToolRL's reward, in [-3, 4].
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..envs.tool_calls import DECODER, Call, as_call, read_calls
from ..trajectory import Turn
from .lift import turn_reward
from .reward import RewardError

__all__ = ["sql_execution", "tool_correct", "tool_format"]

QUERY_STEPS = 2_000_000
"""The virtual-machine instructions of SQLite after which a query is stopped: some tenths of a second."""
QUERY_BYTES = 1_000_000
"""The longest text or blob that a query may build."""


@turn_reward
def tool_format(turn: Turn) -> float:
    """1 if every call in the action can be read, and there is one exactly if the reference has one; else 0.

    The reference is ``info["tool_calls"]``, a list of ``{"name": str, "arguments": dict}``.
    Source: ToolRL (arXiv:2504.13958), whose format reward also asks for its own thinking tags.
    """
    calls = read_calls(action_text(turn))
    return float(calls is not None and bool(calls) == bool(_reference_calls(turn)))


@turn_reward
def tool_correct(turn: Turn) -> float:
    """How well the calls match ``info["tool_calls"]`` in tools, argument names and argument values, in [-3, 3].

    6 * S / S_max - 3, and -3 where the calls cannot be read.  S adds the multiset Jaccard similarity of the tools'
    names and, for each reference call, the best yet unused call of that tool: the Jaccard similarity of the two sets
    of argument names plus the number of arguments with the right value.  S_max = 1 + sum(1 + arguments) over the
    reference's calls.  Values are compared as JSON: 1 equals 1.0, and differs from "1" and true.

    Where the reference has no call, calling nothing is worth 3 and calling anything -3; the authors' code gives 0 to
    both.  Calls are paired in the reference's order, as there.  RewardError without a reference.
    Source: ToolRL (arXiv:2504.13958).
    """
    calls = read_calls(action_text(turn))
    return -3.0 if calls is None else 6.0 * matched_share(calls, _reference_calls(turn)) - 3.0


def matched_share(calls: Sequence[Call], reference: Sequence[Call]) -> float:
    """S / S_max of :func:`tool_correct`, in [0, 1]; 1 exactly if the two hold the same calls in some order."""
    matched = _jaccard([call.name for call in calls], [call.name for call in reference])
    unused = list(calls)
    for wanted in reference:
        same_tool = [call for call in unused if call.name == wanted.name]
        if same_tool:
            best = max(same_tool, key=lambda call: _argument_score(call, wanted))
            matched += _argument_score(best, wanted)
            unused.remove(best)
    return matched / (1 + sum(1 + len(call.arguments) for call in reference))


def action_text(turn: Turn) -> str:
    """The turn's action; RewardError if it is not text."""
    if not isinstance(turn.action, str):
        raise RewardError(f"the action is read as text, and is {type(turn.action).__name__}")
    return turn.action


def required(turn: Turn, key: str) -> Any:
    """``turn.info[key]``, where the environment puts what an action is judged by; RewardError if it is not there."""
    if key not in turn.info:
        raise RewardError(f"the environment does not say info[{key!r}]")
    return turn.info[key]


@turn_reward
def sql_execution(turn: Turn) -> float:
    """1 if the action's query returns the rows of the reference query on a fresh database, else 0.

    The reference is ``info["sql"]``: ``{"schema": statements that build and fill the database, "query": str}``.  The
    action is the query, or text whose last fenced block is.  Rows are compared in order if the reference says ORDER BY,
    and as a multiset otherwise.  The query may only read: what writes, attaches files, fails, or runs for more than
    ``QUERY_STEPS`` gets 0.  RewardError if the schema or the reference query fails.
    """
    task = required(turn, "sql")
    database = sqlite3.connect(":memory:")
    try:
        columns, rows = _reference_rows(database, task["schema"], task["query"])
        _confine(database)
        try:
            found = database.execute(_last_block(action_text(turn)))
            if found.description is None or len(found.description) != columns:
                return 0.0
            answer = found.fetchmany(len(rows) + 1)
        except (sqlite3.Error, sqlite3.Warning, ValueError):  # ValueError: a text that SQLite does not take
            return 0.0
    finally:
        database.close()
    ordered = re.search(r"\border\s+by\b", task["query"], re.IGNORECASE)
    return float(answer == rows if ordered else Counter(answer) == Counter(rows))


def _reference_rows(database: sqlite3.Connection, schema: str, query: str) -> tuple[int, list[tuple[Any, ...]]]:
    """Fill the database; the number of columns and the rows that the reference query returns on it."""
    try:
        database.executescript(schema)
        found = database.execute(query)
    except sqlite3.Error as error:
        raise RewardError(f"sql_execution: the reference fails: {error}") from error
    if found.description is None:
        raise RewardError(f"sql_execution: the reference returns no rows: {query:.200}")
    return len(found.description), found.fetchall()


_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_REFUSED_FUNCTIONS = {"random", "randomblob", "load_extension"}


def _confine(database: sqlite3.Connection) -> None:
    """Let the connection only read, give the same each time, and stop in the end."""

    def allow(action: int, _table: str | None, name: str | None, *_: str | None) -> int:
        refused = action == sqlite3.SQLITE_FUNCTION and (name or "").lower() in _REFUSED_FUNCTIONS
        return sqlite3.SQLITE_OK if action in _READING and not refused else sqlite3.SQLITE_DENY

    left = iter(range(QUERY_STEPS // 1000))
    database.set_authorizer(allow)
    database.set_progress_handler(lambda: next(left, None) is None, 1000)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, QUERY_BYTES)


def _last_block(text: str) -> str:
    """What stands in the last ``` fence, without the language's name, or the whole text where there is none."""
    pieces = text.split("```")
    return pieces[-2].removeprefix("sql") if len(pieces) > 2 else text


def _reference_calls(turn: Turn) -> list[Call]:
    reference = required(turn, "tool_calls")
    calls = [as_call(item) for item in DECODER.decode(json.dumps(reference))]
    if None in calls:
        raise RewardError(f'info["tool_calls"] must list calls with a name and arguments, not {reference!r:.200}')
    return [call for call in calls if call is not None]


def _jaccard(left: Sequence[str], right: Sequence[str]) -> float:
    """Of two multisets; 1 for two empty ones."""
    first, second = Counter(left), Counter(right)
    union = (first | second).total()
    return (first & second).total() / union if union else 1.0


def _argument_score(call: Call, wanted: Call) -> float:
    right = sum(call.arguments.get(key) == value for key, value in wanted.arguments.items())
    return _jaccard(list(call.arguments), list(wanted.arguments)) + right
