"""Rewards for how much is said: overlong and repetitive responses, and brevity that does not cost correctness.

Lengths are sampled tokens unless another reward is given as ``length``, such as ``turns``.
"""

from __future__ import annotations

import numpy as np

from ..trajectory import Turn
from .builtin import response_length
from .combinator import Operation, combinator
from .combine import paid_at_the_end, totals
from .lift import turn_reward
from .reward import Episodes, Reward, RewardError, Scope, Values

__all__ = ["brief_if_correct", "decoupled_length", "overlong", "repetition"]


@combinator()
def overlong(limit: int, buffer: int) -> Operation:
    """The soft overlong punishment of each turn, in [-1, 0]: min(0, -(n - (limit - buffer)) / buffer), at least -1.

    n is the number of sampled tokens.  It is 0 up to ``limit - buffer`` tokens and falls in a straight line to -1 at
    ``limit``.  Source: DAPO (arXiv:2503.14476), which trains with limit 20480 and buffer 4096.
    """
    if not 0 < buffer <= limit:
        raise ValueError(f"overlong needs 0 < buffer <= limit, got limit {limit} and buffer {buffer}")

    def operation(episodes: Episodes) -> Values:
        lengths = episodes.values(response_length)
        return [np.clip(-(values - (limit - buffer)) / buffer, -1.0, 0.0) for values in lengths]

    return operation


@turn_reward
def repetition(turn: Turn, ngram: int = 3) -> float:
    """The share of the turn's sampled n-grams of tokens that it had already used: 1 - distinct / all, in [0, 1).

    0 for a turn of fewer than ``ngram`` tokens.  Subtract it: ``success - 0.5*repetition(ngram=20)``.
    Source: the penalty of arXiv:2502.03373 (appendix C.2), here as in its common re-implementations, which count
    distinct n-grams.
    """
    if ngram < 1:
        raise RewardError(f"repetition: ngram {ngram} is below 1")
    if len(turn.action_ids) < ngram:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(turn.action_ids, ngram)
    return 1.0 - len(np.unique(windows, axis=0)) / len(windows)


@combinator(Scope.GROUP)
def brief_if_correct(
    correct: Reward, *, weight: float, share: float, threshold: float = 1.0, length: Reward = response_length
) -> Operation:
    """1 for a correct episode and 0 for another; shorter correct ones earn more where the group is mostly correct.

    An episode is correct if ``correct`` totals ``threshold``.  In a group of which at least ``share`` is, a correct one
    earns 1 - weight * sigmoid(z), with z its length less the mean of the correct ones', over their standard deviation
    (z = 0 where they are all equal).  ``share=0`` always penalises.  Paid on the last turn.

    Source: GRPO-lambda (arXiv:2505.18086), whose abstract has the switch by the group's ratio of correct answers.  A
    fixed ratio is ours; the paper is said to penalise the best fraction of a batch's groups.  The form of the penalty
    is our reading of arXiv:2502.04463.
    """
    if not 0 <= weight < 1:
        raise ValueError(
            f"brief_if_correct: weight {weight} is not in [0, 1), where a correct episode beats a wrong one"
        )
    if not 0 <= share <= 1:
        raise ValueError(f"brief_if_correct: share {share} is not between 0 and 1")

    def operation(episodes: Episodes) -> Values:
        is_correct = totals(episodes.values(correct)) >= threshold
        amounts = is_correct.astype(np.float64)
        if is_correct.any() and is_correct.mean() >= share:
            lengths = totals(episodes.values(length))[is_correct]
            spread = lengths.std()
            z = (lengths - lengths.mean()) / spread if spread > 0 else np.zeros_like(lengths)
            amounts[is_correct] -= weight / (1 + np.exp(-z))
        return paid_at_the_end(amounts, episodes)

    return operation


@combinator(Scope.GROUP)
def decoupled_length(
    correct: Reward,
    *,
    capacity: float,
    temperature: float = 0.1,
    threshold: float = 1.0,
    length: Reward = response_length,
) -> Operation:
    """Brevity judged among the correct episodes alone, so that a long correct one is still pushed up.

    A correct episode of length L earns w = exp(-L / (capacity * temperature)), divided by the sum over the group's
    correct ones; each of the n wrong ones earns -1/n.  The group then sums to 0, so that centring it changes nothing.
    A group that is all correct or all wrong earns 0.  Paid on the last turn.

    Source: DRPO (arXiv:2510.04474), whose weights for correct responses these are, with ``capacity`` the most tokens
    there may be and 0.1 the temperature in a public re-implementation.  Its objective weights the wrong ones by their
    likelihood, which a reward does not see: this is its limit at a high temperature tau.
    """
    if not (capacity > 0 and temperature > 0):
        raise ValueError(f"decoupled_length needs a capacity and temperature above 0, got {capacity} and {temperature}")

    def operation(episodes: Episodes) -> Values:
        is_correct = totals(episodes.values(correct)) >= threshold
        amounts = np.zeros(len(is_correct))
        if is_correct.any() and not is_correct.all():
            lengths = totals(episodes.values(length))[is_correct]
            weights = np.exp(-(lengths - lengths.min()) / (capacity * temperature))
            amounts[is_correct] = weights / weights.sum()
            amounts[~is_correct] = -1.0 / (~is_correct).sum()
        return paid_at_the_end(amounts, episodes)

    return operation
