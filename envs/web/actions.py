"""Actions as text: Python calls that are parsed, checked and never executed as code.

The names and signatures are BrowserGym's (https://github.com/ServiceNow/BrowserGym).  They are those of the methods of
:class:`~palestra.envs.web.actor.Actor` that carry :func:`action`.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

LONGEST_ACTION = 20_000
"""Characters of the longest action text."""

T = TypeVar("T")
Button = Literal["left", "middle", "right"]
Modifier = Literal["Alt", "Control", "ControlOrMeta", "Meta", "Shift"]


class ActionError(ValueError):
    """An action cannot be carried out; the text tells the agent what would have been right."""


@dataclass(frozen=True, slots=True)
class Call:
    """A checked call of an action."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """The signature of an action."""

    name: str
    parameters: tuple[inspect.Parameter, ...]
    types: dict[str, Any]
    description: str

    @property
    def signature(self) -> str:
        """How it is called, as text: ``click(bid: str, button: 'left' | 'middle' | 'right' = 'left')``."""
        return f"{self.name}({', '.join(map(self._parameter, self.parameters))})"

    def _parameter(self, parameter: inspect.Parameter) -> str:
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        return f"{parameter.name}: {_type_name(self.types[parameter.name])}{default}"

    def bind(self, positional: list[Any], named: dict[str, Any]) -> Call:
        """Check arguments against the signature.  Raises :class:`ActionError`."""
        try:
            bound = inspect.Signature(self.parameters).bind(*positional, **named)
        except TypeError as error:
            raise ActionError(f"{self.name}: {error}; write {self.signature}.") from None
        for name, value in bound.arguments.items():
            if not _fits(value, self.types[name]):
                wanted = _type_name(self.types[name])
                raise ActionError(f"{self.name}: {name} must be {wanted}, not {_shown(value)}; write {self.signature}.")
        bound.apply_defaults()
        return Call(self.name, dict(bound.arguments))


def action(method: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a method of the actor as an action that agents can call."""
    method.is_action = True  # type: ignore[attr-defined]
    return method


def named(bid: str, elements: Mapping[str, T]) -> T:
    """What is called ``bid``.  Raises :class:`ActionError`, with the nearest name if one is near."""
    if bid in elements:
        return elements[bid]
    near = difflib.get_close_matches(bid[:100], elements, n=1)
    hint = f"the nearest one is {near[0]!r}" if near else "names stand in brackets before the elements"
    raise ActionError(f"There is no element {bid[:40]!r} on the page; {hint}.")


def actions_of(actor: type) -> dict[str, Action]:
    """The actions that a class offers, by name, in the order of its definition."""
    return {
        name: Action(
            name,
            tuple(inspect.signature(method).parameters.values())[1:],
            typing.get_type_hints(method),
            inspect.getdoc(method) or "",
        )
        for name, method in vars(actor).items()
        if getattr(method, "is_action", False)
    }


def parse_actions(text: object, known: dict[str, Action], multiple: bool = False) -> list[Call]:
    """The calls that ``text`` writes, one a line; exactly one unless ``multiple``.

    Raises:
        ActionError: it is not that; the message says what is wrong and what would be right.
    """
    example = "click('a12')"
    if not isinstance(text, str):
        raise ActionError(f"An action is text such as {example}, not {type(text).__name__}.")
    if not text.strip():
        raise ActionError(f"The action is empty; write a call such as {example}.")
    if len(text) > LONGEST_ACTION:
        raise ActionError(f"An action has at most {LONGEST_ACTION} characters, not {len(text)}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statements = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ActionError(f"{_shown(text.strip())} is not an action; write a call such as {example}.") from None
    if not multiple and len(statements) != 1:
        raise ActionError(f"Write one action at a time, not {len(statements)}.")
    return [_call(statement, known, example) for statement in statements]


def _call(statement: ast.stmt, known: dict[str, Action], example: str) -> Call:
    written = ast.unparse(statement)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        name = call.id if isinstance(call, ast.Name) else ""
        hint = f"write {known[name].signature}" if name in known else f"write a call such as {example}"
        raise ActionError(f"{_shown(written)} is not an action; {hint}.")
    name = call.func.id
    if name not in known:
        near = difflib.get_close_matches(name[:60], known, n=1)
        hint = f"did you mean {known[near[0]].signature}?" if near else f"there are {', '.join(known)}."
        raise ActionError(f"There is no action {_shown(name)}; {hint}")
    positional = [_literal(argument, known[name]) for argument in call.args]
    named = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise ActionError(f"{name}: ** is not possible; write {known[name].signature}.")
        named[keyword.arg] = _literal(keyword.value, known[name])
    return known[name].bind(positional, named)


def _literal(node: ast.expr, action: Action) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        written = ast.unparse(node)
        hint = f"; did you mean {written!r} in quotes?" if isinstance(node, ast.Name) else ""
        raise ActionError(
            f"{action.name}: {_shown(written)} is not a plain value{hint} Write {action.signature}."
        ) from None


def _fits(value: Any, wanted: Any) -> bool:
    origin = typing.get_origin(wanted)
    if origin is Literal:
        return isinstance(value, str) and value in typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, choice) for choice in typing.get_args(wanted))
    if origin is list:
        return isinstance(value, list) and all(_fits(item, typing.get_args(wanted)[0]) for item in value)
    if wanted is float:
        # Neither infinity nor a number beyond every screen and every wait.
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e6
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _type_name(wanted: Any) -> str:
    origin = typing.get_origin(wanted)
    if origin is Literal:
        return " | ".join(map(repr, typing.get_args(wanted)))
    if origin in (types.UnionType, typing.Union):
        return " | ".join(map(_type_name, typing.get_args(wanted)))
    if origin is list:
        return f"list[{_type_name(typing.get_args(wanted)[0])}]"
    return str(wanted.__name__)


def _shown(value: object, longest: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}..."
