"""One sandbox for all environments of a process, for those that open a fresh session for each program."""

from __future__ import annotations

import atexit
import os
import threading

from ...sandbox import Sandbox, open_sandbox

_lock = threading.Lock()
_opened: dict[tuple[int, str], Sandbox] = {}

PRELOADED = ("json", "re")
"""Modules that every program's sandbox has imported before it starts."""


def shared_sandbox(backend: str) -> Sandbox:
    """The sandbox of a backend that this process's environments share; it is closed when the process ends.

    Raises :class:`palestra.sandbox.SandboxUnavailable` where this machine lacks what the backend needs, and ValueError
    for an unknown backend.
    """
    with _lock:
        # A forked process must not use its parent's.
        owner = (os.getpid(), backend)
        if owner not in _opened:
            options = {"preload": PRELOADED} if backend == "bubblewrap" else {}
            _opened[owner] = open_sandbox(backend, **options)
            atexit.register(_opened[owner].close)
        return _opened[owner]
