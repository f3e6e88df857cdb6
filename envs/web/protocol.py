"""The DevTools protocol over a pair of pipes: requests, answers and events as JSON, each ended by a zero byte.

A pipe, unlike a debugging port, cannot be reached by the pages, and a browser whose pipe closes exits by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Listener = Callable[[str, Event], None]
"""Called with an event's method and its parameters."""

_LONGEST_MESSAGE = 1 << 28


class ProtocolError(RuntimeError):
    """The browser refused a command."""


class BrowserLost(RuntimeError):
    """The browser is gone, or no longer answers."""


class Connection:
    """One browser's pipe.  Lives in one event loop; commands may overlap, answers come in any order."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.lost: asyncio.Future[None]
        """Done when the other end is gone."""
        self.drawing = asyncio.Lock()
        """Held while a frame is drawn: Chromium's compositor takes those of two tabs at once for overlapping ones, and
        ends its process."""
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listeners: dict[str, Listener] = {}

    async def open(self, read_fd: int, write_fd: int) -> None:
        """Take over the two file descriptors."""
        loop = asyncio.get_running_loop()
        self.lost = loop.create_future()
        reader = asyncio.StreamReader(limit=_LONGEST_MESSAGE)
        self._read_transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", 0)
        )
        self._write_transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(write_fd, "wb", 0))
        self._reading = asyncio.create_task(self._read(reader))

    @property
    def alive(self) -> bool:
        """Whether the other end is still there."""
        return not self.lost.done()

    def listen(self, session: str, listener: Listener | None) -> None:
        """Send the events of a session (``""``: the browser's own) to ``listener``, or nowhere."""
        if listener is None:
            self._listeners.pop(session, None)
        else:
            self._listeners[session] = listener

    def send(self, method: str, params: dict[str, Any] | None = None, session: str = "") -> asyncio.Future[Any]:
        """Write a command at once; the future is its result, a :class:`ProtocolError` or :class:`BrowserLost`."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self.alive:
            answer.set_exception(BrowserLost("the browser is gone"))
            return answer
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        self._waiting[self._last] = answer
        self._write_transport.write(json.dumps(message).encode() + b"\0")
        return answer

    async def call(self, method: str, params: dict[str, Any] | None = None, session: str = "") -> Any:
        """Send a command and wait for its result, at most ``timeout`` seconds.

        Raises:
            ProtocolError: the browser refuses it.
            BrowserLost: there is no answer.
        """
        return await self.answer(self.send(method, params, session), method)

    async def answer(self, sent: asyncio.Future[Any], what: str) -> Any:
        """The result of a command that was sent, as :meth:`call`; ``what`` it was, for the error."""
        try:
            return await asyncio.wait_for(sent, self.timeout)
        except TimeoutError:
            raise BrowserLost(f"no answer to {what} within {self.timeout:g} s") from None

    def close(self) -> None:
        """Close both ends; whoever waits for an answer gets :class:`BrowserLost`."""
        self._write_transport.close()
        self._read_transport.close()
        self._reading.cancel()
        self._lose()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                data = await reader.readuntil(b"\0")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
                break
            message = json.loads(data[:-1])
            if "id" in message:
                self._answer(message)
            elif listener := self._listeners.get(message.get("sessionId", "")):
                listener(message["method"], message["params"])
        self._lose()

    def _answer(self, message: dict[str, Any]) -> None:
        answer = self._waiting.pop(message["id"], None)
        if answer is None or answer.done():
            return
        if "error" in message:
            error = message["error"]
            answer.set_exception(ProtocolError(f"{error['message']} {error.get('data', '')}".strip()))
            # Commands that are sent ahead may be answered after their sender has given up.
            answer.exception()
        else:
            answer.set_result(message["result"])

    def _lose(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(BrowserLost("the browser is gone"))
                answer.exception()
        self._waiting.clear()
