"""The near end of a session that is served somewhere else: by a zygote's child, or in a container."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

from .inside import wire
from .protocol import FileInfo, Limits, Result, RunStatus, SandboxFault, Session

#: Seconds that an answer may take beyond the time of the program itself, before the sandbox counts as lost.
GRACE_S = 30.0


class Channel(Protocol):
    """A stream of bytes to the far end."""

    def send(self, data: bytes) -> None:
        """Send all of it; OSError if the far end is gone."""
        ...

    def receive(self, size: int, deadline: float) -> bytes:
        """1 to ``size`` bytes, none at the end; TimeoutError after ``deadline`` on the monotonic clock."""
        ...

    def close(self) -> None:
        """End the far end and everything in it; return when it is gone."""
        ...


class RemoteSession:
    """A :class:`~palestra.sandbox.protocol.Session` over a channel.

    ``another`` opens one like it, for :meth:`fork`; ``diagnose`` says, if it can, what became of a lost far end.
    """

    def __init__(
        self,
        channel: Channel,
        limits: Limits,
        another: Callable[[], RemoteSession],
        diagnose: Callable[[], str] = lambda: "",
    ) -> None:
        self.limits = limits
        self._channel = channel
        self._another = another
        self._diagnose = diagnose
        self._lock = threading.Lock()
        self._lost = ""

    def begin(self) -> Self:
        """Wait until it is there; SandboxFault if it does not come."""
        self._ask(None)
        return self

    @property
    def alive(self) -> bool:
        """Whether it is neither closed nor lost, as far as is known."""
        return not self._lost

    def run(self, command: str | Sequence[str], stdin: bytes | str = b"", timeout: float | None = None) -> Result:
        """See :meth:`palestra.sandbox.protocol.Session.run`."""
        return self._run(command, stdin, timeout, last=False)

    def run_last(self, command: str | Sequence[str], stdin: bytes | str, timeout: float | None) -> Result:
        """Run something after which nothing else will be run, so that nothing need be prepared for that."""
        return self._run(command, stdin, timeout, last=True)

    def _run(self, command: str | Sequence[str], stdin: bytes | str, timeout: float | None, last: bool) -> Result:
        argv = None if isinstance(command, str) else [str(part) for part in command]
        if argv is not None and not argv:
            raise ValueError("a command has at least the name of a program")
        code = _bytes(command) if isinstance(command, str) else b""
        return self._result({"op": "run", "argv": argv, "last": last}, timeout, _bytes(stdin), code)[0]

    def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """See :meth:`palestra.sandbox.protocol.Session.write`."""
        self._ask({"op": "write", "path": path, "mode": mode}, _bytes(data))

    def read(self, path: str) -> bytes:
        """See :meth:`palestra.sandbox.protocol.Session.read`."""
        return self._ask({"op": "read", "path": path})[1][0]

    def files(self) -> dict[str, FileInfo]:
        """See :meth:`palestra.sandbox.protocol.Session.files`."""
        return {path: FileInfo(*entry) for path, entry in self._ask({"op": "files"})[0]["files"].items()}

    def fill(self, files: Mapping[str, bytes | str] | bytes | None) -> None:
        """Add files: texts or bytes by path, or those of a tar archive."""
        if isinstance(files, bytes):
            self._ask({"op": "fill"}, files)
        else:
            for path, data in (files or {}).items():
                self.write(path, data)

    def python(self) -> RemotePython:
        """See :meth:`palestra.sandbox.protocol.Session.python`."""
        return RemotePython(self, self._ask({"op": "python"})[0]["id"])

    def shell(self) -> RemoteShell:
        """See :meth:`palestra.sandbox.protocol.Session.shell`."""
        return RemoteShell(self, self._ask({"op": "shell"})[0]["id"])

    def snapshot(self) -> bytes:
        """See :meth:`palestra.sandbox.protocol.Session.snapshot`."""
        return self._ask({"op": "snapshot"})[1][0]

    def restore(self, snapshot: bytes) -> None:
        """See :meth:`palestra.sandbox.protocol.Session.restore`."""
        self._ask({"op": "restore"}, snapshot)

    def fork(self) -> Session:
        """See :meth:`palestra.sandbox.protocol.Session.fork`."""
        snapshot = self.snapshot()
        other = self._another()
        try:
            other.fill(snapshot)
        except BaseException:
            other.close()
            raise
        return other

    def close(self) -> None:
        """See :meth:`palestra.sandbox.protocol.Session.close`."""
        self._lose("the session is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _result(self, header: dict[str, Any], timeout: float | None, *blobs: bytes) -> tuple[Result, bool]:
        """Ask for something that runs; a lost sandbox is a result too.  Also whether an interpreter lives on."""
        wall_s = self.limits.wall_s if timeout is None else min(timeout, self.limits.wall_s)
        if not wall_s > 0:
            raise ValueError(f"the timeout must be positive, not {timeout!r}")
        began = time.monotonic()
        try:
            answer, (stdout, stderr, *value) = self._ask({**header, "timeout": wall_s}, *blobs, wait_s=wall_s)
        except SandboxFault as fault:
            return Result(RunStatus.FAULT, None, wall_s=time.monotonic() - began, reason=str(fault)), False
        answer["status"] = RunStatus(answer["status"])
        alive = answer.pop("alive", False)
        try:
            answer["value"] = json.loads(value[0]) if value and value[0] else None
        except (ValueError, RecursionError) as error:
            # The program speaks over this channel too, and need not speak JSON.
            answer |= {"status": RunStatus.ERROR, "reason": f"what it returned cannot be read: {error}"}
        return Result(stdout=stdout, stderr=stderr, **answer), alive

    def _ask(
        self, header: dict[str, Any] | None, *blobs: bytes, wait_s: float = 0.0
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request, if there is one, and receive the answer."""
        message = b"" if header is None else wire.encode(header, *blobs)
        with self._lock:
            if self._lost:
                raise SandboxFault(self._lost)
            deadline = time.monotonic() + wait_s + GRACE_S
            try:
                self._channel.send(message)
                answer, data = wire.receive(lambda size: self._channel.receive(size, deadline))
            except TimeoutError:
                self._lose(f"the sandbox gave no answer within {wait_s + GRACE_S:g} s")
                raise SandboxFault(self._lost) from None
            except (OSError, wire.Closed):
                self._lose("")
                raise SandboxFault(self._lost) from None
            except BaseException:
                self._lose("a call was broken off")  # its answer would be taken for that of the next one
                raise
        if "fault" in answer:
            self._lose(answer["fault"])
            raise SandboxFault(self._lost)
        if "error" in answer:
            kind = {"OSError": OSError, "ValueError": ValueError}[answer["error"]]
            raise kind(*(argument for argument in answer["arguments"] if argument is not None))
        return answer, data

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._channel.close()
            self._lost = reason or self._diagnose() or "the sandbox was lost"


