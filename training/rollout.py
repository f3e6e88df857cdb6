"""Rolling out: many episodes at once, each a conversation between an environment and those who act in it.

Every forward of an engine serves all episodes that wait for a token, whatever turn they are in.  Environments step in
lanes of their own with a deadline: one that raises or hangs costs its episode, which then has no outcome.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..agents.engine import Completion, Engine, Request, Sampling
from ..agents.players import Script, Speaker
from ..envs.abilities import EnvironmentFault
from ..sandbox.lane import Lane
from ..trajectory import Observation, Status, Trajectory, Turn
from .tables import ALONE, News, Table, as_table

logger = logging.getLogger(__name__)

POLICY = "policy"
"""The player that is trained, and takes every role that a job gives to nobody else."""


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to play: a numbered task of a split (or, for environments without tasks, a seed alone).

    ``draw`` seeds the sampling: members of a group share everything else.  ``players`` names who takes which role,
    where that is not :data:`POLICY`.
    """

    env_id: str
    task: int | None
    split: str | None
    seed: int
    draw: tuple[int, ...]
    players: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def options(self) -> dict[str, Any] | None:
        """What ``reset`` is given."""
        return None if self.task is None else {"task": self.task, "split": self.split}


_Answer = tuple[dict[str, News], dict[str, Any]]
"""What the roles learn, and what scripts do next."""


class _Seat:
    """A lane and its environment, which only the lane's own thread touches; scripts act there, too."""

    def __init__(self, number: int, make_env: Callable[[], Any]) -> None:
        self.lane = Lane(f"environment-{number}")
        self._make_env = make_env
        self._table: Table | None = None

    def reset(self, job: Job, scripts: Mapping[str, tuple[Script, np.random.Generator]]) -> _Answer:
        if self._table is None:
            self._table = as_table(self._make_env())
        self._scripts = scripts
        return self._answered(self._table.reset(job.seed, job.options))

    def step(self, actions: Mapping[str, Any]) -> _Answer:
        assert self._table is not None
        return self._answered(self._table.step(actions))

    def _answered(self, news: dict[str, News]) -> _Answer:
        assert self._table is not None
        scripted = {}
        for role, item in news.items():
            if item.acts and role in self._scripts:
                script, np_random = self._scripts[role]
                scripted[role] = script(self._table.env, role, item.observation, item.info, np_random)
        return news, scripted

    def leave(self) -> None:
        """Close the environment and end the lane after the call under way; does not wait."""
        self.lane.submit(self._close)
        self.lane.close()

    def _close(self) -> None:
        if self._table is not None:
            self._table.close()


@dataclass(slots=True)
class _Part:
    """What one role has done in an episode, and what it is asked."""

    trajectory: Trajectory
    player: Speaker | Script
    session: tuple[int, str]
    draw: tuple[int, ...]
    observation: Observation = ""
    request: Request | None = None
    legal: list[Any] = field(default_factory=list)
    owed: float = 0.0
    """What it was paid before its first action."""

    def hear(self, news: News) -> None:
        """Take in what its last action led to."""
        self.observation = news.observation
        turns = self.trajectory.turns
        if not turns:
            self.owed += news.reward
        else:
            turns[-1].reward += news.reward
            turns[-1].info = news.info
        if not news.acts:
            self.trajectory.status = Status.TERMINATED if news.terminated else Status.TRUNCATED
            self.trajectory.final_observation = news.observation


@dataclass(slots=True)
class _Episode:
    """A job in progress on a seat."""

    job: Job
    parts: dict[str, _Part]
    seat: int
    sampling: Sampling
    scripts: dict[str, tuple[Script, np.random.Generator]]
    asked: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    call: Future[Any] | None = None
    deadline: float = 0.0


