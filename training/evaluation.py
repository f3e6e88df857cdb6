"""Evaluation: success rate and score on held-out tasks, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..trajectory import Trajectory


@dataclass(frozen=True)
class Result:
    """How an agent did on the tasks of a split.

    ``success`` is the share of tasks solved, with its 95% Wilson interval; ``score`` the mean of the environment's own
    summed reward, with a 95% normal interval; ``turns`` the mean length.  ``solved_within`` has the share of tasks that
    are solved within one turn, within two, and so on to the last one that solved any.  Faults and timeouts are counted,
    not scored.
    """

    agent: str
    step: int
    split: str
    tasks: int
    success: float
    success_low: float
    success_high: float
    score: float
    score_low: float
    score_high: float
    turns: float
    faults: int
    solved_within: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a JSON line."""
        return asdict(self)


def solved(trajectory: Trajectory) -> bool:
    """Whether the last turn's ``info["success"]`` says so; without one, whether the score is at least 1."""
    if not trajectory.turns:
        return False
    return bool(trajectory.turns[-1].info.get("success", trajectory.score >= 1.0))


def summarise(agent: str, step: int, split: str, trajectories: Sequence[Trajectory]) -> Result:
    """The result of an agent that played ``trajectories``, one per task.

    Raises:
        ValueError: if none of them has an outcome.
    """
    scored = [trajectory for trajectory in trajectories if trajectory.status.scored]
    if not scored:
        raise ValueError(f"none of {len(trajectories)} evaluation episodes has an outcome")
    low, high = wilson(sum(map(solved, scored)), len(scored))
    scores = np.array([trajectory.score for trajectory in scored])
    lengths = np.array([len(trajectory.turns) for trajectory in scored if solved(trajectory)], int)
    margin = 1.96 * scores.std(ddof=1) / len(scores) ** 0.5 if len(scored) > 1 else 0.0
    return Result(
        agent=agent,
        step=step,
        split=split,
        tasks=len(scored),
        success=float(np.mean([solved(trajectory) for trajectory in scored])),
        success_low=low,
        success_high=high,
        score=float(scores.mean()),
        score_low=float(scores.mean() - margin),
        score_high=float(scores.mean() + margin),
        turns=float(np.mean([len(trajectory.turns) for trajectory in scored])),
        faults=len(trajectories) - len(scored),
        solved_within=(np.cumsum(np.bincount(lengths))[1:] / len(scored)).tolist(),
    )


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson, 1927); z = 1.96 for 95%."""
    share = successes / trials
    centre = share + z * z / (2 * trials)
    margin = z * (share * (1 - share) / trials + z * z / (4 * trials * trials)) ** 0.5
    scale = 1 + z * z / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)
