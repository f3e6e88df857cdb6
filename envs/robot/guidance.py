"""What guides exploration with the arm: keypoints in the image, and where an object is from the hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np

from . import arm
from .env import Robot
from .manipulation import Manipulation

Keypoints = Callable[[np.ndarray, str], Sequence[Sequence[float]]]
"""An image [H, W, 3] and the instruction to the points [2] that the hand should pass, in pixels from the top left."""


class Guidance(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Says in ``info`` what rewards that guide exploration read.

    ``position`` is where the hand is in the camera's image, and ``waypoints`` are, in an episode's first image, the
    hand and then what ``keypoints``, such as a vision-language model, read there: ``waypoint_progress`` pays for the
    way along them (KAGI, arXiv:2407.10341).  ``pose`` is the first object's pose from the hand, axis-angle and
    translation: ``pose_curiosity`` pays for what surprises there (EvoVLA, arXiv:2511.16166).

    Raises :class:`ValueError` for an environment that is no arm's, or has another interface than numbers.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], keypoints: Keypoints) -> None:
        super().__init__(env)
        robot = env.unwrapped
        if not isinstance(robot, Robot) or not isinstance(robot.core.family, Manipulation):
            raise ValueError(f"{env} is no arm that is driven by numbers")
        self._robot, self._keypoints = robot, keypoints
        self._waypoints: list[list[float]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Open an episode, and read the keypoints off its first image."""
        observation, info = self.env.reset(seed=seed, options=options)
        points = self._keypoints(self._robot.camera.image(0), info["instruction"])
        self._waypoints = [self._hand(), *([float(x), float(y)] for x, y in points)]
        return observation, self._guided(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._guided(info)

    def _guided(self, info: dict[str, Any]) -> dict[str, Any]:
        found = {**info, "position": self._hand(), "waypoints": self._waypoints}
        if self._robot.core.family.things:
            found["pose"] = self._pose()
        return found

    def _hand(self) -> list[float]:
        return self._robot.camera.pixel(0, arm.grip(self._robot.core.world)[0]).tolist()

    def _pose(self) -> list[float]:
        world = self._robot.core.world
        pose = world.object_pose(0)[0]
        # The hand keeps pointing down along the world's axes, so only where it is has to be taken off.
        half, axis = np.arccos(np.clip(pose[3], -1.0, 1.0)), pose[4:7]
        length = float(np.linalg.norm(axis))
        turn = 2 * half * axis / length if length > 1e-9 else np.zeros(3)
        return [*turn.tolist(), *(pose[:3] - arm.grip(world)[0]).tolist()]
