"""Arithmetic problems, and a calculator for them."""

from __future__ import annotations

import ast
from functools import lru_cache

import numpy as np

from ...splits import Splits
from ..game import IllegalMove, quote

LONGEST = 60


def compute(text: str) -> int:
    """The value of sums, differences and products of whole numbers.  Raises :class:`IllegalMove` for anything else."""
    if len(text) > LONGEST:
        raise IllegalMove(f"The calculator takes at most {LONGEST} characters.")
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, KeyError):
        raise IllegalMove(f"The calculator takes whole numbers with +, -, * and brackets, not {quote(text)}.") from None


def _value(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        return {ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right}[type(node.op)]
    raise ValueError("no arithmetic")


@lru_cache(maxsize=4)
def problems(terms: int, largest: int) -> Splits[str]:
    """2,000 expressions that are all different, such as ``7 + 4 * 9``: 200 each for validation and test."""
    rng = np.random.default_rng([terms, largest])
    made: dict[str, None] = {}
    while len(made) < 2000:
        parts = [str(int(rng.integers(2, largest + 1)))]
        for _ in range(terms - 1):
            parts += ["+-*"[int(rng.integers(3))], str(int(rng.integers(2, largest + 1)))]
        made[" ".join(parts)] = None
    chosen = list(made)
    return Splits(train=chosen[400:], validation=chosen[:200], test=chosen[200:400])
