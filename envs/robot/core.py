"""The rules of an episode, for a whole batch: what the single and the vector environment share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from .families import find_family
from .family import Assessment, Control
from .tasks import Task, TaskTable
from .world import World


class Core:
    """``size`` episodes of one family, side by side.

    An action's numbers are clipped to [-1, 1].  One that is not finite is invalid: it changes nothing in its scene, and
    no time passes there.

    Raises :class:`ValueError` for an unknown family or way of control.
    """

    def __init__(self, family: str, control: Control | None, size: int = 1, threads: int = 0) -> None:
        self.family = find_family(family)
        self.control: Control = next(iter(self.family.controls)) if control is None else control
        if self.control not in self.family.controls:
            ways = ", ".join(map(repr, self.family.controls))
            raise ValueError(f"control must be one of {ways}, not {control!r}")
        self.tasks = TaskTable(self.family.env_id, self.family.combinations)
        first: Task = self.tasks.choose({"task": 0}, np.random.default_rng(0))
        opening = self.family.layout(first)
        self.world = World(self.family.file, self.family.places, opening.shapes, size, threads)
        self.action_space = spaces.Box(-1.0, 1.0, (self.family.controls[self.control],), np.float32)
        self._set(0, first)
        self.observation_space = spaces.Box(-np.inf, np.inf, (self.observe().shape[1],), np.float32)
        self.feeling_space = spaces.Box(-np.inf, np.inf, (self.feel().shape[1],), np.float32)
        self.world.layouts[0] = None

    def open(self, row: int, options: Mapping[str, Any] | None, np_random: np.random.Generator) -> None:
        """Open the task that ``options`` of ``reset`` name, or a drawn one.  Raises :class:`ValueError`."""
        self._set(row, self.tasks.choose(options, np_random))

    def _set(self, row: int, task: Task) -> None:
        self.world.set_layout(row, self.family.layout(task), self.family.rest())

    def act(self, actions: np.ndarray) -> tuple[Assessment, np.ndarray]:
        """Step every scene by an action ``[N, A]``: how far each is then, and which actions were valid ``[N]``."""
        world = self.world
        valid = np.isfinite(actions).all(axis=1)
        before = None if valid.all() else (world.state.copy(), world.command.copy())
        clipped = np.clip(np.nan_to_num(np.asarray(actions, np.float64)), -1.0, 1.0)
        world.command = self.family.command(world, clipped, self.control)
        world.advance()
        if before is not None:
            world.state[~valid], world.command[~valid] = before[0][~valid], before[1][~valid]
        judged = self.assess()
        if self.family.endless:
            count = np.array([len(layout.instructions) if layout else 1 for layout in world.layouts])
            world.phase = np.where(judged.success & valid, (world.phase + 1) % count, world.phase)
        return judged, valid

    def assess(self) -> Assessment:
        """How far each scene is."""
        return self.family.assess(self.world)

    def observe(self) -> np.ndarray:
        """The state of each scene as an agent sees it, ``[N, D]``: the body's, then the scene's."""
        parts = [self.family.feel(self.world), self.family.features(self.world)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def feel(self) -> np.ndarray:
        """The body's own state alone, ``[N, P]``."""
        return self.family.feel(self.world).astype(np.float32)

    def facts(self, judged: Assessment, valid: np.ndarray) -> dict[str, np.ndarray]:
        """What ``info`` holds of every step, each ``[N]`` or ``[N, K]``."""
        return {
            **{name: values.copy() for name, values in self.family.named(self.world).items()},
            "success": judged.success,
            "stage": judged.stage,
            "progress": judged.progress,
            "valid_action": valid,
        }
