"""Finding an environment by its id, and making instances of it, in this process or another."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass, field
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from ..words import as_text


def find_spec(env_id: str) -> EnvSpec:
    """The specification of ``"EnvId"`` or ``"module:EnvId"``, importing the module in the second form.

    Raises :class:`ValueError` that names the nearest registered id, and ``ModuleNotFoundError`` if there is no such
    module.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    if name in gymnasium.registry:
        return gymnasium.registry[name]
    by_lower = {known.lower(): known for known in gymnasium.registry}
    nearest = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f"; the nearest registered one is {by_lower[nearest[0]]!r}" if nearest else ""
    raise ValueError(f"there is no environment {name!r}{hint}")


@dataclass(frozen=True)
class Maker:
    """Makes instances; ``kwargs`` go to the constructor, ``words`` wraps by :func:`palestra.envs.words.as_text`."""

    spec: EnvSpec
    kwargs: dict[str, Any] = field(default_factory=dict)
    words: bool = False

    def __call__(self, **extra: Any) -> gymnasium.Env:
        """A new instance, as ``gymnasium.make`` gives it but without Gymnasium's passive checker."""
        env = gymnasium.make(self.spec, disable_env_checker=True, **self.kwargs, **extra)
        return as_text(env) if self.words else env

    def vector(self, number: int, mode: str, vector_kwargs: dict[str, Any], **extra: Any) -> gymnasium.vector.VectorEnv:
        """``number`` instances under ``gymnasium.make_vec``; ``mode`` is ``"sync"`` or ``"async"``."""
        return gymnasium.make_vec(
            self.spec,
            num_envs=number,
            vectorization_mode=mode,
            vector_kwargs=vector_kwargs,
            wrappers=[as_text] if self.words else None,  # type: ignore[list-item]
            disable_env_checker=True,
            **self.kwargs,
            **extra,
        )
