"""Rewards without labels: what the answers of a group say about each other.

An episode's answer is ``info[answer]`` of its last turn or, with ``pattern``, the last match of that regular expression
in its last action (its first parenthesis, if it has one).  An action that does not match has no answer, and neither
has an episode whose ``info[answer]`` is None or blank: it votes for nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ..trajectory import Group, Trajectory
from .lift import group_reward
from .likelihood.scorer import written
from .reward import RewardError, place

__all__ = ["answer_frequency", "cross_vote", "majority_vote"]

Answer = Hashable | None


@group_reward
def majority_vote(group: Group, answer: str = "answer", pattern: str | None = None) -> list[float]:
    """1 to the episodes with the group's most frequent answer, on the last turn.

    Where several answers are the most frequent, each of them pays, so that the order of a group does not matter.
    Source: the vote of TTRL (arXiv:2504.16084).
    """
    answers = _answers(group, answer, pattern)
    elected = _elected(answers)
    return [float(given in elected) for given in answers]


@group_reward
def answer_frequency(
    group: Group, alpha: float = 0.75, answer: str = "answer", pattern: str | None = None
) -> list[float]:
    """How frequent the episode's answer is in the group, less ``alpha`` times the entropy of the answers:

        p(y_i) - alpha * H(p),  p(y) = count(y) / answers given,  H(p) = -sum of p log p, in nats

    Paid on the last turn; an episode without an answer has frequency 0.  H is the same for the whole group, so it moves
    no advantage that is relative to the group: with those, only the frequency teaches.

    It raises whatever is already most frequent, right or wrong.  Source: TTRV (arXiv:2510.06783, eqs. 3-7), which
    leaves alpha open; 0.75 is what a public fork of its code uses, on an entropy divided by its maximum.
    """
    answers = _answers(group, answer, pattern)
    counts = Counter(given for given in answers if given is not None)
    shares = {given: count / counts.total() for given, count in counts.items()}
    entropy = -sum(share * np.log(share) for share in shares.values())
    return [shares.get(given, 0.0) - alpha * entropy for given in answers]


@group_reward
def cross_vote(group: Group, by: str = "wording", answer: str = "answer", pattern: str | None = None) -> list[float]:
    """1 to the episodes whose answer is the most frequent one on the *other* side, on the last turn.

    The group holds answers to two wordings of one question, told apart by ``info[by]`` of the last turn.  Each side's
    vote is the other's label, so that a mistake one wording invites does not confirm itself.  A side that is empty or
    has no answers elects nothing, and pays the other 0.  RewardError for more than two sides.
    Source: Co-Reward (arXiv:2508.00410).  There, each wording has a baseline of its own.
    """
    answers = _answers(group, answer, pattern)
    sides = [_info(trajectory, by) if trajectory.turns else None for trajectory in group]
    names = {side for side, trajectory in zip(sides, group, strict=True) if trajectory.turns}
    if len(names) > 2:
        raise RewardError(f"cross_vote: info[{by!r}] must tell two wordings apart, got {sorted(map(repr, names))}")
    elected = {
        name: _elected([given for given, side in zip(answers, sides, strict=True) if side != name]) for name in names
    }
    return [float(given in elected.get(side, ())) for given, side in zip(answers, sides, strict=True)]


def _answers(group: Group, answer: str, pattern: str | None) -> list[Answer]:
    return [_answer(trajectory, answer, pattern) for trajectory in group]


def _answer(trajectory: Trajectory, answer: str, pattern: str | None) -> Answer:
    if not trajectory.turns:
        return None
    if pattern is None:
        given = _info(trajectory, answer)
    else:
        matches = list(re.finditer(pattern, written(trajectory)))
        given = matches[-1][1 if matches[-1].re.groups else 0] if matches else None
    return (given.strip() or None) if isinstance(given, str) else given


def _info(trajectory: Trajectory, key: str) -> Answer:
    """What the last turn's info says."""
    info = trajectory.turns[-1].info
    if key not in info:
        raise RewardError(f"no info[{key!r}] in the last turn of {place(trajectory)}")
    value: Any = info[key]
    try:
        hash(value)
    except TypeError as error:
        raise RewardError(f"info[{key!r}] of {place(trajectory)} cannot be counted: {value!r:.80}") from error
    return value


def _elected(answers: Sequence[Answer]) -> set[Answer]:
    """The most frequent answers; more than one if they tie."""
    counts = Counter(given for given in answers if given is not None)
    most = max(counts.values(), default=0)
    return {given for given, count in counts.items() if count == most}