class Rollout:
    """Plays jobs.

    Args:
        make_env: makes an environment with text observations and actions, Gymnasium's or PettingZoo's; called in the
            thread that it will live in.
        players: who may take a role, by name; more may be added to the attribute.
        concurrency: episodes alive at once.
        max_turns: an episode in which somebody has acted so often and should again is truncated.
        timeout: seconds that an environment may take for a reset or a step.
        lockstep: wait for every environment before the next forward, which makes batches, and with them the last bits
            of training, reproducible.  Otherwise slow environments lag behind while the engine serves the others.
        roles: of the environment, in its order.
        context: what a language model reads: the ``"episode"`` so far, or this ``"turn"``'s observation alone.
        actions: ``"legal"`` has language models choose among ``info["legal_actions"]`` wherever there are any.

    Raises:
        ValueError: the policy's engine does not give log-probabilities, or an engine cannot choose among legal actions.
    """

    def __init__(
        self,
        make_env: Callable[[], Any],
        players: Mapping[str, Speaker | Script],
        concurrency: int = 64,
        max_turns: int = 30,
        timeout: float = 60.0,
        lockstep: bool = True,
        roles: tuple[str, ...] = (ALONE,),
        context: Literal["episode", "turn"] = "episode",
        actions: Literal["any", "legal"] = "any",
    ) -> None:
        speakers = [player for player in players.values() if isinstance(player, Speaker)]
        policy = players.get(POLICY)
        if isinstance(policy, Speaker) and not policy.engine.capabilities.logprobs:
            raise ValueError("rollouts for training need an engine that gives token ids and log-probabilities")
        if actions == "legal" and not all(speaker.engine.capabilities.choices for speaker in speakers):
            raise ValueError("this engine cannot be held to legal actions: it has no choices")
        self.roles = roles
        self.max_turns = max_turns
        self.players = dict(players)
        self._make_env = make_env
        self._timeout = timeout
        self._lockstep = lockstep
        self._fresh = context == "turn"
        self._legal = actions == "legal"
        self._seats = [_Seat(number, make_env) for number in range(concurrency)]

    def collect(
        self, jobs: Iterable[Job], sampling: Sampling, on_finish: Callable[[Trajectory], None] = lambda trajectory: None
    ) -> list[Trajectory]:
        """Play all jobs; their trajectories in the order of the jobs, of each job in that of the roles.

        ``on_finish`` sees each as soon as it is over.  A turn's observation is the environment's; what the model reads
        before it of ``info["feedback"]`` is in the ids.

        Raises:
            EnvironmentFault: if not one episode has an outcome, with the first one's error.
        """
        jobs = list(jobs)
        trajectories = [
            Trajectory(job.env_id, job.task, job.seed, split=job.split, role=role, policy=job.players.get(role, POLICY))
            for job in jobs
            for role in self.roles
        ]
        width = len(self.roles)
        waiting = [(job, trajectories[n * width : (n + 1) * width]) for n, job in enumerate(jobs)][::-1]
        free = list(range(len(self._seats)))[::-1]
        live: dict[int, _Episode] = {}
        try:
            while waiting or live:
                while waiting and free:
                    seat = free.pop()
                    live[seat] = episode = self._begin(*waiting.pop(), seat, sampling)
                    self._call(episode, self._seats[seat].reset, episode.job, episode.scripts)
                over = self._generate(live)
                over += [episode for episode in self._returned(live) if not self._observe(episode)]
                for episode in over:
                    self._release(episode)
                    del live[episode.seat]
                    free.append(episode.seat)
                    for part in episode.parts.values():
                        on_finish(part.trajectory)
        finally:
            for episode in live.values():
                self._release(episode)
                if episode.call is not None:
                    self._abandon(episode.seat)
        if trajectories and not any(trajectory.status.scored for trajectory in trajectories):
            raise EnvironmentFault(f"all {len(jobs)} episodes failed; the first: {trajectories[0].error}")
        return trajectories

    def close(self) -> None:
        """Close every environment in its own lane, and the lanes; waits for that, but no longer than for one step."""
        until = time.monotonic() + self._timeout
        for seat in self._seats:
            seat.leave()
        for seat in self._seats:
            seat.lane.join(max(0.0, until - time.monotonic()))
        self._seats = []

    def _begin(self, job: Job, trajectories: list[Trajectory], seat: int, sampling: Sampling) -> _Episode:
        parts = {}
        for number, trajectory in enumerate(trajectories):
            draw = job.draw if len(trajectories) == 1 else (*job.draw, number)
            player = self.players[trajectory.policy]
            parts[trajectory.role] = _Part(trajectory, player, (seat, trajectory.role), draw)
        scripts = {
            role: (part.player, np.random.default_rng(part.draw))
            for role, part in parts.items()
            if not isinstance(part.player, Speaker)
        }
        return _Episode(job, parts, seat, sampling, scripts)

    def _release(self, episode: _Episode) -> None:
        for part in episode.parts.values():
            if isinstance(part.player, Speaker):
                part.player.engine.release(part.session)

    def _call(self, episode: _Episode, function: Callable[..., Any], *args: Any) -> None:
        episode.call = self._seats[episode.seat].lane.submit(function, *args)
        episode.deadline = time.monotonic() + self._timeout

    def _abandon(self, seat: int) -> None:
        """Leave a lane that may be stuck, and its environment, to themselves; fresh ones take the place."""
        self._seats[seat].leave()
        self._seats[seat] = _Seat(seat, self._make_env)

    def _engines(self) -> list[Engine]:
        """The players' engines that have something to do, each once."""
        speakers = [player for player in self.players.values() if isinstance(player, Speaker)]
        engines = {id(speaker.engine): speaker.engine for speaker in speakers}
        return [engine for engine in engines.values() if engine.busy]

    def _generate(self, live: Mapping[int, _Episode]) -> list[_Episode]:
        """One step of each engine; the episodes that this ends, for want of room in a context."""
        full: dict[int, _Episode] = {}
        for completion in [completion for engine in self._engines() for completion in engine.step()]:
            session: Any = completion.session
            seat, role = session
            if not self._act(live[seat], role, completion):
                full[seat] = live[seat]
        return list(full.values())

    def _returned(self, live: Mapping[int, _Episode]) -> list[_Episode]:
        """The episodes whose environment has answered, raised or missed its deadline, those first that began first."""
        calls = {episode.call: episode for episode in live.values() if episode.call is not None}
        if not calls:
            return []
        pending = set(calls)
        idle = not self._engines()
        if self._lockstep or idle:
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
        call, job = episode.call, episode.job
        assert call is not None
        episode.call = None
        status, problem = Status.TRUNCATED, None
        if not call.done():
            status, problem = Status.TIMEOUT, f"no answer within {self._timeout:g} s"
        elif (error := call.exception()) is not None:
            # Whatever an environment raises is its own failure: never an agent's, and never a reward.
            status, problem = Status.FAULT, f"{type(error).__name__}: {error}"
        if problem is not None:
            self._abandon(episode.seat)
            for part in episode.parts.values():
                part.trajectory.status, part.trajectory.error = status, problem
            logger.warning("task %s (%s): %s", job.task, job.env_id, problem)
            return False
        news, scripted = call.result()
        for role, item in news.items():
            episode.parts[role].hear(item)
        episode.asked = {role for role, item in news.items() if item.acts}
        long = any(len(episode.parts[role].trajectory.turns) >= self.max_turns for role in episode.asked)
        if long or not episode.asked:
            for role in episode.asked:
                episode.parts[role].trajectory.final_observation = news[role].observation
            return False
        for role in sorted(episode.asked, key=self.roles.index):
            if role in scripted:
                self._answer(episode, role, Turn(news[role].observation, scripted[role]))
            else:
                self._ask(episode, role, news[role].info)
        return True

    def _ask(self, episode: _Episode, role: str, info: Mapping[str, Any]) -> None:
        """Have a language model sample an action."""
        part = episode.parts[role]
        turns, player = part.trajectory.turns, part.player
        assert isinstance(player, Speaker)
        draw = (*part.draw, len(turns))
        shown = with_feedback(part.observation, info)
        if turns and not self._fresh:
            ids = player.renderer.extend(turns[-1].action_ids, shown)
        else:
            player.engine.release(part.session)  # what it has read is of no use any more
            ids = player.renderer.start(shown)
        part.legal = list(info.get("legal_actions", ())) if self._legal else []
        choices = tuple(map(player.renderer.reply, part.legal))
        part.request = Request(part.session, ids, episode.sampling, draw, choices)
        player.engine.submit(part.request)

    def _act(self, episode: _Episode, role: str, completion: Completion) -> bool:
        """Take what a language model sampled; False if the context left no room to sample anything."""
        part = episode.parts[role]
        request, player = part.request, part.player
        assert request is not None
        assert isinstance(player, Speaker)
        if not len(completion.ids):
            part.trajectory.final_observation = part.observation
            return False
        turn = Turn(
            observation=part.observation,
            action=self._action(part, completion),
            context_ids=request.ids,
            action_ids=completion.ids,
            logprobs=completion.logprobs,
            version=completion.version,
            choices=request.choices,
            fresh=self._fresh and bool(part.trajectory.turns),
        )
        self._answer(episode, role, turn)
        return True

    @staticmethod
    def _action(part: _Part, completion: Completion) -> Any:
        assert part.request is not None
        assert isinstance(part.player, Speaker)
        for action, ids in zip(part.legal, part.request.choices, strict=True):
            if np.array_equal(ids, completion.ids):
                return action
        return part.player.parser.parse(completion.ids).action

    def _answer(self, episode: _Episode, role: str, turn: Turn) -> None:
        """Record a role's action, and step the environment when all who were asked have acted."""
        part = episode.parts[role]
        turn.reward, part.owed = part.owed, 0.0
        part.trajectory.turns.append(turn)
        episode.answers[role] = turn.action
        if episode.answers.keys() == episode.asked:
            answers, episode.answers = episode.answers, {}
            self._call(episode, self._seats[episode.seat].step, answers)


def with_feedback(observation: Observation, info: Mapping[str, Any]) -> Observation:
    """What the agent is shown: what ``info["feedback"]`` says about an invalid action, then the observation."""
    feedback = info.get("feedback")
    if not feedback:
        return observation
    if isinstance(observation, str):
        return f"{feedback}\n{observation}"
    return {**observation, "text": f"{feedback}\n{observation['text']}"}
