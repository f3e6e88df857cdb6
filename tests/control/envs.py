"""Small environments whose best returns are known."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces


class PointMass(gymnasium.Env[np.ndarray, np.ndarray]):
    """A point that is to be brought to the origin of a square, at most 0.2 a step along each axis.

    It pays minus the distance after each step.  The oracle goes straight there.  ``sparse`` pays 1 at the end alone,
    within 0.1 of the origin.
    """

    meanings: ClassVar = {"position": "x and y of the point, the goal is at 0, 0", "success": "whether it is there"}

    def __init__(self, sparse: bool = False) -> None:
        self.observation_space = spaces.Box(-2, 2, (2,), np.float32)
        self.action_space = spaces.Box(-0.2, 0.2, (2,), np.float32)
        self._sparse = sparse

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1, 1, 2)
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.position = np.clip(self.position + np.clip(action, -0.2, 0.2), -2, 2)
        distance = float(np.linalg.norm(self.position))
        success = distance < 0.1
        reward = float(success) if self._sparse else -distance
        info = {"success": success, "distance": distance, "position": self.position.tolist()}
        return self._observe(), reward, self._sparse and success, False, info

    def oracle(self) -> np.ndarray:
        return np.clip(-self.position, -0.2, 0.2).astype(np.float32)

    def _observe(self) -> np.ndarray:
        return self.position.astype(np.float32)


class Pusher(gymnasium.Env[np.ndarray, np.ndarray]):
    """A point in a square that pushes an object before it: where they would be nearer than 0.2, the object gives way.

    Both begin at the same places each time.  It pays minus 100 for each step that they are away from each other.
    """

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-1, 1, (4,), np.float32)
        self.action_space = spaces.Box(-0.1, 0.1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.point, self.object = np.full(2, -0.4), np.zeros(2)
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.point = np.clip(self.point + action, -1, 1)
        away = self.object - self.point
        distance = float(np.linalg.norm(away))
        if 0 < distance < 0.2:
            self.object = np.clip(self.point + 0.2 * away / distance, -1, 1)
        steps = max(0.0, distance - 0.2) / 0.1
        return self._observe(), -100 * steps, False, False, {"object": self.object.tolist()}

    def _observe(self) -> np.ndarray:
        return np.concatenate([self.point, self.object]).astype(np.float32)


class Chain(gymnasium.Env[np.ndarray, np.ndarray]):
    """States 0, 1, 2, ..., one further with each action; it pays 1 a step and ends by itself at ``terminal``."""

    def __init__(self, terminal: int | None = None) -> None:
        self.observation_space = spaces.Box(0, np.inf, (1,), np.float32)
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)
        self._terminal = terminal

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.state += 1
        return self._observe(), 1.0, self.state == self._terminal, False, {"state": self.state}

    def _observe(self) -> np.ndarray:
        return np.array([self.state], np.float32)


gymnasium.register("ControlPoint-v0", entry_point=PointMass, max_episode_steps=20)
gymnasium.register("ControlSparsePoint-v0", entry_point=PointMass, max_episode_steps=20, kwargs={"sparse": True})
gymnasium.register("ControlPusher-v0", entry_point=Pusher, max_episode_steps=25)
gymnasium.register("ControlChain-v0", entry_point=Chain, max_episode_steps=5)
gymnasium.register("ControlShortChain-v0", entry_point=Chain, max_episode_steps=5, kwargs={"terminal": 3})
