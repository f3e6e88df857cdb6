"""The environments with pages of their own, in Chromium."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import palestra
from palestra.envs.check import Settings
from palestra.envs.web.apps.book import TEMPLATES
from palestra.envs.web.html_from_image import HtmlFromImage, similarity
from palestra.envs.web.tasks import WebTasks

ONE_EACH = (
    *("mail-star", "calendar-when", "issues-close", "forum-reply"),
    *("table-sort", "map-rate", "store-put", "admin-role"),
)


def finished(env: Any, limit: int = 60) -> tuple[float, int]:
    """What following the oracle pays, and how many steps it takes."""
    for number in range(1, limit + 1):
        _, reward, over, _, info = env.step(env.oracle())
        assert info["valid_action"], info["feedback"]
        if over:
            return reward, number
    return 0.0, limit


def test_the_oracle_solves_a_task_of_each_application() -> None:
    env = WebTasks(tasks=ONE_EACH, levels=[1], sizes=[1])
    for task in range(len(ONE_EACH)):
        env.reset(options={"task": task, "split": "test"})
        assert finished(env)[0] == 1.0, ONE_EACH[task]
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", TEMPLATES)
def test_the_oracle_solves_every_template(name: str) -> None:
    env = WebTasks(tasks=[name], levels=[2], sizes=[2])
    env.reset(options={"task": 0, "split": "test"})
    assert finished(env)[0] == 1.0
    env.close()


def test_dragging_moves_the_map() -> None:
    env = WebTasks(tasks=["map-frame"], levels=[3])
    env.reset(options={"task": 0, "split": "test"})
    env.step("goto('http://map.example/?x=500&y=500&zoom=3')")
    env.step("mouse_drag_and_drop(400, 400, 300, 400)")
    assert "x=5" in env.seen.url
    assert "x=500" not in env.seen.url
    assert "zoom=3" in env.seen.url
    env.close()


def test_a_snapshot_is_played_again() -> None:
    env = WebTasks(tasks=["mail-archive"], levels=[2], sizes=[1])
    env.reset(options={"task": 0, "split": "test"})
    env.step(env.oracle())
    state = env.snapshot()
    ends = []
    for _ in range(2):
        env.restore(state)
        ends.append(finished(env))
    assert ends[0] == ends[1] == (1.0, 3)
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["WebTasks-v0", "HtmlFromImage-v0"])
def test_it_keeps_the_promises_of_an_environment(name: str) -> None:
    settings = Settings(episodes=2, steps=8, oracle_tasks=2, min_recovery_score=0.5)
    few = {"tasks": ["mail-star"], "sizes": [1], "levels": [1]} if name == "WebTasks-v0" else {"train": 20, "test": 3}
    report = palestra.check(name, settings=settings, kwargs=few)
    assert report.passed, report.failures


def test_the_closer_a_page_comes_the_more_it_is_paid() -> None:
    env = HtmlFromImage()
    env.reset(seed=3)
    source = env.oracle()
    target = env.render_page(source)
    worse = [target]
    for share in (0.02, 0.1, 0.3, 0.6, 1.0):
        blank = target.copy()
        blank[: int(share * len(target))] = similarity_background(target)
        worse.append(blank)
    scores = [similarity(image, target) for image in worse]
    assert scores[0] == 1.0
    assert all(one >= other for one, other in pairwise(scores))
    assert scores[-1] == 0.0
    assert env.step("no page at all")[4]["valid_action"] is False
    assert env.step("submit")[4]["feedback"].startswith("There is nothing to submit")
    observation, *_, info = env.step("<p>something</p><script>document.body.style.background = 'red'</script>")
    assert info["similarity"] < 0.9
    assert observation["image"][-1, -1].tolist() == [255, 255, 255]
    env.step(source)
    assert env.step("submit")[1:3] == (1.0, True)
    env.close()


def similarity_background(image: np.ndarray) -> np.ndarray:
    colours, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    return colours[counts.argmax()]
