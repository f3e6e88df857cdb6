"""A vector environment as a learner of continuous control meets it: flat observations, actions in [-1, 1], transitions.

Gymnasium's vector environments begin the next episode in one of three ways (``AutoresetMode``).  A learner needs the
same from each: where an action led, even if the episode ended there, and whether it ended by itself or was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv

from ...envs.check.maker import find_spec
from ...rewards import Reward, parse_reward, robot, score
from ...rewards import env as environments_own
from ...rewards.reward import Scope
from ...rewards.wrapper import RunningReward
from ...trajectory import Status, Trajectory, Turn
from ..recipe import RecipeError
from .config import ControlConfig

BATCHED: tuple[Literal["sparse", "staged", "dense"], ...] = ("sparse", "staged", "dense")
"""The rewards of :mod:`palestra.rewards.robot` that are also there for whole batches."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one action of each environment led to; every array has a row per environment.

    ``next_observations`` [envs, size] are those before any new episode.  Rows that are not ``valid`` took no action: in
    the mode NEXT_STEP an environment spends a step on beginning its next episode.
    """

    next_observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    valid: np.ndarray

    @property
    def ended(self) -> np.ndarray:
        """Whose episode is over, [envs]."""
        return self.terminated | self.truncated


@dataclass(frozen=True, slots=True)
class Ended:
    """An episode that is over.

    ``reward`` is the sum of what was paid, ``score`` of what the environment itself pays; ``success`` is the last
    ``info["success"]``, if the environment says it.
    """

    reward: float
    score: float
    steps: int
    success: bool | None


class Frame:
    """Between an environment's spaces and the learner's arrays.

    Observations (a Box, or a Dict of them) become float32 [..., size]; actions in [-1, 1] [..., actions] are stretched
    to the bounds of the environment's Box, and left as they are along an axis without bounds.

    Raises:
        RecipeError: other spaces.
    """

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], name: str) -> None:
        if not isinstance(action_space, spaces.Box) or not np.issubdtype(action_space.dtype, np.floating):
            raise RecipeError(f"--env {name}: continuous control needs a Box of actions, not {action_space}")
        parts = observation_space.spaces.values() if isinstance(observation_space, spaces.Dict) else [observation_space]
        if not all(isinstance(part, spaces.Box) for part in parts):
            raise RecipeError(f"--env {name}: continuous control needs Boxes to observe, not {observation_space}")
        self._keys = list(observation_space.spaces) if isinstance(observation_space, spaces.Dict) else None
        self._shape = action_space.shape
        self.observation_size = sum(int(np.prod(part.shape or ())) for part in parts)
        self.action_size = int(np.prod(self._shape))
        low, high = (bound.reshape(-1).astype(np.float32) for bound in (action_space.low, action_space.high))
        self._bounded = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(self._bounded, low, -1), np.where(self._bounded, high, 1)
        self._centre, self._half = (low + high) / 2, (high - low) / 2

    def flat(self, observation: Any, rows: int | None = None) -> np.ndarray:
        """An observation as a fresh float32 [size], or a batch of ``rows`` as [rows, size]."""
        shape = (-1,) if rows is None else (rows, -1)
        if self._keys is None:
            return np.array(observation, np.float32).reshape(shape)
        return np.concatenate([np.asarray(observation[key], np.float32).reshape(shape) for key in self._keys], -1)

    def stretched(self, actions: np.ndarray) -> np.ndarray:
        """Actions of the environment from those of the policy, [..., actions]; beyond the bounds they are clipped."""
        inside = np.where(self._bounded, np.clip(actions, -1, 1), actions)
        return (self._centre + self._half * inside).astype(np.float32).reshape(*actions.shape[:-1], *self._shape)

    def shrunk(self, actions: Any) -> np.ndarray:
        """The policy's actions [..., actions] from the environment's: the inverse of :meth:`stretched`."""
        array = np.asarray(actions, np.float32)
        flat = array.reshape(*array.shape[: array.ndim - len(self._shape)], -1)
        return (flat - self._centre) / np.where(self._half > 0, self._half, 1)


class Vector:
    """Steps a vector environment, in whichever mode it begins episodes; :meth:`begin` comes first.

    Args:
        envs: made by ``gymnasium.make_vec``.
        name: the environment's, for messages and trajectories.
        reward: what is paid instead of the environment's own reward; it may not compare a group (ValueError).
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], name: str, reward: Reward = environments_own) -> None:
        self._envs, self._name = envs, name
        self._mode = AutoresetMode(envs.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self.num_envs = envs.num_envs
        self.frame = Frame(envs.single_observation_space, envs.single_action_space, name)
        # What robots are paid for is known for whole batches; another reward reads one episode after the other.
        self._kind = next((kind for kind in BATCHED if reward == getattr(robot, kind)), None)
        own = reward == environments_own or self._kind is not None
        self._payers = [] if own else [RunningReward(reward) for _ in range(self.num_envs)]
        self._reward = reward
        self.training_step = 0
        """For rewards that are annealed."""
        self._finished: list[Ended] = []

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere; those under way are dropped."""
        observations, _ = self._envs.reset(seed=seed)
        self.observations = self.frame.flat(observations, self.num_envs)
        """What to act on next, [envs, size]."""
        self._starting = np.zeros(self.num_envs, bool)
        self._sums = np.zeros((2, self.num_envs))
        self._lengths = np.zeros(self.num_envs, int)
        self._batched = robot.Batched(self._kind, self.num_envs) if self._kind else None
        for payer in self._payers:
            payer.start(self._name)

    def step(self, actions: np.ndarray) -> Step:
        """Take actions [envs, actions] of the policy."""
        taken = self.frame.stretched(actions)
        observations, rewards, terminated, truncated, infos = self._envs.step(taken)
        before, valid = self.observations, ~self._starting
        own = np.where(valid, rewards, 0.0)
        after = self.frame.flat(observations, self.num_envs)
        step = Step(after, own, terminated & valid, truncated & valid, valid)
        self.observations = after
        ended = step.ended
        if self._mode is AutoresetMode.NEXT_STEP:
            self._starting = ended
        elif ended.any():
            self._renew(step, ended, infos)
        if self._batched:
            step = replace(step, rewards=self._batched(infos, valid))
        elif self._payers:
            step = replace(step, rewards=self._pay(before, taken, step, infos))
        self._sums += step.rewards, own
        self._lengths += valid
        for index in np.flatnonzero(ended).tolist():
            self._finish(index, self._info(infos, index, True))
        return step

    def finished(self) -> list[Ended]:
        """The episodes that ended since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> None:
        """Close the environments."""
        self._envs.close()

    def _renew(self, step: Step, ended: np.ndarray, infos: Mapping[str, Any]) -> None:
        """Where episodes are over: final observations go into the step, first ones into ``self.observations``."""
        if self._mode is AutoresetMode.SAME_STEP:
            self.observations = step.next_observations.copy()
            for index in np.flatnonzero(ended).tolist():
                step.next_observations[index] = self.frame.flat(_row(infos["final_obs"], index))
        elif self._mode is AutoresetMode.DISABLED:
            observations, _ = self._envs.reset(options={"reset_mask": ended})
            fresh = self.frame.flat(observations, self.num_envs)
            self.observations = np.where(ended[:, None], fresh, step.next_observations)

    def _pay(self, before: np.ndarray, actions: np.ndarray, step: Step, infos: Mapping[str, Any]) -> np.ndarray:
        """What the reward pays for a step, [envs]."""
        paid, rows = np.zeros(self.num_envs), np.flatnonzero(step.valid).tolist()
        turns = {}
        for index in rows:
            info = self._info(infos, index, bool(step.ended[index]))
            turns[index] = Turn({"state": before[index]}, actions[index], float(step.rewards[index]), info=info)
        if self._reward.scope is Scope.TURN:
            # One call for all of them, since a program's or a model's judgement costs little more for many turns.
            played = [
                Trajectory(
                    self._name, None, 0, [turn], Status.TERMINATED if step.terminated[index] else Status.TRUNCATED
                )
                for index, turn in turns.items()
            ]
            paid[rows] = [
                values[-1] for values in score(self._reward, played, self.training_step) if values is not None
            ]
            return paid
        for index, turn in turns.items():
            terminated, truncated = bool(step.terminated[index]), bool(step.truncated[index])
            paid[index], _ = self._payers[index].pay(turn, terminated, truncated, self.training_step)
            if terminated or truncated:
                self._payers[index].start(self._name)
        return paid

    def _finish(self, index: int, info: Mapping[str, Any]) -> None:
        """Note an episode that is over."""
        reward, score = self._sums[:, index].tolist()
        success = bool(info["success"]) if "success" in info else None
        self._finished.append(Ended(reward, score, int(self._lengths[index]), success))
        self._sums[:, index] = self._lengths[index] = 0

    def _info(self, infos: Mapping[str, Any], index: int, ended: bool) -> dict[str, Any]:
        """One environment's ``info``, of the episode that it acted in."""
        said = infos["final_info"] if ended and self._mode is AutoresetMode.SAME_STEP else infos
        # A name with an underscore before it marks which environments have said it.
        return {
            name: _row(values, index)
            for name, values in said.items()
            if not name.startswith("_") and name != "final_obs" and name != "final_info" and _said(said, name, index)
        }


def _row(batch: Any, index: int) -> Any:
    return {key: part[index] for key, part in batch.items()} if isinstance(batch, dict) else batch[index]


def _said(infos: Mapping[str, Any], name: str, index: int) -> bool:
    marks = infos.get(f"_{name}")
    return marks is None or bool(marks[index])


def make_vector(config: ControlConfig) -> Vector:
    """The environments of a run: in their own vector form if there is one, else one after another in this process.

    Those of Gymnasium that are here in batches are stepped so, as long as they are as they come, and pay themselves.

    Raises:
        RecipeError: there is no such environment, its spaces are not those of continuous control, or the reward
            compares a group.
        RewardParseError: the reward cannot be read.
    """
    spec, reward = _spec(config.env), parse_reward(config.reward)
    batched = f"palestra/{spec.id}"
    if batched in gymnasium.registry and not config.env_options and reward == environments_own:
        spec = gymnasium.registry[batched]
    if spec.vector_entry_point is not None:
        envs = gymnasium.make_vec(spec, config.num_envs, **config.env_options)
    else:
        envs = gymnasium.make_vec(
            spec,
            config.num_envs,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP, "copy": False},
            disable_env_checker=True,
            **config.env_options,
        )
    try:
        return Vector(envs, config.env, reward)
    except RecipeError:
        envs.close()
        raise
    except ValueError as error:
        envs.close()
        raise RecipeError(f"--reward {config.reward}: {error}") from error


def make_single(config: ControlConfig, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """One environment of a run, which pays its own reward whatever the run maximises."""
    drawn: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
    return gymnasium.make(_spec(config.env), disable_env_checker=True, **config.env_options, **drawn)


def _spec(name: str) -> EnvSpec:
    try:
        return find_spec(name)
    except (ValueError, ModuleNotFoundError) as error:
        raise RecipeError(f"--env {name}: {error}") from error
