"""Tool calls as agents write them: JSON objects ``{"name": ..., "arguments": {...}}`` in a text.

They stand inside ``<tool_call>`` and ``</tool_call>``, one or several to a pair of tags; without tags the whole text is
one call, or a list of them.  ``"parameters"`` is read as ``"arguments"``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPENING, CLOSING = "<tool_call>", "</tool_call>"


@dataclass(frozen=True)
class Call:
    """A tool's name and its arguments, each value as canonical JSON."""

    name: str
    arguments: Mapping[str, str]

    @property
    def values(self) -> dict[str, Any]:
        """The arguments as values."""
        return {name: json.loads(text) for name, text in self.arguments.items()}


def write_call(name: str, arguments: Mapping[str, Any]) -> str:
    """The text that :func:`read_calls` reads as this one call."""
    return f"{OPENING}{json.dumps({'name': name, 'arguments': arguments})}{CLOSING}"


def read_calls(text: str) -> list[Call] | None:
    """The calls in an action's text; [] if it calls nothing, None if a call cannot be read."""
    bodies = _call_bodies(text)
    if bodies is None:
        return None
    calls = []
    for body in bodies:
        values = read_json(body)
        if not values:
            return None
        for value in values:
            for item in value if isinstance(value, list) else [value]:
                call = as_call(item)
                if call is None:
                    return None
                calls.append(call)
    return calls


def read_json(text: str) -> list[Any] | None:
    """The JSON values in a text, with white space between them; None if it is anything else.

    Whole numbers become int however they are written.  What JSON does not have, such as NaN, is refused, and so is
    what nests too deeply to be read.
    """
    values, position = [], _skip_space(text, 0)
    try:
        while position < len(text):
            value, position = DECODER.raw_decode(text, position)
            values.append(value)
            position = _skip_space(text, position)
    except (ValueError, RecursionError):
        return None
    return values


def _integer_where_whole(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


DECODER = json.JSONDecoder(parse_float=_integer_where_whole, parse_constant=_refuse)
_SPACE = re.compile(r"\s*")


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _call_bodies(text: str) -> list[str] | None:
    """The text of each pair of tags, None where they do not pair."""
    if OPENING not in text and CLOSING not in text:
        return [text] if text.lstrip()[:1] in ("{", "[") else []
    before, *pieces = text.split(OPENING)
    bodies = [piece.partition(CLOSING) for piece in pieces]
    if CLOSING in before or any(not closing or CLOSING in after for _, closing, after in bodies):
        return None
    return [body for body, _, _ in bodies]


def as_call(value: Any) -> Call | None:
    """The call that a JSON value is, None if it is none."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if not isinstance(arguments, dict):
        return None
    return Call(value["name"], {key: json.dumps(item, sort_keys=True) for key, item in arguments.items()})
