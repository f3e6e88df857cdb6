"""One tab: its clock, its frames, its loading, its input."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from .clock import EPOCH, winding
from .protocol import BrowserLost, Connection, Event, ProtocolError

_LOAD_QUANTUM = 20.0
_FRAME_PATIENCE = 0.05
_UNSHOWN_PATIENCE, _LOAD_PATIENCE = 10, 100
# Milliseconds that Chromium is told to lie between two frames.  If it expects the page to take longer, its compositor
# draws changes of its own, such as a decoded picture, before those of the page, and then waits for both, forever.
_FRAME_INTERVAL = 1000.0
_LONGEST_LOAD = 10_000.0
# Whether the document can be shown: it has a body, and its style sheets are there.
_SHOWN = "document.body !== null && [...document.querySelectorAll('link[rel~=stylesheet]')].every(link => link.sheet)"

Serve = Callable[["Tab", Event], Awaitable[None]]
"""Answers a paused request."""


class TabCrashed(BrowserLost):
    """A tab's renderer died."""


@dataclass(eq=False)
class Tab:
    """An attached page target.

    ``real_time`` leaves its clock alone; otherwise time stands still but in :meth:`pass_time`.
    """

    connection: Connection
    target: str
    session: str
    serve: Serve
    real_time: bool = False
    frames: dict[str, str | None] = field(default_factory=dict)
    """The parent of each frame, the main frame first."""
    dialogs: list[str] = field(default_factory=list)
    """What dialogs said since the list was last emptied."""
    windows: list[str] = field(default_factory=list)
    """Addresses that the page wanted to open in windows of their own."""
    dragged: dict[str, Any] | None = None
    """What is being dragged, once the page has begun a drag of its own."""
    kept: bytes | None = None
    """The last frame as PNG, if it was to be kept and is still how the page looks: who acts upon the page resets it."""
    crashed: bool = False
    _requested: set[str] = field(default_factory=set)
    _loading: set[str] = field(default_factory=set)
    _leaving: bool = False
    _heard: int = 0
    _elapsed: float = 0.0
    _offset: float = 0.0
    _drawn: float = 0.0
    _undrawn: bool = False
    _ticks_base: float | None = None
    _expired: asyncio.Future[None] | None = None
    _clock_script: str | None = None
    _answered: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    # Commands ---------------------------------------------------------------------------------------------------

    def send(self, method: str, **params: Any) -> asyncio.Future[Any]:
        """Send a command without waiting."""
        return self.connection.send(method, params, self.session)

    async def call(self, method: str, **params: Any) -> Any:
        """Send a command and wait for its result."""
        if self.crashed:
            raise TabCrashed("the page crashed")
        return await self.connection.call(method, params, self.session)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, awaited if it is a promise.

        Raises:
            ProtocolError: it throws.
        """
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=False, userGesture=True
        )
        return _value(answer)

    async def call_on(self, node: int, function: str, *arguments: Any) -> Any:
        """What a JavaScript ``function`` returns with the DOM node as ``this``; ``node`` is its backend id.

        Raises:
            ProtocolError: the node is gone, or the function throws.
        """
        found = await self.call("DOM.resolveNode", backendNodeId=node)
        answer = await self.call(
            "Runtime.callFunctionOn",
            objectId=found["object"]["objectId"],
            functionDeclaration=function,
            arguments=[{"value": argument} for argument in arguments],
            returnByValue=True,
            userGesture=True,
        )
        self.send("Runtime.releaseObject", objectId=found["object"]["objectId"])
        return _value(answer)

    async def start(self) -> None:
        """Switch on what a fresh tab needs."""
        self.connection.listen(self.session, self._hear)
        commands = [
            self.send("Page.enable"),
            self.send("DOM.enable"),
            self.send("Accessibility.enable"),
            self.send("Fetch.enable", patterns=[{"urlPattern": "*"}]),
            self.send("Emulation.setFocusEmulationEnabled", enabled=True),
            self.send("Page.setInterceptFileChooserDialog", enabled=True),
            self.send("Input.setInterceptDrags", enabled=True),
            self.send("Inspector.enable"),
        ]
        if not self.real_time:
            policy = {"policy": "pause", "initialVirtualTime": EPOCH}
            answer = await self.call("Emulation.setVirtualTimePolicy", **policy)
            self._ticks_base = answer["virtualTimeTicksBase"]
        for command in commands:
            await command
        tree = await self.call("Page.getFrameTree")
        self.frames = {tree["frameTree"]["frame"]["id"]: None}

    @property
    def main_frame(self) -> str:
        """The id of the main frame."""
        return next(iter(self.frames))

    # Time -------------------------------------------------------------------------------------------------------

    @property
    def date(self) -> float:
        """Milliseconds since the epoch on the page's clock."""
        return self._elapsed - self._offset

    async def wind_back(self, date: float = 0.0, keep_document: bool = False) -> None:
        """Make it ``date``, for the documents to come and, with ``keep_document``, for this one."""
        if self.real_time:
            return
        self._offset = self._elapsed - date
        if keep_document:
            await self.evaluate(winding(self._offset))
        if self._clock_script is not None:
            self.send("Page.removeScriptToEvaluateOnNewDocument", identifier=self._clock_script)
        script = await self.call("Page.addScriptToEvaluateOnNewDocument", source=winding(self._offset))
        self._clock_script = script["identifier"]

    async def pass_time(self, milliseconds: float, frames: int = 1, image: bool = False) -> None:
        """Let time pass in ``frames`` equal parts, with a frame drawn at the end of each, and kept of the last one.

        Requests that are under way hold the clock until they are answered.  A document that cannot be shown yet is not
        drawn.
        """
        for number in range(1, frames + 1):
            await self._advance(milliseconds / frames)
            if await self._shown():
                await self._draw(image and number == frames)

    async def settle(self, milliseconds: float, frames: int = 1, image: bool = False) -> None:
        """Let time pass, and then as much more as the loading of a page takes, up to ten seconds of the page's time."""
        await self.pass_time(milliseconds, frames, image)
        waited = 0.0
        while await self._still_loading() and waited < _LONGEST_LOAD:
            await self.pass_time(_LOAD_QUANTUM, image=image)
            waited += _LOAD_QUANTUM
        self._requested.clear()
        if self._undrawn and await self._shown():
            await self._draw(image)

    async def _still_loading(self) -> bool:
        """Whether a document is loaded that needs more time for it: what it can do without is waited for."""
        for _ in range(_LOAD_PATIENCE):  # some pages are never done
            heard = self._heard
            if not self.loading:
                break
            await self._ready()
            if heard == self._heard:
                break
        return self.loading

    async def _advance(self, milliseconds: float) -> None:
        self.kept, self._undrawn = None, True
        if self.real_time:
            await asyncio.sleep(milliseconds / 1000)
            return
        self._expired = asyncio.get_running_loop().create_future()
        policy = self.send("Emulation.setVirtualTimePolicy", policy="pauseIfNetworkFetchesPending", budget=milliseconds)
        self._elapsed += milliseconds
        deadline = time.monotonic() + self.connection.timeout
        unshown = 0
        while not self._expired.done():
            lost = self.connection.lost
            await asyncio.wait([self._expired, lost], timeout=_FRAME_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise BrowserLost("the browser is gone")
            if self._answered and not self._tasks and not self._expired.done():
                unshown = 0 if await self._ready() else unshown + 1
                if unshown % _UNSHOWN_PATIENCE == 0 and not self._expired.done():
                    # Some pictures are taken in only when the next frame is drawn, and hold the clock until then.
                    self._answered = False
                    await self._draw()
            elif time.monotonic() > deadline:
                raise BrowserLost(f"the page did not come to rest within {self.connection.timeout:g} s")
        self._expired.result()
        await policy

    async def picture(self) -> bytes:
        """How the page looks, as PNG: the frame that was kept, or a new one."""
        for _ in range(20):
            if self.kept is None and await self._shown():
                await self._draw(image=True)
            if self.kept is not None:
                return self.kept
            # A document that has never been drawn has no picture yet.
            await self._advance(1.0)
        raise BrowserLost("the page cannot be drawn")

    async def _shown(self) -> bool:
        """Whether a frame can be drawn.

        While a document cannot be shown yet, or is about to take another's place, a frame may have no answer before the
        machine's clock has reached the time of that frame, and the page's clock is often minutes ahead.
        """
        return self.real_time or self.main_frame not in self._loading or await self._ready()

    async def _ready(self) -> bool:
        """Wait until the page's scripts pause; whether a frame can be drawn then."""
        try:
            shown = bool(await self.evaluate(_SHOWN))
        except ProtocolError:  # the document has gone meanwhile
            shown = False
        return self.main_frame not in self._loading or (shown and not self._leaving)

    async def _draw(self, image: bool = False) -> None:
        params: dict[str, Any] = {"interval": _FRAME_INTERVAL}
        if image:
            params["screenshot"] = {"format": "png", "optimizeForSpeed": True}
        if self._ticks_base is not None:
            # A frame at the time of the one before would never be drawn.
            self._drawn = max(self._ticks_base + self._elapsed, self._drawn + 0.1)
            params["frameTimeTicks"] = self._drawn
        async with self.connection.drawing:
            answer = await self.call("HeadlessExperimental.beginFrame", **params)
        self._undrawn = False
        self.kept = base64.b64decode(answer["screenshotData"]) if "screenshotData" in answer else None

    # Loading ----------------------------------------------------------------------------------------------------

    @property
    def loading(self) -> bool:
        """Whether a document is being loaded."""
        return bool(self._loading or self._requested)

    async def navigate(self, url: str, referrer: str = "") -> str | None:
        """Go to ``url`` and wait until it has loaded; the browser's reason if it does not."""
        self._requested.add(self.main_frame)
        answer = await self.call("Page.navigate", url=url, referrer=referrer)
        if answer.get("errorText"):
            self._requested.clear()
            await self.settle(_LOAD_QUANTUM)
            return str(answer["errorText"])
        if "loaderId" not in answer:  # within the document
            self._requested.clear()
        await self.settle(_LOAD_QUANTUM)
        return None

    async def travel(self, entry: int) -> None:
        """Go to an entry of the history and wait until it has loaded."""
        self._requested.add(self.main_frame)
        await self.call("Page.navigateToHistoryEntry", entryId=entry)
        await self.settle(_LOAD_QUANTUM)

    def _hear(self, method: str, params: Event) -> None:
        match method:
            case "Fetch.requestPaused":
                self._later(self.serve(self, params))
            case "Emulation.virtualTimeBudgetExpired":
                if self._expired is not None and not self._expired.done():
                    self._expired.set_result(None)
            case "Page.frameAttached":
                self.frames[params["frameId"]] = params["parentFrameId"]
            case "Page.frameDetached":
                self.frames.pop(params["frameId"], None)
                self._loading.discard(params["frameId"])
                self._requested.discard(params["frameId"])
            case "Page.frameNavigated":
                self._navigated(params["frame"])
            case "Page.frameRequestedNavigation" if params["disposition"] == "currentTab":
                self._requested.add(params["frameId"])
            case "Page.frameStartedLoading":
                self._requested.discard(params["frameId"])
                self._loading.add(params["frameId"])
                self._leaving |= self._is_main(params["frameId"])
            case "Page.frameStoppedLoading" | "Page.navigatedWithinDocument":
                self._requested.discard(params["frameId"])
                self._loading.discard(params["frameId"])
                self._leaving &= not self._is_main(params["frameId"])
            case "Page.documentOpened":
                self._leaving &= not self._is_main(params["frame"]["id"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(f"{params['type']}: {params['message']}")
                self.send("Page.handleJavaScriptDialog", accept=True, promptText=params.get("defaultPrompt", ""))
            case "Page.windowOpen":
                self.windows.append(params["url"])
            case "Input.dragIntercepted":
                self.dragged = params["data"]
            case "Inspector.targetCrashed":
                self.crash()
        self._heard += 1

    def _is_main(self, frame: str) -> bool:
        return frame in self.frames and self.frames[frame] is None

    def _navigated(self, frame: dict[str, Any]) -> None:
        if frame.get("parentId") is None:
            self._leaving = False
            if self.main_frame != frame["id"]:
                self.frames = {frame["id"]: None}

    def crash(self) -> None:
        """Note that the renderer is dead, and wake whoever waits for it."""
        self.crashed = True
        if self._expired is not None and not self._expired.done():
            self._expired.set_exception(TabCrashed("the page crashed"))

    def _later(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work
            self._answered = True

        task = asyncio.ensure_future(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _value(answer: dict[str, Any]) -> Any:
    if "exceptionDetails" in answer:
        details = answer["exceptionDetails"]
        raise ProtocolError(details.get("exception", {}).get("description") or details["text"])
    return answer["result"].get("value")
