"""Episodes of single environments: what the policy is measured by, and what the oracle shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import gymnasium
import numpy as np

from ...agents.scripted import Agent, OracleAgent, RandomAgent, play
from ...envs.abilities import Solvable
from ...trajectory import Trajectory
from ..evaluation import summarise
from ..rollout import Job
from ..tasks import Tasks
from .config import ControlConfig
from .skills import skills_of, with_skill
from .vector import Frame, make_single


class Acting(Protocol):
    """A learner, as far as it acts."""

    def act(self, observation: np.ndarray) -> np.ndarray:
        """The most likely action [actions], in [-1, 1], for a raw observation [size], the skill's one-hot behind it."""
        ...


class ControlAgent:
    """Plays what a learner has learned, without noise, as an :class:`~palestra.agents.scripted.Agent`.

    Its episodes follow ``skills`` in turn, from 0 on, where there are any.
    """

    def __init__(self, learner: Acting, frame: Frame, skills: int = 0) -> None:
        self._learner, self._frame, self._skills = learner, frame, skills
        self._episode = -1

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Go on to the next skill; nothing else is remembered of an episode."""
        self._episode += 1

    def act(self, observation: Any, info: Mapping[str, Any]) -> np.ndarray:
        """The most likely action."""
        seen = self._frame.flat(observation)
        if self._skills:
            seen = with_skill(seen, self._episode % self._skills, self._skills)
        return self._frame.stretched(self._learner.act(seen))


class Evaluator:
    """Plays held-out episodes, the same ones each time: tasks of a split, or seeds where tasks have no numbers."""

    def __init__(self, config: ControlConfig) -> None:
        self._env = make_single(config)
        self._settings, self._skills = config.evaluation, skills_of(config)
        self._frame = Frame(self._env.observation_space, self._env.action_space, config.env)
        self._jobs = held_out(self._env, config)

    def policy(self, learner: Acting, step: int) -> dict[str, Any]:
        """How a learner does after ``step`` steps."""
        return self._measure("policy", self._agent(learner), step)

    def episodes(self, learner: Acting) -> list[Trajectory]:
        """What a learner does in them."""
        return play_jobs(self._env, self._agent(learner), self._jobs)

    def baselines(self) -> list[dict[str, Any]]:
        """How a random agent does, and the environment's oracle if it has one."""
        rows = [self._measure("random", RandomAgent(), 0)]
        if isinstance(self._env.unwrapped, Solvable):
            rows.append(self._measure("oracle", OracleAgent(), 0))
        return rows

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _agent(self, learner: Acting) -> ControlAgent:
        return ControlAgent(learner, self._frame, self._skills)

    def _measure(self, name: str, agent: Agent, step: int) -> dict[str, Any]:
        """A :class:`~palestra.training.evaluation.Result` as plain values.

        Without ``success`` where the environment does not say it: a sum of rewards is no success.
        """
        episodes = play_jobs(self._env, agent, self._jobs)
        row = summarise(name, step, self._settings.split, episodes).as_dict()
        said = any("success" in episode.turns[-1].info for episode in episodes if episode.turns)
        return row if said else {key: value for key, value in row.items() if not key.startswith("success")}


def held_out(env: gymnasium.Env[Any, Any], config: ControlConfig) -> list[Job]:
    """The episodes that a run is measured by."""
    return Tasks(env, config.env, config.seed).held_out(config.evaluation.split, config.evaluation.episodes)


def play_jobs(env: gymnasium.Env[Any, Any], agent: Agent, jobs: Sequence[Job]) -> list[Trajectory]:
    """One episode for each job."""
    return [
        play(
            env,
            agent,
            seed=job.seed,
            options=None if job.task is None else {"task": job.task, "split": job.split},
        )
        for job in jobs
    ]
