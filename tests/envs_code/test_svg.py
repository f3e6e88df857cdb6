"""Svg-v0: scenes and their drawings, what a drawing is worth, and what the agent is told."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

import palestra
from palestra.envs.check import Settings
from palestra.envs.code.base import split_of
from palestra.envs.code.svg import Svg
from palestra.envs.code.svg.env import SUCCESS, ink_similarity
from palestra.envs.code.svg.scenes import FAMILIES


@pytest.mark.slow
def test_it_keeps_every_promise() -> None:
    report = palestra.check("Svg-v0")
    assert report.passed, str(report)


def test_it_forks_is_deterministic_and_answers_nonsense() -> None:
    only = [
        "same_seed_same_episode",
        "hostile_actions_are_answered",
        "hostile_actions_do_no_harm",
        "restore_in_another_instance",
        "info_is_json",
    ]
    report = palestra.check("Svg-v0", only=only, settings=Settings(episodes=1, steps=4, oracle_tasks=2))
    assert report.passed, str(report)


def test_the_reference_of_every_family_is_worth_one_and_a_blank_canvas_nothing() -> None:
    env, families = Svg(), Counter[str]()
    for task in range(70):
        split = ("train", "validation", "test")[task % 3]
        text, info = env.reset(options={"task": task, "split": split})
        assert split_of(text) == split
        families[info["family"]] += 1
        assert env.step("<svg/>")[4]["similarity"] == 0.0
        saved = env.snapshot()
        _, reward, _, _, info = env.step("submit")
        assert (reward, info["success"]) == (0.0, False)
        env.restore(saved)
        env.step(env.oracle())
        _, reward, terminated, _, info = env.step(env.oracle())
        assert (reward, terminated, info["success"]) == (1.0, True, True)
    assert set(families) == {family.__name__ for family in FAMILIES}


def circle(x: float, radius: float = 20, colour: str = "red") -> str:
    return f'<svg viewBox="0 0 100 100"><circle cx="{x}" cy="50" r="{radius}" fill="{colour}"/></svg>'


def test_the_further_off_the_less_a_drawing_is_worth() -> None:
    from palestra.envs.svg import render_svg

    target = render_svg(circle(50), 64, 64)
    for changed in (
        [circle(50 + shift) for shift in (0, 2, 5, 10, 20, 39)],
        [circle(50, radius) for radius in (20, 19, 17, 14, 10, 5)],
        [circle(50, 20, colour) for colour in ("red", "#f02020", "#d05050", "#a07070")],
    ):
        worth = [ink_similarity(render_svg(svg, 64, 64), target) for svg in changed]
        assert worth[0] == 1.0
        assert all(nearer > further for nearer, further in pairwise(worth)), worth
        assert worth[1] > 0.8
    apart = ink_similarity(render_svg(circle(20, 10), 64, 64), render_svg(circle(80, 10), 64, 64))
    assert apart == 0.0


def test_ink_similarity_by_hand() -> None:
    white = np.full((1, 2, 3), 255, np.uint8)
    left, both = white.copy(), white.copy()
    left[0, 0] = 0
    both[:] = 0
    assert ink_similarity(left, both) == pytest.approx(1 - 1 / 3)
    assert ink_similarity(white, both) == 0.0


def test_differences_are_told_and_can_be_mended() -> None:
    env = Svg()
    env.reset(options={"task": 3, "split": "train"})
    assert "nothing to submit" in env.step("submit")[4]["feedback"]
    page = env.step(circle(5, 3))[0]
    assert page.startswith("The similarity is 0.")
    assert "should be #" in page
    broken = env.step("<svg><text>a house</text></svg>")
    assert "<text> is not supported" in broken[4]["feedback"]
    assert broken[0] == page
    again = env.step(f"Better:\n```svg\n{env.oracle()}\n```")
    assert again[0] == "The similarity is 1.000."
    assert again[4]["similarity"] >= SUCCESS
    assert env.step("submit")[1] == 1.0
