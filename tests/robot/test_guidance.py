"""Rewards that guide exploration, on what the arm's tasks say: keypoints, poses and temporal logic."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from palestra import Trajectory
from palestra.agents.scripted import OracleAgent, RandomAgent, play
from palestra.envs.robot.env import Robot
from palestra.envs.robot.guidance import Guidance
from palestra.envs.robot.scene import COLOURS
from palestra.rewards import score
from palestra.rewards.grounding import pose_curiosity, waypoint_progress
from palestra.rewards.temporal_logic import Above, Eventually, robustness, stages


def by_colour(image: np.ndarray, instruction: str) -> list[np.ndarray]:
    """The middles of what has the colours that the instruction names, in that order."""
    hues = image / image.max(axis=2, keepdims=True).clip(1)
    points = []
    for word in instruction.split():
        if word in COLOURS:
            wanted = np.array(COLOURS[word]) / max(COLOURS[word])
            rows, columns = np.nonzero(np.abs(hues - wanted).max(axis=2) < 0.06)
            points.append(np.array([columns.mean(), rows.mean()]))
    return points


@pytest.fixture(scope="module")
def played() -> list[Trajectory]:
    """What the oracle does, and what chance does, with keypoints that are some 5 pixels off."""
    inner = gymnasium.make("PickPlace-v0", disable_env_checker=True)
    robot, rng = inner.unwrapped, np.random.default_rng(0)
    assert isinstance(robot, Robot)

    def nearly(image: np.ndarray, instruction: str) -> list[np.ndarray]:
        world = robot.core.world
        points = [world.object_position(0)[0], world.place_position(0)[0]]
        return [robot.camera.pixel(0, point) + rng.normal(0, 5, 2) for point in points]

    env = Guidance(inner, nearly)
    episodes = [play(env, agent, seed=2) for agent in (OracleAgent(), RandomAgent())]
    env.close()
    assert [episode.score for episode in episodes] == [1.0, 0.0]
    return episodes


def test_a_pixel_is_where_the_picture_shows_a_point() -> None:
    for camera in ("front", "top"):
        env: Any = gymnasium.make("PickPlace-v0", camera=camera, render_mode="rgb_array").unwrapped
        _, info = env.reset(seed=1)
        seen = by_colour(env.render(), info["instruction"])
        named = [np.array(info["objects"][:3]), np.array(info["places"][:3])]
        for point, shown in zip(named, seen, strict=True):
            assert np.abs(env.camera.pixel(0, point) - shown).max() < 3
        env.close()


def test_kagi_pays_for_the_way_along_keypoints(played: list[Trajectory]) -> None:
    solved, chance = (float(score(waypoint_progress(radius=20.0), [episode])[0].sum()) for episode in played)
    assert solved > 0.8
    assert chance < 0.5


def test_tgpo_pays_stages_before_their_deadlines(played: list[Trajectory]) -> None:
    timed = stages(tuple((Above("stage", number), 40 * number) for number in (1, 2, 3, 4)))
    done = robustness(Eventually(Above("progress", 1.0)))
    solved, chance = ([float(score(reward, [episode])[0].sum()) for reward in (timed, done)] for episode in played)
    assert solved[0] == pytest.approx(8.0)  # each stage adds 1 to its margin, and pays 1
    assert solved[1] == 0.0
    assert chance[0] < 2.0
    assert chance[1] < 0.0


def test_evovla_is_curious_about_what_the_hand_does_to_the_object(played: list[Trajectory]) -> None:
    """A model of an object that stays where it is, while the hand moves as it is told."""

    def stays(poses: np.ndarray, actions: list[Any]) -> np.ndarray:
        return poses - 0.02 * np.array([[0, 0, 0, *action[:3]] for action in actions])

    surprise = score(pose_curiosity(stays), played[:1])[0]
    assert surprise is not None
    stage = np.array([turn.info["stage"] for turn in played[0].turns])
    held, free = surprise[stage >= 2].mean(), surprise[stage == 0].mean()
    assert held > 2 * free
