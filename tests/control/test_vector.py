from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from palestra.envs.robot.locomotion import LocomotionVector
from palestra.rewards import parse_reward
from palestra.training.control.config import PPOConfig
from palestra.training.control.vector import Frame, Vector, make_vector
from palestra.training.recipe import RecipeError

from . import envs  # noqa: F401 - registers them


def chain(mode: AutoresetMode, env: str = "ControlShortChain-v0", reward: str = "env") -> Vector:
    made = gymnasium.make_vec(env, 2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    vector = Vector(made, env, parse_reward(reward))
    vector.begin(0)
    return vector


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_mode_gives_the_same_transitions(mode: AutoresetMode) -> None:
    vector = chain(mode)
    seen = []
    for _ in range(12):
        before = vector.observations
        step = vector.step(np.zeros((2, 1), np.float32))
        row = (before[0, 0], step.next_observations[0, 0], step.rewards[0], step.terminated[0], step.truncated[0])
        if step.valid[0]:
            seen.append(tuple(map(float, row)))
    episode = [(0, 1, 1, 0, 0), (1, 2, 1, 0, 0), (2, 3, 1, 1, 0)]
    assert seen == (episode * 4)[: len(seen)]
    assert len(seen) == (9 if mode is AutoresetMode.NEXT_STEP else 12)
    assert {(ended.reward, ended.score, ended.steps) for ended in vector.finished()} == {(3.0, 3.0, 3)}
    assert vector.finished() == []


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_reward_of_the_algebra_is_paid_and_the_environments_own_is_kept(mode: AutoresetMode) -> None:
    """``turns`` counts one a turn; the success bonus of an episode comes with its last step."""
    vector = chain(mode, "ControlChain-v0", "2 * env - 0.5 * turns")
    paid = [vector.step(np.zeros((2, 1), np.float32)) for _ in range(5)]
    np.testing.assert_allclose([step.rewards[1] for step in paid], 1.5)
    assert {(ended.reward, ended.score) for ended in vector.finished()} == {(7.5, 5.0)}


def test_actions_are_stretched_to_the_bounds_and_back() -> None:
    box = spaces.Box(np.array([-2, 0, -np.inf], np.float32), np.array([2, 1, np.inf], np.float32))
    frame = Frame(spaces.Box(-1, 1, (3,)), box, "x")
    np.testing.assert_allclose(frame.stretched(np.array([[0.5, -1, 7], [3, -3, -7]])), [[1, 0, 7], [2, 0, -7]])
    np.testing.assert_allclose(frame.shrunk(np.array([[1, 0, 7]])), [[0.5, -1, 7]])


def test_observations_in_parts_are_joined() -> None:
    parts = {"a": spaces.Box(-1, 1, (2, 2)), "b": spaces.Box(-1, 1, ())}
    frame = Frame(spaces.Dict(parts), spaces.Box(-1, 1, (1,)), "x")
    batch = {"a": np.arange(8).reshape(2, 2, 2), "b": np.array([8, 9])}
    assert frame.observation_size == 5
    assert frame.flat(batch, 2).tolist() == [[0, 1, 2, 3, 8], [4, 5, 6, 7, 9]]
    assert frame.flat({"a": batch["a"][1], "b": batch["b"][1]}).tolist() == [4, 5, 6, 7, 9]


@pytest.mark.parametrize(
    ("changes", "batched"),
    [({}, True), ({"env_options": {"forward_reward_weight": 2.0}}, False), ({"reward": "2 * env"}, False)],
)
def test_gymnasiums_bodies_are_stepped_in_batches_where_they_are_as_they_come(
    changes: dict[str, Any], batched: bool
) -> None:
    vector = make_vector(PPOConfig("HalfCheetah-v5", num_envs=2, **changes))
    assert isinstance(vector._envs.unwrapped, LocomotionVector) is batched
    vector.begin(3)
    first = gymnasium.make("HalfCheetah-v5").reset(seed=4)[0]
    assert np.array_equal(vector.observations[1], first.astype(np.float32))
    vector.close()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"env": "FrozenLake-v1"}, "needs a Box of actions"),
        ({"env": "ControlPiont-v0"}, "ControlPoint-v0"),
        ({"env": "ControlPoint-v0", "reward": "majority_vote()"}, "compares the episodes of a group"),
    ],
)
def test_what_cannot_be_trained_is_said(changes: dict[str, str], complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        make_vector(PPOConfig(**changes))
