"""What counts as good: rewards are values that read a group of trajectories and give each turn a number."""

from __future__ import annotations

from .lift import episode_reward, group_reward, turn_reward
from .parse import RewardParseError, parse_reward
from .reward import Reward, RewardError, Scope, objectives, score

__all__ = [
    "Reward",
    "RewardError",
    "RewardParseError",
    "Scope",
    "episode_reward",
    "group_reward",
    "objectives",
    "parse_reward",
    "score",
    "turn_reward",
]
