"""Rewards of robot tasks, of turns and of batches."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import palestra  # noqa: F401 - registers the environments
from palestra.rewards.reward import RewardError
from palestra.rewards.robot import Batched, dense, sparse, staged
from palestra.trajectory import Group, Status, Trajectory, Turn


def oracle_trajectory(env_id: str, seed: int) -> Trajectory:
    env: Any = gymnasium.make(env_id)
    env.reset(seed=seed)
    turns, terminated, truncated = [], False, False
    while not (terminated or truncated):
        _, reward, terminated, truncated, info = env.step(env.unwrapped.oracle())
        turns.append(Turn(observation="", action="", reward=reward, info=info))
    return Trajectory(env_id=env_id, task=0, seed=seed, turns=turns, status=Status.TERMINATED)


def test_parts_tell_how_far_an_episode_is() -> None:
    trajectory = oracle_trajectory("PickPlace-v0", 0)
    values = {name: reward(Group([trajectory]))[0] for name, reward in (("s", sparse), ("g", staged), ("d", dense))}
    assert values["s"].tolist() == [0.0] * (len(trajectory.turns) - 1) + [1.0]
    assert values["g"].sum() == 4
    assert values["d"].sum() == pytest.approx(2.0)
    assert np.count_nonzero(values["d"]) > len(trajectory.turns) / 2


def test_what_an_environment_does_not_say_is_an_error() -> None:
    turns = [Turn(observation="", action="")]
    trajectory = Trajectory(env_id="x", task=0, seed=0, turns=turns, status=Status.TERMINATED)
    with pytest.raises(RewardError, match="stage"):
        staged(Group([trajectory]))


@pytest.mark.parametrize(("kind", "part"), [("sparse", sparse), ("staged", staged), ("dense", dense)])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_batch_is_paid_as_its_episodes_are(kind: Any, part: Any, mode: str) -> None:
    vector = gymnasium.make_vec("Reach-v0", num_envs=2, autoreset_mode=mode, max_episode_steps=20)
    vector.reset(seed=4)
    reward, acted, totals, ended = Batched(kind, 2), np.ones(2, bool), np.zeros(2), np.zeros(2, bool)
    core: Any = vector.core  # type: ignore[attr-defined]
    for _ in range(40):
        actions = np.stack([core.family.oracle(core.world, row, core.control) for row in range(2)])
        _, _, terminated, truncated, infos = vector.step(actions)
        totals += np.where(ended, 0.0, reward(infos, acted))
        ended |= terminated | truncated
        acted = ~(terminated | truncated) if mode == "NextStep" else acted
    for row in range(2):
        expected = part(Group([oracle_trajectory("Reach-v0", 4 + row)]))[0].sum()
        assert totals[row] == pytest.approx(expected)
