"""A problem: a function to write, its reference solution, and the arguments that it is tested with."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Problem:
    """A function to write.

    ``source`` is a correct program, whose last function is the one to write.  ``sample`` draws arguments for it: tuples
    of plain values that the function accepts.
    """

    spec: str
    source: str
    sample: Callable[[np.random.Generator], Arguments]

    @cached_property
    def reference(self) -> str:
        """The correct program in the form that ``ast.unparse`` gives, so that a bug can change one line of it."""
        return ast.unparse(ast.parse(textwrap.dedent(self.source)))

    @property
    def name(self) -> str:
        """Of the function to write."""
        return re.findall(r"^def (\w+)", self.reference, re.MULTILINE)[-1]


Family = Callable[[np.random.Generator], Problem]
"""Draws the parameters of a problem; two draws may come to the same problem."""


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return int(rng.integers(low, high + 1))


def numbers(rng: np.random.Generator, low: int = -5, high: int = 12, most: int = 7, least: int = 0) -> list[int]:
    """A list of ``least`` to ``most`` whole numbers from ``low`` to ``high``."""
    return rng.integers(low, high + 1, size=whole(rng, least, most)).tolist()


def letters(rng: np.random.Generator, alphabet: str = "abcde", most: int = 9, least: int = 0) -> str:
    """A text of ``least`` to ``most`` letters of ``alphabet``."""
    return "".join(pick(rng, alphabet) for _ in range(whole(rng, least, most)))


WORDS = ["sun", "moon", "star", "tree", "river", "stone", "bird", "cloud", "fire", "leaf", "snow", "rose", "ant"]


def words(rng: np.random.Generator, most: int = 5, least: int = 0) -> list[str]:
    """A list of ``least`` to ``most`` short words, some of which may be equal."""
    return [pick(rng, WORDS) for _ in range(whole(rng, least, most))]


def grid(rng: np.random.Generator, low: int = 0, high: int = 5, most: int = 4, square: bool = False) -> list[list[int]]:
    """A list of 1 to ``most`` rows of as many whole numbers each; with ``square`` as many rows as numbers."""
    rows = whole(rng, 1, most)
    columns = rows if square else whole(rng, 1, most)
    return rng.integers(low, high + 1, size=(rows, columns)).tolist()


def table(rng: np.random.Generator, most: int = 4, low: int = 0, high: int = 9) -> dict[str, int]:
    """A dictionary of up to ``most`` words with whole numbers from ``low`` to ``high``."""
    return {word: whole(rng, low, high) for word in words(rng, most)}
