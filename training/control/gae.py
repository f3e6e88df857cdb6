"""Generalised advantage estimation over steps of a vector environment."""

from __future__ import annotations

import numpy as np


def advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    terminated: np.ndarray,
    ended: np.ndarray,
    gamma: float,
    decay: float,
) -> np.ndarray:
    """GAE(gamma, decay) of every step, float32 (arXiv:1506.02438, equation 16).

    All arrays are [steps, envs], or [steps, envs, rewards] where there are several, each with values of its own.

    delta_t = r_t + gamma V(s'_t) - V(s_t) and A_t = delta_t + gamma decay A_{t+1}, where s'_t is what the action led
    to.  After a terminal state nothing follows, so V(s'_t) counts as 0.  An episode that was only cut off (truncated,
    or still under way at the end) goes on in principle: V(s'_t), of its *final* observation, stands for the rest.  In
    either case A_{t+1} is another episode's and does not enter.

    Args:
        next_values: V(s'_t); where an episode ended, of its final observation, not of the next one's first.
        terminated: where s'_t is a terminal state.
        ended: where the episode is over, in either way.
    """
    deltas = rewards + gamma * next_values * ~terminated - values
    carried = gamma * decay * ~ended
    result = np.empty_like(deltas, np.float32)
    following = np.zeros(rewards.shape[1:])
    for step in range(len(rewards) - 1, -1, -1):
        result[step] = following = deltas[step] + carried[step] * following
    return result
