"""Plain subprocesses: limits, but no isolation.  Only for code that you trust."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from .backend import Backend
from .inside import files as _files
from .protocol import Limits, SandboxFault
from .session import RemoteSession
from .zygote import SocketChannel, Zygote, base_python


class ProcessSandbox(Backend[RemoteSession]):
    """Runs programs as they are, in a temporary folder each session.

    It does **not** isolate: programs can read and change what this user can, reach the network, and stop each other.
    Memory is limited by process and watched in all, processes are counted, files are limited one by one.  The programs
    see no environment variables but ``PATH``, ``HOME``, ``TMPDIR`` and ``LANG``.  It has no images.
    """

    def __init__(self, packages: Sequence[str | Path] = (), preload: Sequence[str] = ()) -> None:
        self._packages = [str(Path(path).resolve(strict=True)) for path in packages]
        self._preload = list(preload)
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._zygote: Zygote | None = None
        self._sessions: weakref.WeakSet[RemoteSession] = weakref.WeakSet()
        self._closed = False

    @property
    def processes(self) -> list[int]:
        """The process that all sessions come from."""
        return [self._zygote.pid] if self._zygote else []

    def close(self) -> None:
        """See :meth:`palestra.sandbox.protocol.Sandbox.close`."""
        with self._lock:
            self._closed = True
            if self._zygote is not None and self._owner == os.getpid():
                for session in list(self._sessions):
                    session.close()
                self._zygote.close()

    def _begin(self, image: str | None, limits: Limits) -> RemoteSession:
        if image is not None:
            raise ValueError("a process sandbox has no images")
        folder = Path(tempfile.mkdtemp(prefix="palestra-"))
        work, temporary = folder / "work", folder / "tmp"
        work.mkdir()
        temporary.mkdir()
        try:
            channel = self._running().open(limits, work=str(work), temporary=str(temporary))
        except BaseException:
            shutil.rmtree(folder)
            raise
        session = RemoteSession(_Channel(channel, folder), limits, lambda: self._begin(None, limits)).begin()
        self._sessions.add(session)
        return session

    def _running(self) -> Zygote:
        with self._lock:
            if self._closed:
                raise SandboxFault("the sandbox is closed")
            if self._owner != os.getpid():
                raise RuntimeError("a sandbox belongs to the process that opened it; open another in this one")
            if self._zygote is None or not self._zygote.alive:
                path = os.environ.get("PATH", os.defpath)
                environment = {"PATH": path, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
                if self._packages:
                    environment["PYTHONPATH"] = ":".join(self._packages)
                settings = {
                    "isolate": False,
                    "user": None,
                    "environment": environment,
                    "cgroups": {},
                    "preload": self._preload,
                    "paths": self._packages,
                }
                self._zygote = Zygote([base_python()], settings)
            return self._zygote


class _Channel:
    """A channel to a session whose folder goes with it."""

    def __init__(self, channel: SocketChannel, folder: Path) -> None:
        self._channel = channel
        self._folder = folder
        self.send, self.receive = channel.send, channel.receive

    def close(self) -> None:
        """Close the channel, and remove the folder."""
        self._channel.close()
        if self._folder.exists():
            _files.empty(str(self._folder))
            self._folder.rmdir()
