"""What counts as good: rewards are values that read a group of trajectories and give each turn a number.

:mod:`.multi_agent` holds the wrappers for PettingZoo, which is not installed with Palestra.
"""

from __future__ import annotations

from .builtin import env, invalid_action, progress, response_length, solved, success, truncated, turns, valid_action
from .combinator import Operation, combinator
from .combine import (
    anneal,
    clip,
    delta,
    gate,
    harmonic,
    lexicographic,
    named,
    product,
    route,
    trust_weighted,
    worst_of,
)
from .lift import episode_reward, group_reward, turn_reward
from .parse import RewardParseError, parse_reward
from .reward import Episodes, Reward, RewardError, Scope, Values, objectives, score
from .schedule import Schedule, cosine, exponential, linear
from .wrapper import RewardWrapper

__all__ = [
    "Episodes",
    "Operation",
    "Reward",
    "RewardError",
    "RewardParseError",
    "RewardWrapper",
    "Schedule",
    "Scope",
    "Values",
    "anneal",
    "clip",
    "combinator",
    "cosine",
    "delta",
    "env",
    "episode_reward",
    "exponential",
    "gate",
    "group_reward",
    "harmonic",
    "invalid_action",
    "lexicographic",
    "linear",
    "named",
    "objectives",
    "parse_reward",
    "product",
    "progress",
    "response_length",
    "route",
    "score",
    "solved",
    "success",
    "truncated",
    "trust_weighted",
    "turn_reward",
    "turns",
    "valid_action",
    "worst_of",
]
