"""A grid with lava between the start and the goal: the task that the programs of these tests are written for."""

from __future__ import annotations

from typing import Any

import gymnasium

from palestra.envs.spaces import AnyText
from palestra.rewards.programs.schema import Field, Schema

STEPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


class LavaGrid(gymnasium.Env[str, str]):
    """From one corner to the other in at most ``horizon`` steps.  Only the goal pays; lava ends the episode."""

    def __init__(self, size: int = 7, horizon: int = 20, lava: tuple[tuple[int, int], ...] = ()) -> None:
        self.size, self.horizon, self.lava = size, horizon, frozenset(lava)
        self.observation_space, self.action_space = AnyText(), AnyText()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.count = (0, 0), 0
        return self._text(), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        row, column = (min(max(x + d, 0), self.size - 1) for x, d in zip(self.at, STEPS[action], strict=True))
        self.at, self.count = (row, column), self.count + 1
        info = self._info()
        ended = info["at_goal"] or info["in_lava"]
        return self._text(), float(info["at_goal"]), ended, self.count >= self.horizon, info

    def snapshot(self) -> Any:
        return self.at, self.count

    def restore(self, state: Any) -> None:
        self.at, self.count = state

    def _text(self) -> str:
        return f"row {self.at[0]}, column {self.at[1]}"

    def _info(self) -> dict[str, Any]:
        distance = 2 * (self.size - 1) - sum(self.at)
        near = min((abs(self.at[0] - r) + abs(self.at[1] - c) for r, c in self.lava), default=2 * self.size)
        return {
            "legal_actions": list(STEPS),
            "distance": distance,
            "lava_distance": near,
            "in_lava": self.at in self.lava,
            "at_goal": distance == 0,
            "success": distance == 0,
        }


SCHEMA = Schema(
    "reach the far corner of the grid without stepping into lava",
    (
        Field("distance", "steps to the goal", "integer", 0, 12),
        Field("lava_distance", "steps to the nearest lava", "integer", 0, 12),
        Field("in_lava", "stands in lava, which ends the episode", "boolean"),
        Field("at_goal", "stands at the goal, which ends the episode", "boolean"),
    ),
)
