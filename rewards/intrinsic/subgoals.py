"""Subgoals: a plan's steps pay when a judge sees one reached."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...trajectory import Observation, Trajectory
from ..combinator import Operation, combinator
from ..reward import RewardError, Scope, place
from .state import Configured, arrivals, text_of

Planner = Callable[[Observation], Sequence[str]]
"""From an episode's first observation to its subgoals, in words."""
TransitionJudge = Callable[[str, Observation, Any, Observation], bool]
"""Whether the subgoal was reached by (observation, action, what it led to)."""
Ask = Callable[[str], str]
"""A language model: from a prompt to its answer."""


@combinator(Scope.EPISODE)
def subgoals(judge: TransitionJudge, goals: tuple[str, ...] | Planner) -> Operation:
    """1 on the turn where a subgoal is first reached, each subgoal once an episode; several may be reached in a turn.

    ``goals`` are the subgoals themselves, or a planner that names them for an episode.  The judge sees one transition
    at a time, and is not asked about a subgoal that was reached already.  A last turn whose outcome is not recorded
    reaches nothing.  RewardError if a planner names nothing.

    Source: CALM (arXiv:2409.12798), where a language model decomposes the task and judges the transitions; the
    environment's own reward stays as it is, beside this one.
    """
    if not callable(goals) and (not goals or not all(isinstance(goal, str) for goal in goals)):
        raise ValueError(f"subgoals needs the subgoals in words, or a planner that names them, not {goals!r}")

    def reached(trajectory: Trajectory) -> np.ndarray:
        values = np.zeros(len(trajectory.turns))
        if not trajectory.turns:
            return values
        open_goals = list(dict.fromkeys(goals(trajectory.turns[0].observation) if callable(goals) else goals))
        if not open_goals:
            raise RewardError(f"subgoals: the planner named none for {place(trajectory)}")
        for number, (turn, after) in enumerate(zip(trajectory.turns, arrivals(trajectory), strict=True)):
            if after is not None:
                met = [goal for goal in open_goals if judge(goal, turn.observation, turn.action, after)]
                values[number] = len(met)
                open_goals = [goal for goal in open_goals if goal not in met]
        return values

    return lambda episodes: [reached(trajectory) for trajectory in episodes]


class AskedPlanner(Configured):
    """A planner that asks a language model for a numbered list of at most ``most`` subgoals.

    Lines without a number are passed over; an answer without a numbered line names nothing.
    """

    def __init__(self, ask: Ask, most: int = 5) -> None:
        self.ask, self.most = ask, most

    def __call__(self, observation: Observation) -> list[str]:
        answer = self.ask(
            f"A task begins with this observation:\n{text_of(observation)}\n"
            f"Name at most {self.most} subgoals on the way to completing it, as a numbered list and nothing else."
        )
        found = re.findall(r"^\s*\d+[.)]\s*(\S.*?)\s*$", answer, re.MULTILINE)
        return list(dict.fromkeys(found))[: self.most]


class AskedJudge(Configured):
    """A judge that asks a language model whether a transition reached a subgoal.

    The first word "yes" or "no" of the answer counts; an answer with neither is a no.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def __call__(self, goal: str, before: Observation, action: Any, after: Observation) -> bool:
        answer = self.ask(
            f"Subgoal: {goal}\nBefore:\n{text_of(before)}\nAction: {action}\nAfter:\n{text_of(after)}\n"
            "Was the subgoal reached by this action? Answer yes or no."
        )
        word = re.search(r"\b(yes|no)\b", answer.lower())
        return word is not None and word[1] == "yes"
