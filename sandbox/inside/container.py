"""The first process of a container: it serves the container's one session over its standard input and output."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from . import linux, seccomp
from .jail import Jail
from .server import Server

_WORK, _TEMPORARY = "/work", "/tmp"
#: Where an image keeps the files that its sessions begin with.
COMMITTED = "/palestra-snapshot.tar"


class ContainerGroup:
    """The control group that the engine made, which can only be read here."""

    _KILLED = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
    _PEAK = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")

    def join(self) -> None:
        """Every process of the container is in it."""

    def forget_peak(self) -> None:
        """The peak is that of the session."""

    def killed(self) -> int:
        """How many processes the kernel has killed for their memory."""
        for line in _read(self._KILLED).splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def peak(self) -> int:
        """The most memory that was used, in bytes; 0 where that is not to be read."""
        return int(_read(self._PEAK) or 0)


def main(settings: dict[str, Any]) -> None:
    """Serve.  ``settings``: ``limits``, the programs' ``environment``, and their ``user``."""
    source, sink = os.dup(0), os.dup(1)
    with open(os.devnull, "r+b", buffering=0) as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
    os.environ.clear()
    os.environ.update(settings["environment"])
    environment = {"HOME": _WORK, "TMPDIR": _TEMPORARY}
    jail = Jail(settings["limits"], _WORK, environment, [_WORK, _TEMPORARY, "/dev/shm"], user=settings["user"])
    jail.cgroup = ContainerGroup()
    jail.seccomp = seccomp.build(linux.MACHINE)
    linux.adopt_orphans()
    jail.prepare()
    server = Server(jail, _TEMPORARY, source, sink)
    if os.path.exists(COMMITTED):
        server.fill(COMMITTED)
    server.serve()


def _read(paths: tuple[str, ...]) -> str:
    for path in paths:
        with contextlib.suppress(OSError), open(path) as file:
            return file.read()
    return ""
