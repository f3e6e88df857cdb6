"""What a run needs before its first step: environment, models, renderer, engines and rollout, made from a config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..agents.engine import Sampling
from ..agents.packed import load_model
from ..agents.parser import Parser, TaggedParser, TextParser
from ..agents.players import Speaker, random_script
from ..agents.renderer import Renderer
from ..agents.scripted import OracleAgent, RandomAgent, play
from ..agents.small import save_small_model
from ..agents.transformers_engine import TransformersEngine
from ..agents.workers import Workers
from ..envs.abilities import Guided, Solvable
from ..envs.check.maker import find_spec
from ..envs.multi.registry import make_multi
from ..envs.words import as_text
from ..trajectory import Observation, Trajectory
from .checkpoint import no_progress_bar
from .config import Config
from .guarded import Guarded
from .recipe import RecipeError
from .rollout import POLICY, Rollout
from .tables import roles_of
from .tasks import Tasks

MakeEnv = Callable[[], Any]


@dataclass
class Setup:
    """The parts of a run, wired together; each of the ``models`` is shared by an engine and a learner.

    ``models`` holds the policies that learn, by their names as players of the rollout.
    """

    make_env: MakeEnv
    env: Any
    tasks: Tasks
    models: dict[str, PreTrainedModel]
    tokenizer: PreTrainedTokenizerBase
    renderer: Renderer
    parser: Parser
    rollout: Rollout
    workers: Workers

    @property
    def model(self) -> PreTrainedModel:
        """The first policy's."""
        return next(iter(self.models.values()))

    @property
    def roles(self) -> tuple[str, ...]:
        """The environment's."""
        return self.rollout.roles

    def close(self) -> None:
        """Close all environments, and end the workers."""
        self.env.close()
        self.rollout.close()
        self.workers.close()

    def publish(self, version: int) -> None:
        """Have the engines sample from the weights of the moment."""
        for name in self.models:
            speaker = self.rollout.players[name]
            assert isinstance(speaker, Speaker)
            speaker.engine.load([], version)

    def speaker(self, config: Config, model: PreTrainedModel, version: int = 0) -> Speaker:
        """A player with this model."""
        slots = config.rollout.concurrency * len(self.roles)
        engine = TransformersEngine(model, self.tokenizer, slots, version=version, workers=self.workers)
        return Speaker(engine, self.renderer, self.parser)

    def sampling(self, config: Config, temperature: float) -> Sampling:
        """How a turn is sampled at ``temperature``."""
        return Sampling(config.rollout.max_tokens, temperature, stop_ids=self.renderer.stop_ids)


