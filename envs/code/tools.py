"""Tools: typed functions that an agent calls by name with JSON arguments."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


class ToolError(Exception):
    """A call that failed; the agent is told why."""


@dataclass(frozen=True)
class Tool:
    """A function for agents.

    ``parameters`` is the JSON Schema of its arguments, an object.  ``call`` takes them as keyword arguments and returns
    a JSON value.  It raises :class:`ToolError` for what the agent is to be told, and
    :class:`~palestra.envs.abilities.EnvironmentFault` if what is behind the tool broke.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    call: Callable[..., Any]

    @classmethod
    def of(cls, function: Callable[..., Any], skip: int = 0) -> Tool:
        """The tool that a typed function with a docstring is, without its first ``skip`` parameters."""
        hints = get_type_hints(function)
        parameters = list(inspect.signature(function).parameters.values())[skip:]
        schema = {
            "type": "object",
            "properties": {parameter.name: _schema(hints[parameter.name]) for parameter in parameters},
            "required": [parameter.name for parameter in parameters if parameter.default is parameter.empty],
            "additionalProperties": False,
        }
        return cls(function.__name__, inspect.getdoc(function) or "", schema, function)

    def line(self) -> str:
        """The tool in one line: ``name(argument: type, ...): what it does``."""
        required = self.parameters.get("required", [])
        arguments = [
            f"{name}{'' if name in required else '?'}: {_said(schema)}"
            for name, schema in self.parameters.get("properties", {}).items()
        ]
        return f"{self.name}({', '.join(arguments)}): {' '.join(self.description.split())}"

    def wrong(self, arguments: Mapping[str, Any]) -> str | None:
        """What is wrong with the arguments of a call, or None."""
        return mismatch(arguments, self.parameters, "")


def mismatch(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    """How ``value`` breaks a JSON Schema, by what those of typed functions use: types, enums, items and properties.

    Other keywords of JSON Schema are left to whoever carries the call out.
    """
    name = where or "the arguments"
    if "enum" in schema and value not in schema["enum"]:
        return f"{name} must be one of {', '.join(map(str, schema['enum']))}"
    kind = schema.get("type")
    if isinstance(kind, str) and not _is(value, kind):
        return f"{name} must be of type {kind}, not {json.dumps(value)[:80]}"
    if isinstance(value, list):
        for number, item in enumerate(value):
            if wrong := mismatch(item, schema.get("items", {}), f"{name}[{number}]"):
                return wrong
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties", {})
        for key in schema.get("required", []):
            if key not in value:
                return f"{where}.{key} is missing" if where else f"{key} is missing"
        for key, item in value.items():
            inner = properties.get(key, rest)
            if inner is False:
                return f"there is no argument {key}; there are {', '.join(properties) or 'none'}"
            if isinstance(inner, Mapping) and (wrong := mismatch(item, inner, f"{where}.{key}" if where else key)):
                return wrong
    return None


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        return isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
    known: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
    return isinstance(value, known[kind]) if kind in known else True


def _schema(hint: Any) -> dict[str, Any]:
    """The JSON Schema of a type hint."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    raise TypeError(f"a tool cannot take {hint}")


def _said(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_said(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_said(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def by_name(tools: Sequence[Tool]) -> dict[str, Tool]:
    """The tools by their names.  Raises ValueError where two have the same."""
    found = {tool.name: tool for tool in tools}
    if len(found) < len(tools):
        names = [tool.name for tool in tools]
        raise ValueError(f"two tools have the same name: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
    return found
