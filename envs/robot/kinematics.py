"""Forward and inverse kinematics of the arm in closed form, over whole batches.

The arm turns about the vertical (yaw), bends in that vertical plane (shoulder, elbow, wrist), and rolls its hand.  All
lengths are in metres and all angles in radians; ``assets/arm.xml`` has the same ones.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SHOULDER_HEIGHT = 0.3
UPPER, FORE, HAND = 0.35, 0.35, 0.15

LOWEST, HIGHEST = np.array([0.22, -0.34, 0.016]), np.array([0.62, 0.34, 0.4])
"""The corners of the box that the point between the fingertips is kept in."""


def grip_position(joints: np.ndarray) -> np.ndarray:
    """Where the point between the fingertips is: ``[N, 5]`` joint angles -> ``[N, 3]``, read-only."""
    return _grip_position(joints[:, :4].T.tobytes())


@lru_cache(maxsize=8)  # a step asks for the same few positions some twenty times
def _grip_position(joints: bytes) -> np.ndarray:
    # Contiguous, since NumPy rounds sines otherwise where the stride is another: batches must agree to the bit.
    yaw, first, elbow, wrist = np.frombuffer(joints).reshape(4, -1)
    second = first + elbow
    third = second + wrist
    reach = UPPER * np.sin(first) + FORE * np.sin(second) + HAND * np.sin(third)
    height = SHOULDER_HEIGHT + UPPER * np.cos(first) + FORE * np.cos(second) + HAND * np.cos(third)
    position = np.stack([reach * np.cos(yaw), reach * np.sin(yaw), height], axis=1)
    position.setflags(write=False)
    return position


def joints_for(position: np.ndarray) -> np.ndarray:
    """The joints that hold the gripper at ``[N, 3]``, pointing down, with the fingers opening along the world's x.

    The elbow is above.  A position out of reach is answered by the nearest stretch towards it.
    """
    x, y, z = np.ascontiguousarray(position.T)
    reach, height = np.hypot(x, y), z + HAND - SHOULDER_HEIGHT
    cosine = (reach**2 + height**2 - UPPER**2 - FORE**2) / (2 * UPPER * FORE)
    elbow = np.arccos(np.clip(cosine, -1.0, 1.0))
    shoulder = np.arctan2(reach, height) - np.arctan2(FORE * np.sin(elbow), UPPER + FORE * np.cos(elbow))
    yaw = np.arctan2(y, x)
    # Pointing down mirrors the hand, so rolling by the yaw undoes it.
    return np.stack([yaw, shoulder, elbow, np.pi - shoulder - elbow, yaw], axis=1)
