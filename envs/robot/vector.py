"""Many episodes of a robot task that are stepped together, as a Gymnasium vector environment."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from .batch import BatchVector, Facts
from .core import Core
from .family import Assessment, Control
from .world import usable_threads


class RobotVector(BatchVector):
    """``num_envs`` episodes with ``"state"`` observations; each is the episode that :class:`~.env.Robot` plays.

    One call steps the physics of all of them on ``threads`` threads; actions, observations and judgements are arrays.
    An action that is not finite is invalid for its episode alone.

    Args:
        family: the id of the family.
        num_envs: how many episodes.
        max_episode_steps: after how many steps an episode is truncated; ``None`` for never.
        control: for the arm ``"end_effector"`` (the default) or ``"joint"``, for the base ``"velocity"``,
            for the four-legged body ``"joint"``.
        autoreset_mode: when an episode that ended is reopened, see :class:`~.batch.BatchVector`.
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
        super().__init__(num_envs, max_episode_steps, autoreset_mode)
        self.core = Core(family, control, num_envs, usable_threads() if threads is None else threads)
        self.single_action_space = self.core.action_space
        self.single_observation_space = self.core.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def snapshot(self) -> dict[str, Any]:
        """All episodes as plain values."""
        world = self.core.world
        rows = range(self.num_envs)
        return {
            "layouts": [world.layout(row) for row in rows],
            "worlds": [world.snapshot(row) for row in rows],
            "steps": self._steps.copy(),
            "over": self._over.copy(),
            "np_random": deepcopy(self._generators),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a snapshot, of this or another vector that was made with the same arguments."""
        for row, (layout, world) in enumerate(zip(state["layouts"], state["worlds"], strict=True)):
            self.core.world.restore(row, layout, world)
        self._steps, self._over = state["steps"].copy(), state["over"].copy()
        self._generators = deepcopy(state["np_random"])
        self._opened[:] = True

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the threads."""
        self.core.world.close()

    def _open(self, row: int, options: dict[str, Any], generator: np.random.Generator) -> None:
        self.core.open(row, options, generator)

    def _act(self, actions: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Facts]:
        judged, valid = self.core.act(actions)
        success = judged.success & valid
        ended = np.zeros(self.num_envs, dtype=bool) if self.core.family.endless else success
        return success.astype(np.float64), ended, self._told(judged, valid)

    def _observe(self) -> np.ndarray:
        return self.core.observe()

    def _facts(self) -> Facts:
        return self._told(self.core.assess(), np.ones(self.num_envs, dtype=bool))

    def _told(self, judged: Assessment, valid: np.ndarray) -> Facts:
        instructions = [self.core.world.instruction(row) for row in range(self.num_envs)]
        return {**self.core.facts(judged, valid), "instruction": np.array(instructions, dtype=object)}
