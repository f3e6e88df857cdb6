"""``WebShop-v0`` with ``observation="browser"``: the shop as pages in Chromium, one session behind both forms."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from ..web.env import Judgement, Start
from ..web.replay import ReplayedEnv
from ..web.site import Receive, Send, reply
from .action import click, parse_action, search
from .browser_pages import page
from .env import WebShop
from .pages import Lookup, State

HOST = "webshop.example"


class Shop(WebShop):
    """The shop, with a view of what its pages are made of."""

    @property
    def state(self) -> State:
        """Where the customer is."""
        return self._state

    @property
    def lookup(self) -> Lookup:
        """The products by number."""
        return self._product

    def about(self) -> dict[str, Any]:
        """The ``info`` of the present page."""
        return self._info()


class Session:
    """One customer's visit as an ASGI application.

    Every page that was opened has a number, its address; links of a page act on the visit as it was there, so that the
    browser's way back is a way back in the shop.  What a click or a search does is up to the shop.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.visits: list[Any] = []
        self.info: dict[str, Any] = {}
        self.reward = 0.0
        self.done = False

    def begin(self, info: dict[str, Any]) -> None:
        """Start over, once the shop has been reset."""
        self.visits, self.info, self.reward, self.done = [self.shop.snapshot()], info, 0.0, False

    def act(self, number: int, action: str) -> int:
        """Do something on a page; the number of the page that it leads to."""
        if self.done:
            return len(self.visits) - 1
        self.shop.restore(self.visits[number])
        _, reward, self.done, _, info = self.shop.step(action)
        if not info["valid_action"]:
            return number
        self.reward, self.info = self.reward + reward, info
        self.visits.append(self.shop.snapshot())
        return len(self.visits) - 1

    def show(self, number: int) -> str:
        """The page of that number, to which the shop returns."""
        self.shop.restore(self.visits[number])
        if not self.done:
            self.info = self.shop.about()
        return page(self.shop.state, number, self.info["goal"]["instruction"], self.shop.lookup)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer ``/n`` with page n, and ``/n/click?name=`` and ``/n/search?words=`` by leading on to a new page."""
        _, start, *verb = scope["path"].split("/")
        number = int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 0 if not start else -1
        if not 0 <= number < len(self.visits) or len(verb) > 1 or (verb and verb[0] not in ("click", "search")):
            await reply(send, "There is no such page.", "text/plain", 404)
        elif not verb:
            await reply(send, self.show(number), headers=[("cache-control", "no-store")])
        else:
            query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
            words = query.get("name" if verb[0] == "click" else "words", [""])[0]
            action = click(words) if verb[0] == "click" else search(words)
            await reply(send, "", status=303, headers=[("location", f"/{self.act(number, action)}")])


class WebShopInBrowser(ReplayedEnv):
    """The shop of :class:`~palestra.envs.webshop.env.WebShop` in a browser: the same goals, results, scores and splits.

    A search box, result cards with pictures drawn from the products, options as radio buttons.  Actions are those of
    :class:`~palestra.envs.web.env.WebEnv`.  ``info`` holds what it does in text form; ``clickables`` are what the
    present page offers.

    Args:
        browser: arguments of :class:`~palestra.envs.web.env.WebEnv`, such as ``{"observation": "text_image"}``.
        render_mode: as there.
        **options: of :class:`~palestra.envs.webshop.env.WebShop`, but for the form of observations.
    """

    def __init__(
        self, browser: Mapping[str, Any] | None = None, render_mode: str | None = None, **options: Any
    ) -> None:
        self._shop = Shop(**options)
        self._session = Session(self._shop)
        super().__init__(sites={HOST: self._session}, render_mode=render_mode, **(browser or {}))
        self._goal_number: int | None = None

    def tasks(self, split: str) -> int:
        """How many goals a split has."""
        return self._shop.tasks(split)

    def begin(self, options: Mapping[str, Any]) -> Start:
        """Open a goal's search page; the ``options`` are those of the text form."""
        self._shop.np_random = self.np_random
        _, info = self._shop.reset(options=dict(options))
        self._session.begin(copy.deepcopy(info))
        self._goal_number = info["goal"]["number"]
        return Start(f"http://{HOST}/", info["goal"]["instruction"], info)

    def key(self) -> int | None:
        """The number of the goal."""
        return self._goal_number

    def reopen(self, key: int) -> Start:
        """Open the goal of that number."""
        return self.begin({"goal": key})

    async def judge(self) -> Judgement:
        """The score of the purchase, which ends the episode."""
        session = self._session
        return Judgement(session.reward if session.done else 0.0, session.done, copy.deepcopy(session.info))

    def oracle(self) -> str:
        """The next action of the text form's solver, in the browser."""
        self._need_episode()
        return self.pool.run(self._advise(*parse_action(self._shop.oracle())))

    async def _advise(self, verb: str, argument: str | None) -> str:
        assert argument is not None
        if verb == "click":
            selector, value = f"[data-name={json.dumps(argument)}]", None
        else:
            value = await self.context.active.evaluate("document.getElementById('search-words')?.value ?? null")
            selector = "#search" if value == argument else "#search-words"
        tab = self.context.active
        found = await tab.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        if "objectId" not in found["result"]:
            return f"goto('http://{HOST}/{len(self._session.visits) - 1}')"
        node = await tab.call("DOM.describeNode", objectId=found["result"]["objectId"])
        name = self._names.by_node.get(node["node"]["backendNodeId"])
        if name is None:  # not shown for want of space
            return "scroll(0, 300)"
        return f"fill({name!r}, {argument!r})" if selector == "#search-words" else f"click({name!r})"
