"""Rewards in front of an environment, for learners that only know Gymnasium."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from ..trajectory import Status, Trajectory, Turn
from .reward import TOTAL, Reward, Scope, score


class RunningReward:
    """Pays a reward while an episode runs, to one agent.

    The terms of the outermost sum that need no later turn are paid at each turn, the others whole when the episode
    ends: over the episode that comes to what :func:`~palestra.rewards.score` gives.  Raises ValueError for a reward
    that compares the episodes of a group.
    """

    def __init__(self, reward: Reward) -> None:
        if reward.scope is Scope.GROUP:
            culprits = [str(part) for part in reward.parts.values() if part.scope is Scope.GROUP] or [str(reward)]
            raise ValueError(
                f"{', '.join(culprits)} compares the episodes of a group, but an environment plays one episode at a "
                f"time and pays for it before there is another; score groups with score(reward, group) instead"
            )
        self.reward = reward
        self._trajectory: Trajectory | None = None

    def start(self, env_id: str, task: int | None = None, seed: int | None = None, role: str = "agent") -> None:
        """Begin an episode."""
        self._trajectory = Trajectory(env_id, task, 0 if seed is None else seed, role=role)

    def pay(self, turn: Turn, terminated: bool, truncated: bool, step: int) -> tuple[float, dict[str, float]]:
        """What the turn pays at training step ``step``, and the parts by name, unweighted, with the ``"total"``."""
        if self._trajectory is None:
            raise gym.error.ResetNeeded("call reset before step, and after the end of an episode")
        trajectory = self._trajectory
        if self.reward.scope is not Scope.TURN:
            trajectory.turns.append(turn)
        trajectory.status = Status.TERMINATED if terminated else Status.TRUNCATED
        ended = terminated or truncated
        if ended:
            self._trajectory = None
        total = 0.0
        parts: dict[str, float] = {}
        for weight, term in self.reward.terms:
            if term.scope > Scope.PAST and not ended:
                continue
            seen = replace(trajectory, turns=[turn] if term.scope is Scope.TURN else trajectory.turns, rewards={})
            score(term, [seen], step)
            paid = {
                name: float(values.sum() if term.scope > Scope.PAST else values[-1])
                for name, values in seen.rewards.items()
            }
            total += weight * paid.pop(TOTAL)
            # What is paid turn by turn is reported so, whatever else reads it.
            parts = paid | parts if term.scope > Scope.PAST else parts | paid
        return total, parts | {TOTAL: total}


class RewardWrapper(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment that pays a reward of yours.

    ``info["env_reward"]`` keeps what the environment itself paid, and ``info["rewards"]`` the parts by name; rewards
    that need a whole episode are paid when it ends, so a time limit belongs inside this wrapper.  Set ``training_step``
    for rewards that are annealed.  Raises ValueError for a reward that compares the episodes of a group.

    >>> import gymnasium as gym
    >>> from palestra.rewards import RewardWrapper, env, turns
    >>> lake = RewardWrapper(gym.make("FrozenLake-v1"), env - 0.01 * turns)
    >>> observation, info = lake.reset(seed=0)
    >>> lake.step(0)[1]
    -0.01
    """

    def __init__(self, env: gym.Env[Any, Any], reward: Reward) -> None:
        RecordConstructorArgs.__init__(self, reward=reward)
        gym.Wrapper.__init__(self, env)
        self.training_step = 0
        self._running = RunningReward(reward)
        self._observation: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._observation, info = self.env.reset(seed=seed, options=options)
        name = self.env.spec.id if self.env.spec else type(self.env.unwrapped).__name__
        self._running.start(name, (options or {}).get("task"), seed)
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act, and be paid by the reward."""
        before = self._observation
        self._observation, env_reward, terminated, truncated, info = self.env.step(action)
        turn = Turn(before, action, float(env_reward), info=info)
        reward, parts = self._running.pay(turn, terminated, truncated, self.training_step)
        return self._observation, reward, terminated, truncated, {"env_reward": env_reward, **info, "rewards": parts}
