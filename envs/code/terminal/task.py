"""What a task in a shell is: an instruction, files to begin with, and a look at those that are left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from ....sandbox import Result
from .tree import Tree

T = TypeVar("T")


class End(Protocol):
    """How an episode ended: the files that are left, and a fresh sandbox to try them in."""

    @property
    def files(self) -> Tree: ...

    def run(self, command: Sequence[str], files: Tree) -> tuple[Result, Tree]:
        """Run a command on these files in a sandbox that the agent never had; what it said, and the files after it."""
        ...


Check = Callable[[End], dict[str, bool]]
"""What is to be true in the end, by name."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a family; ``solution`` are commands that solve it, also when they are repeated."""

    text: str
    files: Tree
    solution: tuple[str, ...]
    check: Check
    family: str = ""


def one_of(rng: np.random.Generator, things: Sequence[T]) -> T:
    """One of them."""
    return things[int(rng.integers(len(things)))]


def some_of(rng: np.random.Generator, things: Sequence[T], count: int) -> list[T]:
    """So many different ones."""
    return [things[int(i)] for i in rng.choice(len(things), size=count, replace=False)]


def answer(end: End, path: str = "answer.txt") -> str | None:
    """What the answer's file says, without white space around it; None if there is none."""
    file = end.files.get(path)
    return None if file is None or file.target else file.text.strip()


def answers(expected: str, path: str = "answer.txt") -> Check:
    """That the answer's file says ``expected``."""
    return lambda end: {"answer": answer(end, path) == expected}


def lists(expected: Sequence[str], path: str = "answer.txt", in_order: bool = False) -> Check:
    """That the answer's file lists these lines."""

    def check(end: End) -> dict[str, bool]:
        said = answer(end, path)
        lines = [] if said is None else [line.strip().removeprefix("./") for line in said.splitlines() if line.strip()]
        return {
            "answer": said is not None and (lines == list(expected) if in_order else sorted(lines) == sorted(expected))
        }

    return check
