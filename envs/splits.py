"""Numbered tasks in three splits, as ``reset(options={"task": i, "split": "test"})`` asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

T = TypeVar("T")


class Splits(Generic[T]):
    """The tasks of an environment, by split.

    >>> splits = Splits(train=["sort 3 1 2", "sort 2 1"], test=["sort 1 3 2"])
    >>> splits.count("train"), splits.count("validation")
    (2, 0)
    >>> splits.choose({"task": 0, "split": "test"}, np.random.default_rng(0))
    'sort 1 3 2'
    """

    def __init__(self, train: Sequence[T], validation: Sequence[T] = (), test: Sequence[T] = ()) -> None:
        if not len(train):
            raise ValueError("there must be a training task")
        self._tasks = {"train": train, "validation": validation, "test": test}

    def count(self, split: str) -> int:
        """How many tasks ``split`` has; it does for an environment's ``tasks``.  Raises :class:`ValueError`."""
        return len(self._of(split))

    def choose(self, options: Mapping[str, Any] | None, np_random: np.random.Generator) -> T:
        """The task that the ``options`` of ``reset`` name; without a number one is drawn, and from training by default.

        Raises :class:`ValueError` for an unknown option, an unknown or empty split, and a number that is out of range.
        """
        options = options or {}
        unknown = [name for name in options if name not in ("task", "split")]
        if unknown:
            raise ValueError(f"unknown reset option {unknown[0]!r}; there are 'task' and 'split'")
        split = options.get("split", "train")
        tasks = self._of(split)
        if not len(tasks):
            raise ValueError(f"there are no {split} tasks")
        if "task" not in options:
            return tasks[int(np_random.integers(len(tasks)))]
        task = options["task"]
        if isinstance(task, bool) or not isinstance(task, int | np.integer) or not 0 <= task < len(tasks):
            raise ValueError(f"a {split} task is a whole number from 0 to {len(tasks) - 1}, not {task!r}")
        return tasks[int(task)]

    def _of(self, split: str) -> Sequence[T]:
        if split not in self._tasks:
            raise ValueError(f"unknown split {split!r}; there are {', '.join(map(repr, self._tasks))}")
        return self._tasks[split]
