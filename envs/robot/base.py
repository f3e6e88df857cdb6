"""The mobile base: how it is driven, and what it feels with its lidar."""

from __future__ import annotations

import numpy as np

from .plane import as_seen
from .world import World

SPEED = 0.8
"""Forward speed of an action of 1, in metres per second."""
SPIN = 1.8
"""Turning speed of an action of 1, in radians per second."""
RADIUS = 0.18
WALLS = 2.0
"""How far the walls are from the middle of the room, in metres."""
RAYS = 24
_ANGLES = 2 * np.pi * np.arange(RAYS) / RAYS


def command(world: World, actions: np.ndarray) -> np.ndarray:
    """The velocities that actions ``[N, 2]`` (forward, turn to the left) ask for, ``[N, 3]``: x, y and heading."""
    heading = np.ascontiguousarray(world.joints[:, 2])
    speed = SPEED * actions[:, 0]
    return np.stack([speed * np.cos(heading), speed * np.sin(heading), SPIN * actions[:, 1]], axis=1)


def into_body(world: World, vectors: np.ndarray) -> np.ndarray:
    """Vectors of the room ``[N, 2]`` as the base sees them: ahead and to the left."""
    heading = np.ascontiguousarray(world.joints[:, 2])
    return as_seen(vectors, np.cos(heading), np.sin(heading))


def lidar(world: World, pillars: int, radius: float) -> np.ndarray:
    """How far it is to the next wall or pillar along rays around the base, ``[N, RAYS]`` in metres from its middle.

    The first ray points ahead, the next ones turn to the left.  Pillars are the first ``pillars`` places, all of one
    radius in metres.
    """
    angles = world.joints[:, 2, None] + _ANGLES
    x, y = np.cos(angles), np.sin(angles)
    here = world.joints[:, :2]
    with np.errstate(divide="ignore"):
        along_x = (np.copysign(WALLS, x) - here[:, :1]) / x
        along_y = (np.copysign(WALLS, y) - here[:, 1:2]) / y
    found = np.minimum(along_x, along_y)
    for number in range(pillars):
        way = world.place_position(number)[:, :2] - here
        ahead = x * way[:, :1] + y * way[:, 1:]
        # The squared distance of the ray's line from the pillar's middle.
        aside = (way**2).sum(axis=1)[:, None] - ahead**2
        hit = (aside < radius**2) & (ahead > 0)
        found = np.where(hit, np.minimum(found, ahead - np.sqrt(np.maximum(radius**2 - aside, 0.0))), found)
    return found


def feel(world: World) -> np.ndarray:
    """The base's own motion, ``[N, 3]``: speed ahead, to the left, and turning speed."""
    return np.concatenate([into_body(world, world.joint_speeds[:, :2]), world.joint_speeds[:, 2:3]], axis=1)
