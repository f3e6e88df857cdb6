"""Which tasks are played: an endless seeded shuffle for training, the first of a split for evaluation.

Environments without numbered tasks are seeded instead: training draws seeds below 2**30, evaluation those above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from ..envs.abilities import Tasked
from .rollout import Job

_HELD_OUT = 2**30


class Tasks:
    """The tasks of an environment.

    Args:
        env: an instance, asked for its splits.
        env_id: what the trajectories are to be named after.
        seed: of the shuffle.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], env_id: str, seed: int) -> None:
        self.env_id = env_id
        self.seed = seed
        inner = env.unwrapped
        self._tasks = inner.tasks if isinstance(inner, Tasked) else None
        self._train = self._tasks("train") if self._tasks else None

    def training(self, step: int, groups: int, size: int, chosen: Sequence[int] | None = None) -> list[Job]:
        """The jobs of a step: ``groups`` tasks, ``size`` jobs of each, next to each other.

        The tasks are those ``chosen`` (as many as groups) or the next of the shuffle.
        """
        jobs = []
        for number in range(step * groups, (step + 1) * groups):
            task, seed = self._draw(number) if chosen is None else (chosen[number - step * groups], number)
            split = None if task is None else "train"
            jobs += [Job(self.env_id, task, split, seed, (self.seed, number, member)) for member in range(size)]
        return jobs

    def shown(self, count: int) -> list[Job]:
        """Jobs for ``count`` demonstrations, on training tasks of a shuffle of their own."""
        rng = np.random.default_rng((self.seed, 2**31))
        seeds = rng.integers(_HELD_OUT, size=count).tolist()
        if self._train is None:
            return [Job(self.env_id, None, None, seed, (self.seed, seed)) for seed in seeds]
        tasks = rng.permutation(self._train)[np.arange(count) % self._train].tolist()
        return [
            Job(self.env_id, task, "train", seed, (self.seed, seed)) for task, seed in zip(tasks, seeds, strict=True)
        ]

    def held_out(self, split: str, count: int) -> list[Job]:
        """The first ``count`` tasks of a split (all of them if it has fewer)."""
        if self._tasks is None:
            seeds = range(_HELD_OUT, _HELD_OUT + count)
            return [Job(self.env_id, None, None, seed, (self.seed, seed)) for seed in seeds]
        count = min(count, self._tasks(split))
        return [Job(self.env_id, task, split, _HELD_OUT + task, (self.seed, task)) for task in range(count)]

    def _draw(self, number: int) -> tuple[int | None, int]:
        """Task and seed of the ``number``-th group of the run."""
        if self._train is None:
            return None, int(np.random.default_rng((self.seed, number)).integers(_HELD_OUT))
        epoch, place = divmod(number, self._train)
        order = np.random.default_rng((self.seed, epoch)).permutation(self._train)
        return int(order[place]), number
