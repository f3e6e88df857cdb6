"""What a run needs before its first step: environment, model, renderer, engine and rollout, made from a config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..agents.engine import Sampling
from ..agents.packed import load_model
from ..agents.parser import Parser, TaggedParser, TextParser
from ..agents.renderer import Renderer
from ..agents.scripted import OracleAgent, RandomAgent, play
from ..agents.small import save_small_model
from ..agents.transformers_engine import TransformersEngine
from ..envs.abilities import Guided, Solvable
from ..envs.check.maker import find_spec
from ..envs.words import as_text
from ..trajectory import Observation
from .checkpoint import no_progress_bar
from .config import Config
from .guarded import Guarded
from .recipe import RecipeError
from .rollout import Rollout
from .tasks import Tasks

MakeEnv = Callable[[], gymnasium.Env[Any, Any]]

_CORPUS_EPISODES = 600


@dataclass
class Setup:
    """The parts of a run, wired together; ``model`` is shared by engine and learner."""

    make_env: MakeEnv
    env: gymnasium.Env[Any, Any]
    tasks: Tasks
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    renderer: Renderer
    engine: TransformersEngine
    rollout: Rollout

    def close(self) -> None:
        """Close all environments."""
        self.env.close()
        self.rollout.close()

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
    """Makes the environment in words; the id is looked up, and a module imported, once.

    Raises:
        RecipeError: there is no such environment; the nearest is named.
    """
    try:
        spec = find_spec(config.env)
    except (ValueError, ModuleNotFoundError) as error:
        raise RecipeError(f"--env {config.env}: {error}") from error
    return partial(_make, spec, config.env_options)


def prepare(config: Config, model_path: str | None, version: int = 0) -> Setup:
    """Make everything.

    ``model_path`` is a checkpoint to go on from; without it the model is the config's, or a small one made on the spot.

    Raises:
        RecipeError: the config asks for an environment, a model or a device that cannot be had, and the message says
            why.
    """
    device, make_env = device_of(config), env_maker(config)
    try:
        env = Guarded(make_env, config.rollout.timeout)
    except (gymnasium.error.Error, ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        raise RecipeError(f"--env {config.env} with the options {config.env_options}: {error}") from error
    tasks = Tasks(env, config.env, config.seed)
    guide = env.unwrapped.guide if config.system == "guide" and isinstance(env.unwrapped, Guided) else None
    path = model_path or config.model or _small_model(config, env, tasks)
    try:
        with no_progress_bar():
            model = load_model(path, device, getattr(torch, config.dtype))
            tokenizer = AutoTokenizer.from_pretrained(path)
        renderer = Renderer(tokenizer, guide)
    except (ValueError, OSError) as error:
        raise RecipeError(f"--model {path}: {error}") from error
    settings = config.rollout
    engine = TransformersEngine(model, tokenizer, slots=settings.concurrency, version=version)
    parser: Parser = (TaggedParser if config.parser == "tagged" else TextParser)(tokenizer, renderer.stop_ids)
    rollout = Rollout(
        make_env,
        engine,
        renderer,
        parser,
        concurrency=settings.concurrency,
        max_turns=settings.max_turns,
        timeout=settings.timeout,
        lockstep=settings.lockstep,
    )
    return Setup(make_env, env, tasks, model, tokenizer, renderer, engine, rollout)


def _make(spec: gymnasium.envs.registration.EnvSpec, options: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    return as_text(gymnasium.make(spec, disable_env_checker=True, **options))


def _small_model(config: Config, env: gymnasium.Env[Any, Any], tasks: Tasks) -> str:
    """Make a small model whose tokenizer has read what the environment says; the folder it is saved in."""
    agent = OracleAgent() if isinstance(env.unwrapped, Solvable) else RandomAgent(config.seed)
    episodes = [
        play(env, agent, seed=job.seed, options=job.options, max_turns=config.rollout.max_turns)
        for job in tasks.shown(_CORPUS_EPISODES)
    ]
    texts = [text for episode in episodes for turn in episode.turns for text in (_said(turn.observation), turn.action)]
    small = config.small
    folder = Path(config.run) / "small-model"
    try:
        with no_progress_bar():
            save_small_model(
                folder,
                texts,
                vocab_size=small.vocabulary,
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
