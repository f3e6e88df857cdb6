"""The tasks as text: every template can be solved, means what it says, and keeps the environment's promises."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import palestra
from palestra.envs.check import Settings
from palestra.envs.web.apps.book import TEMPLATES, Episode
from palestra.envs.web.apps.reader import Page, Reader
from palestra.envs.web.apps.task import LEVELS, SIZES
from palestra.envs.web.text_tasks import WebTasksText


def options(name: str, level: int, size: int, variation: int) -> dict[str, Any]:
    return {"template": name, "level": level, "size": size, "variation": variation}


def played(parameters: dict[str, Any], limit: int = 60) -> tuple[Episode, Reader, bool]:
    """The task played to its end by the oracle's steps."""
    episode, messages = Episode(parameters, 0.1), []
    reader = Reader(episode.app.respond)
    reader.visit("/")
    for _ in range(limit):
        view = reader.view()
        assert view.path != "/missing"
        step = episode.step(view)
        if step.verb == "tell":
            messages.append(("message", step.value))
        else:
            element = reader.page.by_id(step.target)
            assert element is not None, (parameters, step, reader.address)
            if step.verb == "click":
                reader.click(element)
            else:
                (reader.fill if step.verb == "fill" else reader.select)(element, step.value)
        solved, over = episode.judge(messages)
        if over:
            return episode, reader, solved
    return episode, reader, False


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_oracle_solves_every_template_at_every_level_and_size(name: str) -> None:
    for number, (level, size) in enumerate((level, size) for level in LEVELS for size in SIZES):
        parameters = options(name, level, size, number % 3)
        assert played(parameters)[2], parameters


def test_there_are_eight_applications_and_more_than_200_tasks_in_each_split() -> None:
    env = WebTasksText()
    assert len({template.app for template in TEMPLATES.values()}) == 8
    assert [env.tasks(split) > 200 for split in ("train", "validation", "test")] == [True] * 3
    grid = env.axes("test")
    assert np.prod([len(values) for values in grid.values()]) == env.tasks("test")


def test_no_task_is_solved_at_the_start() -> None:
    for number, name in enumerate(TEMPLATES):
        episode = Episode(options(name, LEVELS[number % 4], SIZES[number % 3], 41), 0.1)
        if episode.task.assignment.answer is None:
            assert episode.judge([]) == (False, False), name


@pytest.mark.parametrize("name", ["mail-star", "store-put", "admin-role", "calendar-add", "map-save"])
def test_levels_ask_for_more(name: str) -> None:
    lengths = [sum(played(options(name, level, 2, seed))[0].actions for seed in range(6)) for level in LEVELS]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) == len(LEVELS)


def test_what_is_done_besides_has_to_be_undone() -> None:
    env = WebTasksText(tasks=["mail-star"], levels=[1], sizes=[1])
    env.reset(options={"task": 0, "split": "test"})
    wanted = env.oracle()
    assert wanted.startswith("click(")
    stars = [name for name, element in env._reader.names.items() if element.label == "Star"]
    wrong = next(name for name in stars if name not in wanted)
    assert env.step(f"click('{wrong}')")[1:3] == (0.0, False)
    assert env.step(wanted)[1:3] == (0.0, False)
    assert env.step(f"click('{wrong}')")[1:3] == (1.0, True)


def test_the_first_answer_counts() -> None:
    env = WebTasksText(tasks=["mail-count"])
    _, info = env.reset(options={"task": 3, "split": "test"})
    answer = env._current().task.assignment.answer
    state = env.snapshot()
    assert env.step(f"send_msg_to_user(' {answer}. ')")[1:3] == (1.0, True)
    env.restore(state)
    _, reward, over, _, info = env.step("send_msg_to_user('seven')")
    assert (reward, over, info["success"]) == (0.0, True, False)
    env.restore(state)
    assert env.step("report_infeasible('it is too hard')")[1:3] == (0.0, True)


