"""Does a reward rank the right answer above many wrong ones?  The design of RewardMATH (arXiv:2410.01729).

One correct solution stands against several incorrect ones (nine there), of one kind of writing.  A reward that any
single wrong answer can beat is one that a policy will learn to beat; a comparison with one wrong answer misses that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...trajectory import Trajectory
from ..reward import Reward


@dataclass(frozen=True, slots=True)
class Ranking:
    """How a reward ranks, as shares of the problems.

    ``one_vs_many``: the correct solution is above all others.  ``one_vs_one``: the chance that it is above one of them,
    drawn at random.  ``reciprocal_rank``: the mean of 1 / its rank.  A tie counts as lost.
    """

    one_vs_many: float
    one_vs_one: float
    reciprocal_rank: float


def ranking(correct: np.ndarray, wrong: np.ndarray) -> Ranking:
    """From the scores of n correct solutions [n] and of the wrong ones of each problem [n, k]."""
    correct, wrong = np.asarray(correct, np.float64), np.asarray(wrong, np.float64)
    if wrong.ndim != 2 or correct.shape != wrong.shape[:1] or wrong.size == 0:
        raise ValueError(f"needs scores [n] and [n, k], not {correct.shape} and {wrong.shape}")
    beaten = correct[:, None] > wrong
    rank = 1 + (~beaten).sum(axis=1)
    return Ranking(float(beaten.all(axis=1).mean()), float(beaten.mean()), float((1 / rank).mean()))


def rank_solutions(reward: Reward, problems: Sequence[tuple[Trajectory, Sequence[Trajectory]]]) -> Ranking:
    """How a reward ranks problems, each a correct trajectory and several wrong ones; an episode counts with its total.

    All of a problem are scored as one group.  ValueError if some problem has more wrong ones than another, or one of
    them has no outcome.
    """
    totals = []
    for correct, wrong in problems:
        values = reward([correct, *wrong])
        if any(value is None for value in values):
            raise ValueError("a trajectory without an outcome cannot be ranked")
        totals.append([value.sum() for value in values if value is not None])
    if not totals or len({len(row) for row in totals}) != 1:
        raise ValueError("needs problems, with as many wrong solutions each")
    table = np.array(totals)
    return ranking(table[:, 0], table[:, 1:])
