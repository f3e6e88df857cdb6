"""Small worlds for asking what a transformed reward teaches, and rewards that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, turn_reward

from .lab import TabularPolicy


@turn_reward
def read(turn: Turn, key: str = "true") -> float:
    """What ``info`` says under the key; absent is 0."""
    return float(turn.info.get(key, 0.0))


class Text(gymnasium.Env[str, str]):
    """An environment of the lab: texts in and out."""

    observation_space = gymnasium.spaces.Text(200)
    action_space = gymnasium.spaces.Text(200)


class Arms(Text):
    """One choice; ``info`` is what the chosen arm reports, and ``info["success"]`` is drawn where it has ``"p"``."""

    def __init__(self, arms: Mapping[str, Mapping[str, float]], seed: int = 0) -> None:
        self.arms = arms
        # Its own generator: the episodes of a group share their seed, and answers must fail independently.
        self.rng = np.random.default_rng(seed)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "choose", {"legal_actions": list(self.arms)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        arm = self.arms[action]
        info = {**arm, "legal_actions": []}
        if "p" in arm:
            info["success"] = bool(self.rng.random() < arm["p"])
        return "done", float(arm.get("true", 0.0)), True, False, info


def expected(env: Arms, policy: TabularPolicy, key: str) -> float:
    """The policy's expected value of what the arms report under the key."""
    probabilities = policy.probabilities("choose", list(env.arms))
    return float(probabilities @ np.array([arm.get(key, 0.0) for arm in env.arms.values()]))


def episode(
    status: Status = Status.TERMINATED, tokens: list[list[int]] | None = None, **columns: list[Any]
) -> Trajectory:
    """An episode whose infos hold one column of values per name."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    turns = [Turn("o", f"a{index}", info=row) for index, row in enumerate(rows)]
    for turn, ids in zip(turns, tokens or [], strict=False):
        turn.action_ids = np.array(ids, np.int32)
    return Trajectory("X-v0", None, 0, turns, status)


def lists(reward: Reward, group: list[Trajectory], step: int = 0) -> list[Any]:
    """The values as lists."""
    return [None if value is None else value.tolist() for value in reward(group, step=step)]


def mean_info(key: str) -> Callable[[list[Group]], float]:
    """A ``measure`` for the lab: the mean over episodes of what the last turn's info says under the key."""
    return lambda batch: float(np.mean([float(t.turns[-1].info.get(key, 0.0)) for group in batch for t in group]))


class Job(Text):
    """``work`` often enough and the job is done; other actions report something and bring nothing nearer.

    The observation is the number of works done.  ``info["success"]`` is said on every turn.
    """

    def __init__(self, works: int, horizon: int, idle: Mapping[str, Mapping[str, float]], **working: float) -> None:
        self.works, self.horizon, self.idle, self.working = works, horizon, idle, working

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.done, self.time = 0, 0
        return "0", {"legal_actions": ["work", *self.idle]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.time += 1
        self.done += action == "work"
        finished = self.done == self.works
        report = self.working if action == "work" else self.idle[action]
        info = {**report, "success": finished, "legal_actions": ["work", *self.idle]}
        return str(self.done), float(finished), finished, self.time == self.horizon, info
