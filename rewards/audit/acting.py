"""Playing an environment that lists its actions: whole episodes, and episodes that fork from earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from ...envs.abilities import Forkable, Solvable
from ...envs.words import Phrases, as_text
from ...trajectory import Status, Trajectory, Turn
from ..reward import Reward, Scope

Choose = Callable[[str, list[str]], str]
"""The observation's text and the legal actions to one of them."""


@dataclass(slots=True)
class Episode:
    """A trajectory, and what it takes to fork it: at each turn the legal actions and, if there are any, a snapshot."""

    trajectory: Trajectory
    legal: list[list[str]] = field(default_factory=list)
    snapshots: list[Any] = field(default_factory=list)

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions taken."""
        return tuple(turn.action for turn in self.trajectory.turns)


class Player:
    """Plays one environment, put into words, for at most ``horizon`` turns an episode.

    It acts below the environment's time limit and counts turns itself, since a snapshot does not hold a wrapper's
    count; the limit is the smaller of ``horizon`` and the registered one.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], horizon: int = 50) -> None:
        limit = env.spec.max_episode_steps if env.spec else None
        self.name = env.spec.id if env.spec else type(env.unwrapped).__name__
        self.horizon = min(horizon, limit or horizon)
        self.env = as_text(env.unwrapped)
        acting = self.env if type(self.env) is not type(env.unwrapped) else env.unwrapped
        self._forkable: Forkable | None = acting if isinstance(acting, Forkable) else None
        self._solvable: Solvable | None = acting if isinstance(acting, Solvable) else None

    def play(self, choose: Choose, seed: int, task: int | None = None) -> Episode:
        """An episode from its start."""
        observation, info = self._reset(seed, task)
        return self._go_on(Episode(Trajectory(self.name, task, seed)), observation, info, choose)

    def oracle(self, seed: int, task: int | None = None) -> Episode | None:
        """The environment's own solver's episode, None where it has no solver."""
        if self._solvable is None:
            return None
        solver = self._solvable
        return self.play(lambda *_: solver.oracle(), seed, task)

    def fork(self, parent: Episode, turn: int, choose: Choose) -> Episode:
        """The parent's first ``turn`` turns, then what ``choose`` does; by snapshot if there are any, else replayed."""
        old = parent.trajectory
        child = Episode(Trajectory(old.env_id, old.task, old.seed), parent.legal[:turn], parent.snapshots[:turn])
        if self._forkable is not None:
            self._forkable.restore(parent.snapshots[turn])
            child.trajectory.turns = old.turns[:turn]
            legal = {"legal_actions": parent.legal[turn]}
            return self._go_on(child, old.turns[turn].observation, legal, choose)
        planned = iter(parent.actions[:turn])
        return self.play(lambda seen, legal: next(planned, None) or choose(seen, legal), old.seed, old.task)

    def _reset(self, seed: int, task: int | None) -> tuple[Any, dict[str, Any]]:
        return self.env.reset(seed=seed, options=None if task is None else {"task": task})

    def _go_on(self, episode: Episode, observation: Any, info: dict[str, Any], choose: Choose) -> Episode:
        trajectory = episode.trajectory
        while True:
            legal = legal_actions(self.env, info)
            episode.legal.append(legal)
            if self._forkable is not None:
                episode.snapshots.append(self._forkable.snapshot())
            action = choose(observation if isinstance(observation, str) else observation["text"], legal)
            following, reward, terminated, truncated, info = self.env.step(action)
            trajectory.turns.append(Turn(observation, action, float(reward), info=dict(info)))
            observation = following
            if terminated or truncated or len(trajectory.turns) >= self.horizon:
                trajectory.status = Status.TERMINATED if terminated else Status.TRUNCATED
                trajectory.final_observation = following
                return episode


def legal_actions(env: gymnasium.Env[Any, Any], info: dict[str, Any]) -> list[str]:
    """The actions to choose from: ``info["legal_actions"]``, a shop's clicks and search, or the named actions.

    Raises ValueError where an environment lists none.
    """
    if "legal_actions" in info:
        return [str(action) for action in info["legal_actions"]]
    if "clickables" in info:
        actions = [f"click[{name}]" for name in info["clickables"] if name != "search"]
        return [f"search[{info['goal']['instruction']}]", *actions] if info.get("has_search_bar") else actions
    if isinstance(env.action_space, Phrases):
        return list(env.action_space.phrases)
    raise ValueError(f'{env} does not list its actions: it needs info["legal_actions"] or Discrete actions')


def at_random(rng: np.random.Generator) -> Choose:
    """Each legal action equally likely."""
    return lambda _, legal: legal[int(rng.integers(len(legal)))]


def totals(reward: Reward, trajectories: Sequence[Trajectory]) -> np.ndarray:
    """The total of each trajectory by itself, [n].  ValueError for a reward that compares the episodes of a group."""
    if reward.scope is Scope.GROUP:
        raise ValueError(f"{reward} compares the episodes of a group, so no trajectory has a reward of its own")
    return np.array([0.0 if values is None else values.sum() for values in reward(trajectories)])
