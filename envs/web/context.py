"""An isolated browser context with its tabs: what one episode sees of a browser."""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .browser import Browser
from .protocol import BrowserLost, Event, ProtocolError
from .site import Request, Response, Site, respond
from .tab import Tab

logger = logging.getLogger(__name__)

BLANK = "about:blank"


class Context:
    """Cookies, storage and tabs of their own.

    ``sites`` answers requests by host; requests to one of ``hosts`` go to the network; all others are refused.
    """

    def __init__(self, browser: Browser, context: str, viewport: tuple[int, int], real_time: bool) -> None:
        self.browser = browser
        self.viewport = viewport
        self.real_time = real_time
        self.tabs: list[Tab] = []
        self.active: Tab
        self.sites: Mapping[str, Site] = {}
        self.hosts: frozenset[str] = frozenset()
        self.error: BaseException | None = None
        """What a site raised while it answered a page."""
        self.broken = False
        """Set when something failed in it: it is not used for another episode."""
        self.standing: str | None = None
        """The address of a page, at rest, that may serve the next episode as well."""
        self.place = 0
        """Which of its pool's browsers it lives in."""
        self._id = context

    @classmethod
    async def create(cls, browser: Browser, viewport: tuple[int, int], real_time: bool) -> Context:
        """Make a context with one empty tab of ``viewport`` (width, height) pixels."""
        call = browser.connection.call
        context = (await call("Target.createBrowserContext", {"disposeOnDetach": True}))["browserContextId"]
        made = cls(browser, context, viewport, real_time)
        await call("Browser.setDownloadBehavior", {"behavior": "deny", "browserContextId": context})
        # What is not granted here is denied from now on.
        await call("Browser.grantPermissions", {"permissions": [], "browserContextId": context})
        await made.new_tab()
        return made

    @property
    def usable(self) -> bool:
        """Whether another episode can be played in it."""
        return self.browser.alive and not self.broken and not any(tab.crashed for tab in self.tabs)

    async def begin(self, sites: Mapping[str, Site], hosts: frozenset[str]) -> None:
        """Forget everything but one tab, and from now on answer by ``sites`` and ``hosts``."""
        tab = self.active = self.tabs[0]
        for other in self.tabs[1:]:
            await self.close_tab(other)
        self.sites, self.hosts, self.error = sites, hosts, None
        tab.dialogs.clear()
        tab.windows.clear()
        # The mouse of the episode before rests nowhere and holds nothing.
        for kind in ("mouseReleased", "mouseMoved"):
            tab.send("Input.dispatchMouseEvent", type=kind, x=0, y=0, button="left" if "R" in kind else "none")

    async def clear(self) -> None:
        """Leave every page, and remove cookies and storage."""
        self.standing = None
        tab = self.active
        origins = {f"{scheme}://{host}" for host in self.sites for scheme in ("http", "https")}
        await tab.navigate(BLANK)
        for command in [
            self.browser.connection.send("Storage.clearCookies", {"browserContextId": self._id}),
            tab.send("Network.clearBrowserCache"),
            *(tab.send("Storage.clearDataForOrigin", origin=origin, storageTypes="all") for origin in sorted(origins)),
        ]:
            await command
        await tab.wind_back()

    async def enter(self, url: str) -> str | None:
        """Load the page that there is no way back from; the browser's reason if it does not load."""
        problem = await self.active.navigate(url)
        await self.active.call("Page.resetNavigationHistory")
        return problem

    async def dispose(self) -> None:
        """Close it with its tabs."""
        for tab in self.tabs:
            self.browser.connection.listen(tab.session, None)
        self.tabs = []
        if self.browser.alive:
            with contextlib.suppress(ProtocolError, BrowserLost):
                await self.browser.connection.call("Target.disposeBrowserContext", {"browserContextId": self._id})

    # Tabs -------------------------------------------------------------------------------------------------------

    async def new_tab(self) -> Tab:
        """Open an empty tab, and make it the active one."""
        connection = self.browser.connection
        width, height = self.viewport
        made = await connection.call(
            "Target.createTarget",
            {
                "url": BLANK,
                "browserContextId": self._id,
                "width": width,
                "height": height,
                "enableBeginFrameControl": True,
            },
        )
        target = made["targetId"]
        attached = await connection.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = Tab(connection, target, attached["sessionId"], self._serve, self.real_time)
        await tab.start()
        await tab.wind_back(self.active.date if self.tabs else 0.0)
        self.tabs.append(tab)
        self.active = tab
        return tab

    async def close_tab(self, tab: Tab) -> None:
        """Close a tab; the one before it becomes active."""
        place = self.tabs.index(tab)
        self.tabs.remove(tab)
        tab.connection.listen(tab.session, None)
        await tab.connection.call("Target.closeTarget", {"targetId": tab.target})
        if self.active is tab:
            await self.activate(self.tabs[max(place - 1, 0)])

    async def activate(self, tab: Tab) -> None:
        """Bring a tab to the front, where the time goes on that has passed in the other."""
        missed = self.active.date - tab.date
        self.active = tab
        if missed > 0:
            await tab.settle(missed)

    def allows(self, url: str) -> bool:
        """Whether an agent may go to ``url``."""
        parts = urlsplit(url)
        return url == BLANK or (
            parts.scheme in ("http", "https") and (parts.netloc in self.sites or parts.netloc in self.hosts)
        )

    async def settle(self, milliseconds: float, frames: int, image: bool = False) -> None:
        """Let time pass in the active tab until it rests; windows that it opens become tabs.

        With ``image`` the last frame is kept for :meth:`Tab.picture`.

        Raises:
            BrowserLost: the page crashed, hangs, or its browser is gone.
        """
        await self.active.settle(milliseconds, frames, image)
        while self.active.windows:
            url = self.active.windows.pop(0)
            if self.allows(url):
                await (await self.new_tab()).navigate(url)
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    # Requests ---------------------------------------------------------------------------------------------------

    async def _serve(self, tab: Tab, event: Event) -> None:
        """Answer a paused request by a site, let it go to an allowed host, or refuse it."""
        request, paused = event["request"], event["requestId"]
        host = urlsplit(request["url"]).netloc
        try:
            if host in self.sites:
                response = await respond(self.sites[host], await _read(tab, event))
                await _fulfill(tab, paused, response)
            elif self.allows(request["url"]):
                await tab.call("Fetch.continueRequest", requestId=paused)
            else:
                await tab.call("Fetch.failRequest", requestId=paused, errorReason="BlockedByClient")
        except (ProtocolError, BrowserLost) as error:
            # The page that asked has gone meanwhile.
            logger.debug("a request of %s was not answered: %s", host, error)
        except Exception as error:  # noqa: BLE001 - raised to whoever waits for the page
            self.error = error
            with contextlib.suppress(ProtocolError, BrowserLost):
                await _fulfill(tab, paused, Response(500))


async def _read(tab: Tab, event: Event) -> Request:
    request = event["request"]
    body = b"".join(base64.b64decode(entry.get("bytes", "")) for entry in request.get("postDataEntries", []))
    headers = tuple((name, str(value)) for name, value in request["headers"].items())
    return Request(request["method"], request["url"], headers, body)


async def _fulfill(tab: Tab, paused: str, response: Response) -> None:
    headers: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in response.headers]
    await tab.call(
        "Fetch.fulfillRequest",
        requestId=paused,
        responseCode=response.status,
        responseHeaders=headers,
        body=base64.b64encode(response.body).decode(),
    )
