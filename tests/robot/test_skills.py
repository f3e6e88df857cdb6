"""Skills in words, and action tokens."""

from __future__ import annotations

from typing import Any

import gymnasium
import gymnasium_robotics
import numpy as np
import pytest

import palestra
from palestra.envs.check import Settings
from palestra.envs.robot.tokens import ActionTokens, Bins


def test_skills_and_controls_keep_their_promises() -> None:
    settings = Settings(episodes=2, steps=3, oracle_tasks=2)
    only = ("gymnasium_check_env", "same_seed_same_episode", "reset_forgets", "info_is_json", "instances_apart")
    only += (
        "restore_repeats_the_future",
        "restore_in_another_instance",
        "oracle_only_advises",
        "bad_options_are_refused",
    )
    for kwargs in ({"interface": "skills"}, {"control": "joint"}, {"interface": "tokens", "chunk": 2}):
        report = palestra.check("PickPlace-v0", kwargs=kwargs, settings=settings, only=only)
        assert report.passed, str(report)


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("grab()", "there are move_to"),
        ("move_to(purple banana)", "There is no 'purple banana'"),
        ("grasp()", "nothing under the hand"),
        ("release()", "holds nothing"),
        ("move(1)", "Write move"),
        ("move(900, 0)", "reaches"),
        ("move(nan, 0)", "reaches"),
        ("move(a, b)", "two numbers"),
        ("move_to(" + "x" * 500 + ")", "is no skill"),
        (7, "not int"),
    ],
)
def test_a_skill_that_cannot_be_done_changes_nothing(action: Any, why: str) -> None:
    env: Any = gymnasium.make("Stack-v0", interface="skills").unwrapped
    before, _ = env.reset(seed=1)
    after, reward, terminated, _, info = env.step(action)
    assert before == after
    assert (reward, terminated, info["valid_action"]) == (0.0, False, False)
    assert why in info["feedback"]


def test_a_wrong_thing_can_be_put_back() -> None:
    env: Any = gymnasium.make("PickPlace-v0", interface="skills").unwrapped
    env.reset(seed=2)
    layout = env.core.world.layout(0)
    for action in (f"move_to({layout.things[1]})", "grasp()"):
        text, *_ = env.step(action)
    assert f"holds the {layout.things[1]}" in text
    for _ in range(12):
        _, reward, terminated, _, _ = env.step(env.oracle())
        if terminated:
            break
    assert reward == 1.0


@pytest.mark.parametrize("env_id", ["Navigate-v0", "Walk-v0"])
def test_bodies_on_a_floor_go_where_they_are_told(env_id: str) -> None:
    env: Any = gymnasium.make(env_id, interface="skills").unwrapped
    env.reset(seed=1)

    def way() -> np.ndarray:
        return env.core.family.features(env.core.world)[0]

    before = way()
    text, *_ = env.step("turn(-90)")
    assert "has turned" in text
    # What was ahead is to the left now.
    assert way() == pytest.approx([-before[1], before[0]], abs=0.1)
    before = way()
    text, *_ = env.step("forward(20)")
    assert "ahead" in text
    assert way() == pytest.approx(before - [0.2, 0.0], abs=0.06)


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("turn(200)", "from -180 to 180"),
        ("turn(left)", "takes a number"),
        ("turn(nan)", "from -180 to 180"),
        ("forward(-5)", "from 0 to 150"),
        ("forward()", "Write forward"),
        ("jump()", "there are turn"),
    ],
)
def test_where_no_legs_go_nothing_changes(action: str, why: str) -> None:
    env: Any = gymnasium.make("Walk-v0", interface="skills").unwrapped
    before, _ = env.reset(seed=1)
    after, reward, terminated, _, info = env.step(action)
    assert before == after
    assert (reward, terminated, info["valid_action"]) == (0.0, False, False)
    assert why in info["feedback"]


def test_the_same_skills_are_seen_in_a_picture() -> None:
    env: Any = gymnasium.make("Sort-v0", interface="skills", observation="rgb", size=(32, 32)).unwrapped
    observation, _ = env.reset(seed=0)
    assert observation["image"].shape == (32, 32, 3)
    assert "(" not in observation["text"]
    assert env.observation_space.contains(observation)
    env.close()


def test_bins_come_back() -> None:
    codec = Bins(gymnasium.spaces.Box(-2.0, 1.0, (3,)), bins=31)
    actions = np.random.default_rng(0).uniform(-2, 1, size=(20, 3))
    assert np.abs(codec.decode(codec.encode(actions)) - actions).max() <= 0.05 + 1e-6
    assert codec.encode(np.array([-9.0, 1.0, 9.0])).tolist() == [0, 30, 30]
    with pytest.raises(ValueError, match="from 0 to 30"):
        codec.decode(np.array([31]))


def test_a_chunk_is_its_steps() -> None:
    one: Any = gymnasium.make("Push-v0", interface="tokens")
    several: Any = gymnasium.make("Push-v0", interface="tokens", chunk=3)
    one.reset(seed=0)
    several.reset(seed=0)
    for step in ("10 20 30 40", "200 20 100 40", "0 255 0 255"):
        last = one.step(step)
    text, _, _, _, info = several.step("10 20 30 40; 200 20 100 40; 0 255 0 255")
    assert text == last[0]
    assert info["chunk"] == 3


@pytest.mark.parametrize(
    "action", ["", "1 2 3", "1 2 3 256", "1 2 3 -4", "1 2 3 4; 1 2 3 4; 1 2 3 4", "9" * 10**6, "² 1 1 1", 4]
)
def test_what_are_no_tokens_changes_nothing(action: Any) -> None:
    env: Any = gymnasium.make("Push-v0", interface="tokens", chunk=2)
    before, _ = env.reset(seed=0)
    after, reward, *_, info = env.step(action)
    assert before == after
    assert (reward, info["valid_action"]) == (0.0, False)


@pytest.mark.parametrize("env_id", ["HalfCheetah-v5", "FetchReach-v4"])
def test_other_mujoco_environments_take_tokens(env_id: str) -> None:
    gymnasium.register_envs(gymnasium_robotics)
    env = ActionTokens(gymnasium.make(env_id))
    before, _ = env.reset(seed=0)
    after, *_, info = env.step(env.write(np.ones(env.codec.dimensions)))
    assert before != after
    assert info["valid_action"]
    env.close()
