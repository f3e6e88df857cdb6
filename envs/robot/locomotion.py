"""Gymnasium's ``HalfCheetah-v5`` and ``Ant-v5``, stepped together: the same episodes to the bit, in one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from .batch import BatchVector, Facts
from .scene import import_mujoco
from .world import usable_threads


class _Seen(NamedTuple):
    """What is copied out of the simulators after a step; the last two where the body feels contact."""

    qpos: np.ndarray
    """``[N, nq]``"""
    qvel: np.ndarray
    """``[N, nv]``"""
    torso: np.ndarray = np.zeros(0)
    """``[N, 2]``"""
    forces: np.ndarray = np.zeros(0)
    """``[N, bodies, 6]``"""


class _Body(NamedTuple):
    """How one of the environments observes ``(env, seen)`` and pays ``(env, before, seen, actions)``."""

    feels_contact: bool
    observe: Callable[[Any, _Seen], np.ndarray]
    judge: Callable[[Any, _Seen, _Seen, np.ndarray], tuple[np.ndarray, np.ndarray, Facts]]


def make(env_id: str) -> gymnasium.Env[Any, Any]:
    """One of Gymnasium's environments; ``make_vec`` on the same name gives :class:`LocomotionVector`."""
    return gymnasium.make(env_id, disable_env_checker=True).unwrapped


