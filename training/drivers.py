"""What the main loop plays: a driver says which episodes a step consists of, and what each policy learns from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..agents.scripted import OracleAgent, RandomAgent, play
from ..envs.abilities import Solvable
from ..trajectory import Group, Trajectory
from . import warm_start
from .config import Config
from .credit import group
from .evaluation import solved
from .recipe import RecipeError
from .rollout import POLICY, Job
from .setup import Setup
from .task_source import task_source


class Driver(Protocol):
    """Chooses what is played.

    In each step the loop asks for jobs, plays them, asks for groups of them, has the policies learn, and calls after.
    """

    def begin(self) -> None:
        """Called once before the first step of a run that is not resumed, when the warm start is over."""
        ...

    def jobs(self, step: int) -> list[Job]:
        """The episodes of a step."""
        ...

    def groups(self, episodes: Sequence[Trajectory]) -> dict[str, list[Group]]:
        """By the name of a policy, what it learns from."""
        ...

    def after(self, step: int, episodes: Sequence[Trajectory]) -> dict[str, float]:
        """Called when ``step`` steps are done, the last of which had these episodes; values for the metrics."""
        ...

    def demonstrations(self) -> list[warm_start.Demonstration]:
        """What the policies' warm start is to imitate."""
        ...

    def baselines(self) -> Iterator[tuple[str, list[Trajectory]]]:
        """Names of agents that do not learn, and their held-out episodes."""
        ...

    def evaluation(self) -> list[Trajectory]:
        """The policies' held-out episodes."""
        ...

    def measures(self) -> dict[str, float]:
        """What else is to be known of the policies of the moment, for the metrics."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """What a resumed run needs, as values for JSON."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        ...


class Alone:
    """One agent, in an environment of its own."""

    def __init__(self, config: Config, setup: Setup) -> None:
        self._config = config
        self._setup = setup
        self._source = task_source(config, setup)

    def begin(self) -> None:
        """Nothing to do."""

    def jobs(self, step: int) -> list[Job]:
        """Groups of equal tasks, chosen by the curriculum if there is one."""
        settings = self._config.rollout
        chosen = None if self._source is None else self._source.sample(settings.groups)
        return self._setup.tasks.training(step, settings.groups, settings.group_size, chosen)

    def groups(self, episodes: Sequence[Trajectory]) -> dict[str, list[Group]]:
        """Neighbours."""
        return {POLICY: group(episodes, self._config.rollout.group_size)}

    def after(self, step: int, episodes: Sequence[Trajectory]) -> dict[str, float]:
        """Tell the curriculum how often each task was solved."""
        for members in group(episodes, self._config.rollout.group_size):
            outcomes = [solved(trajectory) for trajectory in members if trajectory.status.scored]
            if self._source is not None and outcomes:
                self._source.report(members[0].task, sum(outcomes) / len(outcomes))
        return {}

    def demonstrations(self) -> list[warm_start.Demonstration]:
        """Episodes of the environment's oracle; where a context is a turn, turn by turn.

        Raises:
            RecipeError: it has none.
        """
        config, settings = self._config, self._config.warm_start
        if not isinstance(self._setup.env.unwrapped, Solvable):
            raise RecipeError(f"{config.env} has no oracle() to learn from: set warm_start.demonstrations to 0")
        jobs = self._setup.tasks.shown(settings.demonstrations)
        shown = warm_start.demonstrate(self._setup.env, jobs, settings.disturbance)
        return warm_start.turn_by_turn(shown) if config.rollout.context == "turn" else shown

    def baselines(self) -> Iterator[tuple[str, list[Trajectory]]]:
        """A random agent, and the oracle if there is one."""
        config, env = self._config, self._setup.env
        jobs = self._held_out()
        agents: dict[str, Any] = {"random": RandomAgent(config.seed)}
        if isinstance(env.unwrapped, Solvable):
            agents["oracle"] = OracleAgent()
        for name, agent in agents.items():
            turns = config.rollout.max_turns
            yield name, [play(env, agent, seed=job.seed, options=job.options, max_turns=turns) for job in jobs]

    def evaluation(self) -> list[Trajectory]:
        """The held-out tasks."""
        sampling = self._setup.sampling(self._config, self._config.evaluation.temperature)
        return self._setup.rollout.collect(self._held_out(), sampling)

    def measures(self) -> dict[str, float]:
        """Nothing else."""
        return {}

    def snapshot(self) -> dict[str, Any]:
        """What the curriculum has learned."""
        return {} if self._source is None else {"curriculum": self._source.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        if self._source is not None:
            self._source.restore(state["curriculum"])

    def _held_out(self) -> list[Job]:
        return self._setup.tasks.held_out(self._config.evaluation.split, self._config.evaluation.tasks)
