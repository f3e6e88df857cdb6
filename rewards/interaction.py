"""Rewards out of what several agents did to each other, read from how their game ended.

They are named by their module: ``--reward "env + 0.5*palestra.rewards.interaction:verdicts"``.  A game's outcome is
in the last turn's ``info["outcome"]`` of every role.
"""

from __future__ import annotations

from typing import Any

from ..trajectory import Trajectory
from .lift import episode_reward
from .reward import RewardError

__all__ = ["peers", "verdicts"]


@episode_reward
def verdicts(trajectory: Trajectory, role: str = "verifier") -> float:
    """How many of a critic's verdicts on steps were right, as a share; 0 for other roles, and if it gave none.

    Alone it is the first stage of Critique-RL (arXiv:2510.24320), which teaches to tell right from wrong; added to what
    a right answer in the end pays, it is the term that keeps this in the second stage, which teaches to be of help.
    Reads ``outcome["steps"]``, a list of ``{"true": bool, "verdict": bool}``.
    """
    if trajectory.role != role:
        return 0.0
    steps = _outcome(trajectory, "steps")
    return sum(step["true"] == step["verdict"] for step in steps) / len(steps) if steps else 0.0


@episode_reward
def peers(trajectory: Trajectory) -> float:
    """What an agent earned by its peers' scores in a discussion, whatever is true (CoMAS, arXiv:2510.08529).

    A score, brought to [0, 1], is paid to the one who answered, the rest of 1 to the one who criticised the answer.
    Reads ``outcome["interaction"]``, a list by the number that ends the role's name.
    """
    number = trajectory.role.rpartition("_")[2]
    paid = _outcome(trajectory, "interaction")
    if not number.isdigit() or int(number) >= len(paid):
        raise RewardError(f"peers: the role {trajectory.role!r} has no place among {len(paid)} agents")
    return float(paid[int(number)])


def _outcome(trajectory: Trajectory, key: str) -> Any:
    outcome = trajectory.turns[-1].info.get("outcome") or {}
    if key not in outcome:
        raise RewardError(f"{trajectory.env_id} ended without info['outcome'][{key!r}], which this reward reads")
    return outcome[key]
