"""Tasks: a problem with its tests and the program that an episode begins with, made from seeds alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count, islice
from typing import Any

import numpy as np

from ...splits import Splits
from ..base import Key, task_generator
from .bugs import buggy_lines
from .families import FAMILIES, GROUPS
from .problem import Arguments, Problem
from .trusted import answers

LEVELS = {1: "one bug", 2: "two bugs", 3: "nothing but the first line"}
"""What an episode begins with, by level."""
_BUGS = {"train": 12, "validation": 6, "test": 6}
"""How many tasks of level 1 are made of each problem of a split; of the other levels, one is."""
_SHORT = {"lists.kth_distinct": 5, "lists.first_place": 8, "lists.running": 11, "texts.long_words": 8}
"""The same, of families whose functions have too few bugs that show."""
_PROBLEMS = 40
_SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
_SEED = 2026
_VISIBLE, _CASES = 3, 15


@dataclass(frozen=True, slots=True)
class Case:
    """A test: what a function is to answer to its arguments."""

    arguments: Arguments
    expected: Any


@dataclass(frozen=True, slots=True)
class RepairTask:
    """A function to mend or to write.

    ``start`` is the program that an episode begins with.  The ``visible`` cases are shown to the agent, the ``hidden``
    ones decide.
    """

    name: str
    spec: str
    start: str
    reference: str
    visible: tuple[Case, ...]
    hidden: tuple[Case, ...]
    level: int
    family: str
    steps: int = 200_000
    """Instructions that a program may execute for one case."""


@cache
def problems() -> dict[str, list[tuple[str, Problem]]]:
    """The problems of each split, with their families; no problem is in two splits."""
    found: list[tuple[str, Problem]] = []
    for number, (name, family) in enumerate(FAMILIES.items()):
        rng = np.random.default_rng([_SEED, number])
        distinct: dict[str, Problem] = {}
        for _ in range(3 * _PROBLEMS):
            drawn = family(rng)
            distinct.setdefault(drawn.spec, drawn)
        found += [(name, drawn) for drawn in islice(distinct.values(), _PROBLEMS)]
    order = np.random.default_rng(_SEED).permutation(len(found)).tolist()
    ends = np.cumsum([0, *(round(share * len(found)) for share in _SHARES.values())]).tolist()
    ends[-1] = len(found)
    return {
        split: [found[index] for index in order[start:end]]
        for split, start, end in zip(_SHARES, ends[:-1], ends[1:], strict=True)
    }


class GeneratedTasks:
    """The generated tasks of some levels and families; ``"lists"`` means all families whose names begin so.

    Raises:
        ValueError: a level or a family that there is not, or none.
    """

    def __init__(self, levels: Sequence[int] = tuple(LEVELS), families: Sequence[str] = GROUPS) -> None:
        unknown = [level for level in levels if level not in LEVELS]
        if unknown or not levels:
            said = ", ".join(f"{level} ({what})" for level, what in LEVELS.items())
            raise ValueError(f"levels are {said}, not {levels!r}")
        wanted = _families(families)
        # All problems come once before any comes again, so that the first tasks of a split are a fair sample of it.
        self._plan = {
            split: [
                (number, level, variant)
                for variant in range(max(_BUGS.values()))
                for level in sorted(set(levels))
                for number, (family, _) in enumerate(drawn)
                if family in wanted and variant < _variants(split, level, family)
            ]
            for split, drawn in problems().items()
        }
        self.splits: Splits[Key] = Splits(
            **{split: [(split, number) for number in range(len(plan))] for split, plan in self._plan.items()}
        )

    def __call__(self, key: Key) -> RepairTask:
        """The task of that split and number."""
        split, place = key
        number, level, variant = self._plan[split][place]
        family, problem = problems()[split][number]
        mutants = _mutants(split, number)
        cases = mutants.cases
        if level == 3:
            start, shown = f"{_signature(problem)}\n    pass", list(range(_VISIBLE))
        else:
            chosen = next(islice(mutants, variant, None), None) if level == 1 else _two_bugs(problem, cases, mutants)
            if chosen is None:
                raise AssertionError(f"{family} has too few bugs of level {level}: {problem.reference}")
            start, failing = chosen
            # The first failure is seen, and the second is not.
            others = [place for place in range(len(cases)) if place not in failing]
            shown = sorted([failing[0], *others[: _VISIBLE - 1]])
        return RepairTask(
            problem.name,
            problem.spec,
            start,
            problem.reference,
            tuple(cases[place] for place in shown),
            tuple(case for place, case in enumerate(cases) if place not in shown),
            level,
            family,
        )


def _variants(split: str, level: int, family: str) -> int:
    return min(_BUGS[split], _SHORT.get(family, _BUGS[split])) if level == 1 else 1


def _families(wanted: Sequence[str]) -> set[str]:
    """The names of the families that are meant."""
    unknown = [name for name in wanted if name not in FAMILIES and name not in GROUPS]
    if unknown or not wanted:
        raise ValueError(f"families are {', '.join(GROUPS)}, or one such as {next(iter(FAMILIES))!r}, not {wanted!r}")
    return {family for family in FAMILIES if family in wanted or family.partition(".")[0] in wanted}


class _Mutants:
    """A problem's cases, and its programs with one bug: found one by one as they are asked for, and kept."""

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.cases = _cases(problem, rng)
        self._more = _bugs(problem, self.cases, rng)
        self._found: list[tuple[str, list[int]]] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[str, list[int]]]:
        """The programs, and for each the places of the first cases that it fails."""
        for place in count():
            with self._lock:
                self._found += islice(self._more, max(0, place + 1 - len(self._found)))
            if place >= len(self._found):
                return
            yield self._found[place]


