"""The robot tasks: each can be solved, is split by its words, and takes nothing amiss."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest

import palestra
from palestra.envs.robot.families import FAMILIES
from palestra.envs.robot.kinematics import HIGHEST, LOWEST, grip_position, joints_for
from palestra.envs.robot.registry import STEPS
from palestra.envs.robot.walker import FEET, HIPS, legs_for

IDS = tuple(FAMILIES)


def solve(env: gymnasium.Env, options: dict[str, Any]) -> tuple[float, int]:
    """What the oracle earns in one task, and in how many steps, at most the limit of the environment."""
    env.reset(seed=0, options=options)
    solver: Any = env.unwrapped
    for number in itertools.count(1):
        _, reward, terminated, truncated, _ = env.step(solver.oracle())
        if reward or terminated or truncated:
            return float(reward), number
    raise AssertionError


def test_every_family_is_registered() -> None:
    assert set(STEPS) == set(FAMILIES)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("interface", ["control", "skills"])
def test_the_oracle_solves_held_out_tasks(env_id: str, interface: str) -> None:
    env = gymnasium.make(env_id, interface=interface)
    assert solve(env, {"task": 7, "split": "test"})[0] == 1.0
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("kwargs", [{}, {"control": "joint"}, {"interface": "skills"}], ids=str)
def test_the_oracle_solves_nearly_all_tasks(env_id: str, kwargs: dict[str, str]) -> None:
    if env_id == "Navigate-v0" and "control" in kwargs:
        kwargs = {"control": "velocity"}
    env: Any = gymnasium.make(env_id, **kwargs)
    tasks = np.random.default_rng(0).integers(env.unwrapped.tasks("test"), size=40).tolist()
    solved = [solve(env, {"task": task, "split": "test"})[0] for task in tasks]
    assert np.mean(solved) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("interface", ["control", "skills", "tokens"])
def test_it_keeps_its_promises(env_id: str, interface: str) -> None:
    report = palestra.check(env_id, kwargs={"interface": interface})
    assert report.passed, str(report)


@pytest.mark.parametrize("env_id", IDS)
def test_held_out_combinations_are_new_and_their_words_are_not(env_id: str) -> None:
    env: Any = gymnasium.make(env_id).unwrapped
    axes = {split: set(env.axes(split)["combination"]) for split in ("train", "validation", "test")}
    assert not axes["train"] & (axes["validation"] | axes["test"])
    assert not axes["validation"] & axes["test"]
    words = {word for text in axes["train"] for word in text.split()}
    assert {word for text in axes["test"] for word in text.split()} <= words


def test_kinematics_are_the_models() -> None:
    env: Any = gymnasium.make("Reach-v0").unwrapped
    env.reset(seed=0)
    points = np.random.default_rng(0).uniform(LOWEST, HIGHEST, size=(50, 3))
    joints = joints_for(points)
    assert np.allclose(grip_position(joints), points, atol=1e-9)
    world = env.core.world
    for row, point in zip(joints, points, strict=True):
        world.state[0, 1:6] = row
        _, data = world.data(0)
        assert np.allclose(data.site("grip").xpos, point, atol=1e-9)
        # It points down, and the fingers open along the world's x.
        assert np.allclose(data.site("grip").xmat.reshape(3, 3), np.diag([-1.0, 1.0, -1.0]), atol=1e-9)


def test_lidar_is_what_rays_meet() -> None:
    import mujoco

    env: Any = gymnasium.make("Navigate-v0").unwrapped
    env.reset(seed=3)
    world = env.core.world
    model, data = world.data(0)
    seen = env.core.feel()[0, 3:]
    for number, found in enumerate(seen):
        angle = world.joints[0, 2] + 2 * np.pi * number / len(seen)
        ray = np.array([np.cos(angle), np.sin(angle), 0.0])
        hit = np.zeros(1, np.int32)
        start = np.array([*world.joints[0, :2], 0.12])
        met = mujoco.mj_ray(model, data, start, ray, None, 1, model.body("base").id, hit)
        assert found == pytest.approx(met, abs=1e-3)


def test_the_legs_kinematics_are_the_models() -> None:
    env: Any = gymnasium.make("Walk-v0").unwrapped
    env.reset(seed=0)
    world = env.core.world
    for moved in np.random.default_rng(0).uniform(-0.04, 0.04, size=(20, *FEET.shape)):
        world.state[0, 1 : 1 + 19] = [0, 0, 0, 1, 0, 0, 0, *legs_for(FEET + moved)]
        _, data = world.data(0)
        feet = [data.geom(f"{end}_{side}_foot").xpos for end in ("front", "back") for side in ("left", "right")]
        assert np.allclose(feet, HIPS + FEET + moved, atol=1e-9)


def test_a_body_that_fell_over_can_get_up_and_go_on() -> None:
    env: Any = gymnasium.make("Walk-v0").unwrapped
    for seed in range(3):
        rng, (_, info) = np.random.default_rng(seed), env.reset(seed=seed)
        while info["upright"] > 0.0:
            *_, info = env.step(rng.uniform(-1, 1, size=12))
        assert info["progress"] == 0.0
        for _ in range(STEPS["Walk-v0"]):
            _, reward, terminated, _, info = env.step(env.oracle())
            if terminated:
                break
        assert reward == 1.0
        assert info["upright"] > 0.9


def test_to_lie_at_the_marker_is_not_to_stand_there() -> None:
    env: Any = gymnasium.make("Walk-v0").unwrapped
    env.reset(seed=0)
    world = env.core.world
    world.state[0, 1:3] = world.place_position(0)[0, :2]
    assert env.core.assess().success[0]
    standing = world.state.copy()
    # On its back, turned about its long axis; and on its belly.
    for part, values in ((slice(4, 8), [0.0, 1.0, 0.0, 0.0]), (slice(3, 4), [0.1])):
        world.state = standing.copy()
        world.state[0, part] = values
        judged = env.core.assess()
        assert (bool(judged.success[0]), judged.progress[0]) == (False, 0.0)


@pytest.mark.parametrize(
    "action",
    [None, "up", [1.0], np.zeros(5), np.full(4, np.nan), [np.inf, 0, 0, 0]],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_action_changes_nothing(action: Any) -> None:
    env: Any = gymnasium.make("Push-v0").unwrapped
    before, _ = env.reset(seed=0)
    after, reward, terminated, _, info = env.step(action)
    assert np.array_equal(before, after)
    assert (reward, terminated, info["valid_action"]) == (0.0, False, False)
    assert info["feedback"]


def test_actions_beyond_the_bounds_are_clipped() -> None:
    seen = []
    for action in (np.full(4, 1.0), np.full(4, 50.0)):
        env: Any = gymnasium.make("Push-v0").unwrapped
        env.reset(seed=0)
        seen.append(env.step(action)[0])
    assert np.array_equal(*seen)


@pytest.mark.parametrize(
    ("kwargs", "named"),
    [
        ({"control": "wish"}, "end_effector"),
        ({"observation": "smell"}, "rgbd"),
        ({"camera": "back"}, "front"),
        ({"interface": "telepathy"}, "skills"),
        ({"size": (0, 8)}, "pixels"),
        ({"render_mode": "human"}, "rgb_array"),
        ({"interface": "tokens", "chunk": 0}, "chunk"),
        ({"interface": "tokens", "bins": 1}, "bins"),
    ],
)
def test_unknown_arguments_are_refused(kwargs: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        gymnasium.make("Reach-v0", **kwargs)


def test_rearranging_goes_on() -> None:
    env: Any = gymnasium.make("Rearrange-v0")
    _, info = env.reset(seed=0)
    asked, earned = [info["instruction"]], 0.0
    for _ in range(200):
        _, reward, terminated, _, info = env.step(env.unwrapped.oracle())
        assert not terminated
        if reward:
            asked.append(info["instruction"])
            earned += reward
    assert earned >= 2
    assert asked[0] == asked[2] != asked[1]
