"""The page as an environment: acting, observing, time, and what a page cannot do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from palestra.envs.abilities import EnvironmentFault
from palestra.envs.web.env import WebEnv
from palestra.envs.web.observation import LONGEST_NAME, Names
from palestra.envs.web.pool import BrowserPool
from palestra.envs.web.protocol import Connection

from .site import START, Shop, name_of, open_shop


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[WebEnv, Shop]]:
    env, site = open_shop(observation="dict")
    yield env, site
    env.close()


@pytest.fixture
def env(shop: tuple[WebEnv, Shop]) -> WebEnv:
    shop[0].reset(seed=0)
    return shop[0]


def title(env: WebEnv) -> str:
    return str(env.seen.title)


def act(env: WebEnv, action: str, text: str = "") -> str:
    """Take ``action``, with the name of the element that shows ``text`` for ``@``; the feedback, if any."""
    info = env.step(action.replace("@", name_of(env, text)) if text else action)[4]
    return str(info.get("feedback", ""))


def test_a_form_is_filled_and_sent(env: WebEnv, shop: tuple[WebEnv, Shop]) -> None:
    for action, text in (
        ("fill('@', 'Ann')", "textbox 'Name'"),
        ("select_option('@', 'large')", "combobox"),
        ("check('@')", "checkbox"),
        ("fill('@', '2024-02-29')", "'Day'"),
    ):
        assert not act(env, action, text)
    assert "textbox 'Name' value='Ann'" in env.seen.tree
    assert "checkbox 'Gift' focused checked=true" in env.seen.tree or "checked=true" in env.seen.tree
    assert not act(env, "click('@')", "button 'Send'")
    assert title(env) == "Done"
    method, path, _, body = shop[1].asked[-2]
    assert (method, path, body) == ("POST", "/send", b"name=Ann&size=large&gift=on&day=2024-02-29")
    assert shop[1].asked[-1][1:3] == ("/done", "seen=1")


def test_cookies_do_not_outlive_an_episode(env: WebEnv, shop: tuple[WebEnv, Shop]) -> None:
    act(env, "click('@')", "button 'Send'")
    assert shop[1].asked[-1][2] == "seen=1"
    env.reset(seed=0)
    assert shop[1].asked[-1][1:3] == ("/", "")


def test_frames_and_closed_shadow_trees_are_seen_and_used(env: WebEnv) -> None:
    assert not act(env, "click('@')", "button 'inner'")
    assert not act(env, "click('@')", "button 'shadow'")
    assert "button '1'" in env.seen.tree
    assert "button '2'" in env.seen.tree
    assert name_of(env, "button '1'").startswith("b")


def test_tabs_history_and_windows(env: WebEnv) -> None:
    act(env, "click('@')", "link 'other'")
    assert title(env) == "Other"
    assert not act(env, "go_back()")
    assert title(env) == "Form"
    assert "no page to go back to" in act(env, "go_back()")
    assert not act(env, "go_forward()")
    act(env, "go_back()")
    act(env, "click('@')", "link 'window'")
    assert (title(env), len(env.context.tabs)) == ("Other", 2)
    act(env, "tab_close()")
    assert title(env) == "Form"
    assert "tabs 0 to 0" in act(env, "tab_focus(1)")


def test_input_that_reaches_the_page_late_is_waited_for(env: WebEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    send = Connection.send

    def late(self: Connection, method: str, *rest: Any) -> asyncio.Future[Any]:
        async def soon() -> Any:
            await asyncio.sleep(0.1)
            return await send(self, method, *rest)

        return asyncio.ensure_future(soon()) if method.startswith("Input.") else send(self, method, *rest)

    monkeypatch.setattr(Connection, "send", late)
    assert not act(env, "click('@')", "link 'other'")
    assert title(env) == "Other"
    assert not act(env, "go_back()")
    act(env, "focus('@')", "textbox 'Name'")
    assert not act(env, "keyboard_type('Ann')")
    assert "textbox 'Name' value='Ann'" in env.seen.tree


def test_dialogs_are_answered_and_told(env: WebEnv) -> None:
    env.reset(seed=0)
    act(env, "click('@')", "button 'ask'")
    assert (title(env), env.seen.dialogs) == ("true", ["confirm: Sure?"])


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("goto('file:///etc/passwd')", "out of bounds"),
        ("goto('chrome://version')", "out of bounds"),
        ("goto('http://127.0.0.1/')", "addresses here begin with http://shop.test/"),
        ("goto('javascript:alert(1)')", "out of bounds"),
        ("click('a999')", "There is no element 'a999'"),
        ("fill('a1', 'x')", "not a field for text"),
        ("mouse_click(900, 5)", "outside the page's 800 x 600 pixels"),
        ("upload_file('a1', '/etc/passwd')", "no files"),
        ("tab_close()", "last tab"),
    ],
)
def test_what_cannot_be_done_changes_nothing(env: WebEnv, action: str, answer: str) -> None:
    before = env.seen.tree
    assert answer in act(env, action)
    assert env.seen.tree == before


def test_a_covered_element_is_not_clicked_through(env: WebEnv) -> None:
    assert "covered by div" in act(env, "click('@')", "button 'below'")


@pytest.mark.parametrize("link", ["file", "elsewhere", "download"])
def test_links_out_of_bounds_lead_nowhere(env: WebEnv, link: str) -> None:
    act(env, "click('@')", f"link '{link}'")
    assert "root:" not in env.seen.tree
    assert not env.seen.url.startswith("file:")


def test_a_page_reaches_no_port_of_the_machine(env: WebEnv) -> None:
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.1)

        def listen() -> None:
            while not done.is_set():
                try:
                    heard.append(server.accept()[1])
                except TimeoutError:
                    continue

        done = threading.Event()
        listener = threading.Thread(target=listen)
        listener.start()
        script = f"""new Promise(resolve => {{
            const say = () => resolve(outcomes.join()), outcomes = [];
            fetch('http://127.0.0.1:{port}/').catch(() => outcomes.push('fetch'));
            new WebSocket('ws://127.0.0.1:{port}/').onerror = () => outcomes.push('socket');
            const image = new Image();
            image.onerror = () => outcomes.push('image');
            image.src = 'http://localhost:{port}/x.png';
            const peer = new RTCPeerConnection({{iceServers: [{{urls: 'stun:127.0.0.1:{port}'}}]}});
            peer.createDataChannel('x');
            peer.createOffer().then(offer => peer.setLocalDescription(offer));
            window.outcomes = outcomes;
            say();
        }})"""
        env.pool.run(env.context.active.evaluate(script))
        for _ in range(10):
            env.step("noop(500)")
            outcomes = env.pool.run(env.context.active.evaluate("outcomes.join()"))
            if {"fetch", "socket", "image"} <= set(outcomes.split(",")):
                break
        done.set()
        listener.join()
    assert {"fetch", "socket", "image"} <= set(outcomes.split(","))
    assert heard == []


def test_the_clock_moves_only_with_actions(env: WebEnv) -> None:
    def now() -> float:
        return float(env.pool.run(env.context.active.evaluate("Date.now()")))

    first = now()
    assert now() == first
    act(env, "click('@')", "button 'start'")
    assert "button 'start'" in env.seen.tree
    env.step("noop(500)")
    assert "button 'start'" in env.seen.tree
    env.step("noop(500)")
    assert "button 'late'" in env.seen.tree
    assert now() - first == pytest.approx(1300, abs=2)
    env.reset(seed=0)
    assert now() == first


def test_pieces_that_are_switched_off_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    send = Connection.send
    env, _ = open_shop(observation="dict", pieces=("goal",))
    env.reset(seed=0)

    def record(self: Connection, method: str, *rest: Any) -> Any:
        sent.append(method)
        return send(self, method, *rest)

    monkeypatch.setattr(Connection, "send", record)
    observation = env.step("noop(0)")[0]
    env.close()
    assert observation == {"goal": "Buy."}
    assert set(sent) == {"Emulation.setVirtualTimePolicy", "HeadlessExperimental.beginFrame"}


def test_the_forms_of_an_observation() -> None:
    env, _ = open_shop(observation="text_image", viewport=(320, 240), pieces=("goal", "tree", "dom", "screenshot"))
    observation, _ = env.reset(seed=0)
    env.close()
    assert env.observation_space.contains(observation)
    assert observation["image"].shape == (240, 320, 3)
    assert len(np.unique(observation["image"])) > 10
    assert observation["text"].startswith("Goal: Buy.\n[a1] RootWebArea 'Form'")
    name = name_of(env, "button 'Send'")
    assert f'<button bid="{name}">Send</button>' in observation["text"]
    assert ">shadow</button>" in observation["text"]
    assert "attachShadow" not in observation["text"]


def test_elements_can_be_called_by_what_they_say() -> None:
    env, shop = open_shop(named_by="words")
    env.reset(seed=0)
    assert {line.text for line in env.seen.lines} >= {"[Name] textbox", "[Send] button", "[window] link"}
    for action in ("click('start')", "noop(1000)", "click('inner')", "fill('Name', 'Ann')"):
        assert not act(env, action)
    # A name stays what it was when the element says something else.
    assert {line.text for line in env.seen.lines} >= {"[start] button 'late'", "[inner] button '1'"}
    assert act(env, "click('Sent')").endswith("the nearest one is 'Send'.")
    assert not act(env, "click('Send')")
    env.close()
    assert shop.asked[-2][3].startswith(b"name=Ann&")


def test_names_of_words_are_short_and_different_and_fit_into_a_call() -> None:
    names = Names("words")
    said = ["OK", "OK", "", "", "OK 2", "OK", "['\\\"]", f"{'word ' * 9}", "x" * 40, "It's \n here", "button"]
    assert [names.name("a", node, "button", says) for node, says in enumerate(said)] == [
        *("OK", "OK 2", "button", "button 2", "OK 2 2", "OK 3", "button 3", "word word word word word word"),
        *("x" * LONGEST_NAME, "Its here", "button 4"),
    ]
    assert names.name("a", 1, "link", "Cancel") == "OK 2"
    names.begin(7)
    assert names.name("a", 1, "link", "Cancel") == "Cancel"


def test_marks_are_drawn_where_the_elements_are() -> None:
    pictures = []
    for marks in (False, True):
        env, _ = open_shop(observation="dict", marks=marks)
        pictures.append(env.reset(seed=0)[0]["screenshot"].astype(int))
        env.close()
    box = env.seen.marks[name_of(env, "button 'Send'")]
    changed = np.abs(pictures[1] - pictures[0]).sum(axis=2) > 0
    left, top, right = int(box.x), int(box.y), int(box.x + box.width)
    assert changed[top, left : right + 1].mean() > 0.9


def test_a_long_tree_keeps_what_is_in_view() -> None:
    env, _ = open_shop(start_url=f"{START}long", tree_tokens=300, pieces=("tree",))
    text, _ = env.reset(seed=0)
    assert len(text) < 4 * 300 + 60
    assert "Paragraph 0 " in text
    assert "more lines are not shown" in text
    env.step("scroll(0, 3000)")
    assert "Paragraph 0 " not in env.seen.tree
    assert env.seen.tree.count("Paragraph") > 3
    env.close()


def test_a_page_that_hangs_and_a_browser_that_dies_are_faults_and_the_pool_heals() -> None:
    pool = BrowserPool(timeout=5)
    env, _ = open_shop(pool=pool)
    env.reset(seed=0)
    with pytest.raises(EnvironmentFault, match="within 5 s"):
        act(env, "click('@')", "button 'hang'")
    text, _ = env.reset(seed=0)
    assert "button 'Send'" in text
    os.killpg(env.context.browser.process, signal.SIGKILL)
    with pytest.raises(EnvironmentFault, match="gone"):
        env.step("noop()")
    assert env.reset(seed=0)[0] == text
    pool.close()


def test_coroutines_share_the_pool_and_synchronous_calls_work_inside_a_running_loop() -> None:
    async def main() -> list[str]:
        envs = [open_shop()[0] for _ in range(3)]
        await asyncio.gather(*(env.areset(seed=0) for env in envs))
        stepped = await asyncio.gather(*(env.astep("keyboard_press('Tab')") for env in envs))
        envs[0].step("noop(0)")
        for env in envs:
            env.close()
        return [observation for observation, *_ in stepped]

    texts = asyncio.run(main())
    assert "focused" in texts[0]
    assert texts[0] == texts[1] == texts[2]


def test_several_calls_in_one_action_stop_at_the_first_that_fails() -> None:
    env, _ = open_shop(multiple_actions=True)
    env.reset(seed=0)
    name = name_of(env, "textbox 'Name'")
    info = env.step(f"fill('{name}', 'x')\nclick('a999')\nfill('{name}', 'y')")[4]
    assert "a999" in info["feedback"]
    assert "textbox 'Name' value='x'" in env.seen.tree
    env.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"observation": "txt"}, "observation must be one of"),
        ({"pieces": ("tre",)}, "'tre' is no piece"),
        ({"observation": "text", "pieces": ("screenshot",)}, "'screenshot' is no piece of 'text'"),
        ({"marks": True}, "marks need the piece 'screenshot'"),
        ({"named_by": "letters"}, "named_by must be 'numbers' or 'words'"),
        ({"render_mode": "human"}, "render_mode must be"),
    ],
)
def test_unknown_arguments_are_errors(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_shop(**options)


def test_a_missing_browser_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("PALESTRA_CHROMIUM", raising=False)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", "/nowhere")
    env, _ = open_shop(pool=BrowserPool())
    with pytest.raises(EnvironmentFault, match="apt-get install chromium-headless-shell"):
        env.reset(seed=0)
