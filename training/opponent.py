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
from .checkpoint import OTHERS, CheckpointError, no_progress_bar
from .rollout import with_feedback
from .setup import device_of, language, policy_names


class RunPlayer:
    """What a run has learned takes roles in one episode, as a script of :mod:`palestra.agents.players`.

    Args:
        run: the run's folder; its last checkpoint plays.
        env: the environment that is played, made as the run's was.

    Raises:
        RecipeError: the folder holds no run.
        CheckpointError: the run has no checkpoint, or a damaged one.
    """

    def __init__(self, run: str | Path, env: Any) -> None:
        self.config = recipe.load(Path(run) / recipe.FILE)
        saved = checkpoint.latest(run)
        if saved is None:
            raise CheckpointError(f"{run} has no checkpoint to play against")
        self._saved = saved
        self._tokenizer, self._renderer, self._parser = language(self.config, str(saved), env)
        self._names = policy_names(self.config, tuple(env.possible_agents))
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
        sampling = Sampling(settings.max_tokens, settings.temperature, stop_ids=self._renderer.stop_ids)
        seed = tuple(np_random.integers(2**31, size=2).tolist())
        (completion,) = generate(engine, [Request(role, ids, sampling, seed, choices)])
        self._last[role] = completion.ids
        for action, choice in zip(legal, choices, strict=True):
            if np.array_equal(choice, completion.ids):
                return action
        return self._parser.parse(completion.ids).action

    def _engine(self, role: str) -> TransformersEngine:
        """The engine of the policy that takes ``role``, made when it is first asked."""
        name = role if role in self._names else self._names[0]
        if name not in self._engines:
            with no_progress_bar():
                model = load_model(str(self._saved), device_of(self.config), getattr(torch, self.config.dtype))
            if name != self._names[0]:
                model.load_state_dict(checkpoint.load(self._saved)[0][OTHERS][name]["weights"])
            self._engines[name] = TransformersEngine(model, self._tokenizer, slots=len(self._names) + 8)
        return self._engines[name]
