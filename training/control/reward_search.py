r"""Rewards that a model writes, closed into a loop with training: write, check, train, report, write again.

    python -m palestra.training.control.reward_search --proposer my_module:propose \
        --env Reach-v0 --algorithm ppo --steps 30720 --run runs/rewards

A proposer is any callable from a request to a reply with a program, such as a language model
(:class:`~palestra.agents.ask.EngineAsk`).  The search is Eureka's (:func:`~palestra.rewards.programs.search.evolve`,
arXiv:2310.12931); with one program of one generation it is Text2Reward (arXiv:2309.11489).
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...agents.scripted import Agent, RandomAgent, play
from ...rewards import Reward
from ...rewards.programs.evaluator import Evaluator as ProgramEvaluator
from ...rewards.programs.evaluator import shared_evaluator
from ...rewards.programs.schema import Schema, infer_schema
from ...rewards.programs.search import Candidate, Search, Trained, evolve
from ...rewards.programs.writing import Critic, Proposer
from .. import recipe
from ..evaluation import solved
from .config import ControlConfig, check
from .evaluation import Evaluator
from .loop import LEARNERS
from .vector import make_single, make_vector

CHECKPOINTS = 3
"""How often a training is looked at: before it, in the middle and after it."""
SHOWN = 5
"""Random episodes from which the fields of the state are learned."""


def schema_of(config: ControlConfig) -> Schema:
    """What programs may read of an environment: the ``meanings`` that it has, bounded as random episodes show them.

    Raises:
        RecipeError: it says nothing by name.
    """
    env = make_single(config)
    try:
        meanings = getattr(env.unwrapped, "meanings", None)
        if not meanings:
            raise recipe.RecipeError(f"--env {config.env} has no `meanings` of what a program could read in info")
        agent: Agent = RandomAgent()
        shown = [play(env, agent, seed=config.seed + number) for number in range(SHOWN)]
        asked = shown[0].turns[-1].info.get("instruction", config.env)
        return infer_schema(f"{getattr(env.unwrapped, 'guide', '')}\nFor example: {asked}", shown, meanings)
    finally:
        env.close()


def train_on(config: ControlConfig, reward: Reward) -> Trained:
    """Train a policy on a reward; its fitness is the success on held-out tasks, or, without such, the return."""
    config = replace(config, reward=str(reward))
    vector, evaluator = make_vector(config), Evaluator(config)
    learner = LEARNERS[type(config)](config, vector)
    iterations = max(1, config.steps // (config.num_envs * config.horizon))
    looks = np.linspace(0, iterations, CHECKPOINTS).round().astype(int).tolist()
    try:
        learner.begin(config.seed)
        checkpoints = [evaluator.episodes(learner)]
        for number in range(iterations):
            learner.iterate(torch.Generator().manual_seed(config.seed * 10**6 + number), number / iterations)
            if number + 1 in looks:
                checkpoints.append(evaluator.episodes(learner))
    finally:
        vector.close()
        evaluator.close()
    judged = any("success" in episode.turns[-1].info for episode in checkpoints[-1])
    outcomes = [float(solved(episode)) if judged else episode.score for episode in checkpoints[-1]]
    return Trained(float(np.mean(outcomes)), checkpoints)


def search(
    proposer: Proposer,
    config: ControlConfig,
    generations: int,
    samples: int,
    evaluator: ProgramEvaluator | None = None,
    say: Callable[[str], None] = print,
) -> Search:
    """Search for a reward program in the folder ``config.run``; each candidate is trained on as ``config`` says.

    Raises:
        RecipeError: the config cannot be followed.
        SandboxUnavailable: there is nothing to run programs in.
    """
    if complaint := check(config):
        raise recipe.RecipeError(complaint)
    torch.set_num_threads(1)
    folder = Path(config.run)
    folder.mkdir(parents=True, exist_ok=True)
    critic = Critic(schema_of(config), evaluator or shared_evaluator())

    def train(reward: Reward) -> Trained:
        trained = train_on(config, reward)
        say(f"{reward.name}: fitness {trained.fitness:.3g} after {config.steps:,} steps")
        return trained

    return evolve(proposer, critic, train, folder, generations=generations, samples=samples)


def described(candidate: Candidate) -> str:
    """A candidate in a line."""
    if candidate.trained:
        return f"{candidate.path.name}: fitness {candidate.fitness:.3g}"
    reason = candidate.error or str(candidate.verdict)
    return f"{candidate.path.name}: not trained on: {reason.splitlines()[0]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one search; returns the exit status: 0 done, 2 a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="python -m palestra.training.control.reward_search",
        description="Search for a reward program. All other flags are those of train.py.",
    )
    parser.add_argument("--proposer", required=True, help="module:function, from a request to a reply with a program")
    parser.add_argument("--generations", type=int, default=3, help="rounds; each sees what became of the one before")
    parser.add_argument("--samples", type=int, default=4, help="programs of a round")
    options, rest = parser.parse_known_args(arguments)
    sys.path.insert(0, os.getcwd())
    module, _, name = options.proposer.partition(":")
    try:
        proposer: Any = getattr(importlib.import_module(module), name)
        config = recipe.parse(rest)
        if not isinstance(config, ControlConfig):
            raise recipe.RecipeError("say how policies are trained: --algorithm ppo or sac")
        found = search(proposer, config, options.generations, options.samples)
    except (recipe.RecipeError, ImportError, AttributeError) as error:
        print(f"reward_search: {error}", file=sys.stderr)
        return 2
    for candidate in [one for tried in found.rounds for one in tried]:
        print(described(candidate))
    print(f"best: {found.winner.path}, fitness {found.winner.fitness:.3g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
