"""Skill discovery: to be rewarded for being told apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...trajectory import Trajectory
from ..reward import RewardError, place
from .features import Key
from .state import Source, arrivals, scored, text_of


class SkillDiscriminator(Source):
    """log q(z | s) - log p(z): how surely what a turn leads to tells which of ``skills`` skills the agent follows.

    The skill z is the trajectory's ``task``, from 0 on, and p is uniform.  q counts: (n(s, z) + smoothing) / (n(s) +
    smoothing * skills), where ``key`` says which observations are one s.  Its mean bounds the mutual information of
    skills and states from below.  RewardError for a task that is not a skill.

    Source: DIAYN (arXiv:1802.06070), the mutual-information reward that SLIM (arXiv:2402.00823) combines with others;
    theirs have a network for q.
    """

    def __init__(self, skills: int, key: Key = text_of, smoothing: float = 1.0) -> None:
        if skills < 2 or not smoothing > 0:
            raise ValueError(f"SkillDiscriminator: {skills} skills, smoothing {smoothing}; needs two, and above 0")
        self.skills, self.key, self.smoothing = skills, key, smoothing
        self._counts: dict[str, list[int]] = {}

    def bonus(self, trajectory: Trajectory) -> np.ndarray:
        """Of each turn, [turns] float64, at most log(skills)."""
        skill = self._skill(trajectory)
        values = np.zeros(len(trajectory.turns))
        for turn, seen in enumerate(arrivals(trajectory)):
            if seen is not None:
                counts = self._counts.get(self.key(seen), [0] * self.skills)
                share = (counts[skill] + self.smoothing) / (sum(counts) + self.smoothing * self.skills)
                values[turn] = math.log(share * self.skills)
        return values

    def update(self, group: Sequence[Trajectory]) -> None:
        """Count which skill led where."""
        for trajectory in scored(group):
            skill = self._skill(trajectory)
            for seen in arrivals(trajectory):
                if seen is not None:
                    self._counts.setdefault(self.key(seen), [0] * self.skills)[skill] += 1

    def snapshot(self) -> dict[str, Any]:
        """The counts."""
        return {"counts": {key: list(counts) for key, counts in self._counts.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the counts of a snapshot."""
        self._counts = {str(key): [int(count) for count in counts] for key, counts in state["counts"].items()}

    def _skill(self, trajectory: Trajectory) -> int:
        if trajectory.task is None or not 0 <= trajectory.task < self.skills:
            raise RewardError(f"SkillDiscriminator: task is not one of {self.skills} skills, for {place(trajectory)}")
        return trajectory.task
