"""A judge as a reward, and the names of judges that expressions may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...trajectory import Trajectory
from ..combinator import Operation, combinator
from ..combine import paid_at_the_end
from ..reward import Episodes, Scope, Values
from .judge import Judge, TextJudge
from .pairwise import preference_matrix, zero_sum_advantages
from .principles import Principled, SelfJudge
from .prompt import Case, Item, transcript
from .rubric import Rubric
from .verdict import neutral_mean
from .voting import Vote

__all__ = ["Principled", "Rubric", "SelfJudge", "TextJudge", "Vote", "judged"]

Criteria = str | Callable[[Trajectory], str]
Amounts = tuple[np.ndarray, np.ndarray]
"""What each judged episode is paid, and how far the judge abstained on it: both [episodes] float64."""


@combinator(Scope.GROUP)
def judged(
    judge: Judge,
    *,
    criteria: Criteria,
    form: str = "score",
    show: Callable[[Trajectory], Item] = transcript,
    name: str = "judged",
) -> Operation:
    """What a judge thinks of each episode, paid on its last turn.

    ``form`` is how the judge is asked.  ``"score"``: each episode alone, for 0 to 1.  ``"ranking"``: the whole group
    at once, for the share of the others that stand lower (at most 26).  ``"pair"``: every two, for advantages that sum
    to 0 (:func:`~palestra.rewards.judges.pairwise.zero_sum_advantages`).

    An episode on which the judge abstains is neutral: it is paid the mean of the judged members of its group, so that
    its advantage is 0; in a ranking that the judge refuses all are paid 0.5; a pair that it refuses is a tie.
    ``trajectory.rewards[f"{name}_abstained"]`` keeps on the last turn how far that was so, from 0 to 1 (of an
    episode's pairs, the share).  Several judges in one reward need different names.

    ``criteria`` are a text, or a function from the trajectory to one where tasks have criteria of their own; what
    compares episodes takes those of the first.  ``show`` turns a trajectory into what the judge sees.
    """
    asking: dict[str, Callable[[Judge, list[Item], list[str]], Amounts]]
    asking = {"score": _by_score, "ranking": _by_ranking, "pair": _by_pairs}
    if form not in asking:
        raise ValueError(f"judged: form is one of {', '.join(map(repr, asking))}, not {form!r}")
    if not isinstance(judge, Judge):
        raise TypeError(f"judged needs a judge, such as TextJudge(my_module:ask), not {judge!r}")
    if isinstance(criteria, str):
        judge.check_criteria(criteria)

    def operation(episodes: Episodes) -> Values:
        played = [index for index, trajectory in enumerate(episodes) if trajectory.turns]
        shown: list[Trajectory] = [episodes[index] for index in played]
        texts = [criteria if isinstance(criteria, str) else criteria(trajectory) for trajectory in shown]
        amounts, abstained = np.zeros(len(episodes)), np.zeros(len(episodes))
        if played:
            amounts[played], abstained[played] = asking[form](judge, [show(trajectory) for trajectory in shown], texts)
        episodes.record(f"{name}_abstained", paid_at_the_end(abstained, episodes))
        return paid_at_the_end(amounts, episodes)

    return operation


def _by_score(judge: Judge, items: list[Item], criteria: list[str]) -> Amounts:
    verdicts = judge.judge_all([Case((item,), text) for item, text in zip(items, criteria, strict=True)])
    return neutral_mean([verdict.score for verdict in verdicts]), np.array([float(v.abstain) for v in verdicts])


def _by_ranking(judge: Judge, items: list[Item], criteria: list[str]) -> Amounts:
    if len(items) == 1:
        return np.full(1, 0.5), np.zeros(1)
    [verdict] = judge.judge_all([Case(tuple(items), criteria[0])])
    if verdict.abstain:
        return np.full(len(items), 0.5), np.ones(len(items))
    return verdict.values(), np.zeros(len(items))


def _by_pairs(judge: Judge, items: list[Item], criteria: list[str]) -> Amounts:
    preferences = preference_matrix(judge, items, criteria[0])
    others: Any = max(len(items) - 1, 1)
    refused = (np.isnan(preferences).sum(axis=1) - 1) / others
    return zero_sum_advantages(preferences), refused
