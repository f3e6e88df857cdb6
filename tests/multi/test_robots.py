"""Games of two robots: scripted players reach the goal, both forms keep the promises of every environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import palestra
from palestra.envs.check import MULTI_CHECKS
from palestra.envs.multi.registry import ROBOTS, is_multi

GAMES = [f"{name}-v0" for name in ROBOTS]
OTHER_PROCESSES = {"multi_other_process", "multi_other_hash_seed", "multi_other_clock", "multi_other_pace"}


def play(env: Any, players: tuple[str, str], seed: int) -> dict[str, float]:
    env.reset(seed=seed)
    paid, np_random = dict.fromkeys(env.agents, 0.0), np.random.default_rng(seed)
    for agent in env.agent_iter():
        _, reward, terminated, truncated, _ = env.last()
        paid[agent] += reward
        done = terminated or truncated
        env.step(None if done else env.suggest(players[env.possible_agents.index(agent)], np_random))
    return paid


@pytest.mark.parametrize("actions", ["numbers", "words"])
def test_two_arms_hand_over_and_are_both_paid(actions: str) -> None:
    env = palestra.make_multi("RobotHandOver-v0", actions=actions)
    for seed in range(3 if actions == "words" else 1):
        assert play(env, ("scripted", "scripted"), seed) == {"robot_0": 1.0, "robot_1": 1.0}


def test_one_arm_alone_cannot_hand_over() -> None:
    env = palestra.make_multi("RobotHandOver-v0", actions="words", max_cycles=12)
    for players in (("scripted", "random"), ("random", "scripted")):
        assert play(env, players, seed=1) == {"robot_0": 0.0, "robot_1": 0.0}


def test_the_scripted_robot_pushes_a_random_one_out_from_either_side() -> None:
    env = palestra.make_multi("RobotSumo-v0", actions="words")
    results = [
        play(env, players, seed) for players in (("scripted", "random"), ("random", "scripted")) for seed in (0, 1)
    ]
    assert all(sum(paid.values()) == 0 for paid in results)
    assert np.mean([paid["robot_0"] for paid in results[:2]] + [paid["robot_1"] for paid in results[2:]]) > 0.4


def test_each_robot_sees_the_other_as_the_other_sees_it() -> None:
    env = palestra.make_multi("RobotSumo-v0")
    env.reset(seed=3)
    here, there = env.observe("robot_0"), env.observe("robot_1")
    assert np.hypot(*here[5:7]) == pytest.approx(1.0, abs=1e-6)
    assert np.hypot(*there[5:7]) == pytest.approx(1.0, abs=1e-6)
    # Each turn of the other's heading is the opposite one seen from there.
    assert here[7:9] == pytest.approx(there[7:9] * [1, -1], abs=1e-6)


def test_nobody_sees_what_the_other_does_in_the_same_round() -> None:
    env = palestra.make_multi("RobotSumo-v0", actions="words")
    env.reset(seed=0)
    before = env.observe("robot_1")
    env.step("charge")
    assert env.agent_selection == "robot_1"
    assert env.observe("robot_1") == before


@pytest.mark.parametrize("action", ["fly", None, 3, [0.0, 0.0], np.full(4, np.nan), np.zeros((4, 1)), "x" * 10**6])
@pytest.mark.parametrize("actions", ["numbers", "words"])
def test_what_is_no_action_is_answered_and_the_robot_stands(actions: str, action: Any) -> None:
    env = palestra.make_multi("RobotHandOver-v0", actions=actions)
    env.reset(seed=0)
    before = env.observe("robot_0")
    env.step(action)
    assert env.infos["robot_0"]["valid_action"] is False
    assert len(env.infos["robot_0"]["feedback"]) < 200
    env.step(env.suggest("scripted", env.np_random))
    assert not any(env.terminations.values())
    if actions == "numbers":
        assert env.observe("robot_0")[:3] == pytest.approx(before[:3], abs=2e-3)


def test_a_fork_in_the_middle_of_a_hand_over_has_the_same_future_elsewhere() -> None:
    env, other = (palestra.make_multi("RobotHandOver-v0", actions="words") for _ in range(2))
    env.reset(seed=0)
    for _ in range(9):  # the first arm holds the bar, and has answered in the fifth round
        env.step(env.oracle())
    assert env.agent_selection == "robot_1"
    other.restore(env.snapshot())
    for _ in range(4):
        for each in (env, other):
            each.step(each.oracle())
        assert env.world.state.tobytes() == other.world.state.tobytes()
        assert env.observe("robot_0") == other.observe("robot_0")


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("RobotSumo-v0", "numbers"),
        ("RobotHandOver-v0", "numbers"),
        ("RobotSumo-v0", "words"),
        pytest.param("RobotHandOver-v0", "words", marks=pytest.mark.slow),
    ],
)
def test_they_pass_every_check_in_this_process(name: str, actions: str) -> None:
    report = palestra.check(name, kwargs={"actions": actions}, only=MULTI_CHECKS.keys() - OTHER_PROCESSES)
    assert report.passed, "\n".join(map(str, report.failures))


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_they_pass_every_check(name: str) -> None:
    report = palestra.check(name, kwargs={"actions": "words"})
    assert report.passed, "\n".join(map(str, report.failures))


@pytest.mark.parametrize("name", GAMES)
def test_they_are_drawn(name: str) -> None:
    env = palestra.make_multi(name, render_mode="rgb_array", camera="top", size=(48, 64))
    env.reset(seed=0)
    image = env.render()
    env.close()
    assert image.shape == (48, 64, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 5


def test_wrong_arguments_are_refused_by_name() -> None:
    assert all(map(is_multi, GAMES))
    with pytest.raises(ValueError, match="actions must be"):
        palestra.make_multi("RobotSumo-v0", actions="skills")
    with pytest.raises(ValueError, match="no argument 'colour'; there are actions"):
        palestra.make_multi("RobotSumo-v0", colour="red")
    env = palestra.make_multi("RobotSumo-v0")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="'random', 'scripted'"):
        env.suggest("optimal", env.np_random)
