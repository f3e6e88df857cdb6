"""Reward for searching, kept below the reward for finding."""

from __future__ import annotations

import numpy as np

from .builtin import turns
from .combinator import Operation, combinator
from .combine import paid_at_the_end, totals
from .reward import Episodes, Reward, RewardError, Scope, Values

__all__ = ["explored"]


@combinator(Scope.EPISODE)
def explored(outcome: Reward, *, steps: Reward = turns, cap: float = 8, weight: float = 0.2) -> Operation:
    """An outcome in [0, 1] mixed with a capped bonus for intermediate steps, both on the episode's last turn.

        (1 - weight) outcome + weight min(steps, cap) / cap

    ``steps`` is any reward whose total counts them: ``turns``, or ``response_length`` for tokens.  ``weight`` is below
    one half, so that no amount of steps without a right answer is worth as much as a right answer without steps.
    RewardError for an outcome outside [0, 1] or a negative number of steps.

    Source: RLSP (arXiv:2502.06773).  Its authors' code mixes 0.8 and 0.2, and pays for steps by subtracting 20 /
    (number of tokens) from the outcome, which has no cap but is never above 0; the cap is ours.
    """
    if not 0 <= weight < 0.5:
        raise ValueError(f"explored: weight {weight} is not in [0, 0.5), where a right answer beats any exploration")
    if not 0 < cap < np.inf:
        raise ValueError(f"explored: cap {cap} is not above 0")

    def operation(episodes: Episodes) -> Values:
        found, taken = totals(episodes.values(outcome)), totals(episodes.values(steps))
        if ((found < 0) | (found > 1)).any():
            raise RewardError(f"explored: {outcome} totals {found.min()} to {found.max()}, not within [0, 1]")
        if (taken < 0).any():
            raise RewardError(f"explored: {steps} counts {taken.min()} steps")
        return paid_at_the_end((1 - weight) * found + weight * np.minimum(taken, cap) / cap, episodes)

    return operation
