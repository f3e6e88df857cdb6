"""A process that is ready to become a session: each one is a fork of it, with namespaces of its own.

It is asked over a socket: a message of JSON, and with it the descriptor over which the session is to be served.  The
other end of that sees the end of the file when the session and everything in it are gone.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import traceback
from dataclasses import dataclass
from typing import Any

from . import cgroup, linux, seccomp, wire
from .cgroup import Cgroup
from .jail import BYTES_OF_INODE, SPARE_PROCESSES, Jail
from .server import Server

_PROGRAM_USER = 1000
_WORK, _TEMPORARY, _SHARED, _SCRATCH = "/work", "/tmp", "/dev/shm", "/scratch"


@dataclass
class _Child:
    pid: int
    client: socket.socket
    group: Cgroup | None


class Zygote:
    """``settings``: ``isolate`` (namespaces, filters and lost privileges; without it only processes), ``user`` (become
    this user first, or null), ``environment`` of the programs, ``cgroups`` (folder descriptors by controller),
    ``preload`` (modules to import now, so that no program waits for them) and ``paths`` (to find modules in).
    """

    def __init__(self, control: int, settings: dict[str, Any]) -> None:
        self._control = socket.socket(fileno=control)
        self._settings = settings
        self._filter = seccomp.build(linux.MACHINE) if settings["isolate"] else b""
        self._children: dict[int, _Child] = {}
        self._count = 0

    def serve(self) -> None:
        """Open sessions until the control socket is closed; then end them all."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor != self._control.fileno():
                    poll.unregister(descriptor)
                    self._bury(descriptor)
                    continue
                message, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
                if not message:
                    return
                with socket.socket(fileno=descriptors[0]) as client:
                    watched = self._open(json.loads(message), client)
                if watched is not None:
                    poll.register(watched, select.POLLIN)

    def close(self) -> None:
        """End all sessions."""
        for descriptor, child in list(self._children.items()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, 9)
            self._bury(descriptor)

    def _open(self, request: dict[str, Any], client: socket.socket) -> int | None:
        group = None
        try:
            if self._settings["cgroups"]:
                self._count += 1
                group = Cgroup(self._settings["cgroups"], str(self._count), request["limits"], SPARE_PROCESSES)
            isolate = self._settings["isolate"]
            pid = linux.clone("user", "mount", "pid", "ipc", "uts", "net") if isolate else os.fork()
        except OSError as error:
            with contextlib.suppress(OSError):
                client.sendall(wire.encode({"fault": str(error)}))
            return None
        if pid == 0:
            self._become_session(request, client, group)
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = _Child(pid, client.dup(), group)
        return descriptor

    def _bury(self, descriptor: int) -> None:
        child = self._children.pop(descriptor)
        os.waitpid(child.pid, 0)
        os.close(descriptor)
        if child.group is not None:
            child.group.remove()
        child.client.close()

    def _become_session(self, request: dict[str, Any], client: socket.socket, group: Cgroup | None) -> None:
        try:
            self._control.close()
            for descriptor, child in self._children.items():
                os.close(descriptor)
                child.client.close()
            isolate, limits = self._settings["isolate"], request["limits"]
            try:
                if isolate:
                    _furnish(limits)
                    work, temporary, writable = _WORK, _TEMPORARY, [_WORK, _TEMPORARY, _SHARED]
                else:
                    linux.die_with_parent()
                    linux.adopt_orphans()
                    work, temporary = request["work"], request["temporary"]
                    writable = []
            except OSError as error:
                client.sendall(wire.encode({"fault": str(error)}))
                raise
            environment = {**self._settings["environment"], "HOME": work, "TMPDIR": temporary}
            jail = Jail(limits, work, environment, writable, isolate, group, None, isolate, self._filter)
            server = Server(jail, temporary, client.fileno(), client.fileno())
            server.serve()
            if not isolate:
                server.close()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(0)


def main(settings: dict[str, Any]) -> None:
    """Get ready, and serve."""
    try:
        cgroup.enter(settings["cgroups"])
    except OSError:
        settings["cgroups"] = {}  # as where they cannot be made at all
    if settings["user"] is not None:
        _become(settings["user"])
    if settings["cgroups"] and not _may_join(settings["cgroups"]):
        settings["cgroups"] = {}
    import importlib
    import sys

    sys.path[:0] = settings["paths"]
    for name in settings["preload"]:
        importlib.import_module(name)
    zygote = Zygote(settings["control"], settings)
    gc.collect()
    gc.freeze()
    zygote._control.send(b"ready")
    zygote.serve()
    zygote.close()


def _may_join(folders: dict[str, int]) -> bool:
    """Whether a process can be moved to a new group: it may be forbidden where making groups is not."""
    limits = {"memory_bytes": 1 << 26, "disk_bytes": 1 << 26, "processes": 8, "cpus": 1.0}
    try:
        group = Cgroup(folders, "probe", limits, 0)
    except OSError:
        return False
    child = os.fork()
    if child == 0:
        try:
            group.join()
            os._exit(0)
        finally:
            os._exit(1)
    joined = os.waitpid(child, 0)[1] == 0
    group.remove()
    return joined


def _become(user: int) -> None:
    """Give up root, after the one thing that needs it: a view of this namespace's processes."""
    linux.mount("proc", "/proc", "proc", linux.NOSUID | linux.NODEV | linux.NOEXEC)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    linux.drop_capabilities()
    linux.forbid_new_privileges()
    linux.show_memory()


def _furnish(limits: dict[str, Any]) -> None:
    """Make the user, the files and the interfaces of a session, from within its namespaces."""
    user, group = os.getuid(), os.getgid()
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_PROGRAM_USER} {user} 1"),
        ("gid_map", f"{_PROGRAM_USER} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    flags = linux.NOSUID | linux.NODEV
    inodes = limits["disk_bytes"] // BYTES_OF_INODE + 64
    linux.mount("scratch", _SCRATCH, "tmpfs", flags, f"size={limits['disk_bytes']},nr_inodes={inodes},mode=755")
    for path in (_WORK, _TEMPORARY, _SHARED):
        below = f"{_SCRATCH}/{os.path.basename(path)}"
        os.mkdir(below)
        linux.mount(below, path, "", linux.BIND)
    linux.detach(_SCRATCH)
    linux.mount("proc", "/proc", "proc", flags | linux.NOEXEC)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    linux.raise_loopback()
