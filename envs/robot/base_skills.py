"""Skills of the mobile base in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from . import base
from .core import Core
from .families.navigate import PILLARS, waypoint
from .scene import PILLAR
from .skill import Refused, Skill

STUCK = 5
"""After how many control steps without headway a drive ends."""
AIMED = 8.0
"""How many degrees aside the script lets its way be before it turns."""
DIRECTIONS = ("ahead", "ahead left", "left", "behind left", "behind", "behind right", "right", "ahead right")


class BaseSkills:
    """What a language agent can do with the base: turn, and drive ahead until something is in the way."""

    guide = (
        "You drive a round robot in a room with pillars. Answer with one skill and nothing else:\n"
        "turn(degrees) - turn on the spot, to the left if positive, at most 180;\n"
        "forward(centimetres) - drive straight ahead, at most 300; it ends early where something is in the way.\n"
        "Pillars are given by distance in centimetres and by direction in degrees, positive to the left."
    )

    def __init__(self, core: Core) -> None:
        self._world = core.world
        self._blocked = False
        self.skills: Mapping[str, Skill] = {
            "turn": Skill("turn(degrees)", self._turn, lambda _: "The robot has turned."),
            "forward": Skill("forward(centimetres)", self._forward, self._told_forward),
        }

    def describe(self) -> list[str]:
        """Where the named pillars are, and how much room there is around."""
        layout = self._world.layout(0)
        lines = []
        for number, name in enumerate(layout.places):
            if not name.startswith("grey"):
                distance, aside = self._towards(self._world.place_position(number)[0, :2])
                lines.append(f"{name}: {100 * distance:.0f} cm, {aside:.0f} degrees")
        rays = 100 * (base.lidar(self._world, PILLARS, PILLAR.size[0])[0] - base.RADIUS)
        step = base.RAYS // len(DIRECTIONS)
        room = ", ".join(f"{name} {rays[index * step]:.0f}" for index, name in enumerate(DIRECTIONS))
        return [*lines, f"Room in cm: {room}"]

    def next(self) -> str:
        """Turn to the next point of the shortest way, or drive to it."""
        distance, aside = self._towards(waypoint(self._world, 0, 0))
        return f"turn({aside:.0f})" if abs(aside) > AIMED else f"forward({max(5.0, 100 * distance):.0f})"

    def _towards(self, point: np.ndarray) -> tuple[float, float]:
        """How far a point ``[2]`` is, in metres, and how many degrees to the left."""
        way = base.into_body(self._world, (point - self._world.joints[0, :2])[None])[0]
        return float(np.hypot(*way)), float(np.degrees(np.arctan2(way[1], way[0])))

    def _turn(self, degrees: str) -> Iterator[np.ndarray]:
        return self._turn_to(self._world.joints[0, 2] + np.radians(_number("turn", degrees, 180.0)))

    def _turn_to(self, goal: float) -> Iterator[np.ndarray]:
        while abs(left := float(goal - self._world.joints[0, 2])) > 0.02:
            yield np.array([0.0, np.clip(left / (base.SPIN * self._world.time_step), -1.0, 1.0)])

    def _forward(self, centimetres: str) -> Iterator[np.ndarray]:
        return self._drive(_number("forward", centimetres, 300.0) / 100)

    def _drive(self, metres: float) -> Iterator[np.ndarray]:
        start, stuck, gone = self._world.joints[0, :2].copy(), 0, 0.0
        self._blocked = False
        while metres - gone > 0.01 and not self._blocked:
            yield np.array([np.clip((metres - gone) / (base.SPEED * self._world.time_step), -1.0, 1.0), 0.0])
            now = float(np.hypot(*(self._world.joints[0, :2] - start)))
            stuck = stuck + 1 if now - gone < 0.002 else 0
            gone, self._blocked = now, stuck >= STUCK

    def _told_forward(self, _: str) -> str:
        return "Something is in the way." if self._blocked else "The robot has driven ahead."


def _number(skill: str, text: str, most: float) -> float:
    """The number of an argument; raises :class:`Refused` for one that is none, or is out of range."""
    try:
        number = float(text)
    except ValueError:
        raise Refused(f"{skill} takes a number, not {text!r}.") from None
    low = -most if skill == "turn" else 0.0
    if not low <= number <= most:
        raise Refused(f"{skill} takes a number from {low:.0f} to {most:.0f}.")
    return number
