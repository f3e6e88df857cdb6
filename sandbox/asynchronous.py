"""The same for ``asyncio``: each call in a thread, of which there are as many as calls that wait at once."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, Self, TypeVar

from .protocol import DEFAULT_LIMITS, FileInfo, Interpreter, Limits, Result, Sandbox, Session

P = ParamSpec("P")
T = TypeVar("T")


class AsyncSandbox:
    """Wraps a sandbox; closing it closes that.  At most ``calls`` calls wait at once, further ones queue."""

    def __init__(self, sandbox: Sandbox, calls: int = 256) -> None:
        self.sandbox = sandbox
        self._threads = ThreadPoolExecutor(calls, "sandbox")

    async def open(
        self,
        files: Mapping[str, bytes | str] | bytes | None = None,
        image: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> AsyncSession:
        """See :meth:`palestra.sandbox.Sandbox.open`."""
        return AsyncSession(self, await self.call(self.sandbox.open, files, image, limits))

    async def run(
        self,
        command: str | Sequence[str],
        stdin: bytes | str = b"",
        timeout: float | None = None,
        files: Mapping[str, bytes | str] | bytes | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Result:
        """See :meth:`palestra.sandbox.Sandbox.run`."""
        return await self.call(self.sandbox.run, command, stdin, timeout, files, limits)

    async def close(self) -> None:
        """See :meth:`palestra.sandbox.Sandbox.close`."""
        await self.call(self.sandbox.close)
        self._threads.shutdown(wait=False)

    async def call(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call a function in one of the threads."""
        bound = functools.partial(contextvars.copy_context().run, function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, bound)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncSession:
    """Wraps a session.  Every method does what that of the same name in :class:`palestra.sandbox.Session` does."""

    def __init__(self, sandbox: AsyncSandbox, session: Session) -> None:
        self.session = session
        self._sandbox = sandbox

    async def run(self, command: str | Sequence[str], stdin: bytes | str = b"", timeout: float | None = None) -> Result:
        """Run a program."""
        return await self._sandbox.call(self.session.run, command, stdin, timeout)

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file."""
        await self._sandbox.call(self.session.write, path, data, mode)

    async def read(self, path: str) -> bytes:
        """Read a file."""
        return await self._sandbox.call(self.session.read, path)

    async def files(self) -> dict[str, FileInfo]:
        """List the files."""
        return await self._sandbox.call(self.session.files)

    async def python(self) -> AsyncInterpreter:
        """Start a persistent Python."""
        return AsyncInterpreter(self._sandbox, await self._sandbox.call(self.session.python))

    async def shell(self) -> AsyncInterpreter:
        """Start a persistent shell."""
        return AsyncInterpreter(self._sandbox, await self._sandbox.call(self.session.shell))

    async def snapshot(self) -> bytes:
        """Save the files."""
        return await self._sandbox.call(self.session.snapshot)

    async def restore(self, snapshot: bytes) -> None:
        """Replace the files."""
        await self._sandbox.call(self.session.restore, snapshot)

    async def fork(self) -> AsyncSession:
        """Copy the session."""
        return AsyncSession(self._sandbox, await self._sandbox.call(self.session.fork))

    async def close(self) -> None:
        """End the session."""
        await self._sandbox.call(self.session.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncInterpreter:
    """Wraps an interpreter."""

    def __init__(self, sandbox: AsyncSandbox, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._sandbox = sandbox

    async def run(self, source: str, timeout: float | None = None) -> Result:
        """Run source text."""
        return await self._sandbox.call(self.interpreter.run, source, timeout)

    async def call(self, function: str, *arguments: Any, timeout: float | None = None) -> Result:
        """Call a function of a persistent Python."""
        return await self._sandbox.call(self.interpreter.call, function, *arguments, timeout=timeout)  # type: ignore[attr-defined]

    async def close(self) -> None:
        """End the interpreter."""
        await self._sandbox.call(self.interpreter.close)
