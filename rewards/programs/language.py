"""The Python that a reward program may be written in, and how it becomes functions.

It is read inside the sandbox only (:mod:`.worker`), so this module imports nothing but the standard library.  A
program is a module of constants and functions::

    import math

    NEAR = 0.5

    def reward(distance, holding_key):
        closeness = math.exp(-distance / NEAR)
        return closeness + holding_key, {"closeness": closeness, "key": holding_key}

Allowed are numbers, texts, lists, tuples, dictionaries, arithmetic, comparisons, local assignment, ``if``, ``for``,
comprehensions, and calls of :data:`FUNCTIONS` and of the program's own.  There is no attribute but those of ``math``,
hence nothing to climb from a value to the interpreter; no ``while``, ``try``, ``lambda``, class or f-string.  What
syntax cannot bound (``range(10**12)``, ``"x" * 10**9``) the sandbox's limits do.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable
from typing import Any

LARGEST_SOURCE = 20_000
"""Characters."""
LARGEST_POWER = 4096
"""Bits of an integer power: enough for any reward, too few to keep a processor busy."""
FILENAME = "<program>"
"""The file of a program's code, by which a traceback tells its lines from others."""


class Rejected(Exception):
    """The source is not a program of this language; ``line`` says where, from 1, or is None."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line


def power(base: Any, exponent: Any) -> Any:
    """``base ** exponent``, refused where an integer result would have more than :data:`LARGEST_POWER` bits."""
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > LARGEST_POWER:
        raise OverflowError(f"an integer power of more than {LARGEST_POWER} bits; use floats")
    return operator.pow(base, exponent)


def remainder(left: Any, right: Any) -> Any:
    """``left % right`` of numbers; the ``%`` that fills in texts is refused."""
    if isinstance(left, str):
        raise TypeError("% is for numbers; texts cannot be formatted")
    return operator.mod(left, right)


def lower(text: str) -> str:
    """The text in lower case."""
    return str.lower(text)


def words(text: str) -> list[str]:
    """The words of a text, split at white space."""
    return str.split(text)


PLAIN = (
    *("abs", "all", "any", "bool", "dict", "enumerate", "float", "int", "len", "list", "max", "min", "range", "round"),
    *("set", "sorted", "sum", "tuple", "zip"),
)
MATH = (
    *(
        "acos",
        "asin",
        "atan",
        "atan2",
        "ceil",
        "copysign",
        "cos",
        "cosh",
        "degrees",
        "dist",
        "e",
        "erf",
        "exp",
        "expm1",
    ),
    *("fabs", "floor", "fmod", "fsum", "hypot", "inf", "isclose", "isfinite", "isinf", "isnan", "log", "log10"),
    *("log1p", "log2", "nan", "pi", "prod", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "tau", "trunc"),
)
FUNCTIONS: dict[str, Any] = {
    **{name: getattr(builtins, name) for name in PLAIN},
    **{f"math.{name}": getattr(math, name) for name in MATH},
    "lower": lower,
    "words": words,
}
"""What a program may call, besides its own functions."""

# These are no identifiers, so that only the checker can put them into a program.
_GUARDED: dict[type, tuple[str, Any]] = {ast.Pow: ("**", power), ast.Mod: ("%", remainder)}

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_PLAIN_NODES: tuple[type[ast.AST], ...] = (
    *(ast.Module, ast.arguments, ast.keyword, ast.comprehension, ast.expr_context, ast.Slice, ast.Starred),
    *(ast.Return, ast.Assign, ast.AugAssign, ast.For, ast.If, ast.Expr, ast.Pass, ast.Break, ast.Continue),
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.Subscript, ast.boolop, ast.cmpop),
    *(ast.Tuple, ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.Not, ast.UAdd, ast.USub, *_OPERATORS),
)
_SPOKEN = {
    ast.Attribute: "an attribute such as x.y (only math.sqrt and the like)",
    ast.While: "while (use for over a range)",
    ast.Import: "import (math is there without)",
    ast.ImportFrom: "import (math is there without)",
    ast.JoinedStr: "an f-string",
    ast.Try: "try",
    ast.Lambda: "lambda",
    ast.ClassDef: "class",
}


def compile_program(source: str) -> dict[str, Callable[..., Any]]:
    """The functions that a program defines, by name.

    Raises Rejected for source outside the language.  Running its module level may raise whatever arithmetic does.
    """
    if len(source) > LARGEST_SOURCE:
        raise Rejected(None, f"the program has {len(source)} characters; at most {LARGEST_SOURCE} are read")
    try:
        tree = ast.parse(source, FILENAME)
    except SyntaxError as error:
        raise Rejected(error.lineno, f"SyntaxError: {error.msg}") from error
    except ValueError as error:
        raise Rejected(None, f"cannot be read: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise Rejected(None, "cannot be read: too deeply nested") from error
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.Assign, ast.AnnAssign, ast.Import, ast.Expr)):
            raise Rejected(node.lineno, "outside functions there may be only constants")
    try:
        checked = ast.fix_missing_locations(_Checker(set(names)).visit(tree))
        code = compile(checked, FILENAME, "exec")
    except RecursionError as error:
        raise Rejected(None, "cannot be read: too deeply nested") from error
    except SyntaxError as error:  # what only the compiler finds, such as break outside a loop
        raise Rejected(error.lineno, f"SyntaxError: {error.msg}") from error
    space: dict[str, Any] = {**FUNCTIONS, **dict(_GUARDED.values()), "__builtins__": {}}
    exec(code, space)
    return {name: space[name] for name in names}


class _Checker(ast.NodeTransformer):
    """Refuses every node that is not named here; puts guarded calls in the place of ``**`` and ``%``."""

    def __init__(self, own: set[str]) -> None:
        self.own = own
        self.depth = 0
        self.line: int | None = None

    def visit(self, node: ast.AST) -> Any:
        """As the base class; remembers the line, since not every node has one."""
        self.line = getattr(node, "lineno", self.line)
        return super().visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Every node without a method of its own."""
        if not isinstance(node, _PLAIN_NODES):
            raise self.refusal(node, f"{_SPOKEN.get(type(node), type(node).__name__)} is not allowed")
        return super().generic_visit(node)

    def refusal(self, node: ast.AST, message: str) -> Rejected:
        return Rejected(getattr(node, "lineno", self.line), message)

    def check_new(self, node: ast.AST, name: str) -> None:
        if name.startswith("_"):
            raise self.refusal(node, f"the name {name!r} begins with an underscore")
        if name in FUNCTIONS or name == "math" or (self.depth and name in self.own):
            raise self.refusal(node, f"{name!r} is the name of a function; take another")

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        if [(alias.name, alias.asname) for alias in node.names] == [("math", None)]:
            return None
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if self.depth:
            raise self.refusal(node, "a function inside a function is not allowed; put it before")
        self.check_new(node, node.name)
        if node.decorator_list or node.args.vararg or node.args.kwarg or node.args.posonlyargs:
            raise self.refusal(node, "decorators, *arguments and positional-only arguments are not allowed")
        node.returns = None
        self.depth += 1
        node.args = self.visit(node.args)
        node.body = [kept for statement in node.body if (kept := self.visit(statement)) is not None]
        self.depth -= 1
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self.check_new(node, node.arg)
        return ast.arg(node.arg)  # without its annotation

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.generic_visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if type(node.op) in _GUARDED and isinstance(node.target, ast.Name):
            left = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
            value = ast.copy_location(ast.BinOp(left, node.op, node.value), node)
            return self.visit(ast.copy_location(ast.Assign([node.target], value), node))
        if type(node.op) in _GUARDED:
            raise self.refusal(node, "**= and %= work on plain names only")
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) not in _GUARDED:
            return self.generic_visit(node)
        function = ast.Name(_GUARDED[type(node.op)][0], ast.Load())
        return ast.copy_location(ast.Call(function, [self.visit(node.left), self.visit(node.right)], []), node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load):
            if node.id.startswith("_"):
                raise self.refusal(node, f"the name {node.id!r} begins with an underscore")
        else:
            self.check_new(node, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "math" and isinstance(node.ctx, ast.Load):
            if node.attr not in MATH:
                raise self.refusal(node, f"math.{node.attr} is not there; there are {', '.join(MATH)}")
            return ast.copy_location(ast.Name(f"math.{node.attr}", ast.Load()), node)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = node.func
        if isinstance(called, ast.Name) and called.id not in FUNCTIONS and called.id not in self.own:
            known = ", ".join(name for name in FUNCTIONS if "." not in name)
            raise self.refusal(node, f"{called.id!r} cannot be called; there are {known}, math.* and your own")
        if not isinstance(called, (ast.Name, ast.Attribute)):
            raise self.refusal(node, "only functions can be called, by their names")
        arguments = [self.visit(argument) for argument in node.args]
        keywords = [self.visit(keyword) for keyword in node.keywords]
        return ast.copy_location(ast.Call(self.visit(called), arguments, keywords), node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, (bool, int, float, str, type(None))):
            raise self.refusal(node, f"the constant {node.value!r} is not allowed")
        return node
