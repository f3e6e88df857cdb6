"""Environments for one agent or several in one form: who has to act now, what each has seen and been paid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import gymnasium

from ..envs.abilities import EnvironmentFault
from ..trajectory import Observation

if TYPE_CHECKING:
    from pettingzoo import AECEnv, ParallelEnv

ALONE = "agent"
"""The role of the one agent of a Gymnasium environment."""


@dataclass(frozen=True, slots=True)
class News:
    """What one role learns: what it sees, and what it was paid since it acted last."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def acts(self) -> bool:
        """Whether the role has to act now; otherwise the episode is over for it."""
        return not (self.terminated or self.truncated)


class Table(Protocol):
    """An environment that has news for those roles that have to act and those for whom it is over, once for each.

    Nobody has to act when the episode is over.
    """

    env: Any

    def reset(self, seed: int, options: dict[str, Any] | None) -> dict[str, News]:
        """Begin an episode."""
        ...

    def step(self, actions: Mapping[str, Any]) -> dict[str, News]:
        """The actions of all who had to act."""
        ...

    def close(self) -> None:
        """Close the environment."""
        ...


class AloneTable:
    """A Gymnasium environment: one role."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env = env

    def reset(self, seed: int, options: dict[str, Any] | None) -> dict[str, News]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        return {ALONE: News(observation, 0.0, False, False, info)}

    def step(self, actions: Mapping[str, Any]) -> dict[str, News]:
        """Act."""
        observation, reward, terminated, truncated, info = self.env.step(actions[ALONE])
        return {ALONE: _news(observation, reward, terminated, truncated, info)}

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


class ParallelTable:
    """A PettingZoo environment in which all agents act at the same time."""

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        self.env = env

    def reset(self, seed: int, options: dict[str, Any] | None) -> dict[str, News]:
        """Begin an episode."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return {role: _news(observations[role], 0.0, False, False, infos.get(role, {})) for role in self.env.agents}

    def step(self, actions: Mapping[str, Any]) -> dict[str, News]:
        """Act, all at once."""
        observations, rewards, terminated, truncated, infos = self.env.step(dict(actions))
        return {
            role: _news(observations[role], rewards[role], terminated[role], truncated[role], infos.get(role, {}))
            for role in actions
        }

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


class TurnsTable:
    """A PettingZoo environment in which agents take turns (AEC)."""

    def __init__(self, env: AECEnv[str, Any, Any]) -> None:
        self.env = env

    def reset(self, seed: int, options: dict[str, Any] | None) -> dict[str, News]:
        """Begin an episode."""
        self.env.reset(seed=seed, options=options)
        return self._until_asked()

    def step(self, actions: Mapping[str, Any]) -> dict[str, News]:
        """The action of the one whose turn it is."""
        self.env.step(actions[self.env.agent_selection])
        return self._until_asked()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _until_asked(self) -> dict[str, News]:
        """The news of those who are done, and of the next who is not."""
        news: dict[str, News] = {}
        while self.env.agents:
            role = self.env.agent_selection
            news[role] = _news(*self.env.last())
            if news[role].acts:
                break
            self.env.step(None)
        return news


def as_table(env: Any) -> Table:
    """The form of an environment: Gymnasium's, or one of PettingZoo's."""
    if isinstance(env, gymnasium.Env):
        return AloneTable(env)
    from pettingzoo import ParallelEnv

    return ParallelTable(env) if isinstance(env, ParallelEnv) else TurnsTable(env)


def roles_of(env: Any) -> tuple[str, ...]:
    """The roles of an environment, in their order."""
    return (ALONE,) if isinstance(env, gymnasium.Env) else tuple(env.possible_agents)


def _news(observation: Any, reward: Any, terminated: Any, truncated: Any, info: dict[str, Any]) -> News:
    if not math.isfinite(reward):
        raise EnvironmentFault(f"the environment paid {reward}")
    if isinstance(observation, str):
        observation = str(observation)  # a subclass of it has no form in a file
    return News(observation, float(reward), bool(terminated), bool(truncated), info)
