"""Self-play: what the main loop plays in an environment for several agents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..agents.engine import Sampling
from ..agents.strategy import ModelStrategy
from ..trajectory import Group, Trajectory
from . import warm_start
from .cast import START, Cast
from .config import Config
from .exact import Yardstick
from .matching import Matching
from .ratings import RATINGS, Ratings
from .recipe import RecipeError
from .rollout import POLICY, Job
from .setup import EXPLOITER, Setup

SELF = "self"
"""As the opponent of an evaluation: the policy itself."""
_EXPLOITED = 0.3
"""Share of a league's games that are between the policy and the exploiter."""


@dataclass(frozen=True)
class RoleAgent:
    """Who takes a role in a game: a player of the rollout, and whether its policy learns from the game."""

    role: str
    player: str
    learns: bool


class SelfPlay:
    """A :class:`~palestra.training.drivers.Driver` for environments of several roles.

    Raises:
        RecipeError: the opponents of the config do not fit the environment.
    """

    def __init__(self, config: Config, setup: Setup) -> None:
        self._config = config
        self._setup = setup
        self._settings = config.opponents
        self._cast = Cast(config, setup)
        self._check()
        self._yardstick = Yardstick(setup.env.game) if config.evaluation.exploitability else None
        self.matching = Matching(config.opponents)
        self.ratings = Ratings()

    def _check(self) -> None:
        """Refuse what cannot be played."""
        config, settings, roles = self._config, self._settings, self._setup.roles
        unknown = [role for role in settings.roles if role not in roles]
        if unknown:
            raise RecipeError(f"opponents.roles: there is no role {unknown[0]!r}, but {', '.join(roles)}")
        if not self._cast.open:
            raise RecipeError("opponents.roles leaves no role to the policy")
        if settings.matching == "league" and settings.policies == "per_role":
            raise RecipeError("opponents.matching = 'league' needs one policy for all roles")
        if config.evaluation.exploitability and config.rollout.context != "turn":
            raise RecipeError("evaluation.exploitability needs rollout.context = 'turn'")
        if config.evaluation.exploitability and not hasattr(self._setup.env, "game"):
            raise RecipeError(f"evaluation.exploitability needs one of Palestra's own games, and {config.env} is none")
        if config.curriculum != "shuffle":
            raise RecipeError(f"curriculum {config.curriculum} is for a single agent")
        if config.warm_start.distinct and config.rollout.context != "turn":
            raise RecipeError("warm_start.distinct needs rollout.context = 'turn'")
        if config.warm_start.disturbance:
            raise RecipeError("warm_start.disturbance is for the oracle of a single agent")

    # ---- what the loop asks

    def begin(self) -> None:
        """Keep the policy that training begins with, and rate it."""
        self._cast.freeze(START, {name: model for name, model in self._setup.models.items() if name != EXPLOITER})
        self._rate([START], 0)

    def jobs(self, step: int) -> list[Job]:
        """Groups of equal tasks, each with its own match."""
        settings = self._config.rollout
        tasks = self._setup.tasks.training(step, settings.groups, settings.group_size)
        np_random = np.random.default_rng((self._config.seed, step, 1))
        jobs = []
        for number in range(settings.groups):
            seats = self._match(step * settings.groups + number, np_random)
            members = tasks[number * settings.group_size : (number + 1) * settings.group_size]
            jobs += [replace(job, players={agent.role: agent.player for agent in seats}) for job in members]
        return jobs

    def groups(self, episodes: Sequence[Trajectory]) -> dict[str, list[Group]]:
        """What each policy did in one role, in the games of one task."""
        roles = len(self._setup.roles)
        size = roles * self._config.rollout.group_size
        groups: dict[str, list[Group]] = {name: [] for name in self._setup.models}
        for start in range(0, len(episodes), size):
            for role in range(roles):
                members = list(episodes[start + role : start + size : roles])
                if members[0].policy in groups:
                    groups[members[0].policy].append(Group(members))
        return groups

    def after(self, step: int, episodes: Sequence[Trajectory]) -> dict[str, float]:
        """Learn who beats whom; now and then freeze the policy as a new member of the pool."""
        self.matching.learn(list(self._outcomes(episodes)))
        if step % self._settings.snapshot_every:
            return {}
        models, joining = dict(self._setup.models), [f"step-{step:06d}"]
        exploiter = models.pop(EXPLOITER, None)
        self._cast.freeze(joining[0], models)
        if exploiter is not None:
            joining.append(f"{EXPLOITER}-{step:06d}")
            self._cast.freeze(joining[1], {POLICY: exploiter})
            # It begins anew, to find another weakness.
            exploiter.load_state_dict(self._cast.frozen(START)[POLICY].state_dict())
        for member in joining:
            for left in self.matching.join(member):
                self._cast.leave(left)
        self._rate(joining, step)
        ratings = dict(zip(self.ratings.members, self.ratings.elo(), strict=True))
        return {"ratings/elo": ratings[joining[0]][0]} if joining[0] in ratings else {}

    def demonstrations(self) -> list[warm_start.Demonstration]:
        """What the teacher does in each role that a policy takes; where a context is a turn, turn by turn."""
        settings, roles = self._config.warm_start, self._setup.roles
        taught = [role for role in roles if self._settings.roles.get(role, START) == START]
        players = {role: self._cast.player(None, role) for role in roles if role not in taught}
        players |= {role: self._cast.script(settings.teacher) for role in taught}
        jobs = [replace(job, players=players) for job in self._setup.tasks.shown(settings.demonstrations)]
        episodes = self._setup.rollout.collect(jobs, Sampling())
        episodes = [episode for episode in episodes if episode.turns and episode.role in taught]
        shown = [warm_start.Demonstration(episode, np.ones(len(episode.turns), bool)) for episode in episodes]
        if self._config.rollout.context != "turn":
            return shown
        turns = warm_start.turn_by_turn(shown)
        if not settings.distinct:
            return turns
        answers = [(str(turn.observation), turn.action) for each in turns for turn in each.episode.turns]
        return list(dict(zip(answers, turns, strict=True)).values())

    def baselines(self) -> Iterator[tuple[str, list[Trajectory]]]:
        """The random player, and, where the game is solved, the optimal one."""
        for name, member in [("random", "random"), ("oracle", "optimal")][: 2 if self._yardstick else 1]:
            yield name, self._held_out(member, 1.0)

    def evaluation(self) -> list[Trajectory]:
        """The policy in each role in turn, against the opponent of the config."""
        return self._held_out(None, self._config.evaluation.temperature)

    def measures(self) -> dict[str, float]:
        """Exploitability and each role's value, where they are asked for."""
        if self._yardstick is None:
            return {}
        temperature = self._config.evaluation.temperature
        models = {role: self._cast.model(role) for role in self._setup.roles}
        if None in models.values():
            raise RecipeError("evaluation.exploitability needs a policy in every role, and a script has one")
        renderer = self._setup.renderer
        strategies = {role: ModelStrategy(model, renderer, temperature) for role, model in models.items() if model}
        return self._yardstick.measure(strategies)

    def snapshot(self) -> dict[str, Any]:
        """The pool and the ratings; frozen policies are in folders of the run."""
        return {"matching": self.matching.snapshot(), "ratings": self.ratings.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`, with the frozen policies of the run's folder."""
        self.matching.restore(state["matching"])
        self.ratings.restore(state["ratings"])
        for member in [START, *self.matching.past]:
            self._cast.thaw(member)
        self._write_ratings()

    # ---- who meets whom

    def _match(self, number: int, np_random: np.random.Generator) -> list[RoleAgent]:
        """Who takes the roles in the ``number``-th group of games."""
        seat = self._cast.open[number % len(self._cast.open)]
        if EXPLOITER in self._setup.models and np_random.random() < _EXPLOITED:
            others = {seat: EXPLOITER}
        else:
            opponent = self.matching.choose(np_random)
            others = {role: self._cast.player(opponent, role) for role in self._cast.open if role != seat}
        players = {role: others.get(role) or self._cast.player(None, role) for role in self._setup.roles}
        return [RoleAgent(role, player, player in self._setup.models) for role, player in players.items()]

    def _outcomes(self, episodes: Sequence[Trajectory]) -> Iterator[tuple[str, float]]:
        """The members that the policies met in the games of a step, and the policies' points: 1, a half or 0."""
        width = len(self._setup.roles)
        for start in range(0, len(episodes), width):
            game = [each for each in episodes[start : start + width] if each.role in self._cast.open]
            own = [each.score for each in game if each.policy in self._setup.models]
            met = {each.policy.partition("/")[0] for each in game if each.policy not in self._setup.models}
            if game and game[0].status.scored and own and len(met) == 1:
                theirs = [each.score for each in game if each.policy not in self._setup.models]
                yield met.pop(), 0.5 * (1 + float(np.sign(np.mean(own) - np.mean(theirs))))

    def _rate(self, joining: Sequence[str], step: int) -> None:
        """Play new members against the whole pool and the beginner, and write the ratings."""
        count = self._settings.rating_games
        known = list(dict.fromkeys([START, *self.matching.pool]))
        pairs = [(new, old) for new in joining for old in known if old not in joining]
        if not count or len(self._cast.open) < 2 or not pairs:
            return
        for member in known:
            self.ratings.join(member)
        jobs, seats = [], []
        for new, old in pairs:
            for number, job in enumerate(self._setup.tasks.shown(count)):
                seat = self._cast.open[number % len(self._cast.open)]
                players = {role: self._cast.player(new if role == seat else old, role) for role in self._setup.roles}
                jobs.append(replace(job, players=players, draw=(*job.draw, step)))
                seats.append((new, old, seat))
        sampling = self._setup.sampling(self._config, self._config.rollout.temperature)
        episodes = self._setup.rollout.collect(jobs, sampling)
        width = len(self._setup.roles)
        for number, (new, old, seat) in enumerate(seats):
            game = [each for each in episodes[number * width : (number + 1) * width] if each.role in self._cast.open]
            if all(each.status.scored for each in game):
                own = next(each.score for each in game if each.role == seat)
                self.ratings.add(new, old, own, float(np.mean([each.score for each in game if each.role != seat])))
        self._write_ratings()

    def _write_ratings(self) -> None:
        payoff = [[None if np.isnan(value) else round(value, 6) for value in row] for row in self.ratings.payoff]
        content = {
            "members": self.ratings.members,
            "elo": [[round(value, 1) for value in pair] for pair in self.ratings.elo()],
            "games": self.ratings.games.astype(int).tolist(),
            "payoff": payoff,
        }
        (Path(self._config.run) / RATINGS).write_text(json.dumps(content, indent=1) + "\n")

    def _held_out(self, member: str | None, temperature: float) -> list[Trajectory]:
        """What a member did in held-out games, in each open role in turn, against the opponent of the config."""
        evaluation, cast = self._config.evaluation, self._cast
        opponent = member if evaluation.opponent == SELF else evaluation.opponent
        jobs, seats = [], []
        for number, job in enumerate(self._setup.tasks.held_out(evaluation.split, evaluation.tasks)):
            seat = cast.open[number % len(cast.open)]
            players = {role: cast.player(member if role == seat else opponent, role) for role in self._setup.roles}
            jobs.append(replace(job, players=players))
            seats.append(seat)
        episodes = self._setup.rollout.collect(jobs, self._setup.sampling(self._config, temperature))
        width = len(self._setup.roles)
        return [
            next(each for each in episodes[number * width : (number + 1) * width] if each.role == seat)
            for number, seat in enumerate(seats)
        ]
