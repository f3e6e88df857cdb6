"""Rolling out: many episodes at once, each a conversation between one environment and the engine.

Every forward of the engine serves all episodes that wait for a token, whatever turn they are in.  Environments step in
lanes of their own with a deadline: one that raises or hangs costs its episode, which then has no outcome.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

import gymnasium

from ..agents.engine import Completion, Engine, Request, Sampling
from ..agents.parser import Parser
from ..agents.renderer import Renderer
from ..envs.abilities import EnvironmentFault
from ..sandbox.lane import Lane
from ..trajectory import Observation, Status, Trajectory, Turn

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to play: a numbered task of a split (or, for environments without tasks, a seed alone).

    ``draw`` seeds the sampling: members of a group share everything else.
    """

    env_id: str
    task: int | None
    split: str | None
    seed: int
    draw: tuple[int, ...]

    @property
    def options(self) -> dict[str, Any] | None:
        """What ``reset`` is given."""
        return None if self.task is None else {"task": self.task, "split": self.split}


class _Seat:
    """A lane and its environment, which only the lane's own thread touches."""

    def __init__(self, number: int, make_env: Callable[[], gymnasium.Env[Any, Any]]) -> None:
        self.lane = Lane(f"environment-{number}")
        self._make_env = make_env
        self._env: gymnasium.Env[Any, Any] | None = None

    def reset(self, job: Job) -> tuple[Observation, dict[str, Any]]:
        if self._env is None:
            self._env = self._make_env()
        observation, info = self._env.reset(seed=job.seed, options=job.options)
        return observation, info

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        assert self._env is not None
        observation, reward, terminated, truncated, info = self._env.step(action)
        if not math.isfinite(reward):
            raise EnvironmentFault(f"the environment paid {reward}")
        return observation, float(reward), bool(terminated), bool(truncated), info

    def leave(self) -> None:
        """Close the environment and end the lane after the call under way; does not wait."""
        self.lane.submit(self._close)
        self.lane.close()

    def _close(self) -> None:
        if self._env is not None:
            self._env.close()


@dataclass(slots=True)
class _Episode:
    """A job in progress on a seat."""

    job: Job
    trajectory: Trajectory
    seat: int
    sampling: Sampling
    request: Request | None = None
    observation: Observation = ""
    call: Future[Any] | None = None
    deadline: float = 0.0
    turn: Turn | None = None