def device_of(config: Config) -> str:
    """The device that the config means.

    Raises:
        RecipeError: ``cuda`` where torch finds no GPU.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise RecipeError("--device cuda: torch finds no GPU here; install a CUDA build of torch, or use --device cpu")
    if config.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return config.device


def env_maker(config: Config) -> MakeEnv:
    """Makes the environment, in words; with self-play the PettingZoo one.  The id is looked up once.

    Raises:
        RecipeError: there is no such environment; the nearest is named.
    """
    if config.self_play:
        return partial(make_multi, config.env, **config.env_options)
    try:
        spec = find_spec(config.env)
    except (ValueError, ModuleNotFoundError) as error:
        raise RecipeError(f"--env {config.env}: {error}") from error
    return partial(_make, spec, config.env_options)


def policy_names(config: Config, roles: tuple[str, ...]) -> list[str]:
    """The names of the policies that learn."""
    opponents = config.opponents
    if config.self_play and opponents.policies == "per_role":
        return [role for role in roles if role not in opponents.roles]
    if config.self_play and opponents.matching == "league":
        return [POLICY, EXPLOITER]
    return [POLICY]


EXPLOITER = "exploiter"
"""The policy of a league that learns to beat the main one."""


def prepare(config: Config, model_path: str | None, version: int = 0) -> Setup:
    """Make everything.

    ``model_path`` is a checkpoint to go on from; without it the model is the config's, or a small one made on the spot.

    Raises:
        RecipeError: the config asks for an environment, a model or a device that cannot be had, and the message says
            why.
    """
    device, make_env = device_of(config), env_maker(config)
    settings = config.rollout
    try:
        env = make_env() if config.self_play else Guarded(make_env, settings.timeout)
    except (gymnasium.error.Error, ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        raise RecipeError(f"--env {config.env} with the options {config.env_options}: {error}") from error
    roles = roles_of(env)
    tasks = Tasks(env, config.env, config.seed)
    rollout = Rollout(
        make_env,
        {"random": random_script},
        concurrency=settings.concurrency,
        max_turns=settings.max_turns,
        timeout=settings.timeout,
        lockstep=settings.lockstep,
        roles=roles,
        context=settings.context,
        actions=settings.actions,
    )
    path = model_path or config.model or _small_model(config, _corpus(config, env, tasks, rollout))
    try:
        with no_progress_bar():
            dtype = getattr(torch, config.dtype)
            models = {name: load_model(path, device, dtype) for name in policy_names(config, roles)}
        tokenizer, renderer, parser = language(config, path, env)
    except (ValueError, OSError) as error:
        raise RecipeError(f"--model {path}: {error}") from error
    setup = Setup(make_env, env, tasks, models, tokenizer, renderer, parser, rollout, _workers(config, device))
    rollout.players |= {name: setup.speaker(config, model, version) for name, model in models.items()}
    return setup


def _workers(config: Config, device: str) -> Workers:
    """The threads that share batches."""
    if config.workers < 1:
        raise RecipeError(f"--workers must be at least 1, not {config.workers}")
    return Workers(config.workers if device == "cpu" else 1)


def language(config: Config, path: str, env: Any) -> tuple[PreTrainedTokenizerBase, Renderer, Parser]:
    """How a model in the folder ``path`` reads and writes in ``env``: ValueError or OSError if it cannot."""
    guide = env.unwrapped.guide if config.system == "guide" and isinstance(env.unwrapped, Guided) else None
    tokenizer = AutoTokenizer.from_pretrained(path)
    renderer = Renderer(tokenizer, guide)
    return (
        tokenizer,
        renderer,
        (TaggedParser if config.parser == "tagged" else TextParser)(tokenizer, renderer.stop_ids),
    )


def _make(spec: gymnasium.envs.registration.EnvSpec, options: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    return as_text(gymnasium.make(spec, disable_env_checker=True, **options))


def _corpus(config: Config, env: Any, tasks: Tasks, rollout: Rollout) -> list[Trajectory]:
    """Episodes by the oracle, or by chance: what a small model's tokenizer is to read."""
    jobs = tasks.shown(config.small.episodes)
    if config.self_play:
        by_chance = dict.fromkeys(rollout.roles, "random")
        return rollout.collect([replace(job, players=by_chance) for job in jobs], Sampling())
    agent = OracleAgent() if isinstance(env.unwrapped, Solvable) else RandomAgent(config.seed)
    turns = config.rollout.max_turns
    return [play(env, agent, seed=job.seed, options=job.options, max_turns=turns) for job in jobs]


def _small_model(config: Config, episodes: list[Trajectory]) -> str:
    """Make a small model whose tokenizer has read what was said in ``episodes``; the folder it is saved in."""
    texts = [text for episode in episodes for turn in episode.turns for text in (_said(turn.observation), turn.action)]
    small = config.small
    folder = Path(config.run) / "small-model"
    try:
        with no_progress_bar():
            save_small_model(
                folder,
                texts,
                vocab_size=small.vocabulary,
                lowercase=small.lowercase,
                induction=small.induction,
                copying_steps=small.copying_steps,
                architecture=small.architecture,
                hidden=small.hidden,
                layers=small.layers,
                heads=small.heads,
                kv_heads=small.kv_heads,
                max_positions=small.max_context,
                seed=config.seed,
            )
    except ValueError as error:
        raise RecipeError(f"--small: {error}") from error
    return str(folder)


def _said(observation: Observation) -> str:
    return observation if isinstance(observation, str) else observation["text"]
