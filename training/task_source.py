"""The curriculum that a config asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..agents.engine import Request, Sampling, generate
from ..agents.renderer import Renderer
from ..envs.abilities import Parametrised, Tasked
from .config import Config
from .curriculum import SOURCES, Propose, TaskSource
from .recipe import RecipeError
from .rollout import POLICY, Speaker
from .setup import Setup
from .task_space import TaskSpace

_STREAM = 2**33
"""Sets the curriculum's draws apart from the others of a seed."""
_PROPOSAL_TOKENS = 256


def task_source(config: Config, setup: Setup) -> TaskSource | None:
    """What draws the training tasks of a run, None for the shuffle of all of them.

    Raises:
        RecipeError: the environment's tasks have no numbers, or an option is unknown or has an impossible value.
    """
    if config.curriculum == "shuffle":
        if config.curriculum_options:
            raise RecipeError("curriculum_options are for another curriculum than shuffle")
        return None
    env = setup.env.unwrapped
    if not isinstance(env, Tasked):
        raise RecipeError(f"curriculum {config.curriculum} needs numbered tasks, and {config.env} has none")
    arguments: list[Any] = [task_space(env), np.random.default_rng((config.seed, _STREAM))]
    if config.curriculum == "proposed":
        arguments.append(policy_proposes(config, setup))
    try:
        return SOURCES[config.curriculum](*arguments, **config.curriculum_options)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"curriculum_options: {error}") from error


def task_space(env: Tasked) -> TaskSpace:
    """The training tasks along their parameters; without any, each task is an alternative to all others."""
    if isinstance(env, Parametrised):
        return TaskSpace(env.axes("train"))
    return TaskSpace({"task": [str(number) for number in range(env.tasks("train"))]})


def policy_proposes(config: Config, setup: Setup) -> Propose:
    """Proposals by the policy of the run, at the temperature of its rollouts."""
    speaker = setup.rollout.players[POLICY]
    assert isinstance(speaker, Speaker)
    renderer = Renderer(setup.tokenizer, None)
    sampling = Sampling(_PROPOSAL_TOKENS, config.rollout.temperature, stop_ids=renderer.stop_ids)
    asked = 0

    def propose(prompt: str) -> str:
        nonlocal asked
        asked += 1
        request = Request("proposals", renderer.start(prompt), sampling, (config.seed, _STREAM, asked))
        (completion,) = generate(speaker.engine, [request])
        speaker.engine.release("proposals")
        return str(setup.tokenizer.decode(completion.ids, skip_special_tokens=True))

    return propose
