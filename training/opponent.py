"""The policy of a run as somebody to play against."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..agents.engine import Request, Sampling, generate
from ..agents.packed import load_model
from ..agents.transformers_engine import TransformersEngine
from ..trajectory import Observation
from . import checkpoint, recipe
from .cast import PLAYERS
from .checkpoint import OTHERS, CheckpointError, no_progress_bar
from .config import Config
from .rollout import with_feedback
from .setup import device_of, language, policy_names


class RunPlayer:
    """What a run has learned takes roles in one episode, as a script of :mod:`palestra.agents.players`.

    It plays at the temperature of the run's evaluations.

    Args:
        run: folder of a run, whose last checkpoint plays; ``<folder>@start`` or ``<folder>@step-000100`` is what it
            was then.
        env: the environment that is played, made as the run's was.

    Raises:
        RecipeError: the folder holds no run.
        CheckpointError: the run has no checkpoint, or a damaged one.
    """

    def __init__(self, run: str | Path, env: Any) -> None:
        folder, _, member = str(run).partition("@")
        self.config = recipe.load_as(Config, Path(folder) / recipe.FILE)
        saved = checkpoint.latest(folder)
        if saved is None:
            raise CheckpointError(f"{folder} has no checkpoint to play against")
        self._saved = saved
        self._frozen = Path(folder) / PLAYERS / member if member else None
        if self._frozen is not None and not self._frozen.is_dir():
            raise CheckpointError(f"{folder} keeps no {member}: there is no {self._frozen}")
        self._tokenizer, self._renderer, self._parser = language(self.config, str(saved), env)
        self._names = policy_names(self.config, tuple(env.possible_agents))
        self._slots = len(env.possible_agents)
        self._engines: dict[str, TransformersEngine] = {}
        self._last: dict[str, np.ndarray] = {}

    def __call__(
        self, env: Any, role: str, observation: Observation, info: Mapping[str, Any], np_random: np.random.Generator
    ) -> Any:
        """Sample an action for a role."""
        settings = self.config.rollout
        engine, shown = self._engine(role), with_feedback(observation, info)
        if role in self._last and settings.context == "episode":
            ids = self._renderer.extend(self._last[role], shown)
        else:
            engine.release(role)
            ids = self._renderer.start(shown)
        legal = list(info.get("legal_actions", ())) if settings.actions == "legal" else []
        choices = tuple(map(self._renderer.reply, legal))
        temperature = self.config.evaluation.temperature
        sampling = Sampling(settings.max_tokens, temperature, stop_ids=self._renderer.stop_ids)
        seed = tuple(np_random.integers(2**31, size=2).tolist())
        (completion,) = generate(engine, [Request(role, ids, sampling, seed, choices)])
        self._last[role] = completion.ids
        for action, choice in zip(legal, choices, strict=True):
            if np.array_equal(choice, completion.ids):
                return action
        return self._parser.parse(completion.ids).action

    def forget(self) -> None:
        """Begin another episode."""
        self._last = {}

    def _engine(self, role: str) -> TransformersEngine:
        """The engine of the policy that takes ``role``, made when it is first asked."""
        name = role if role in self._names else self._names[0]
        if name not in self._engines:
            path = self._saved if self._frozen is None else self._frozen / name
            with no_progress_bar():
                model = load_model(str(path), device_of(self.config), getattr(torch, self.config.dtype))
            if self._frozen is None and name != self._names[0]:
                model.load_state_dict(checkpoint.load(self._saved)[0][OTHERS][name]["weights"])
            self._engines[name] = TransformersEngine(model, self._tokenizer, slots=self._slots)
        return self._engines[name]


def is_run(name: str) -> bool:
    """Whether a player's name is that of a run's folder, and not of a script."""
    return (Path(name.partition("@")[0]) / recipe.FILE).is_file()
