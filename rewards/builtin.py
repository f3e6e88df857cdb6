"""Rewards that need no model: what the environment paid, whether it was solved, how it was acted in."""

from __future__ import annotations

import numpy as np

from ..trajectory import Status, Trajectory, Turn
from .lift import episode_reward, turn_reward
from .reward import RewardError

__all__ = [
    "env",
    "invalid_action",
    "progress",
    "response_length",
    "solved",
    "success",
    "truncated",
    "turns",
    "valid_action",
]


@turn_reward
def env(turn: Turn) -> float:
    """The environment's own reward."""
    return turn.reward


@episode_reward
def success(trajectory: Trajectory) -> float:
    """1 on the last turn if the environment says ``info["success"]`` there, else 0.

    An episode that was cut short before the environment said either counts as not solved.  RewardError for one that
    ran to its end in an environment that does not say it; :func:`solved` then judges by the score.
    """
    info = trajectory.turns[-1].info
    if "success" in info:
        return float(bool(info["success"]))
    if trajectory.status is Status.TRUNCATED:
        return 0.0
    raise RewardError(
        f'success: {trajectory.env_id} ended without info["success"]; '
        f"use solved(threshold=...), which compares the environment's score, or env"
    )


@episode_reward
def solved(trajectory: Trajectory, threshold: float = 1.0) -> float:
    """1 on the last turn if the environment's own rewards sum to at least ``threshold``, else 0."""
    return float(trajectory.score >= threshold)


@episode_reward
def valid_action(trajectory: Trajectory) -> np.ndarray:
    """The fraction of turns whose action the environment understood (``info["valid_action"]``), paid on those turns.

    Each valid one of T turns pays 1/T, so that an episode earns at most 1 and taking more turns earns nothing.
    """
    valid = [_is_valid(turn) for turn in trajectory.turns]
    return np.array(valid, np.float64) / len(valid)


@turn_reward
def invalid_action(turn: Turn) -> float:
    """1 on each turn whose action the environment did not understand (``info["valid_action"]`` is false)."""
    return float(not _is_valid(turn))


@turn_reward
def progress(turn: Turn) -> float:
    """How far the task is after the turn, ``info["progress"]``; ``delta(progress)`` pays what each turn adds to it."""
    if "progress" not in turn.info:
        raise RewardError('the environment does not say info["progress"]; some do so when made with progress=True')
    return float(turn.info["progress"])


@turn_reward
def turns(turn: Turn) -> float:
    """1 on each turn."""
    return 1.0


@turn_reward
def response_length(turn: Turn) -> float:
    """The number of tokens sampled in the turn."""
    return float(len(turn.action_ids))


@episode_reward
def truncated(trajectory: Trajectory) -> float:
    """1 on the last turn of an episode that was cut short."""
    return float(trajectory.status is Status.TRUNCATED)


def _is_valid(turn: Turn) -> bool:
    if "valid_action" not in turn.info:
        raise RewardError('the environment does not say info["valid_action"]')
    return bool(turn.info["valid_action"])
