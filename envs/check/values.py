"""Is everything that ``reset`` and ``step`` return what it should be, and the caller's to keep?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from copy import deepcopy
from numbers import Real
from typing import Any

import numpy as np

from .compare import difference
from .play import Frame, Script, episode_difference, global_seeds
from .report import Failed
from .subject import Subject


def observations_in_space(subject: Subject) -> str:
    """Every observation is in ``observation_space``, also the last one of an episode."""
    space = subject.probe.observation_space
    for where, frame in _frames(subject):
        if not space.contains(frame.observation):
            raise Failed(f"{where}: the observation {_short(frame.observation)} is not in {_short(space)}")
    return ""


def rewards_are_finite_numbers(subject: Subject) -> str:
    """Every reward is a finite number: an ``int`` or ``float``, or NumPy's; not a flag, NaN or infinite."""
    for where, frame in _frames(subject):
        reward = frame.reward
        if isinstance(reward, bool | np.bool_) or not isinstance(reward, Real | np.number):
            raise Failed(f"{where}: the reward {reward!r} is a {type(reward).__name__}; return a float")
        if not math.isfinite(float(reward)):
            raise Failed(f"{where}: the reward is {reward!r}; return a finite number")
    return ""


def flags_are_bools(subject: Subject) -> str:
    """``terminated`` and ``truncated`` are ``bool`` (or NumPy's)."""
    for where, frame in _frames(subject):
        for name in ("terminated", "truncated"):
            flag = getattr(frame, name)
            if not isinstance(flag, bool | np.bool_):
                raise Failed(f"{where}: {name} is {flag!r}, a {type(flag).__name__}; return a bool")
    return ""


def info_is_json(subject: Subject) -> str:
    """``info`` is a dictionary of plain values that come back from JSON unchanged.

    That is text, numbers, flags, ``None``, lists, and dictionaries with text keys: the record of an episode stores it.
    A tuple would come back as a list, a number as a key would come back as text, and an array not at all.
    """
    for where, frame in _frames(subject):
        try:
            copy = json.loads(json.dumps(frame.info, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise Failed(f"{where}: info {_short(frame.info)} is not JSON: {error}; use plain types") from error
        if not isinstance(frame.info, dict) or frame.info != copy:
            found = difference(frame.info, copy) or "a tuple, which comes back as a list"
            raise Failed(f"{where}: info does not come back from JSON as it was: {found}; use plain types")
    return ""


def returned_values_are_kept(subject: Subject) -> str:
    """What a call returned is not changed by later calls: observations and infos can be kept, as replay buffers do."""
    for script, frames in zip(subject.scripts, subject.episodes, strict=True):
        env, kept = subject.make(), []
        with global_seeds(0):
            kept.append(env.reset(seed=script.seed))
            for action in script.actions:
                observation, _, terminated, truncated, info = env.step(action)
                kept.append((observation, info))
                if terminated or truncated:
                    env.reset()
                    break
        env.close()
        for number, ((observation, info), frame) in enumerate(zip(kept, frames, strict=False)):
            found = difference((frame.observation, frame.info), (observation, info))
            if found:
                raise Failed(f"what step {number} returned was changed later: {found}; return a copy")
    return ""


def returned_values_are_copies(subject: Subject) -> str:
    """Changing what a call returned does not change the episode: the environment keeps no reference to it."""
    for script, frames in zip(subject.scripts, subject.episodes, strict=True):
        with global_seeds(0):
            vandalised = _play_vandalised(subject, script)
        found = episode_difference(frames, vandalised)
        if found:
            raise Failed(f"emptying the returned observation and info changed what came after: {found}; return copies")
    return ""


def _play_vandalised(subject: Subject, script: Script) -> list[Frame]:
    env = subject.make()
    observation, info = env.reset(seed=script.seed)
    frames = [Frame(deepcopy(observation), deepcopy(info))]
    for action in script.actions:
        _vandalise(observation)
        _vandalise(info)
        observation, reward, terminated, truncated, info = env.step(action)
        frames.append(Frame(deepcopy(observation), deepcopy(info), reward, terminated, truncated))
        if frames[-1].done:
            break
    env.close()
    return frames


def _vandalise(value: Any) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _vandalise(item)
        value.clear()
    elif isinstance(value, list | tuple):
        for item in value:
            _vandalise(item)
        if isinstance(value, list):
            value.clear()
    elif isinstance(value, np.ndarray) and value.flags.writeable:
        value.fill(0)


def _frames(subject: Subject) -> Iterator[tuple[str, Frame]]:
    for number, frames in enumerate(subject.recorded):
        for index, frame in enumerate(frames):
            yield f"episode {number}, {'reset' if index == 0 else f'step {index}'}", frame


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


CHECKS = (
    observations_in_space,
    rewards_are_finite_numbers,
    flags_are_bools,
    info_is_json,
    returned_values_are_kept,
    returned_values_are_copies,
)
