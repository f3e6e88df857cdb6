"""Skills in words that bodies on a floor share: turn, and go ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from .core import Core
from .plane import wrapped
from .skill import Refused, Skill

STUCK = 5
"""After how many control steps without headway a way ends."""
AIMED = 8.0
"""How many degrees aside the script lets its way be before it turns."""


class GroundSkills(ABC):
    """``turn(degrees)`` and ``forward(centimetres)``, for a body that says where it is and how it moves."""

    guide: str
    speed: ClassVar[float]
    """Ahead at full speed, in metres per second."""
    spin: ClassVar[float]
    """Turning at full speed, in radians per second."""
    farthest: ClassVar[float]
    """How far ahead it goes at once, in centimetres."""
    went: ClassVar[str]
    """What is said when it has gone ahead."""

    def __init__(self, core: Core) -> None:
        self._world = core.world
        self._blocked = False
        self.skills: Mapping[str, Skill] = {
            "turn": Skill("turn(degrees)", self._turn, lambda _: "The robot has turned."),
            "forward": Skill("forward(centimetres)", self._forward, self._told_forward),
        }

    @abstractmethod
    def _pose(self) -> tuple[np.ndarray, float]:
        """Where the body is ``[2]``, in metres, and its heading in radians."""

    @abstractmethod
    def _move(self, ahead: float, turn: float) -> np.ndarray:
        """The action ``[A]`` that goes ahead and turns to the left, at shares of full speed in [-1, 1]."""

    @abstractmethod
    def _waypoint(self) -> np.ndarray:
        """The point ``[2]`` that the script goes to next."""

    @abstractmethod
    def describe(self) -> list[str]:
        """The scene in lines of words."""

    def next(self) -> str:
        """Turn to where the script goes next, or go there."""
        distance, aside = self._towards(self._waypoint())
        if abs(aside) > AIMED:
            return f"turn({aside:.0f})"
        return f"forward({min(max(5.0, 100 * distance), self.farthest):.0f})"

    def _towards(self, point: np.ndarray) -> tuple[float, float]:
        """How far a point ``[2]`` is, in metres, and how many degrees to the left."""
        here, heading = self._pose()
        x, y = point - here
        return float(np.hypot(x, y)), float(np.degrees(wrapped(np.arctan2(y, x) - heading)))

    def _tell(self, name: str, number: int) -> str:
        """Where a place is."""
        distance, aside = self._towards(self._world.place_position(number)[0, :2])
        return f"{name}: {100 * distance:.0f} cm, {aside:.0f} degrees"

    def _turn(self, degrees: str) -> Iterator[np.ndarray]:
        return self._turn_by(np.radians(_number("turn", degrees, -180.0, 180.0)))

    def _turn_by(self, left: float) -> Iterator[np.ndarray]:
        while abs(left) > 0.02:
            _, before = self._pose()
            yield self._move(0.0, float(np.clip(left / (self.spin * self._world.time_step), -1.0, 1.0)))
            left -= wrapped(self._pose()[1] - before)

    def _forward(self, centimetres: str) -> Iterator[np.ndarray]:
        return self._go(_number("forward", centimetres, 0.0, self.farthest) / 100)

    def _go(self, metres: float) -> Iterator[np.ndarray]:
        here, course = self._pose()
        start, stuck, gone = here.copy(), 0, 0.0
        self._blocked = False
        while metres - gone > 0.01 and not self._blocked:
            ahead = np.clip((metres - gone) / (self.speed * self._world.time_step), -1.0, 1.0)
            astray = wrapped(course - self._pose()[1])
            yield self._move(float(ahead), float(np.clip(2.0 * astray, -1.0, 1.0)))
            now = float(np.hypot(*(self._pose()[0] - start)))
            stuck = stuck + 1 if now - gone < 0.002 else 0
            gone, self._blocked = now, stuck >= STUCK

    def _told_forward(self, _: str) -> str:
        return "Something is in the way." if self._blocked else self.went


def _number(skill: str, text: str, low: float, high: float) -> float:
    """The number of an argument; raises :class:`Refused` for one that is none, or is out of range."""
    try:
        number = float(text)
    except ValueError:
        raise Refused(f"{skill} takes a number, not {text!r}.") from None
    if not low <= number <= high:
        raise Refused(f"{skill} takes a number from {low:.0f} to {high:.0f}.")
    return number
