"""Few browsers for many environments: one event loop in a thread of its own, contexts that are used again.

Synchronous code waits for that loop from its own thread, so it works beside a running loop (a notebook's) as well;
asynchronous code awaits it.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterable
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

from ..abilities import EnvironmentFault
from .browser import Browser
from .context import Context
from .protocol import BrowserLost, ProtocolError

T = TypeVar("T")


class BrowserPool:
    """Chromium processes, and the contexts that are free.

    Nothing is started before the first context is asked for.  A browser that dies is a fault of the episodes on it; the
    next context comes from a new one.

    Args:
        hosts: hosts (``"example.com"``, ``"127.0.0.1:8000"``) that pages may reach over the network; none by default.
        browsers: how many Chromium processes share the contexts.
        timeout: seconds that one command, or the loading of one page, may take.
        debugging: let other programs of this machine, such as Playwright, reach the browsers.
        spare: how many contexts may lie free for the sake of the pages that stand in them.  Environments that go from
            page to page, and back, then seldom load one.
    """

    def __init__(
        self,
        hosts: Iterable[str] = (),
        browsers: int = 1,
        timeout: float = 30.0,
        debugging: bool = False,
        spare: int = 16,
    ) -> None:
        if browsers < 1:
            raise ValueError(f"a pool needs at least one browser, not {browsers}")
        self.hosts = frozenset(hosts)
        self.timeout = timeout
        self.debugging = debugging
        self.spare = spare
        self._browsers: list[Browser | None] = [None] * browsers
        self._load = [0] * browsers
        self._free: list[Context] = []
        self._starting = [asyncio.Lock() for _ in range(browsers)]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    # From outside -----------------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the pool's loop and wait for it.

        Raises:
            EnvironmentFault: the browser is gone, hangs or cannot be started.
        """
        return self.submit(work).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run ``work`` on the pool's loop; ``asyncio.wrap_future`` makes its future awaitable."""
        return asyncio.run_coroutine_threadsafe(_faults(work), self._running_loop())

    def close(self) -> None:
        """End every browser, and the loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None and self._process == os.getpid():
            asyncio.run_coroutine_threadsafe(self._close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="browser-pool", daemon=True).start()
            return self._loop

    # On the loop ------------------------------------------------------------------------------------------------

    async def acquire(self, viewport: tuple[int, int], real_time: bool = False, standing: str | None = None) -> Context:
        """A context of that kind: if there is one, a free one in which the page ``standing`` stands."""
        kind = (viewport, real_time)
        free = [one for one in self._free if (one.viewport, one.real_time) == kind and one.usable]
        chosen = next((one for page in (standing, None) for one in free if one.standing == page), None)
        if chosen is None and len(free) > self.spare:
            # Of those with the page that stands in most, the one that has been free longest.
            pages = Counter(one.standing for one in free)
            chosen = max(free, key=lambda one: pages[one.standing])
        if chosen is not None:
            self._free.remove(chosen)
            return chosen
        place = min(range(len(self._browsers)), key=self._load.__getitem__)
        browser = await self._browser(place)
        context = await Context.create(browser, viewport, real_time)
        self._load[place] += 1
        context.place = place
        return context

    async def release(self, context: Context) -> None:
        """Give a context back, for others to use if it is well."""
        if context.usable:
            self._free.append(context)
        else:
            await self.discard(context)

    async def discard(self, context: Context) -> None:
        """Close a context."""
        self._load[context.place] -= 1
        await context.dispose()

    async def _browser(self, place: int) -> Browser:
        async with self._starting[place]:
            browser = self._browsers[place]
            if browser is None or not browser.alive:
                if browser is not None:
                    await browser.close()
                self._free = [context for context in self._free if context.browser is not browser]
                browser = self._browsers[place] = await Browser.launch(self.hosts, self.timeout, self.debugging)
            return browser

    async def _close(self) -> None:
        self._free.clear()
        for browser in self._browsers:
            if browser is not None:
                await browser.close()
        self._browsers = [None] * len(self._browsers)


@cache
def shared_pool(hosts: frozenset[str] = frozenset()) -> BrowserPool:
    """This process's pool for environments whose pages may reach ``hosts``; it is closed when the process ends."""
    pool = BrowserPool(hosts)
    atexit.register(pool.close)
    return pool


# A forked child has neither the thread of its parent's pools nor a claim on their browsers.
os.register_at_fork(after_in_child=shared_pool.cache_clear)


async def _faults(work: Awaitable[T]) -> T:
    try:
        return await work
    except (BrowserLost, ProtocolError) as error:
        raise EnvironmentFault(str(error)) from error
