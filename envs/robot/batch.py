"""Vector environments that step all episodes in one go: seeds, limits and reopening, apart from what is played."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv

Facts = dict[str, np.ndarray]


class BatchVector(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """``num_envs`` episodes that are arrays; who derives from it says how they open, act and look.

    ``reset(seed=s)`` seeds environment i with ``s + i``, as Gymnasium's vector environments do.  An episode that ends
    is reopened at the next step, whose action it ignores (``NEXT_STEP``), in the same step (``SAME_STEP``, with
    ``infos["final_obs"]`` and ``infos["final_info"]``), or by ``reset(options={"reset_mask": flags})`` alone
    (``DISABLED``).
    """

    def __init__(self, num_envs: int, max_episode_steps: int | None, autoreset_mode: AutoresetMode | str) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, not {num_envs}")
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self._limit = max_episode_steps
        self._generators: list[np.random.Generator] = []
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._opened = np.zeros(num_envs, dtype=bool)
        self._over = np.zeros(num_envs, dtype=bool)

    @abstractmethod
    def _open(self, row: int, options: dict[str, Any], generator: np.random.Generator) -> None:
        """Open an episode."""

    @abstractmethod
    def _act(self, actions: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Facts]:
        """Step by ``[N, A]``: rewards ``[N]``, which episodes ended ``[N]``, and what ``infos`` hold.

        Only ``rows`` ``[N]`` count; what it does with the others is of no matter, since they are opened next.
        """

    @abstractmethod
    def _observe(self) -> np.ndarray:
        """The observations ``[N, D]``, a new array."""

    @abstractmethod
    def _facts(self) -> Facts:
        """What ``infos`` hold of episodes that have just been opened."""

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Open every episode; ``options`` as of the single environment.

        ``options["reset_mask"]``, flags ``[N]``, reopens only some of them.  Raises :class:`ValueError`.
        """
        options = dict(options or {})
        mask = np.asarray(options.pop("reset_mask", np.ones(self.num_envs, dtype=bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ValueError(f"reset_mask must be {self.num_envs} flags, some of them true")
        if not (mask | self._opened).all():
            raise ResetNeeded("reset every environment first")
        seeds = [seed] * self.num_envs if seed is None else seed
        if isinstance(seeds, int | np.integer):
            seeds = [int(seeds) + index for index in range(self.num_envs)]
        if len(seeds) != self.num_envs:
            raise ValueError(f"there are {len(seeds)} seeds for {self.num_envs} environments")
        if not self._generators:
            self._generators = [np_random(None)[0] for _ in range(self.num_envs)]
        for row in np.flatnonzero(mask).tolist():
            if seeds[row] is not None:
                self._generators[row] = np_random(seeds[row])[0]
            self._open(row, options, self._generators[row])
        self._steps[mask], self._over[mask], self._opened[mask] = 0, False, True
        return self._observe(), _masked(self._facts(), mask)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act in every environment, with actions ``[N, A]``.

        Raises:
            ValueError: the actions have another shape.
            gymnasium.error.ResetNeeded: before the first reset, and, with ``DISABLED``, where an episode is over.
        """
        actions = np.asarray(actions)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"actions must have the shape {self.action_space.shape}, not {actions.shape}")
        if not self._opened.all():
            raise ResetNeeded("call reset() first")
        reopened = self._over.copy()
        if reopened.any() and self.autoreset_mode is AutoresetMode.DISABLED:
            where = np.flatnonzero(reopened).tolist()
            raise ResetNeeded(f"the episodes of {where} are over; reset them with options['reset_mask']")
        rewards, terminated, facts = self._act(actions, ~reopened)
        self._steps += 1
        rewards, terminated = np.where(reopened, 0.0, rewards), terminated & ~reopened
        truncated = np.zeros(self.num_envs, dtype=bool)
        if self._limit is not None:
            truncated = (self._steps >= self._limit) & ~reopened
        facts = self._reopen(reopened, facts)
        infos = _masked(facts, np.ones(self.num_envs, dtype=bool))
        observations = self._observe()
        self._over = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._over.any():
            over = self._over.copy()
            finals = {"final_obs": _only(observations, over), "final_info": _masked(facts, over)}
            infos = _masked(self._reopen(over, facts), np.ones(self.num_envs, dtype=bool)) | finals
            infos |= {"_final_obs": over, "_final_info": over.copy()}
            observations = self._observe()
        return observations, rewards, terminated, truncated, infos

    def _reopen(self, rows: np.ndarray, facts: Facts) -> Facts:
        """Open new episodes where the flags ``rows`` are set; the facts as they are then."""
        if not rows.any():
            return facts
        for row in np.flatnonzero(rows).tolist():
            self._open(row, {}, self._generators[row])
        self._steps[rows], self._over[rows] = 0, False
        opened = self._facts()
        return {
            name: np.where(rows.reshape(-1, *[1] * (values.ndim - 1)), opened[name], values)
            for name, values in facts.items()
        }


def _masked(facts: Facts, rows: np.ndarray) -> dict[str, Any]:
    """Facts as ``infos``, with the flags of Gymnasium that say of which environments they are."""
    return {**facts, **{f"_{name}": rows.copy() for name in facts}}


def _only(observations: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The observations of some rows in an array of objects, ``None`` elsewhere, as Gymnasium keeps final ones."""
    kept = np.full(len(rows), None, dtype=object)
    for row in np.flatnonzero(rows).tolist():
        kept[row] = observations[row].copy()
    return kept