class RemoteInterpreter:
    """An interpreter in a session."""

    def __init__(self, session: RemoteSession, number: int) -> None:
        self._session = session
        self._number = number
        self._alive = True

    @property
    def alive(self) -> bool:
        """Whether it can still be asked something."""
        return self._alive and self._session.alive

    def close(self) -> None:
        """End it, and everything that it has started."""
        if self.alive:
            self._session._ask({"op": "end", "id": self._number})
        self._alive = False

    def _request(self, request: bytes, timeout: float | None) -> Result:
        result, self._alive = self._session._result({"op": "ask", "id": self._number}, timeout, request)
        return result


class RemotePython(RemoteInterpreter):
    """A :class:`~palestra.sandbox.protocol.PythonInterpreter` in a session."""

    def run(self, source: str, timeout: float | None = None) -> Result:
        """See :meth:`palestra.sandbox.protocol.Interpreter.run`."""
        return self._request(json.dumps({"source": source}).encode(), timeout)

    def call(self, function: str, *arguments: Any, timeout: float | None = None) -> Result:
        """See :meth:`palestra.sandbox.protocol.PythonInterpreter.call`."""
        return self._request(json.dumps({"function": function, "arguments": arguments}).encode(), timeout)


class RemoteShell(RemoteInterpreter):
    """A persistent shell in a session."""

    def run(self, source: str, timeout: float | None = None) -> Result:
        """See :meth:`palestra.sandbox.protocol.Interpreter.run`."""
        if "\0" in source:
            raise ValueError("a command has no null characters")
        return self._request(source.encode("utf-8", "surrogateescape"), timeout)


def _bytes(data: bytes | str) -> bytes:
    return data.encode("utf-8", "surrogateescape") if isinstance(data, str) else bytes(data)
