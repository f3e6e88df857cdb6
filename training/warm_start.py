"""A warm start: behaviour cloning on the oracle's demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium
import numpy as np

from ..agents.renderer import Renderer
from ..agents.scripted import OracleAgent, play
from ..trajectory import Trajectory
from .config import WarmStart
from .evaluation import solved
from .learner import Learner
from .recipe import RecipeError
from .rollout import Job, with_feedback
from .rows import Row, to_row


def demonstrate(env: gymnasium.Env[Any, Any], jobs: Sequence[Job]) -> list[Trajectory]:
    """The episodes that the environment's oracle plays; those it does not solve, or that fail, are left out.

    Raises:
        RecipeError: if it solves none.
    """
    agent = OracleAgent()
    episodes = [play(env, agent, seed=job.seed, options=job.options) for job in jobs]
    shown = [episode for episode in episodes if episode.status.scored and solved(episode)]
    if not shown:
        raise RecipeError(f"the oracle solves none of {len(jobs)} tasks: there is nothing to imitate")
    return shown


def demonstration_row(episode: Trajectory, renderer: Renderer) -> Row:
    """A scripted episode in the ids that a model would have seen and sampled; every action token weighs 1."""
    ids = np.zeros(0, np.int32)
    for number, turn in enumerate(episode.turns):
        observation = turn.observation
        if number:
            observation = with_feedback(observation, episode.turns[number - 1].info)
        turn.context_ids = renderer.extend(ids, observation) if number else renderer.start(observation)
        turn.action_ids = ids = renderer.reply(turn.action)
        turn.logprobs = np.zeros(len(ids), np.float32)
    return to_row(episode, np.ones(len(episode.turns)))


def imitate(
    learner: Learner,
    rows: Sequence[Row],
    settings: WarmStart,
    generator: np.random.Generator,
    on_step: Callable[[int, float], None],
) -> None:
    """Train on demonstrations; ``on_step`` gets the number of each optimiser step and its loss."""
    for number, batch in enumerate(_batches(rows, settings, generator)):
        on_step(number, learner.imitate(batch, settings.context_weight))


def steps(rows: Sequence[Row], settings: WarmStart) -> int:
    """How many optimiser steps :func:`imitate` takes."""
    return settings.epochs * -(-len(rows) // settings.batch)


def _batches(rows: Sequence[Row], settings: WarmStart, generator: np.random.Generator) -> Iterator[list[Row]]:
    for _ in range(settings.epochs):
        order = generator.permutation(len(rows))
        for start in range(0, len(rows), settings.batch):
            yield [rows[index] for index in order[start : start + settings.batch]]
