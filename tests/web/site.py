"""A small site to test on, and an environment that opens it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from palestra.envs.web.env import WebEnv
from palestra.envs.web.site import Receive, Send, reply

HOST = "shop.test"
START = f"http://{HOST}/"
FORM = """<title>Form</title>
<form method="post" action="/send">
  <label>Name <input name="name"></label>
  <select name="size" aria-label="Size"><option>small<option>large</select>
  <input type="checkbox" name="gift" aria-label="Gift">
  <input type="date" name="day" aria-label="Day">
  <button>Send</button>
</form>
<a href="/other">other</a> <a href="/other" target="_blank">window</a> <a href="file:///etc/passwd">file</a>
<a href="http://elsewhere.test/">elsewhere</a> <a href="/download">download</a>
<button onclick="document.title = confirm('Sure?')">ask</button>
<button onclick="while (true);">hang</button>
<button id="timer" onclick="setTimeout(() => timer.textContent = 'late', 1000)">start</button>
<iframe srcdoc="<button onclick='this.textContent=1'>inner</button>" width="100" height="40"></iframe>
<div id="host"></div>
<div style="position: relative; width: 80px; height: 20px"><button>below</button>
  <div style="position: absolute; inset: 0; background: white">on top</div></div>
<script>host.attachShadow({mode: 'closed'}).innerHTML = '<button onclick="this.textContent=2">shadow</button>'</script>
"""
LONG = "<title>Long</title>" + "".join(
    f"<p>Paragraph {number} of many, with words to fill a line.</p>" for number in range(300)
)


class Shop:
    """Remembers what it was asked, and a cookie."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, bytes]] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        cookie = dict(scope["headers"]).get(b"cookie", b"").decode()
        self.asked.append((scope["method"], scope["path"], cookie, body))
        pages = {"/": FORM, "/long": LONG, "/done": "<title>Done</title><h1>Thank you</h1>"}
        if scope["path"] == "/send":
            await reply(send, "", status=303, headers=[("location", "/done"), ("set-cookie", "seen=1")])
        elif scope["path"] == "/download":
            await reply(send, b"data", "application/zip", headers=[("content-disposition", "attachment")])
        else:
            await reply(send, pages.get(scope["path"], "<title>Other</title><h1>Other</h1>"))


def open_shop(**options: Any) -> tuple[WebEnv, Shop]:
    shop = Shop()
    return WebEnv(options.pop("start_url", START), "Buy.", sites={HOST: shop}, **options), shop


def name_of(env: WebEnv, text: str) -> str:
    """What the element is called whose line contains ``text``."""
    names = [line.name for line in env.seen.lines if text in line.text and line.name]
    assert names, env.seen.tree
    return names[0]
