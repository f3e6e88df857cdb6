"""Rewards as text: the expressions of recipes and of ``--reward``, read without evaluating any code.

Names are those of :mod:`.builtin`, :mod:`.combine`, :mod:`.schedule` and :data:`SHELVES`, or ``my_module:my_reward``
for what a module of yours defines.  ``parse_reward(str(reward)) == reward`` for every reward built from such names.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import operator
import re
from collections.abc import Callable
from typing import Any

from . import builtin, combine, schedule
from .combinator import Combinator
from .reward import Reward

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
# A quoted string, which is left alone, or module:name, which Python's grammar does not have.
_REFERENCE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|([A-Za-z_][\w.]*):([A-Za-z_]\w*)""")


class RewardParseError(ValueError):
    """The text is not a reward expression; the message says what is wrong and names the nearest known name."""


_CORE = (builtin, combine, schedule)
SHELVES: tuple[str, ...] = (
    "action",
    "calibration",
    "code",
    "credit",
    "exploration",
    "grounding",
    "image_success",
    "intrinsic",
    "judges.reward",
    "learned.reward",
    "length",
    "likelihood",
    "noise",
    "pretext",
    "programs.reward",
    "programs.roles",
    "progress",
    "render_match",
    "rules",
    "semantic",
    "sentences",
    "shaping",
    "temporal_logic",
    "tool",
    "transcribe",
    "votes",
)
"""The modules of methods from the literature whose ``__all__`` expressions may use; imported when one is read."""


def known_names() -> dict[str, Any]:
    """Everything an expression may call by its bare name: rewards, operators on them and schedules."""
    shelves = [importlib.import_module(f".{name}", __package__) for name in SHELVES]
    return {name: getattr(module, name) for module in (*_CORE, *shelves) for name in module.__all__}


def parse_reward(text: str) -> Reward:
    """The reward that an expression describes, such as ``"success + 0.2*valid_action"`` or ``"my_module:my_reward"``.

    Only names, numbers, texts, ``+ - * /``, calls, tuples and dictionaries are read; ``module:name`` imports the
    module.  Raises RewardParseError for anything else, with the nearest known name where a name is unknown.
    """
    references: dict[str, tuple[str, str]] = {}

    def placeholder(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        name = f"_reference_{len(references)}_"
        references[name] = (match[1], match[2])
        return name

    source = _REFERENCE.sub(placeholder, text.strip())
    try:
        value = _Reader(text, references).read(ast.parse(source, mode="eval").body)
    except RewardParseError:
        raise
    except SyntaxError as error:
        raise RewardParseError(f"cannot read the reward {_short(text)}: {error.msg}") from error
    except (TypeError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        raise RewardParseError(f"cannot build the reward {_short(text)}: {error}") from error
    if not isinstance(value, Reward):
        hint = f"; write {value.text}(...)" if isinstance(value, Combinator) else ""
        raise RewardParseError(f"{_short(text)} is not a reward but {type(value).__name__}{hint}")
    return value


class _Reader:
    """Builds the value of a syntax tree out of known names."""

    def __init__(self, text: str, references: dict[str, tuple[str, str]]) -> None:
        self.text = text
        self.references = references
        self.names = known_names()

    def read(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.Name(id=name):
                return self.lookup(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return +self.read(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self.read(left), self.read(right))
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return tuple(self.read(item) for item in items)
            case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.Constant) for key in keys):
                return {self.read(key): self.read(value) for key, value in zip(keys, values, strict=True) if key}
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
                return self.call(name, arguments, keywords)
        raise RewardParseError(f"cannot read {ast.unparse(node)!r} in the reward {_short(self.text)}")

    def call(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Any:
        function = self.lookup(name)
        if name in self.references and not isinstance(function, (Reward, Combinator)):
            raise RewardParseError(f"{':'.join(self.references[name])} is not a reward or an operator on rewards")
        if isinstance(function, Reward) and arguments:
            raise RewardParseError(f"{function} takes its parameters by name, as in {function.name}(limit=3)")
        if not callable(function):
            raise RewardParseError(f"{name} is {function!r} and cannot be called")
        named: dict[str, Any] = {}
        for keyword in keywords:
            if keyword.arg is None:
                raise RewardParseError(f"cannot read '**' in the reward {_short(self.text)}")
            named[keyword.arg] = self.read(keyword.value)
        return function(*[self.read(argument) for argument in arguments], **named)

    def lookup(self, name: str) -> Any:
        if name in self.references:
            return _import(*self.references[name])
        if name in self.names:
            return self.names[name]
        raise RewardParseError(f"unknown name {name!r} in the reward {_short(self.text)}{_nearest(name, self.names)}")


def _import(module_name: str, attribute: str) -> Any:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise RewardParseError(f"cannot import {error.name!r} for the reward {module_name}:{attribute}") from error
    if not hasattr(module, attribute):
        raise RewardParseError(f"{module_name} has no {attribute!r}{_nearest(attribute, vars(module))}")
    return getattr(module, attribute)


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    core = sorted(name for module in _CORE for name in module.__all__ if name in known)
    others = f" and {len(known) - len(core)} methods of docs/methods" if len(known) > len(core) else ""
    return f"; known are {', '.join(core)}{others}" if core else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 120 else text[:117] + "...")
