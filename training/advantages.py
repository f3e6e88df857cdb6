"""Advantages: how much better each turn was than could be expected, from the rewards of a group.

An estimator is a registered function of plain arrays: the rewards of a group's scored trajectories, each ``[turns]``,
to their advantages, each ``[turns]``.  Every token that was sampled in a turn gets that turn's advantage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Advantage = Callable[[Sequence[np.ndarray]], list[np.ndarray]]

ADVANTAGES: dict[str, Advantage] = {}


def register_advantage(name: str) -> Callable[[Advantage], Advantage]:
    """Make an estimator available to recipes under ``name``."""

    def register(function: Advantage) -> Advantage:
        if name in ADVANTAGES:
            raise ValueError(f"an advantage named {name!r} is registered already")
        ADVANTAGES[name] = function
        return function

    return register


def _spread(values: np.ndarray, rewards: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One value per trajectory [n] to one per turn."""
    return [np.full(len(turns), value) for value, turns in zip(values, rewards, strict=True)]


@register_advantage("grpo")
def grpo(rewards: Sequence[np.ndarray]) -> list[np.ndarray]:
    """(R - mean) / std over the group's returns (GRPO, arXiv:2402.03300, eq. 4); all 0 where the returns are equal."""
    returns = np.array([turns.sum() for turns in rewards])
    centred = returns - returns.mean()
    deviation = returns.std()
    return _spread(centred / deviation if deviation > 1e-8 else np.zeros_like(centred), rewards)


@register_advantage("dr_grpo")
def dr_grpo(rewards: Sequence[np.ndarray]) -> list[np.ndarray]:
    """R - mean, without the division that favours groups of little variance (Dr. GRPO, arXiv:2503.20783)."""
    returns = np.array([turns.sum() for turns in rewards])
    return _spread(returns - returns.mean(), rewards)


@register_advantage("rloo")
def rloo(rewards: Sequence[np.ndarray]) -> list[np.ndarray]:
    """R minus the mean of the *others'* returns (RLOO, arXiv:2402.14740), that is n / (n - 1) (R - mean)."""
    returns = np.array([turns.sum() for turns in rewards])
    if len(returns) < 2:
        return _spread(np.zeros_like(returns), rewards)
    return _spread(len(returns) / (len(returns) - 1) * (returns - returns.mean()), rewards)