class Rollout:
    """Plays jobs with one policy.

    Args:
        make_env: makes an environment with text observations and actions; called in the thread that it will live in.
        concurrency: episodes alive at once.
        max_turns: an episode that has not ended after so many turns is truncated.
        timeout: seconds that an environment may take for a reset or a step.
        lockstep: wait for every environment before the next forward, which makes batches, and with them the last bits
            of training, reproducible.  Otherwise slow environments lag behind while the engine serves the others.
    """

    def __init__(
        self,
        make_env: Callable[[], gymnasium.Env[Any, Any]],
        engine: Engine,
        renderer: Renderer,
        parser: Parser,
        concurrency: int = 64,
        max_turns: int = 30,
        timeout: float = 60.0,
        lockstep: bool = True,
    ) -> None:
        if not engine.capabilities.logprobs:
            raise ValueError("rollouts for training need an engine that gives token ids and log-probabilities")
        self.engine = engine
        self.max_turns = max_turns
        self._make_env = make_env
        self._renderer = renderer
        self._parser = parser
        self._timeout = timeout
        self._lockstep = lockstep
        self._seats = [_Seat(number, make_env) for number in range(concurrency)]

    def collect(
        self, jobs: Iterable[Job], sampling: Sampling, on_finish: Callable[[Trajectory], None] = lambda trajectory: None
    ) -> list[Trajectory]:
        """Play all jobs; their trajectories in the order of the jobs.  ``on_finish`` sees each as soon as it is over.

        A turn's observation is the environment's; what the model reads before it of ``info["feedback"]`` is in the ids.

        Raises:
            EnvironmentFault: if not one episode has an outcome, with the first one's error.
        """
        jobs = list(jobs)
        trajectories = [Trajectory(job.env_id, job.task, job.seed, split=job.split) for job in jobs]
        waiting = list(zip(jobs, trajectories, strict=True))[::-1]
        free = list(range(len(self._seats)))[::-1]
        live: dict[Hashable, _Episode] = {}
        try:
            while waiting or live:
                while waiting and free:
                    seat = free.pop()
                    live[seat] = episode = _Episode(*waiting.pop(), seat, sampling)
                    self._call(episode, self._seats[seat].reset, episode.job)
                if self.engine.busy:
                    over = [live[c.session] for c in self.engine.step() if not self._act(live[c.session], c)]
                else:
                    over = []
                over += [episode for episode in self._returned(live) if not self._observe(episode)]
                for episode in over:
                    self.engine.release(episode.seat)
                    del live[episode.seat]
                    free.append(episode.seat)
                    on_finish(episode.trajectory)
        finally:
            for episode in live.values():
                self.engine.release(episode.seat)
                if episode.call is not None:
                    self._abandon(episode.seat)
        if trajectories and not any(trajectory.status.scored for trajectory in trajectories):
            raise EnvironmentFault(f"all {len(trajectories)} episodes failed; the first: {trajectories[0].error}")
        return trajectories

    def close(self) -> None:
        """Close every environment in its own lane, and the lanes; waits for that, but no longer than for one step."""
        until = time.monotonic() + self._timeout
        for seat in self._seats:
            seat.leave()
        for seat in self._seats:
            seat.lane.join(max(0.0, until - time.monotonic()))
        self._seats = []

    def _call(self, episode: _Episode, function: Callable[..., Any], *args: Any) -> None:
        episode.call = self._seats[episode.seat].lane.submit(function, *args)
        episode.deadline = time.monotonic() + self._timeout

    def _abandon(self, seat: int) -> None:
        """Leave a lane that may be stuck, and its environment, to themselves; fresh ones take the place."""
        self._seats[seat].leave()
        self._seats[seat] = _Seat(seat, self._make_env)

    def _returned(self, live: Mapping[Hashable, _Episode]) -> list[_Episode]:
        """The episodes whose environment has answered, raised or missed its deadline, those first that began first."""
        calls = {episode.call: episode for episode in live.values() if episode.call is not None}
        if not calls:
            return []
        pending = set(calls)
        if self._lockstep or not self.engine.busy:
            until = ALL_COMPLETED if self._lockstep else FIRST_COMPLETED
            while pending:
                deadline = min(calls[call].deadline for call in pending)
                _, pending = wait(pending, max(0.0, deadline - time.monotonic()), until)
                pending = {call for call in pending if calls[call].deadline > time.monotonic()}
                if not self._lockstep:
                    break
        now = time.monotonic()
        return [episode for call, episode in calls.items() if call.done() or episode.deadline <= now]

    def _observe(self, episode: _Episode) -> bool:
        """Take in what the environment answered; False if the episode is over."""
        call, trajectory, turn = episode.call, episode.trajectory, episode.turn
        assert call is not None
        episode.call = None
        if not call.done():
            trajectory.status, trajectory.error = Status.TIMEOUT, f"no answer within {self._timeout:g} s"
            self._abandon(episode.seat)
        elif (error := call.exception()) is not None:
            # Whatever an environment raises is its own failure: never the agent's, and never a reward.
            trajectory.status, trajectory.error = Status.FAULT, f"{type(error).__name__}: {error}"
            self._abandon(episode.seat)
        if trajectory.error is not None:
            logger.warning("task %s (%s): %s", trajectory.task, trajectory.env_id, trajectory.error)
            return False
        if turn is None:
            episode.observation, info = call.result()
            ids = self._renderer.start(with_feedback(episode.observation, info))
        else:
            episode.observation, reward, terminated, truncated, info = call.result()
            turn.reward, turn.info = reward, info
            if terminated or truncated or len(trajectory.turns) >= self.max_turns:
                trajectory.status = Status.TERMINATED if terminated else Status.TRUNCATED
                trajectory.final_observation = episode.observation
                return False
            ids = self._renderer.extend(turn.action_ids, with_feedback(episode.observation, info))
        draw = (*episode.job.draw, len(trajectory.turns))
        episode.request = Request(episode.seat, ids, episode.sampling, draw)
        self.engine.submit(episode.request)
        return True

    def _act(self, episode: _Episode, completion: Completion) -> bool:
        """Hand what was sampled to the environment; False if the context left no room to sample anything."""
        assert episode.request is not None
        if not len(completion.ids):
            episode.trajectory.final_observation = episode.observation
            return False
        parsed = self._parser.parse(completion.ids)
        episode.turn = Turn(
            observation=episode.observation,
            action=parsed.action,
            context_ids=episode.request.ids,
            action_ids=completion.ids,
            logprobs=completion.logprobs,
            version=completion.version,
        )
        episode.trajectory.turns.append(episode.turn)
        self._call(episode, self._seats[episode.seat].step, parsed.action)
        return True


def with_feedback(observation: Observation, info: Mapping[str, Any]) -> Observation:
    """What the agent is shown: what ``info["feedback"]`` says about an invalid action, then the observation."""
    feedback = info.get("feedback")
    if not feedback:
        return observation
    if isinstance(observation, str):
        return f"{feedback}\n{observation}"
    return {**observation, "text": f"{feedback}\n{observation['text']}"}