def test_a_message_does_not_end_what_is_no_question() -> None:
    env = WebTasksText(tasks=["mail-star"])
    env.reset(seed=0)
    assert env.step("send_msg_to_user('Done.')")[1:3] == (0.0, False)
    assert env.step(env.oracle())[4]["valid_action"]


def test_checkout_refuses_what_is_wrong_and_says_where() -> None:
    parameters = options("store-order", 1, 1, 0)
    episode = Episode(parameters, 0.1)
    reader = Reader(episode.app.respond)
    reader.visit("/")
    while "place-order" not in reader.page.ids:
        step = episode.step(reader.view())
        element = reader.page.by_id(step.target)
        assert element is not None
        reader.select(element, step.value) if step.verb == "select" else reader.click(element)
    wrong = {"name": "Ada", "street": "Mill Lane", "postcode": "123", "town": "", "email": "ada(at)x", "card": "1" * 16}
    for name, value in wrong.items():
        element = reader.page.by_id(name)
        assert element is not None
        reader.fill(element, value)
    button = reader.page.by_id("place-order")
    assert button is not None
    reader.click(button)
    text = reader.text()
    assert "8 fields need another look." in text
    for complaint in ("first and last name", "house number", "five digits", "no email", "no card number", "terms"):
        assert complaint in text
    assert episode.app.state.orders == []
    # What was typed is still there, and can be mended: the oracle goes on from this page.
    assert reader.view().fields["postcode"] == "123"


def test_the_control_panel_shows_nothing_before_the_login() -> None:
    episode = Episode(options("admin-delete", 1, 1, 0), 0.1)
    reader = Reader(episode.app.respond)
    for address in ("/", "/user/1", "/settings", "/create"):
        reader.visit(address)
        assert {"user", "password", "sign-in"} <= reader.page.ids
    reader.visit("/delete/1", {})
    assert len(episode.app.state.accounts) == 5


def test_pages_show_the_time_of_the_episode() -> None:
    episode = Episode(options("calendar-add", 1, 1, 0), 90.0)
    reader = Reader(episode.app.respond)
    reader.visit("/")
    before = f"{episode.task.now:%H:%M}"
    assert before in reader.text()
    for _ in range(40):
        episode.judge([])
    reader.visit("/")
    assert before not in reader.text()


@pytest.mark.parametrize("name", ["mail", "calendar", "issues", "forum", "table", "map", "store", "admin"])
def test_odd_addresses_and_forms_are_answered(name: str) -> None:
    template = next(each for each in TEMPLATES if each.startswith(name))
    episode = Episode(options(template, 1, 1, 0), 0.1)
    reader = Reader(episode.app.respond)
    facts = episode.app.state.facts()
    odd = ["/no/such", "/message/999999999", "/?page=0", "/?page=99", "/?folder=%00", "/?cell=Z9", "/?week=1e9", "//"]
    for address in [*odd, "/?x=nan&y=-99999999999&zoom=9", "/?cell=A²", "/search?words=%F0%9F%98%80<b>"]:
        reader.visit(address)
        assert "<b>" not in reader._source
    for _, expression, _handler in episode.app.routes:
        reader.visit(expression.pattern.replace("(?P<number>[0-9]{1,9})", "99999"), {"page": "x"})
    assert Page(reader._source).lines
    if name not in ("mail", "table", "admin"):
        assert episode.app.state.facts() == facts


def test_it_keeps_the_promises_of_an_environment() -> None:
    # What has been sent or deleted cannot be taken back, so that not every mistake can be made good.
    settings = Settings(episodes=2, oracle_tasks=4, min_recovery_score=0.5)
    report = palestra.check("WebTasksText-v0", settings=settings, kwargs={"sizes": (1,), "levels": (1, 2)})
    assert report.passed, report.failures


def test_it_is_short_enough_for_small_models() -> None:
    env = gymnasium.make("WebTasksText-v0", sizes=(1,))
    lengths = [len(env.reset(options={"task": task, "split": "test"})[0]) for task in range(0, 260, 5)]
    assert max(lengths) < 3000
    assert np.median(lengths) < 1200
