"""A vector of robots plays the episodes that single ones play, to the bit."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import palestra  # noqa: F401 - registers the environments

SIZE = 3


def actions_of(seed: int, steps: int, numbers: int = 4) -> np.ndarray:
    """Random actions in every direction, ``[steps, SIZE, numbers]``."""
    return np.random.default_rng(seed).uniform(-1.2, 1.2, size=(steps, SIZE, numbers)).astype(np.float32)


def alone(env_id: str, seed: int, actions: np.ndarray, limit: int) -> list[tuple[Any, ...]]:
    """What one environment returns when it is driven and reopened as one of a vector, ``NEXT_STEP``."""
    env = gymnasium.make(env_id, max_episode_steps=limit)
    observation, _ = env.reset(seed=seed)
    rows, over = [(observation, 0.0, False, False)], False
    for action in actions:
        if over:
            rows.append((env.reset()[0], 0.0, False, False))
            over = False
        else:
            rows.append(env.step(action)[:4])
            over = bool(rows[-1][2] or rows[-1][3])
    env.close()
    return rows


@pytest.mark.parametrize(("env_id", "limit"), [("Reach-v0", 9), ("Push-v0", 20), ("Walk-v0", 20)])
@pytest.mark.parametrize("threads", [0, 2])
def test_each_of_a_vector_is_the_single_episode(env_id: str, limit: int, threads: int) -> None:
    vector = gymnasium.make_vec(env_id, num_envs=SIZE, max_episode_steps=limit, threads=threads)
    actions = actions_of(0, 45, vector.action_space.shape[1])
    observations, _ = vector.reset(seed=11)
    rows = [(observations, np.zeros(SIZE), np.zeros(SIZE, bool), np.zeros(SIZE, bool))]
    rows += [vector.step(batch)[:4] for batch in actions]
    vector.close()
    for index in range(SIZE):
        for number, row in enumerate(alone(env_id, 11 + index, actions[:, index], limit)):
            for expected, found in zip(row, rows[number], strict=True):
                assert np.array_equal(expected, found[index]), (index, number)
    assert any(row[3].any() for row in rows)


def test_the_last_observation_is_kept_when_the_next_episode_opens_at_once() -> None:
    actions = actions_of(1, 20)
    later = gymnasium.make_vec("Reach-v0", num_envs=SIZE, max_episode_steps=7)
    at_once = gymnasium.make_vec("Reach-v0", num_envs=SIZE, max_episode_steps=7, autoreset_mode=AutoresetMode.SAME_STEP)
    later.reset(seed=3)
    at_once.reset(seed=3)
    for batch in actions[:7]:
        last, _, _, truncated, info = later.step(batch)
        opened, _, _, also_truncated, infos = at_once.step(batch)
    assert truncated.all()
    assert also_truncated.all()
    assert np.array_equal(np.stack(infos["final_obs"]), last)
    assert np.array_equal(infos["final_info"]["progress"], info["progress"])
    assert np.array_equal(opened, later.step(actions[7])[0])


def test_only_what_is_masked_is_reopened() -> None:
    vector = gymnasium.make_vec("Reach-v0", num_envs=SIZE, max_episode_steps=2, autoreset_mode="Disabled")
    vector.reset(seed=0)
    for batch in actions_of(2, 2):
        before = vector.step(batch)[0]
    with pytest.raises(gymnasium.error.ResetNeeded, match="are over"):
        vector.step(actions_of(2, 1)[0])
    after, _ = vector.reset(options={"reset_mask": np.array([True, False, True])})
    changed = (before != after).any(axis=1)
    assert changed.tolist() == [True, False, True]


def test_an_action_that_is_no_number_changes_its_own_scene_alone() -> None:
    vector = gymnasium.make_vec("Push-v0", num_envs=SIZE)
    before, _ = vector.reset(seed=0)
    actions = np.ones((SIZE, 4), np.float32)
    actions[1, 2] = np.nan
    after, _, _, _, infos = vector.step(actions)
    assert infos["valid_action"].tolist() == [True, False, True]
    assert (before != after).any(axis=1).tolist() == [True, False, True]


def test_a_snapshot_brings_all_episodes_back() -> None:
    vector = gymnasium.make_vec("Push-v0", num_envs=SIZE, max_episode_steps=6)
    vector.reset(seed=0)
    vector.step(actions_of(4, 1)[0])
    state: Any = vector.snapshot()  # type: ignore[attr-defined]
    first = [vector.step(batch)[0] for batch in actions_of(5, 12)]
    other = gymnasium.make_vec("Push-v0", num_envs=SIZE, max_episode_steps=6, threads=0)
    other.restore(state)  # type: ignore[attr-defined]
    second = [other.step(batch)[0] for batch in actions_of(5, 12)]
    assert np.array_equal(first, second)
