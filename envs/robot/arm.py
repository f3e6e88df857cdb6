"""How the arm is driven and what it feels: actions to commands, and its own state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .family import Control
from .kinematics import HIGHEST, LOWEST, grip_position, joints_for
from .world import World

JOINTS = 5
OPEN = 0.04
"""How far each finger opens, in metres."""
HOME = np.array([0.38, 0.0, 0.22])
MOVE = 0.025
"""How far an action of 1 moves the commanded position in a step, in metres: 0.6 m/s."""
LEASH = 0.06
"""How far the commanded position may be ahead of the real one, in metres."""
TURN = 0.08
"""How far an action of 1 turns a commanded joint in a step, in radians."""
JOINT_LEASH = 0.2
LOWEST_JOINTS = np.array([-2.6, -1.6, 0.05, -0.8, -3.2])
HIGHEST_JOINTS = np.array([2.6, 2.2, 2.9, 3.2, 3.2])
CONTROLS: Mapping[Control, int] = {"end_effector": 4, "joint": 6}
"""How many numbers an action has; each is in [-1, 1], and the last one opens (1) or closes (-1) the gripper."""


def at_home() -> np.ndarray:
    """The joints of the arm at rest above the table with the gripper open, and the command that holds them: ``[7]``."""
    return np.append(joints_for(HOME[None])[0], [OPEN, OPEN])


def grip(world: World) -> np.ndarray:
    """Where the point between the fingertips is, ``[N, 3]``."""
    return grip_position(world.joints[:, :JOINTS])


def opening(world: World) -> np.ndarray:
    """The gap between the fingers in metres, ``[N]``."""
    return world.joints[:, JOINTS] + world.joints[:, JOINTS + 1]


def commanded(world: World) -> np.ndarray:
    """The position that the arm was last told to hold, ``[N, 3]``."""
    return grip_position(world.command[:, :JOINTS])


def command(world: World, actions: np.ndarray, control: Control) -> np.ndarray:
    """The servo targets that actions ``[N, A]`` lead to, ``[N, 7]``: joint angles, and the two fingers."""
    if control == "end_effector":
        here = grip(world)
        wanted = np.clip(commanded(world) + MOVE * actions[:, :3], here - LEASH, here + LEASH)
        angles = joints_for(np.clip(wanted, LOWEST, HIGHEST))
    else:
        here = world.joints[:, :JOINTS]
        wanted = world.command[:, :JOINTS] + TURN * actions[:, :JOINTS]
        angles = np.clip(wanted, here - JOINT_LEASH, here + JOINT_LEASH)
        angles = np.clip(angles, LOWEST_JOINTS, HIGHEST_JOINTS)
    fingers = OPEN * (actions[:, -1:] + 1) / 2
    return np.concatenate([angles, fingers, fingers], axis=1)


def feel(world: World) -> np.ndarray:
    """The arm's own state, ``[N, 18]``.

    In this order: the grip's position (3), how far the command is ahead of it (3), the gap between the fingers and its
    speed, joint angles (5) and joint velocities (5).
    """
    here = grip(world)
    gap, speed = opening(world), world.joint_speeds[:, JOINTS] + world.joint_speeds[:, JOINTS + 1]
    parts = [here, commanded(world) - here, gap[:, None], speed[:, None]]
    return np.concatenate([*parts, world.joints[:, :JOINTS], world.joint_speeds[:, :JOINTS]], axis=1)


def holds(world: World, number: int) -> np.ndarray:
    """Whether the gripper has closed on an object, ``[N]``: it is between the fingers, which stopped on it."""
    offset = np.abs(world.object_position(number) - grip(world))
    between = (offset[:, 0] < 0.015) & (offset[:, 1] < 0.02) & (offset[:, 2] < 0.022)
    still = np.abs(world.joint_speeds[:, JOINTS : JOINTS + 2]).max(axis=1) < 0.03
    closed = world.command[:, JOINTS] < 0.5 * OPEN
    return between & still & closed & (opening(world) > 0.02)


def is_free(world: World, number: int) -> np.ndarray:
    """Whether an object is out of the hand, ``[N]``: the fingers are wide open, or elsewhere."""
    away = np.sqrt(((world.object_position(number) - grip(world)) ** 2).sum(axis=1))
    return (opening(world) > 0.07) | (away > 0.05)


def towards(world: World, row: int, position: np.ndarray, gap: float, control: Control) -> np.ndarray:
    """The action ``[A]`` that brings a scene's gripper nearest to a position ``[3]`` with that gap, from 0 to 1."""
    if control == "end_effector":
        way = (position - commanded(world)[row]) / MOVE
    else:
        wanted = joints_for(np.clip(position, LOWEST, HIGHEST)[None])[0]
        way = (wanted - world.command[row, :JOINTS]) / TURN
    # All axes are slowed alike, so that the way is straight.
    way = way / max(1.0, float(np.abs(way).max()))
    return np.append(way, 2.0 * gap - 1.0).astype(np.float32)
