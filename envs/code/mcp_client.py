"""Tools of a server of the Model Context Protocol, through the official ``mcp`` package."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from ..abilities import EnvironmentFault
from .tools import Tool, ToolError

T = TypeVar("T")


class McpServer:
    """A server, started as a subprocess and spoken to over its standard input and output.

    >>> server = McpServer(["my-server", "--flag"])  # doctest: +SKIP
    >>> wrapped = ToolWrapper(env, tools=server.tools())  # doctest: +SKIP

    Args:
        command: the program and its arguments.
        timeout: seconds for each call; the start may take four times as long.

    Raises:
        ModuleNotFoundError: the package ``mcp`` is not installed.
        EnvironmentFault: the server does not start.
    """

    def __init__(self, command: Sequence[str], timeout: float = 60.0) -> None:
        try:
            import mcp
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "tools from MCP servers need the package mcp: pip install 'palestra[code]'"
            ) from error
        self.command = list(command)
        self._mcp = mcp
        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mcp", daemon=True)
        self._thread.start()
        self._ready: asyncio.Future[Any] = self._loop.create_future()
        self._stop = asyncio.Event()
        self._running = asyncio.run_coroutine_threadsafe(self._live(), self._loop)
        try:
            self._client: Any = self._wait(self._started(), "did not start", 4 * timeout)
        except EnvironmentFault:
            self.close()
            raise

    def tools(self) -> list[Tool]:
        """The server's tools; their calls return text."""
        listed = self._wait(self._client.list_tools(), "does not list its tools")
        return [
            Tool(tool.name, tool.description or "", tool.input_schema, partial(self._call_with, tool.name))
            for tool in listed.tools
        ]

    def call(self, name: str, arguments: dict[str, Any]) -> str:
        """The text that a tool returns.

        Raises :class:`ToolError` with the server's own words if the call failed, and :class:`EnvironmentFault` if the
        server is lost or does not answer in time.
        """
        result = self._wait(self._client.call_tool(name, arguments), f"does not answer {name}")
        text = "\n".join(getattr(part, "text", f"[{part.type}]") for part in result.content)
        if result.is_error:
            raise ToolError(text)
        return text

    def close(self) -> None:
        """End the server.  May be called again."""
        if not self._loop.is_running():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        with contextlib.suppress(TimeoutError, Exception):
            self._running.result(self._timeout)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._timeout)
        self._loop.close()

    def _call_with(self, name: str, **arguments: Any) -> str:
        return self.call(name, arguments)

    async def _started(self) -> Any:
        return await self._ready

    async def _live(self) -> None:
        """Hold the connection from the start to the end, in one task, as the client's scopes demand."""
        server = self._mcp.StdioServerParameters(command=self.command[0], args=self.command[1:])
        try:
            async with self._mcp.Client(server, read_timeout_seconds=self._timeout) as client:
                self._ready.set_result(client)
                await self._stop.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    def _wait(self, call: Coroutine[Any, Any, T], trouble: str, timeout: float | None = None) -> T:
        if not self._loop.is_running():
            call.close()
            raise EnvironmentFault(f"the MCP server {self.command[0]} is closed")
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result(timeout or self._timeout)
        except Exception as error:  # whatever the client raises, the server is at fault and not the agent
            future.cancel()
            raise EnvironmentFault(f"the MCP server {self.command[0]} {trouble}: {error!r:.300}") from error
