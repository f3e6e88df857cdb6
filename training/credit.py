"""Credit: from the episodes of a step to rows, by way of reward and advantage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..rewards import Reward, score
from ..trajectory import Group, Trajectory
from .advantages import Advantage, Scored
from .evaluation import solved
from .rows import Row, to_rows


def group(trajectories: Sequence[Trajectory], size: int) -> list[Group]:
    """Neighbours, ``size`` at a time, as groups."""
    return [Group(list(trajectories[start : start + size])) for start in range(0, len(trajectories), size)]


def assign(
    groups: Sequence[Group], reward: Reward, advantage: Advantage, step: int, regularised: bool = False
) -> tuple[list[Row], dict[str, float]]:
    """The rows that teach something, and what the step's episodes were like.

    Episodes without an outcome are left out of rewards, baselines and rows.  So are groups in which every advantage is
    0: their gradient is 0, unless the loss is ``regularised`` by more than advantages, and dropping them keeps them out
    of its denominator.
    """
    rows: list[Row] = []
    returns: list[float] = []
    parts: dict[str, list[float]] = {}
    mixed = 0
    for members in groups:
        score(reward, members, step=step)
        played = [trajectory for trajectory in members if trajectory.status.scored and trajectory.turns]
        if not played:
            continue
        scored = Scored.by(reward, played)
        advantages = advantage(scored)
        returns += scored.returns.tolist()
        for trajectory in played:
            for name, turns in trajectory.rewards.items():
                parts.setdefault(name, []).append(float(turns.sum()))
        taught = any(value.any() for value in advantages)
        mixed += taught
        if taught or regularised:
            rows += [
                row for trajectory, value in zip(played, advantages, strict=True) for row in to_rows(trajectory, value)
            ]
    return rows, _describe(groups, returns, parts, mixed)


def _describe(
    groups: Sequence[Group], returns: list[float], parts: dict[str, list[float]], mixed: int
) -> dict[str, float]:
    episodes = [trajectory for members in groups for trajectory in members]
    scored = [trajectory for trajectory in episodes if trajectory.status.scored]
    turns = [turn for trajectory in scored for turn in trajectory.turns]
    return {
        "train/reward": float(np.mean(returns)) if returns else float("nan"),
        "train/success": float(np.mean([solved(trajectory) for trajectory in scored])),
        "train/score": float(np.mean([trajectory.score for trajectory in scored])),
        "train/turns": len(turns) / len(scored),
        "train/tokens": float(sum(len(turn.context_ids) + len(turn.action_ids) for turn in turns)),
        "train/sampled_tokens": float(sum(len(turn.action_ids) for turn in turns)),
        "train/mixed_groups": mixed / len(groups),
        "train/faults": float(len(episodes) - len(scored)),
        **{f"reward/{name}": float(np.mean(values)) for name, values in parts.items()},
    }
