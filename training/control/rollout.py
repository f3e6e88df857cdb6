"""What an iteration of an on-policy algorithm is learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Rollout:
    """``horizon`` steps of every environment, in arrays [horizon, envs, ...]; observations are raw.

    ``actions`` are the policy's own, before any clipping; ``valid`` is false where an environment took none.
    """

    observations: np.ndarray
    next_observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    ended: np.ndarray
    valid: np.ndarray

    @classmethod
    def empty(cls, horizon: int, envs: int, observation_size: int, action_size: int) -> Rollout:
        """Room for one."""
        each = (horizon, envs)
        seen = (*each, observation_size)
        before, after, actions = (np.empty(shape, np.float32) for shape in (seen, seen, (*each, action_size)))
        terminated, ended, valid = (np.empty(each, bool) for _ in range(3))
        return cls(before, after, actions, np.empty(each), terminated, ended, valid)