@lru_cache(maxsize=2048)
def _mutants(split: str, number: int) -> _Mutants:
    # All tasks of a problem draw alike, so that its variants are different ones of the same bugs.
    return _Mutants(problems()[split][number][1], task_generator(_SEED, (split, number)))


def _cases(problem: Problem, rng: np.random.Generator) -> list[Case]:
    """Different cases, those first whose answer is new."""
    drawn: dict[str, Arguments] = {}
    for _ in range(4 * _CASES):
        arguments = problem.sample(rng)
        drawn.setdefault(repr(arguments), arguments)
        if len(drawn) == _CASES + _CASES // 2:
            break
    chosen = list(drawn.values())
    cases = list(map(Case, chosen, answers(problem.reference, problem.name, chosen)))
    seen: Counter[str] = Counter()
    rounds: list[tuple[int, Case]] = []
    for case in cases:
        rounds.append((seen[repr(case.expected)], case))
        seen[repr(case.expected)] += 1
    return [case for _, case in sorted(rounds, key=lambda pair: pair[0])][:_CASES]


def _bugs(problem: Problem, cases: list[Case], rng: np.random.Generator) -> Iterator[tuple[str, list[int]]]:
    """Programs with one bug, and the places of two or more cases that show it."""
    lines = problem.reference.splitlines()
    for number, line in buggy_lines(problem.reference, rng):
        program = "\n".join([*lines[:number], line, *lines[number + 1 :]])
        failing = _failing(problem, program, cases)
        if len(failing) >= 2:
            yield program, failing


def _two_bugs(
    problem: Problem, cases: list[Case], bugs: Iterable[tuple[str, list[int]]]
) -> tuple[str, list[int]] | None:
    """Two of the bugs, on different lines, in one program."""
    right = problem.reference.splitlines()
    found: list[list[str]] = []
    for program, _ in bugs:
        second = program.splitlines()
        for first in found:
            lines = [b if b != r else a for r, a, b in zip(right, first, second, strict=True)]
            if sum(line != r for line, r in zip(lines, right, strict=True)) == 2:
                merged = "\n".join(lines)
                failing = _failing(problem, merged, cases)
                if len(failing) >= 2:
                    return merged, failing
        found.append(second)
    return None


def _failing(problem: Problem, program: str, cases: list[Case]) -> list[int]:
    """The places of the first cases that the program fails, two at most."""
    found = answers(program, problem.name, [case.arguments for case in cases])
    wrong = (place for place, (answer, case) in enumerate(zip(found, cases, strict=False)) if answer != case.expected)
    return list(islice(wrong, 2))


def _signature(problem: Problem) -> str:
    lines = problem.reference.splitlines()
    return next(line for line in reversed(lines) if line.startswith("def "))
