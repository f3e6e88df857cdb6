"""The numbered tasks of a family: combinations of words, those of the test split never seen in training."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..splits import Splits

VARIATIONS = 1000
"""Layouts of each combination."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked for, as words of the family's own, and the seed of where things stand."""

    combination: tuple[str, ...]
    seed: tuple[int, ...]

    def generator(self) -> np.random.Generator:
        """The generator of the layout, the same for whoever opens this task."""
        return np.random.default_rng(self.seed)


class _Numbered(Sequence[Task]):
    """The tasks of one split: every variation of its first combination, then of the next."""

    def __init__(self, family: str, combinations: Sequence[tuple[str, ...]]) -> None:
        self.combinations = combinations
        self._seeds = [(zlib.crc32(repr((family, words)).encode()),) for words in combinations]

    def __len__(self) -> int:
        return len(self.combinations) * VARIATIONS

    def __getitem__(self, number: Any) -> Any:
        combination, variation = divmod(int(number), VARIATIONS)
        return Task(self.combinations[combination], (*self._seeds[combination], variation))


class TaskTable(Splits[Task]):
    """The tasks of a family, split by combination: of every five, one is for validation and one for the test.

    Raises :class:`ValueError` if a word of a held-out combination occurs in no combination for training, since then not
    only the combination would be new.
    """

    def __init__(self, family: str, combinations: Sequence[tuple[str, ...]]) -> None:
        # A fixed shuffle, or the fifths would follow the order in which the words were multiplied.
        order = np.random.default_rng(zlib.crc32(family.encode())).permutation(len(combinations))
        shuffled = [combinations[index] for index in order]
        held_out = {"validation": shuffled[3::5], "test": shuffled[4::5]}
        apart = {*held_out["validation"], *held_out["test"]}
        split = {"train": [words for words in shuffled if words not in apart], **held_out}
        known = set(itertools.chain.from_iterable(split["train"]))
        for words in apart:
            if not known.issuperset(words):
                raise ValueError(f"{family}: {words} holds a word that no training combination has")
        self._numbered = {name: _Numbered(family, words) for name, words in split.items()}
        super().__init__(**self._numbered)

    def combinations(self, split: str) -> list[tuple[str, ...]]:
        """The combinations of a split."""
        self._of(split)
        return list(self._numbered[split].combinations)

    def axes(self, split: str) -> Mapping[str, Sequence[Any]]:
        """What the tasks of a split are numbered along."""
        words = [" ".join(combination) for combination in self.combinations(split)]
        return {"combination": words, "variation": range(VARIATIONS)}
