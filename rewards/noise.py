"""Noise in a reward, for asking what a learner bears."""

from __future__ import annotations

import hashlib

import numpy as np

from ..trajectory import Trajectory
from .combinator import Operation, combinator
from .combine import totals
from .reward import Episodes, Reward, Scope, Values

__all__ = ["flipped"]


@combinator(Scope.EPISODE)
def flipped(reward: Reward, *, probability: float, low: float = 0.0, high: float = 1.0, seed: int = 0) -> Operation:
    """The reward, with some of the episodes' totals R mirrored to low + high - R.

    Each episode is mirrored with ``probability`` p.  For a reward in {low, high} the expected total is
    p (low + high) + (1 - 2p) R, so the order of two episodes survives in expectation for p < 0.5.  The difference goes
    to the last turn.

    Whether an episode is mirrored follows from ``seed``, the training step and what the episode is and did, not from
    the group around it: the same episode scored twice at one step agrees with itself.  Two episodes of a group that
    did exactly the same share their fate.

    Source: arXiv:2505.22653, which flips 40% of the rewards of math tasks.  Its code draws once for all answers to a
    question; this draws for each.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"flipped: probability {probability} is not between 0 and 1")

    def operation(episodes: Episodes) -> Values:
        values = episodes.values(reward)
        draws = np.array([_draw(trajectory, episodes.step, seed) for trajectory in episodes])
        change = np.where(draws < probability, low + high - 2 * totals(values), 0.0)
        result = [value.copy() for value in values]
        for value, amount in zip(result, change, strict=True):
            value[-1:] += amount
        return result

    return operation


def _draw(trajectory: Trajectory, step: int, seed: int) -> float:
    """A number in [0, 1) that depends on the arguments alone."""
    digest = hashlib.blake2b(digest_size=8)
    identity = (seed, step, trajectory.env_id, trajectory.task, trajectory.seed, trajectory.role, trajectory.split)
    digest.update(repr(identity).encode())
    for turn in trajectory.turns:
        action = turn.action.tolist() if isinstance(turn.action, np.ndarray) else turn.action
        digest.update(repr(turn.action_ids.tolist() if len(turn.action_ids) else action).encode())
    return int.from_bytes(digest.digest(), "big") / 2**64
