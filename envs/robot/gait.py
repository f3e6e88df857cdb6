"""How a script moves the four-legged body: a trot that can be steered, and getting up.

A trot needs a phase, and takes it from the simulation's time, so that it too looks only at how things are now.
"""

from __future__ import annotations

import numpy as np

from . import walker
from .world import World

SPEED = 0.4
"""Forward speed in metres per second at full pace."""
SPIN = 1.5
"""Turning speed in radians per second at full turn."""
PERIOD = 0.4
"""How long two strides take, in seconds."""
LIFT = 0.04
"""How high a foot is lifted, in metres."""
OFFSETS = np.array([0.0, 0.5, 0.5, 0.0])
"""Diagonal legs step together."""
FOLDED = np.tile([0.0, 1.0, -1.0], walker.LEGS).astype(np.float32)
"""The action that draws all legs in, so that the trunk, which is round and heavy below, rolls onto its belly."""
RISE = 0.5
"""How far a leg that rises is told to go at once, in radians; faster, and the body leaps and falls over again."""


def move(world: World, row: int, ahead: float, turn: float) -> np.ndarray:
    """The action ``[12]`` that goes on with a scene's trot; where the body lies, the one that gets it up.

    ``ahead`` and ``turn`` (to the left) are shares of full speed, in [-1, 1].
    """
    if walker.upward(world)[row, 2] < walker.UPRIGHT:
        return FOLDED
    if not walker.stands(world)[row]:
        angles = walker.legs(world)[row]
        return _towards(np.clip(walker.STANDING, angles - RISE, angles + RISE))
    return _towards(trot(float(world.state[row, 0]) + world.time_step, SPEED * ahead, SPIN * turn))


def trot(time: float, speed: float, spin: float) -> np.ndarray:
    """The joints ``[12]`` of a trot at that time in seconds, speeds in metres and radians per second."""
    phase = (time / PERIOD + OFFSETS) % 1.0
    down = phase < 0.5
    # From half a stride ahead to half a stride behind on the ground, and back through the air, gently at both ends.
    along = np.where(down, 0.5 - 2 * phase, 0.5 * np.cos(2 * np.pi * phase))
    stand = walker.HIPS + walker.FEET
    stride = np.stack([speed - spin * stand[:, 1], spin * stand[:, 0]], axis=1) * PERIOD / 2
    feet = walker.FEET.copy()
    feet[:, :2] += stride * along[:, None]
    feet[:, 2] += np.where(down, 0.0, -LIFT * np.sin(2 * np.pi * phase))
    return walker.legs_for(feet)


def _towards(joints: np.ndarray) -> np.ndarray:
    """The action ``[12]`` that tells the joints to go there."""
    return np.clip((joints - walker.STANDING) / walker.SPAN, -1.0, 1.0).astype(np.float32)
