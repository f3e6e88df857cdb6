"""Running the package's own programs, correct and buggy ones, in this process.

For nothing that an agent wrote: this only keeps a loop that a bug made endless from never returning.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from .runner import PROGRAM

STEPS = 20_000
"""Rounds of loops and calls after which a program is taken for endless; a correct one needs far fewer."""


class Endless(BaseException):
    """The program does not end.  No handler of its catches this."""


class _Counted(ast.NodeTransformer):
    """Counts each call of a function and each round of a loop."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._counted(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._counted(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._counted(node)

    def _counted(self, node: Any) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(ast.Call(ast.Name("_count", ast.Load()), [], [])))
        return node


def answers(program: str, name: str, arguments: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """What the function ``name`` of ``program`` returns for each of ``arguments``, or the exception that it raises."""
    code = compile(ast.fix_missing_locations(_Counted().visit(ast.parse(program))), PROGRAM, "exec")
    left = 0

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Endless("it does not end")

    space: dict[str, Any] = {"_count": count}
    exec(code, space)
    for each in arguments:
        left = STEPS
        given = pickle.loads(pickle.dumps(each))  # the program may change them
        try:
            answer = space[name](*given)
        except (Exception, Endless) as error:  # noqa: BLE001 - what a buggy program raises is what it answers
            answer = error
        yield answer
