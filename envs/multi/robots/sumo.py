"""Two bases on a round ring: who is pushed out loses."""

from __future__ import annotations

import numpy as np

from ...robot.base import RADIUS, SPEED, SPIN
from ...robot.plane import as_seen
from ...robot.world import Layout, World
from .rules import Rules, Verdict

RING = 0.9
"""Radius of the ring in metres."""
_AHEAD = 0.35
"""Angle in radians within which something is straight ahead."""


class RobotSumo(Rules):
    """Push the other robot's middle out of a ring of 0.9 m, for 1 and -1; both out at once, or 20 s, is a draw.

    Both push with the same force, so that nobody wins head on: a robot gives way where it is pushed from the side.  An
    action is how fast to drive ahead (0.8 m/s) and how fast to turn to the left (1.8 rad/s).
    """

    name = "RobotSumo"
    guide = (
        "Two robots on a round ring. Push the other one out of it; whoever's middle leaves the ring loses. Both are "
        "equally strong, so push from the side. Answer with one of the actions and nothing else."
    )
    file = "ring.xml"
    numbers = 2
    words = {  # noqa: RUF012 - read only
        "charge": "turn to the other robot and drive at it",
        "flank": "drive around the other robot to its side",
        "centre": "drive to the middle of the ring",
        "back": "drive backwards",
        "left": "turn to the left",
        "right": "turn to the right",
        "wait": "stand still",
    }
    hold = 5
    limit = 500

    def layout(self, np_random: np.random.Generator) -> Layout:
        """Opposite each other at 0.5 m from the middle, each looking anywhere."""
        bearing = np_random.uniform(-np.pi, np.pi)
        joints = []
        for side in (0.0, np.pi):
            place = 0.5 * np.cos(bearing + side), 0.5 * np.sin(bearing + side)
            joints += [*place, np_random.uniform(-np.pi, np.pi)]
        # The model's base is at the origin, so its joints are its place.
        return Layout(("Push the other robot out of the ring.",), (), (), np.array(joints), np.zeros((0, 3)))

    def rest(self, layout: Layout) -> np.ndarray:
        """Standing still."""
        return np.zeros(6)

    def command(self, world: World, actions: np.ndarray) -> np.ndarray:
        """The velocities of both bases: x, y and heading."""
        headings = world.joints[0, [2, 5]]
        speed = SPEED * actions[:, 0]
        return np.stack([speed * np.cos(headings), speed * np.sin(headings), SPIN * actions[:, 1]], axis=1).reshape(
            1, 6
        )

    def observe(self, world: World, player: int) -> np.ndarray:
        """Seen from the robot: the middle (2), own speed (3), the other (2), its heading (2) and its speed (2)."""
        own, other = _pose(world, player), _pose(world, 1 - player)
        speeds = world.joint_speeds[0].reshape(2, 3)
        turned = other[2] - own[2]
        parts = [
            _seen(own, -own[:2]),
            _seen(own, speeds[player, :2]),
            speeds[player, 2:],
            _seen(own, other[:2] - own[:2]),
            np.array([np.cos(turned), np.sin(turned)]),
            _seen(own, speeds[1 - player, :2]),
        ]
        return np.concatenate(parts)

    def describe(self, world: World, player: int) -> str:
        """How far the edge is, where the other robot and the middle are, and whom the other faces."""
        own, other = _pose(world, player), _pose(world, 1 - player)
        lines = [
            f"You are {_cm(RING - np.hypot(*own[:2]))} from the edge, the other robot is "
            f"{_cm(RING - np.hypot(*other[:2]))} from it.",
            f"The other robot is {_cm(np.hypot(*(other - own)[:2]))} away, {_side(_bearing(own, other))}.",
            f"It has you {_side(_bearing(other, own))}.",
            f"The middle is {_side(_bearing(own, np.zeros(2)))}.",
        ]
        return "\n".join(lines)

    def act(self, world: World, player: int, word: str) -> np.ndarray:
        """Drive towards the other robot, its side or the middle; or as the word says."""
        own, other = _pose(world, player), _pose(world, 1 - player)
        if word == "charge":
            return _towards(own, other[:2])
        if word == "centre":
            return _towards(own, np.zeros(2))
        if word == "flank":
            # The side of the other robot that is nearer to the middle, so that it is pushed outwards.
            across = np.array([-np.sin(other[2]), np.cos(other[2])])
            inner = across if across @ other[:2] < 0 else -across
            goal = other[:2] + 3 * RADIUS * inner
            return _towards(own, goal if np.hypot(*(goal - own[:2])) > 0.1 else other[:2])
        return np.array({"back": (-1.0, 0.0), "left": (0.0, 1.0), "right": (0.0, -1.0), "wait": (0.0, 0.0)}[word])

    def advise(self, world: World, player: int) -> str:
        """Charge unless the other robot comes head on; then go around it, but never along the edge."""
        own, other = _pose(world, player), _pose(world, 1 - player)
        head_on = abs(_bearing(other, own)) < _AHEAD and abs(_bearing(own, other)) < _AHEAD
        if np.hypot(*own[:2]) > RING - 0.2 and np.hypot(*other[:2]) < np.hypot(*own[:2]):
            return "centre" if not head_on else "flank"
        return "flank" if head_on else "charge"

    def judge(self, world: World) -> Verdict:
        """Who is out."""
        out = [bool(np.hypot(*_pose(world, player)[:2]) > RING) for player in (0, 1)]
        return Verdict(any(out), (float(out[1]) - float(out[0]), float(out[0]) - float(out[1])))


def _pose(world: World, player: int) -> np.ndarray:
    """x, y and heading of a robot, ``[3]``."""
    return world.joints[0, 3 * player : 3 * player + 3]


def _seen(pose: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """A vector of the ring ``[2]`` as a robot sees it: ahead and to the left."""
    return as_seen(vector, np.cos(pose[2]), np.sin(pose[2]))


def _bearing(pose: np.ndarray, point: np.ndarray) -> float:
    """The angle to the left at which a robot sees a point, in radians."""
    ahead, left = _seen(pose, point[:2] - pose[:2])
    return float(np.arctan2(left, ahead))


def _towards(pose: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Turn to a point, and drive at it once it is ahead."""
    bearing = _bearing(pose, point)
    return np.array([float(abs(bearing) < _AHEAD), np.clip(3.0 * bearing, -1.0, 1.0)])


def _cm(metres: float) -> str:
    return f"{round(100 * metres)} cm"


def _side(bearing: float) -> str:
    degrees = round(np.degrees(bearing) / 10) * 10
    if abs(degrees) <= 10:
        return "straight ahead"
    if abs(degrees) >= 170:
        return "behind"
    return f"{abs(degrees)} degrees to the {'left' if degrees > 0 else 'right'}"
