"""Rewards for getting further: along a route with infractions, or from one attempt to the next."""

from __future__ import annotations

import numpy as np

from .combinator import Operation, combinator
from .reward import Episodes, Reward, RewardError, Scope, Values, place

__all__ = ["improvement", "penalized_progress", "up_to"]


@combinator()
def penalized_progress(progress: Reward, *penalties: Reward) -> Operation:
    """The turn's progress times every penalty factor: r_t = progress_t * prod_i p_i,t, with each p in [0, 1].

    ``progress`` is what the turn added, such as ``delta(completion)``.  Infractions can only take from progress, so
    standing still pays nothing and there is one thing to maximise.  RewardError for a factor outside [0, 1].
    Source: CaRL (arXiv:2504.17838) and its authors' code, which subtracts a constant where a hard infraction ends the
    episode: ``penalized_progress(...) - 1.0*crashed``, see also :func:`up_to`.
    """

    def operation(episodes: Episodes) -> Values:
        paid = episodes.values(progress)
        for penalty in penalties:
            factors = episodes.values(penalty)
            for factor, trajectory in zip(factors, episodes, strict=True):
                if ((factor < 0) | (factor > 1)).any():
                    turn = int(np.flatnonzero((factor < 0) | (factor > 1))[0])
                    raise RewardError(
                        f"penalized_progress: the factor {penalty} is {factor[turn]}, outside [0, 1], "
                        f"at turn {turn} of {place(trajectory)}"
                    )
            paid = [values * factor for values, factor in zip(paid, factors, strict=True)]
        return paid

    return operation


@combinator(Scope.PAST)
def up_to(reward: Reward, *, infraction: Reward) -> Operation:
    """The reward up to and including the first turn on which ``infraction`` is above 0, and 0 after it."""

    def operation(episodes: Episodes) -> Values:
        pairs = zip(episodes.values(reward), episodes.values(infraction), strict=True)
        return [values * (np.cumsum(broken > 0) - (broken > 0) == 0) for values, broken in pairs]

    return operation


@combinator(Scope.PAST)
def improvement(attempts: Reward) -> Operation:
    """Each attempt's gain over the one before, v_t - v_(t-1), and 0 on the first.

    For episodes whose turns are attempts at one task: ``attempt + 2.0*improvement(attempt)`` amplifies a correction and
    punishes spoiling a right answer.  With a weight above 1 an episode earns more by failing first: keep the first
    attempt near its start by other means, as the paper does in its first stage.
    Source: SCoRe (arXiv:2409.12917), bonus alpha * (r(y_2) - r(y_1)) on the second attempt.
    """
    return lambda episodes: [
        np.diff(values, prepend=values[:1]) if len(values) else values for values in episodes.values(attempts)
    ]
