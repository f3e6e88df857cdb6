"""Actions are parsed and checked, and what is wrong is answered by what would have been right."""

from __future__ import annotations

import re

import pytest

from palestra.envs.web.actions import LONGEST_ACTION, ActionError, Call, parse_actions
from palestra.envs.web.actor import ACTIONS
from palestra.envs.web.keys import key_event, split_combination

# BrowserGym 0.14's functions, of its sets for chat, elements, coordinates, navigation and tabs.
BROWSERGYM = """
    send_msg_to_user report_infeasible noop fill check uncheck select_option click dblclick hover press focus clear
    drag_and_drop scroll mouse_move mouse_up mouse_down mouse_click mouse_dblclick mouse_drag_and_drop scroll_at
    keyboard_down keyboard_up keyboard_press keyboard_type keyboard_insert_text goto go_back go_forward new_tab
    tab_close tab_focus upload_file
""".split()  # noqa: SIM905 - a list in words


def test_the_names_are_browsergyms() -> None:
    assert set(BROWSERGYM) == set(ACTIONS)


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("click('a12')", "click", {"bid": "a12", "button": "left", "modifiers": []}),
        ('  fill("b3", value="it\'s") ', "fill", {"bid": "b3", "value": "it's"}),
        ("mouse_click(3, 4.5)", "mouse_click", {"x": 3, "y": 4.5, "button": "left"}),
        ("select_option('a1', ['x', 'y'])", "select_option", {"bid": "a1", "options": ["x", "y"]}),
        ("noop()", "noop", {"wait_ms": 1000}),
        ("scroll(0, -200)", "scroll", {"delta_x": 0, "delta_y": -200}),
    ],
)
def test_calls(text: str, name: str, arguments: dict[str, object]) -> None:
    assert parse_actions(text, ACTIONS) == [Call(name, arguments)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("clik('a12')", "did you mean click(bid: str"),
        ("click(a12)", "did you mean 'a12' in quotes?"),
        ("click", "write click(bid: str"),
        ("click()", "missing a required argument: 'bid'; write click("),
        ("click('a1', 'top')", "button must be 'left' | 'middle' | 'right', not 'top'"),
        ("mouse_click('a', 2)", "x must be float, not 'a'"),
        ("mouse_click(True, 2)", "x must be float, not True"),
        ("mouse_click(1e999, 2)", "x must be float"),
        ("click('a1'); click('a2')", "one action at a time, not 2"),
        ("click('a1'", "is not an action"),
        ("__import__('os').system('x')", "is not an action"),
        ("click(open('x').read())", "is not a plain value"),
        ("fill('a1', *['x'])", "is not a plain value"),
        ("click(**{'bid': 'a1'})", "** is not possible"),
        ("x = click('a1')", "is not an action"),
        ("", "empty"),
        ("(" * 5000, "is not an action"),
        ("a" * (LONGEST_ACTION + 1), "at most"),
        ("click('\x00')", "is not an action"),
    ],
)
def test_wrong_calls_say_what_would_be_right(text: str, answer: str) -> None:
    with pytest.raises(ActionError, match=re.escape(answer)):
        parse_actions(text, ACTIONS)


def test_several_calls_are_an_option() -> None:
    calls = parse_actions("fill('a1', 'x')\nclick('a2')", ACTIONS, multiple=True)
    assert [call.name for call in calls] == ["fill", "click"]


def test_keys() -> None:
    assert split_combination("Control+Shift+a") == (["Control", "Shift"], "a")
    assert split_combination("Control++") == (["Control"], "+")
    assert key_event("a", 2)["commands"] == ["selectAll"]
    assert key_event("Enter")["text"] == "\r"
    assert key_event("?") == {"key": "?", "code": "Slash", "windowsVirtualKeyCode": 191, "modifiers": 0, "text": "?"}
    with pytest.raises(ActionError, match="no key 'Entr'"):
        key_event("Entr")
    with pytest.raises(ActionError, match="not a modifier"):
        split_combination("Hyper+a")
