"""Starts a zygote (``inside/zygote.py``), opens sessions in it, and replaces it when it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from .lane import Lane
from .loader import BOOT, order
from .protocol import Limits, SandboxFault

_START_S = 60.0
_STILL_S = 30.0  #: for how long the other end may take nothing, before it counts as lost


class ZygoteFailed(RuntimeError):
    """It did not start; the text is what it said."""


class Zygote:
    """A running zygote.  ``command`` starts a Python, and ``settings`` are those of ``main`` there."""

    def __init__(self, command: Sequence[str], settings: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the zygote does)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._lock = threading.Lock()
        settings = {**settings, "control": theirs.fileno()}
        with theirs:
            self._process = _start(
                [*command, "-s", "-S", "-B", "-X", "utf8", "-c", BOOT], self._said, [theirs.fileno(), *descriptors]
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(order("zygote", settings))
        ours.settimeout(_START_S)
        try:
            ready = ours.recv(16)
        except (TimeoutError, ConnectionResetError):
            ready = b""
        if ready != b"ready":
            self._end()
            said = self.said()
            self._said.close()
            raise ZygoteFailed(said)
        ours.settimeout(None)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def gone(self) -> bool:
        """Whether it has ended, or does within a second."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        return not self.alive

    @property
    def pid(self) -> int:
        """The process to kill, should one want to: everything in the sandbox ends with it."""
        return self._process.pid

    def said(self) -> str:
        """The end of what it wrote to its standard error."""
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 2000))
        return self._said.read().decode("utf-8", "replace").strip()

    def open(self, limits: Limits, **more: Any) -> SocketChannel:
        """A channel to a new session.  SandboxFault if the zygote is gone."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                socket.send_fds(
                    self._control, [json.dumps({"limits": asdict(limits), **more}).encode()], [theirs.fileno()]
                )
            except OSError:
                ours.close()
                raise SandboxFault("the sandbox was lost") from None
        return SocketChannel(ours)

    def close(self) -> None:
        """End it and every session; returns when they are gone."""
        self._end()
        self._said.close()

    def _end(self) -> None:
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class SocketChannel:
    """A :class:`~palestra.sandbox.session.Channel` over a Unix socket, whose other end outlives what it leads to."""

    def __init__(self, handle: socket.socket) -> None:
        self._handle = handle
        self._handle.settimeout(_STILL_S)
        self._poll = select.poll()
        self._poll.register(handle, select.POLLIN)

    def send(self, data: bytes) -> None:
        """See :class:`~palestra.sandbox.session.Channel`."""
        self._handle.sendall(data)

    def receive(self, size: int, deadline: float) -> bytes:
        """See :class:`~palestra.sandbox.session.Channel`."""
        if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        return self._handle.recv(size)

    def close(self) -> None:
        """See :class:`~palestra.sandbox.session.Channel`."""
        with contextlib.suppress(OSError):
            self._handle.shutdown(socket.SHUT_WR)
            while self._handle.recv(1 << 16):
                pass
        self._handle.close()


def base_python() -> str:
    """The interpreter that runs this, without its virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@cache
def _lane(process: int) -> Lane:
    """A thread that lives as long as this process: to die with the parent is to die with the thread that began it."""
    return Lane("sandbox")


def _start(command: Sequence[str], said: Any, descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=descriptors,
            env={"PATH": os.defpath, "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )

    return _lane(os.getpid()).submit(start).result()
