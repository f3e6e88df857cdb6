"""Many episodes of a robot task that are stepped together, as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from .core import Core
from .family import Control
from .world import usable_threads


class RobotVector(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """``num_envs`` episodes with ``"state"`` observations; each is the episode that :class:`~.env.Robot` plays.

    One call steps the physics of all of them on ``threads`` threads; actions, observations and judgements are arrays.
    ``reset(seed=s)`` seeds environment i with ``s + i``, as Gymnasium's vector environments do.

    An episode that ends is reopened at the next step, whose action it ignores
    (``autoreset_mode=AutoresetMode.NEXT_STEP``, also as text), in the same step (``SAME_STEP``, with
    ``infos["final_obs"]`` and ``infos["final_info"]``), or by ``reset(options={"reset_mask": ...})`` alone
    (``DISABLED``).

    Args:
        family: the id of the family.
        num_envs: how many episodes.
        max_episode_steps: after how many steps an episode is truncated; ``None`` for never.
        control: for the arm ``"end_effector"`` (the default) or ``"joint"``, for the base ``"velocity"``.
        autoreset_mode: when an episode that ended is reopened.
        threads: of the physics; by default one for each processor that this process may use.
    """

    def __init__(
        self,
        family: str,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        control: Control | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        threads: int | None = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, not {num_envs}")
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self.core = Core(family, control, num_envs, usable_threads() if threads is None else threads)
        self._limit = max_episode_steps
        self.single_action_space = self.core.action_space
        self.single_observation_space = self.core.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._generators: list[np.random.Generator] | None = None
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._over = np.ones(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Open a task in every environment; ``options`` as of the single one.

        ``options["reset_mask"]``, flags ``[N]``, reopens only some of them.  Raises :class:`ValueError`.
        """
        options = dict(options or {})
        mask = np.asarray(options.pop("reset_mask", np.ones(self.num_envs, dtype=bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ValueError(f"reset_mask must be {self.num_envs} flags, some of them true")
        seeds = [seed] * self.num_envs if seed is None else seed
        if isinstance(seeds, int | np.integer):
            seeds = [int(seeds) + index for index in range(self.num_envs)]
        if len(seeds) != self.num_envs:
            raise ValueError(f"there are {len(seeds)} seeds for {self.num_envs} environments")
        generators = self._generators_or_new()
        for row in np.flatnonzero(mask).tolist():
            if seeds[row] is not None:
                generators[row] = np_random(seeds[row])[0]
            self._open(row, options)
        judged = self.core.assess()
        infos = self._infos(self.core.facts(judged, np.ones(self.num_envs, dtype=bool)), mask)
        return self.core.observe(), infos

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act for 40 ms in every environment, with actions ``[N, A]``.

        Raises:
            ValueError: the actions have another shape.
            gymnasium.error.ResetNeeded: before the first reset, and, with ``DISABLED``, where an episode is over.
        """
        actions = np.asarray(actions)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"actions must have the shape {self.action_space.shape}, not {actions.shape}")
        if self._generators is None or None in self.core.world.layouts:
            raise ResetNeeded("call reset() first")
        reopened = np.flatnonzero(self._over).tolist()
        if reopened and self.autoreset_mode is AutoresetMode.DISABLED:
            raise ResetNeeded(f"the episodes of {reopened} are over; reset them with options['reset_mask']")
        judged, valid = self.core.act(actions)
        self._steps += 1
        fresh = self._over.copy()
        if reopened:
            for row in reopened:
                self._open(row, {})
            judged, valid = self.core.assess().where(fresh, judged), valid | fresh
        success = judged.success & valid & ~fresh
        terminated = np.zeros(self.num_envs, bool) if self.core.family.endless else success
        truncated = np.zeros(self.num_envs, bool)
        if self._limit is not None:
            truncated = (self._steps >= self._limit) & ~fresh
        infos = self._infos(self.core.facts(judged, valid), np.ones(self.num_envs, bool))
        observations = self.core.observe()
        self._over = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._over.any():
            observations, infos = self._reopen_at_once(observations, infos)
        return observations, success.astype(np.float64), terminated, truncated, infos

    def snapshot(self) -> dict[str, Any]:
        """All episodes as plain values."""
        world = self.core.world
        rows = range(self.num_envs)
        return {
            "layouts": [world.layout(row) for row in rows],
            "worlds": [world.snapshot(row) for row in rows],
            "steps": self._steps.copy(),
            "over": self._over.copy(),
            "np_random": [generator.bit_generator.state for generator in self._generators_or_new()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a snapshot, of this or another vector that was made with the same arguments."""
        for row, (layout, world) in enumerate(zip(state["layouts"], state["worlds"], strict=True)):
            self.core.world.restore(row, layout, world)
        self._steps, self._over = state["steps"].copy(), state["over"].copy()
        for generator, saved in zip(self._generators_or_new(), state["np_random"], strict=True):
            generator.bit_generator.state = saved

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the threads."""
        self.core.world.close()

    def _generators_or_new(self) -> list[np.random.Generator]:
        if self._generators is None:
            self._generators = [np_random(None)[0] for _ in range(self.num_envs)]
        return self._generators

    def _open(self, row: int, options: dict[str, Any]) -> None:
        self.core.open(row, options, self._generators_or_new()[row])
        self._steps[row], self._over[row] = 0, False

    def _reopen_at_once(self, observations: np.ndarray, infos: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
        over = self._over.copy()
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(over).tolist():
            final_obs[row] = observations[row].copy()
        final_info = {name: values.copy() for name, values in infos.items() if not name.startswith("_")}
        final_info |= {f"_{name}": over.copy() for name in final_info}
        for row in np.flatnonzero(over).tolist():
            self._open(row, {})
        facts = self.core.facts(self.core.assess(), np.ones(self.num_envs, dtype=bool))
        for name, values in facts.items():
            infos[name] = np.where(over, values, infos[name])
        infos["instruction"] = self._instructions()
        infos |= {"final_obs": final_obs, "_final_obs": over, "final_info": final_info, "_final_info": over.copy()}
        return self.core.observe(), infos

    def _infos(self, facts: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, Any]:
        infos: dict[str, Any] = {**facts, "instruction": self._instructions()}
        return infos | {f"_{name}": mask.copy() for name in infos}

    def _instructions(self) -> np.ndarray:
        return np.array([self.core.world.instruction(row) for row in range(self.num_envs)], dtype=object)
