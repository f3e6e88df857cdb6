"""Playing an environment by a fixed script, and recording everything that it returns."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from .compare import difference


@dataclass(slots=True)
class Frame:
    """What one ``reset`` (with reward 0) or ``step`` returned, copied so that nothing can change it afterwards."""

    observation: Any
    info: Any
    reward: Any = 0.0
    terminated: Any = False
    truncated: Any = False

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return bool(self.terminated) or bool(self.truncated)


@dataclass(slots=True)
class Script:
    """One episode to play: how to reset, and the actions."""

    seed: int = 0
    actions: list[Any] = field(default_factory=list)
    options: dict[str, Any] | None = None


def start(env: gymnasium.Env, script: Script) -> Frame:
    """Reset ``env`` as ``script`` says."""
    observation, info = env.reset(seed=script.seed, options=deepcopy(script.options))
    return Frame(deepcopy(observation), deepcopy(info))


def reopen(env: gymnasium.Env) -> Frame:
    """Reset ``env`` without a seed, for the next episode of its series."""
    observation, info = env.reset()
    return Frame(deepcopy(observation), deepcopy(info))


def step(env: gymnasium.Env, action: Any) -> Frame:
    """Step ``env`` and copy what it returns."""
    observation, reward, terminated, truncated, info = env.step(deepcopy(action))
    return Frame(deepcopy(observation), deepcopy(info), deepcopy(reward), terminated, truncated)


def play_on(env: gymnasium.Env, actions: list[Any]) -> list[Frame]:
    """Step through ``actions`` until they, or the episode, end."""
    frames: list[Frame] = []
    for action in actions:
        frames.append(step(env, action))
        if frames[-1].done:
            break
    return frames


def play(env: gymnasium.Env, script: Script, rest: float = 0.0) -> list[Frame]:
    """Play ``script``, resting ``rest`` seconds before the first two steps; the first frame is the reset's."""
    frames = [start(env, script)]
    for number, action in enumerate(script.actions):
        if rest and number < 2:
            time.sleep(rest)
        frames.append(step(env, action))
        if frames[-1].done:
            break
    return frames


def episode_difference(left: list[Frame], right: list[Frame]) -> str | None:
    """The first difference of two recorded episodes, named by its step, or ``None``."""
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        found = difference(one, other)
        if found is not None:
            return f"{'reset' if number == 0 else f'step {number}'}, {found}"
    if len(left) != len(right):
        return f"one episode has {len(left) - 1} steps, the other {len(right) - 1}"
    return None


@contextlib.contextmanager
def global_seeds(seed: int) -> Iterator[None]:
    """Inside, Python's and NumPy's global generators start from ``seed``; afterwards they are as they were before."""
    python_state, numpy_state = global_states()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def global_states() -> tuple[Any, Any]:
    """The states of Python's and NumPy's global generators: what environments must not use."""
    return random.getstate(), np.random.get_state()  # noqa: NPY002
