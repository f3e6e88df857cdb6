"""Skills of the mobile base in words."""

from __future__ import annotations

import numpy as np

from . import base
from .families.navigate import PILLARS, waypoint
from .ground_skills import GroundSkills
from .scene import PILLAR

DIRECTIONS = ("ahead", "ahead left", "left", "behind left", "behind", "behind right", "right", "ahead right")


class BaseSkills(GroundSkills):
    """What a language agent can do with the base: turn, and drive ahead until something is in the way."""

    guide = (
        "You drive a round robot in a room with pillars. Answer with one skill and nothing else:\n"
        "turn(degrees) - turn on the spot, to the left if positive, at most 180;\n"
        "forward(centimetres) - drive straight ahead, at most 300; it ends early where something is in the way.\n"
        "Pillars are given by distance in centimetres and by direction in degrees, positive to the left."
    )
    speed, spin, farthest = base.SPEED, base.SPIN, 300.0
    went = "The robot has driven ahead."

    def describe(self) -> list[str]:
        """Where the named pillars are, and how much room there is around."""
        places = self._world.layout(0).places
        lines = [self._tell(name, number) for number, name in enumerate(places) if not name.startswith("grey")]
        rays = 100 * (base.lidar(self._world, PILLARS, PILLAR.size[0])[0] - base.RADIUS)
        step = base.RAYS // len(DIRECTIONS)
        room = ", ".join(f"{name} {rays[index * step]:.0f}" for index, name in enumerate(DIRECTIONS))
        return [*lines, f"Room in cm: {room}"]

    def _pose(self) -> tuple[np.ndarray, float]:
        return self._world.joints[0, :2], float(self._world.joints[0, 2])

    def _move(self, ahead: float, turn: float) -> np.ndarray:
        return np.array([ahead, turn])

    def _waypoint(self) -> np.ndarray:
        return waypoint(self._world, 0, 0)
