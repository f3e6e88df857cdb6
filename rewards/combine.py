"""Operators on rewards beyond ``+``, ``-`` and scaling.  Each is written ``gate(valid_action, by=success)``."""

from __future__ import annotations

import numpy as np

from .combinator import Operation, combinator
from .reward import Reward


@combinator()
def clip(reward: Reward, low: float | None = None, high: float | None = None) -> Operation:
    """Each turn's value bounded to [low, high]; None leaves a side open."""
    if low is None and high is None:
        raise ValueError("clip needs low, high or both")
    if low is not None and high is not None and low > high:
        raise ValueError(f"clip: low {low} is above high {high}")
    return lambda episodes: [np.clip(values, low, high) for values in episodes.values(reward)]
