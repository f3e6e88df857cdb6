"""Bugs: small changes to a correct program, of the kinds that people make, each of which alters one line."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import numpy as np

_COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
# Nothing becomes a product: in a loop that a bug made endless, numbers would grow without bound.
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Add,
}
_FUNCTIONS = {"max": "min", "min": "max", "any": "all", "all": "any", "sum": "len", "len": "sum", "sorted": "list"}
_METHODS = {"append": "extend", "split": "splitlines", "pop": "clear", "get": "pop", "setdefault": "get"}


def buggy_lines(program: str, rng: np.random.Generator) -> Iterator[tuple[int, str]]:
    """Each bug of ``program``: the number of a line, from 0, and what stands there then; ``rng`` draws the order.

    The program is in the form of ``ast.unparse``.  A bug may leave what the program does unchanged, make it raise, or
    make it run without end.
    """
    lines = program.splitlines()
    tree = ast.parse(program)
    seen = set()
    changes = list(_changes(tree))
    for index in rng.permutation(len(changes)):
        place, replacement = changes[index]
        changed = ast.unparse(_Replace(place, replacement).visit(ast.parse(program)))
        different = [
            (number, new)
            for number, (old, new) in enumerate(zip(lines, changed.splitlines(), strict=True))
            if old != new
        ]
        if len(different) == 1 and different[0] not in seen:
            seen.add(different[0])
            yield different[0]


class _Replace(ast.NodeTransformer):
    """Puts ``replacement`` where the node stands that is the ``place``-th in the order of visiting."""

    def __init__(self, place: int, replacement: ast.AST) -> None:
        self._place = place
        self._replacement = replacement
        self._count = -1

    def visit(self, node: ast.AST) -> ast.AST:
        self._count += 1
        return self._replacement if self._count == self._place else self.generic_visit(node)


class _Nodes(ast.NodeVisitor):
    """The nodes of a tree in the order of visiting."""

    def __init__(self) -> None:
        self.found: list[ast.AST] = []

    def visit(self, node: ast.AST) -> None:
        self.found.append(node)
        self.generic_visit(node)


def _changes(tree: ast.Module) -> Iterator[tuple[int, ast.AST]]:
    nodes = _Nodes()
    nodes.visit(tree)
    names = sorted({n.arg for n in nodes.found if isinstance(n, ast.arg)} | _assigned(nodes.found))
    docile = [n for f in nodes.found if isinstance(f, ast.FunctionDef) for n in f.body]
    called = {id(n.func) for n in nodes.found if isinstance(n, ast.Call)}
    for place, node in enumerate(nodes.found):
        if id(node) not in called:
            for replacement in _alternatives(node, names):
                yield place, replacement
        # A statement is forgotten; not at the top of a function, where the names begin.
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr) and node not in docile:
            yield place, ast.Pass()


def _assigned(nodes: Sequence[ast.AST]) -> set[str]:
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id != "_"}


def _alternatives(node: ast.AST, names: Sequence[str]) -> Iterator[ast.AST]:
    """What a careless hand could have written in the place of ``node``."""
    if isinstance(node, ast.Compare):
        for position, sign in enumerate(node.ops):
            for other in _COMPARISONS.get(type(sign), []):
                yield _with(node, ops=[*node.ops[:position], other(), *node.ops[position + 1 :]])
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield _with(node, op=_OPERATORS[type(node.op)]())
    elif isinstance(node, ast.AugAssign):
        if type(node.op) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(node.op)]())
        yield ast.Assign([node.target], node.value, lineno=node.lineno)
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.If | ast.While):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield ast.Constant(node.value + 1)
        if node.value > 0:
            yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield ast.Name(names[(names.index(node.id) + 1) % len(names)], ast.Load())
    elif isinstance(node, ast.Call):
        yield from _other_calls(node)


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    function = node.func
    if isinstance(function, ast.Name):
        if function.id in _FUNCTIONS:
            other = _FUNCTIONS[function.id]
            yield _with(node, func=ast.Name(other, ast.Load()), keywords=[] if other == "list" else node.keywords)
        if function.id == "range":
            # One too few or too many; a step, if there is one, stays.
            end = min(len(node.args), 2) - 1
            for sign in (ast.Sub(), ast.Add()):
                bound = ast.BinOp(node.args[end], sign, ast.Constant(1))
                yield _with(node, args=[*node.args[:end], bound, *node.args[end + 1 :]])
    elif isinstance(function, ast.Attribute) and function.attr in _METHODS:
        yield _with(node, func=_with(function, attr=_METHODS[function.attr]))
    if len(node.args) == 2 and not isinstance(function, ast.Name):
        yield _with(node, args=node.args[::-1])


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of the node with other fields."""
    return type(node)(**{name: fields.get(name, getattr(node, name, None)) for name in node._fields})
