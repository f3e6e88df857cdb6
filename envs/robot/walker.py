"""The four-legged body: how its joints are driven, where its feet go, and what it feels of itself.

Legs are in the order front left, front right, back left, back right; each has three joints: ``swing`` turns it to the
left, ``hip`` backward, and ``knee`` is bent forward, below 0.  All lengths are in metres and all angles in radians;
``assets/quadruped.xml`` has the same ones.
"""

from __future__ import annotations

import numpy as np

from .plane import as_seen
from .world import World

LEGS, JOINTS = 4, 12
HIPS = np.array([[0.11, 0.06, -0.04], [0.11, -0.06, -0.04], [-0.11, 0.06, -0.04], [-0.11, -0.06, -0.04]])
"""Where each leg begins, from the middle of the trunk: ahead, to the left and up, ``[4, 3]``."""
LIMB = 0.11
"""The length of each of a leg's two parts."""
FEET = np.array([[0.0, 0.035, -0.155], [0.0, -0.035, -0.155]] * 2)
"""Where each foot stands, from its hip ``[4, 3]``: a little outward, since it is hardly tipped then."""
SOLE = 0.02
"""The radius of a foot."""
HEIGHT = float(SOLE - FEET[0, 2] - HIPS[0, 2])
"""Of the middle of the trunk when it stands."""
SPAN = np.tile([0.4, 1.0, 1.3], LEGS)
"""How far an action of 1 takes each joint from where it is in standing: far enough to fold a leg up."""
UPRIGHT, RAISED = 0.9, 0.16
"""What :func:`stands` asks for: the cosine of the tilt, and the height of the middle of the trunk."""


def legs_for(feet: np.ndarray) -> np.ndarray:
    """The joints ``[12]`` that bring each foot to where it is wanted from its hip, ``[4, 3]``, its knee backward.

    A foot out of reach is answered by a leg nearly straight.
    """
    x, y, z = feet.T
    down = np.hypot(y, z)
    bend = 2 * np.arccos(np.clip(np.hypot(x, down) / (2 * LIMB), 0.0, 0.99))
    return np.stack([np.arctan2(y, -z), np.arctan2(-x, down) + bend / 2, -bend], axis=1).ravel()


STANDING = legs_for(FEET)
"""The joints in standing, ``[12]``."""


def at(x: float, y: float, heading: float) -> np.ndarray:
    """All joints of a body that stands there: the trunk's position and quaternion, then the legs, ``[19]``."""
    return np.array([x, y, HEIGHT, np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2), *STANDING])


def command(actions: np.ndarray) -> np.ndarray:
    """The angles ``[N, 12]`` that actions ``[N, 12]`` tell the joints to go to; 0 is standing."""
    return STANDING + SPAN * actions


def position(world: World) -> np.ndarray:
    """Where the middle of the trunk is, ``[N, 3]``: a view."""
    return world.joints[:, :3]


def legs(world: World) -> np.ndarray:
    """The angles of the legs' joints, ``[N, 12]``: a view."""
    return world.joints[:, 7:]


def direction(world: World) -> np.ndarray:
    """The cosine and sine of the heading, seen from above, ``[N, 2]``."""
    w, x, y, z = world.joints[:, 3:7].T
    ahead, left = 1 - 2 * (y * y + z * z), 2 * (x * y + w * z)
    length = np.maximum(np.sqrt(ahead * ahead + left * left), 1e-9)
    return np.stack([ahead / length, left / length], axis=1)


def upward(world: World) -> np.ndarray:
    """Which way is up in the body's own frame, ``[N, 3]``; the last number is 1 upright and -1 on its back."""
    w, x, y, z = world.joints[:, 3:7].T
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)


def stands(world: World) -> np.ndarray:
    """Whether it is up on its legs, ``[N]``."""
    return (upward(world)[:, 2] > UPRIGHT) & (position(world)[:, 2] > RAISED)


def into_body(world: World, vectors: np.ndarray) -> np.ndarray:
    """Vectors of the floor ``[N, 2]`` as the body sees them: ahead and to the left."""
    return as_seen(vectors, *direction(world).T)


def feel(world: World) -> np.ndarray:
    """The body's own state, ``[N, 34]``.

    In this order: the trunk's speed ahead, to the left and up (3), its turning speeds about its own axes (3), which way
    is up (3), its height (1), the angles of the joints (12) and their speeds (12).
    """
    speeds = world.joint_speeds
    motion = [into_body(world, speeds[:, :2]), speeds[:, 2:6], upward(world), position(world)[:, 2:]]
    return np.concatenate([*motion, legs(world), speeds[:, 6:]], axis=1)
