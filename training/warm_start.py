"""A warm start: behaviour cloning on the oracle's demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np

from ..agents.renderer import Renderer
from ..agents.scripted import OracleAgent, RandomAgent, play
from ..trajectory import Observation, Trajectory
from .config import WarmStart
from .evaluation import solved
from .learner import Learner
from .recipe import RecipeError
from .rollout import Job, with_feedback
from .rows import Row, micro_batches, to_row


@dataclass(frozen=True, slots=True)
class Demonstration:
    """An episode to learn from; ``own`` [turns] bool tells the oracle's actions from those that disturbed it."""

    episode: Trajectory
    own: np.ndarray


class DisturbedOracle:
    """The environment's solver, in whose place chance acts with a probability of ``disturbance``.

    What the solver does next then shows how to recover from states that a learner gets into and a solver does not
    (DART, Laskey et al. 2017, arXiv:1703.09327; their noise is fitted to the learner).  Half of the disturbances are
    legal actions, the others are ``known`` ones at the wrong time, most of which the environment refuses.
    """

    def __init__(self, disturbance: float) -> None:
        self.disturbance = disturbance
        self.known: Sequence[Any] = ()
        self._oracle, self._random = OracleAgent(), RandomAgent()

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Take the environment's solver, and seed the disturbances of an episode."""
        self._oracle.reset(env, seed)
        self._random.reset(env, seed)
        self._rng = np.random.default_rng((seed, 1))
        self.own: list[bool] = []

    def act(self, observation: Observation, info: Mapping[str, Any]) -> Any:
        """The solver's next action, or another one; ``own`` remembers which."""
        self.own.append(bool(self._rng.random() >= self.disturbance))
        if self.own[-1]:
            return self._oracle.act(observation, info)
        if self.known and self._rng.random() < 0.5:
            return self.known[int(self._rng.integers(len(self.known)))]
        return self._random.act(observation, info)


def demonstrate(env: gymnasium.Env[Any, Any], jobs: Sequence[Job], disturbance: float = 0.0) -> list[Demonstration]:
    """The episodes that the environment's oracle plays, disturbed now and then; those not solved are left out.

    Raises:
        RecipeError: if none is solved.
    """
    agent = DisturbedOracle(disturbance)
    shown: list[Demonstration] = []
    for job in jobs:
        if disturbance:
            undisturbed = play(env, OracleAgent(), seed=job.seed, options=job.options)
            agent.known = [turn.action for turn in undisturbed.turns]
        episode = play(env, agent, seed=job.seed, options=job.options)
        if episode.status.scored and solved(episode):
            shown.append(Demonstration(episode, np.array(agent.own)))
    if not shown:
        raise RecipeError(f"the oracle solves none of {len(jobs)} tasks: there is nothing to imitate")
    return shown


def turn_by_turn(shown: Sequence[Demonstration]) -> list[Demonstration]:
    """The oracle's turns, each by itself, for a policy that reads nothing but a turn's observation and its feedback."""
    single: list[Demonstration] = []
    for demonstration in shown:
        feedback: Mapping[str, Any] = {}
        for turn, own in zip(demonstration.episode.turns, demonstration.own, strict=True):
            if own:
                alone = replace(turn, observation=with_feedback(turn.observation, feedback))
                single.append(Demonstration(replace(demonstration.episode, turns=[alone]), np.ones(1, bool)))
            feedback = turn.info
    return single


def demonstration_row(demonstration: Demonstration, renderer: Renderer) -> Row:
    """A demonstration in the ids that a model would have seen and sampled.

    The tokens of the oracle's own actions weigh 1, those of the others 0.
    """
    episode = demonstration.episode
    ids = np.zeros(0, np.int32)
    for number, turn in enumerate(episode.turns):
        observation = turn.observation
        if number:
            observation = with_feedback(observation, episode.turns[number - 1].info)
        turn.context_ids = renderer.extend(ids, observation) if number else renderer.start(observation)
        turn.action_ids = ids = renderer.reply(turn.action)
        turn.logprobs = np.zeros(len(ids), np.float32)
    return to_row(episode, demonstration.own.astype(np.float64))


def excerpt(demonstration: Demonstration, tokens: int) -> Demonstration:
    """A demonstration's first turn, and as many of its last ones as make at most ``tokens`` with it.

    Raises:
        ValueError: the turns have no ids yet; :func:`demonstration_row` gives them theirs.
    """
    turns = demonstration.episode.turns
    sizes = [len(turn.context_ids) + len(turn.action_ids) for turn in turns]
    if not all(sizes):
        raise ValueError("an excerpt needs the ids of the demonstration's turns")
    total, start = sizes[0], len(turns)
    while start > 1 and total + sizes[start - 1] <= tokens:
        start -= 1
        total += sizes[start]
    chosen = [0, *range(start, len(turns))]
    shortened = replace(demonstration.episode, turns=[turns[index] for index in chosen])
    return Demonstration(shortened, demonstration.own[chosen])


def batches(
    shown: Sequence[Demonstration], renderer: Renderer, settings: WarmStart, generator: np.random.Generator
) -> list[list[Row]]:
    """What each optimiser step of a warm start is trained on: excerpts, then the whole demonstrations."""
    whole = [demonstration_row(demonstration, renderer) for demonstration in shown]
    excerpts = [
        demonstration_row(excerpt(demonstration, settings.excerpt_tokens), renderer)
        for demonstration in (shown if settings.excerpt_epochs else [])
    ]
    tokens = settings.batch_tokens
    return [
        *shuffled(excerpts, settings.excerpt_epochs, tokens, generator),
        *shuffled(whole, settings.epochs, tokens, generator),
    ]


def shuffled(rows: Sequence[Row], epochs: int, tokens: int, generator: np.random.Generator) -> list[list[Row]]:
    """Batches of at most ``tokens``, or of one row, that go ``epochs`` times through the rows, each in a new order."""
    return [
        batch
        for _ in range(epochs)
        for batch in micro_batches([rows[index] for index in generator.permutation(len(rows))], tokens)
    ]


def imitate(
    learner: Learner,
    planned: Sequence[Sequence[Row]],
    context_weight: float,
    on_step: Callable[[int, float], None],
) -> None:
    """Take one step of behaviour cloning on each batch; ``on_step`` gets its number and its loss."""
    for number, batch in enumerate(planned):
        on_step(number, learner.imitate(batch, context_weight))
