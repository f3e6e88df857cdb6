"""What a page's loading has to do with its frames and its clock."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from PIL import Image

from palestra.envs.web import tab
from palestra.envs.web.env import WebEnv
from palestra.envs.web.pool import BrowserPool
from palestra.envs.web.site import Receive, Send, reply

from .site import name_of, open_shop

BUSY = "let sum = 0; for (let number = 0; number < 3e6; number++) sum += number % 7;"
PAGE = f"""<title>Loading</title>{"".join(f"<script src='/{number}.js'></script>" for number in range(4))}
<style>.shown {{ background: url(/picture.svg) }}</style>
<body><button onclick="this.className = 'shown'">show</button>
<p id="times"></p>
<script>
const times = [], next = (time) => {{
  times.push([time, performance.now(), Date.now() - performance.timeOrigin].join());
  document.getElementById('times').textContent = times.join(' ');
  if (times.length < 3) requestAnimationFrame(next);
}};
requestAnimationFrame(next);
onclick = (event) => document.title = event.timeStamp;
</script>"""
COUNT = "let frames = 0; (function next() { number.textContent = ++frames; requestAnimationFrame(next); })();"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="red"/></svg>'


async def site(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer with the page, a script that keeps it busy for some milliseconds, or a picture."""
    if scope["path"].endswith(".js"):
        await reply(send, BUSY, "text/javascript")
    elif scope["path"].endswith(".svg"):
        await reply(send, PICTURE, "image/svg+xml")
    else:
        await reply(send, PAGE)


@pytest.fixture
def env() -> Iterator[WebEnv]:
    pool = BrowserPool(timeout=5)
    env = WebEnv("http://loading.test/", sites={"loading.test": site}, observation="dict", pool=pool)
    yield env
    env.close()
    pool.close()


def test_a_page_that_is_busy_loading_is_not_asked_for_a_frame(env: WebEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "_FRAME_PATIENCE", 0.001)
    for _ in range(100):
        env.reset(seed=0)
        # The page's clock gets ahead of the machine's.
        env.step("noop(10000)")


def test_a_picture_that_waits_for_a_frame_gets_one(env: WebEnv) -> None:
    for _ in range(2):
        env.reset(seed=0)
        seen = env.step("click('a2')")[0]["screenshot"].astype(int)
        assert (seen[..., 0] - seen[..., 1] > 200).any()


def test_animated_pictures_stand_still() -> None:
    reel = io.BytesIO()
    first, *others = (Image.new("RGB", (9, 9), color) for color in ("red", "lime", "blue"))
    first.save(reel, "GIF", save_all=True, append_images=others, duration=100, loop=0)
    picture = base64.b64encode(reel.getvalue()).decode()

    async def busy(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await reply(send, f"<img src='data:image/gif;base64,{picture}'><p id='number'></p><script>{COUNT}</script>")

    pool = BrowserPool(timeout=5)
    env = WebEnv("http://busy.test/", sites={"busy.test": busy}, observation="dict", viewport=(40, 40), pool=pool)
    for _ in range(60):
        seen = [env.reset(seed=0)[0], *(env.step("noop(50)")[0] for _ in range(10))]
        assert all((one["screenshot"][10, 10] == (255, 0, 0)).all() for one in seen)
    env.close()
    pool.close()


def test_each_episode_begins_at_the_same_time(env: WebEnv) -> None:
    episodes = []
    for _ in range(3):
        env.reset(seed=0)
        for action in ("noop(100)", "noop(17)", "click('a2')"):
            env.step(action)
        episodes.append((env.seen.tree, env.seen.title))
    assert episodes[1:] == episodes[:1] * 2
    tree, clicked = episodes[0]
    # By the frame, by the page and by the date: 100 ms for opening the page, 200 and 117 for the actions.
    assert "StaticText '20,20,20 120,120,120 320,320,320'" in tree
    assert clicked == "437"


def test_real_time_goes_on_by_itself() -> None:
    env, _ = open_shop(real_time=True)
    env.reset(seed=0)
    assert abs(env.pool.run(env.context.active.evaluate("Date.now()")) / 1000 - time.time()) < 60
    start, other = (name_of(env, text) for text in ("button 'start'", "link 'other'"))
    env.step(f"click('{start}')")
    time.sleep(1)
    env.step("noop(10)")
    assert "button 'late'" in env.seen.tree
    env.step(f"click('{other}')")
    assert env.seen.title == "Other"
    env.close()


def test_tabs_share_the_time_that_passes(env: WebEnv) -> None:
    def date() -> float:
        return float(env.pool.run(env.context.active.evaluate("Date.now()")))

    env.reset(seed=0)
    first = date()
    for action in ("noop(1000)", "new_tab()", "goto('http://loading.test/')"):
        env.step(action)
    second = date()
    assert second > first + 1000
    env.step("noop(5000)")
    env.step("tab_focus(0)")
    assert date() > second + 5000
    env.step("noop(2000)")
    env.step("tab_focus(1)")
    assert date() > second + 7000
    env.reset(seed=0)
    assert date() == first
