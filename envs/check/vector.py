"""Does the last observation of an episode survive, alone and in a vector of environments?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

from .compare import difference
from .interface import describe
from .maker import Maker
from .play import Frame, global_seeds, reopen, start, step
from .report import Failed, Skipped
from .subject import Subject


@dataclass(slots=True)
class Row:
    """One step of one environment in a vector; ``final`` is the last frame of an episode that ended in this step."""

    action: Any
    frame: Frame
    final: Frame | None = None


def terminal_observation_is_final(subject: Subject) -> str:
    """The step that ends an episode returns what it led to, not how the next episode opens.

    An environment that resets itself loses the observation that a value function, or a reader, needs most.
    """
    found, repeated, shown = 0, 0, set()
    for number, frames in enumerate(subject.episodes):
        shown |= {repr(frame.observation) for frame in frames}
        if frames[-1].terminated:
            found += 1
            env, script = subject.make(), subject.scripts[number]
            with global_seeds(0):
                start(env, script)
                for action in script.actions[: len(frames) - 2]:
                    step(env, action)
                opening, _ = env.reset()
            repeated += difference(opening, frames[-1].observation) is None
            env.close()
    if not found:
        raise Skipped(f"no episode ended within {subject.settings.steps} steps")
    if repeated == found and len(shown) > 1:
        raise Failed("the last observation is how the next episode opens; leave resetting to whoever steps it")
    return f"{found} episodes ended"


def terminal_observation_sync(subject: Subject) -> str:
    """``gymnasium.make_vec(..., vectorization_mode="sync")`` returns what single instances do, across episode ends.

    Compared step by step in both ways of resetting: at the next step, and in the same step with ``info["final_obs"]``.
    """
    return _compare_modes(subject, "sync")


def terminal_observation_async(subject: Subject) -> str:
    """The same with ``vectorization_mode="async"``, where each instance lives in a process of its own."""
    return _compare_modes(subject, "async")


def _compare_modes(subject: Subject, mode: str) -> str:
    subject.episodes  # noqa: B018 - skips if they cannot be compared
    ended = any(frames[-1].terminated for frames in subject.episodes)
    limit: dict[str, Any] = {} if ended else {"max_episode_steps": max(2, subject.settings.steps // 3)}
    for autoreset in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        with global_seeds(0):
            expected = [_alone(subject, index, autoreset, limit) for index in range(2)]
        number = sum(row.frame.done or row.final is not None for rows in expected for row in rows)
        try:
            # What a failing worker is warned of is in the exception too.
            with global_seeds(0), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _compare(subject, mode, autoreset, limit, expected)
        except Failed:
            raise
        except Exception as error:
            raise Failed(f"{mode}, {autoreset.value}: stepping a vector of two raised {describe(error)}") from error
    return f"{number} episodes ended"


def _alone(subject: Subject, index: int, autoreset: AutoresetMode, limit: dict[str, Any]) -> list[Row]:
    """What a single instance does when driven as environment ``index`` of a vector; the first row is the reset."""
    script = subject.scripts[index % len(subject.scripts)]
    env = subject.make(**limit)
    rows = [Row(None, start(env, script))]
    actions, over = list(script.actions) * 2, False
    for action in actions[: subject.settings.steps + 5]:
        if over:
            rows.append(Row(action, reopen(env)))
            over = False
            continue
        frame = step(env, action)
        if frame.done and autoreset is AutoresetMode.SAME_STEP:
            # The vector reports the rewards and flags of the end with the observation of the new episode.
            opened = reopen(env)
            opened.reward, opened.terminated, opened.truncated = frame.reward, frame.terminated, frame.truncated
            rows.append(Row(action, opened, frame))
        else:
            rows.append(Row(action, frame))
            over = frame.done
    env.close()
    return rows


def _compare(
    subject: Subject, mode: str, autoreset: AutoresetMode, limit: dict[str, Any], expected: list[list[Row]]
) -> None:
    vector_kwargs: dict[str, Any] = {"autoreset_mode": autoreset}
    if mode == "async" and _holds_text(subject.probe.observation_space):
        # Gymnasium (1.4) reads a Text from shared memory once, when the vector is made, and never again.
        vector_kwargs["shared_memory"] = False
    assert isinstance(subject.make, Maker)
    vector: Any = subject.make.vector(len(expected), mode, vector_kwargs, **limit)
    try:
        observations, _ = vector.reset(seed=[subject.scripts[index % len(subject.scripts)].seed for index in range(2)])
        _compare_step(vector, observations, {}, [rows[0] for rows in expected], f"{mode}, {autoreset.value}, reset")
        for number in range(1, min(map(len, expected))):
            rows = [environment[number] for environment in expected]
            space = vector.single_action_space
            empty: Any = create_empty_array(space, len(rows), np.zeros)
            batch = concatenate(space, [row.action for row in rows], empty)
            observations, rewards, terminated, truncated, infos = vector.step(batch)
            where = f"{mode}, {autoreset.value}, step {number}"
            _compare_step(vector, observations, infos, rows, where)
            for name, values in (("reward", rewards), ("terminated", terminated), ("truncated", truncated)):
                found = difference([getattr(row.frame, name) for row in rows], values.tolist(), name)
                if found:
                    raise Failed(f"{where}: alone and in a vector, {found}")
    finally:
        if mode == "async":
            vector.close(terminate=True)
        else:
            vector.close()


def _holds_text(space: gymnasium.Space) -> bool:
    if isinstance(space, spaces.Dict):
        return any(map(_holds_text, space.spaces.values()))
    if isinstance(space, spaces.Tuple):
        return any(map(_holds_text, space.spaces))
    return isinstance(space, spaces.Text)


def _compare_step(vector: Any, observations: Any, infos: dict[str, Any], rows: list[Row], where: str) -> None:
    for index, (observation, row) in enumerate(zip(iterate(vector.observation_space, observations), rows, strict=True)):
        found = difference(row.frame.observation, observation, "observation")
        if row.final is not None and not found:
            finals = infos.get("final_obs")
            final = None if finals is None else finals[index]
            found = difference(row.final.observation, final, "the last observation")
        if found:
            raise Failed(f"{where}: environment {index} alone and in a vector, {found}")


CHECKS = (terminal_observation_is_final, terminal_observation_sync, terminal_observation_async)
