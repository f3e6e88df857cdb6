"""Skills of the four-legged body in words."""

from __future__ import annotations

import numpy as np

from . import gait, walker
from .ground_skills import GroundSkills


class WalkerSkills(GroundSkills):
    """What a language agent can do with the four-legged body: turn, and walk ahead."""

    guide = (
        "You lead a four-legged robot on an open floor. Answer with one skill and nothing else:\n"
        "turn(degrees) - turn on the spot, to the left if positive, at most 180;\n"
        "forward(centimetres) - walk straight ahead, at most 150.\n"
        "Markers are given by distance in centimetres and by direction in degrees, positive to the left."
    )
    speed, spin, farthest = gait.SPEED, gait.SPIN, 150.0
    went = "The robot has walked ahead."

    def describe(self) -> list[str]:
        """Where the markers are."""
        return [self._tell(name, number) for number, name in enumerate(self._world.layout(0).places)]

    def _pose(self) -> tuple[np.ndarray, float]:
        cosine, sine = walker.direction(self._world)[0]
        return walker.position(self._world)[0, :2], float(np.arctan2(sine, cosine))

    def _move(self, ahead: float, turn: float) -> np.ndarray:
        return gait.move(self._world, 0, ahead, turn)

    def _waypoint(self) -> np.ndarray:
        return self._world.place_position(0)[0, :2]