class LocomotionVector(BatchVector):
    """``num_envs`` episodes of ``"HalfCheetah-v5"`` or ``"Ant-v5"`` as Gymnasium has them with their defaults.

    ``gym.make_vec("palestra/HalfCheetah-v5", num_envs=64)`` makes one.

    Each episode has a simulator of its own, and threads step them; observations and rewards are arrays.

    Args:
        env_id: one of :data:`BODIES`.
        num_envs: how many episodes.
        max_episode_steps: after how many steps an episode is truncated.
        autoreset_mode: when an episode that ended is reopened, see :class:`~.batch.BatchVector`.
        threads: how many; by default one for each processor that this process may use.

    Raises :class:`ValueError` for another environment.
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int = 1,
        max_episode_steps: int | None = 1000,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        threads: int | None = None,
    ) -> None:
        super().__init__(num_envs, max_episode_steps, autoreset_mode)
        if env_id not in BODIES:
            raise ValueError(f"env_id must be one of {', '.join(map(repr, BODIES))}, not {env_id!r}")
        mujoco = import_mujoco()
        self._body = BODIES[env_id]
        env: Any = make(env_id)
        self._env, self._model = env, env.model
        model = env.model
        self.single_action_space = self._env.action_space
        self.single_observation_space = self._env.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._data = [mujoco.MjData(model) for _ in range(num_envs)]
        # Views into the simulators, since making them anew at each step takes as long as a step of a small model.
        self._wanted = np.zeros((num_envs, model.nu))
        self._controls = [(data.ctrl, wanted) for data, wanted in zip(self._data, self._wanted, strict=True)]
        self._views = [[data.qpos for data in self._data], [data.qvel for data in self._data]]
        if self._body.feels_contact:
            self._views += [[data.xpos[1, :2] for data in self._data], [data.cfrc_ext for data in self._data]]
        self._seen = self._look()
        count = min(num_envs, max(1, usable_threads() if threads is None else threads))
        self._pool = ThreadPoolExecutor(count - 1) if count > 1 else None
        self._helpers = count - 1

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
        self._env.close()

    def _open(self, row: int, options: dict[str, Any], generator: np.random.Generator) -> None:
        if options:
            raise ValueError(f"unknown reset option {next(iter(options))!r}; there are none but 'reset_mask'")
        mujoco, data, model, scale = import_mujoco(), self._data[row], self._model, self._env._reset_noise_scale
        mujoco.mj_resetData(model, data)
        data.qpos[:] = self._env.init_qpos + generator.uniform(low=-scale, high=scale, size=model.nq)
        data.qvel[:] = self._env.init_qvel + scale * generator.standard_normal(model.nv)
        mujoco.mj_forward(model, data)
        for seen, views in zip(self._seen, self._views, strict=False):
            seen[row] = views[row]

    def _look(self) -> _Seen:
        return _Seen(*(np.concatenate(views).reshape(self.num_envs, *views[0].shape) for views in self._views))

    def _act(self, actions: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Facts]:
        self._wanted[:] = actions
        for control, wanted in self._controls:
            control[:] = wanted
        # All threads take from one iterator, so that none is done before the others.
        left = iter(self._data if rows.all() else [self._data[row] for row in np.flatnonzero(rows)])
        helpers = [self._pool.submit(self._step, left) for _ in range(self._helpers)] if self._pool else []
        self._step(left)
        for helper in helpers:
            helper.result()
        before, self._seen = self._seen, self._look()
        return self._body.judge(self._env, before, self._seen, actions)

    def _step(self, left: Iterator[Any]) -> None:
        """Step simulators until none is left; the interpreter is held only in between."""
        mujoco, model = import_mujoco(), self._model
        if not self._body.feels_contact:
            deque(map(mujoco.mj_step, repeat(model), left, repeat(self._env.frame_skip)), maxlen=0)
            return
        for data in left:
            mujoco.mj_step(model, data, self._env.frame_skip)
            mujoco.mj_rnePostConstraint(model, data)

    def _observe(self) -> np.ndarray:
        return self._body.observe(self._env, self._seen)

    def _facts(self) -> Facts:
        return {"x_position": self._seen.qpos[:, 0].copy(), "x_velocity": np.zeros(self.num_envs)}


def _observe_cheetah(env: Any, seen: _Seen) -> np.ndarray:
    return np.concatenate([seen.qpos[:, 1:], seen.qvel], axis=1)


def _judge_cheetah(env: Any, before: _Seen, seen: _Seen, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, Facts]:
    speed = (seen.qpos[:, 0] - before.qpos[:, 0]) / env.dt
    rewards = env._forward_reward_weight * speed - env._ctrl_cost_weight * np.square(actions).sum(axis=1)
    return rewards, np.zeros(len(speed), dtype=bool), {"x_position": seen.qpos[:, 0].copy(), "x_velocity": speed}


def _observe_ant(env: Any, seen: _Seen) -> np.ndarray:
    forces = np.clip(seen.forces[:, 1:], *env._contact_force_range).reshape(len(seen.qpos), -1)
    return np.concatenate([seen.qpos[:, 2:], seen.qvel, forces], axis=1)


def _judge_ant(env: Any, before: _Seen, seen: _Seen, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, Facts]:
    # Of the torso's position as the simulator last computed it, one physics step behind `qpos`, as Gymnasium's is.
    speed = ((seen.torso - before.torso) / env.dt)[:, 0]
    state = np.concatenate([seen.qpos, seen.qvel], axis=1)
    lowest, highest = env._healthy_z_range
    healthy = np.isfinite(state).all(axis=1) & (lowest <= state[:, 2]) & (state[:, 2] <= highest)
    forces = np.clip(seen.forces, *env._contact_force_range).reshape(len(state), -1)
    costs = env._ctrl_cost_weight * np.square(actions).sum(axis=1)
    costs = costs + env._contact_cost_weight * np.square(forces).sum(axis=1)
    rewards = speed * env._forward_reward_weight + healthy * env._healthy_reward - costs
    ended = ~healthy & env._terminate_when_unhealthy
    return rewards, ended, {"x_position": seen.qpos[:, 0].copy(), "x_velocity": speed}


BODIES = {
    "HalfCheetah-v5": _Body(False, _observe_cheetah, _judge_cheetah),
    "Ant-v5": _Body(True, _observe_ant, _judge_ant),
}
"""The environments that :class:`LocomotionVector` has."""
