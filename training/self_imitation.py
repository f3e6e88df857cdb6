"""Self-imitation: now and then a policy clones those of its own episodes that solved their task.

Policy gradients move a policy by small steps; an episode that went well can be learned by much larger ones, as a
demonstration is.  Past decisions that were better than expected are imitated in Oh et al. 2018 (arXiv:1806.05635);
sampling, filtering by the outcome and cloning in turn is ReST (arXiv:2308.08998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from transformers import PreTrainedModel

from ..agents.workers import Workers
from ..trajectory import Trajectory
from .config import Config
from .evaluation import solved
from .learner import Learner
from .recipe import RecipeError
from .rows import merged, to_rows
from .warm_start import imitate, shuffled


def check(config: Config) -> None:
    """Raise RecipeError if the episodes that a policy is to imitate are not kept, or are those of several policies."""
    if config.self_imitation.every and config.keep_trajectories != 1:
        raise RecipeError("self_imitation reads the episodes of every step: set keep_trajectories = 1")
    if config.self_imitation.every and config.self_play:
        raise RecipeError("self_imitation is for one agent: set self_imitation.every = 0 in self-play")


def imitate_solved(
    model: PreTrainedModel, episodes: Iterable[Trajectory], config: Config, step: int, workers: Workers
) -> float:
    """Clone the episodes that solved their task, or the turns of them that are asked for; how many episodes they were.

    The optimiser is new each time and its learning rate decays within the pass, as in a warm start, so that nothing of
    it need be kept.
    """
    settings = config.self_imitation
    good = [(episode, weight) for episode, weight in _weighed(episodes, settings.weighting) if weight > 0]
    rows = [row for episode, weight in good for row in to_rows(episode, weight * _cloned(episode, settings.turns))]
    if settings.distinct:
        rows = [replace(row, weight=1.0) for row in merged(rows)]
    generator = np.random.default_rng((config.seed, step, 1))
    planned = shuffled(rows, settings.epochs, settings.batch_tokens, generator)
    learner = Learner(model, settings.optimizer, replace(config.objective, kl=0.0), len(planned), workers=workers)
    imitate(learner, planned, settings.context_weight, lambda number, loss: None)
    return float(len(good))


def _weighed(
    episodes: Iterable[Trajectory], weighting: Literal["equal", "advantage"]
) -> list[tuple[Trajectory, float]]:
    """Those that solved their task, with what each counts: 1, less with "advantage" the mean of all attempts at it.

    That is (R - V)+ of Oh et al., eq. 2, with that mean for V.  What failed is counted, not kept.
    """
    tried: Counter[tuple[Any, ...]] = Counter()
    good = []
    for episode in episodes:
        if episode.status.scored:
            tried[_task(episode)] += 1
            if solved(episode):
                good.append(episode)
    if weighting == "equal":
        return [(episode, 1.0) for episode in good]
    done = Counter(map(_task, good))
    return [(episode, 1.0 - done[_task(episode)] / tried[_task(episode)]) for episode in good]


def _task(episode: Trajectory) -> tuple[Any, ...]:
    return episode.env_id, episode.split, episode.task, episode.seed


def _cloned(episode: Trajectory, turns: Literal["accepted", "last"]) -> np.ndarray:
    """1 for the turns that are cloned, 0 for the others, and for those whose action was not valid; [turns] float64."""
    wanted = np.array([float(turn.info.get("valid_action", True)) for turn in episode.turns])
    if turns == "last":
        wanted[:-1] = 0.0
    return wanted
