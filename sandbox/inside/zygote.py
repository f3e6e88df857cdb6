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
import signal
import socket
import traceback
from dataclasses import dataclass
from typing import Any

from . import cgroup, linux, seccomp, wire
from .cgroup import Cgroup
from .jail import BYTES_OF_INODE, SPARE_PROCESSES, Jail
from .server import Server
from .supervisor import Supervisor

_PROGRAM_USER = 1000
_WORK, _TEMPORARY, _SHARED = "/work", "/tmp", "/dev/shm"


@dataclass
class _Child:
    """A process that is a session, or waits for becoming one.

    ``client``: a session's other end, or what a waiting one is sent it over.
    """

    pid: int
    client: socket.socket
    group: Cgroup | None


class Zygote:
    """``settings``: ``isolate`` (namespaces, filters and lost privileges; without it only processes), ``user`` (become
    this user first, or null), ``environment`` of the programs, ``cgroups`` (folder descriptors by controller),
    ``preload`` (modules to import now, so that no program waits for them) and ``paths`` (to find modules in).

    When the same session is asked for again and again, one like it is made ready when one has ended.
    """

    def __init__(self, control: int, settings: dict[str, Any]) -> None:
        self._control = socket.socket(fileno=control)
        self._settings = settings
        self._filter = seccomp.build(linux.MACHINE) if settings["isolate"] else b""
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._count = 0
        self._last, self._again = "", False
        self._ready: tuple[str, int] | None = None  # a request, and the descriptor of the child that waits for it

    def serve(self) -> None:
        """Open sessions until the control socket is closed; then end them all."""
        self._poll.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._bury(descriptor)
                    if self._settings["isolate"] and self._again and (self._ready or ("",))[0] != self._last:
                        self._make_ready(self._last)
                    continue
                message, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
                if not message:
                    return
                with socket.socket(fileno=descriptors[0]) as client:
                    try:
                        self._open(message.decode(), client)
                    except OSError as error:
                        with contextlib.suppress(OSError):
                            client.sendall(wire.encode({"fault": str(error)}))

    def close(self) -> None:
        """End all sessions."""
        for descriptor in list(self._children):
            self._end(descriptor)

    def _open(self, request: str, client: socket.socket) -> None:
        if self._ready is not None and self._ready[0] == request and self._hand_over(self._ready[1], client):
            self._ready = None
        else:
            self._fork(request, client, waits=False)
        self._again, self._last = request == self._last, request

    def _make_ready(self, request: str) -> None:
        if self._ready is not None:
            self._end(self._ready[1])
        ours, theirs = socket.socketpair()
        with ours, theirs:
            descriptor = self._fork(request, theirs, waits=True)
            self._children[descriptor].client.close()
            self._children[descriptor].client = ours.dup()
        self._ready = (request, descriptor)

    def _hand_over(self, descriptor: int, client: socket.socket) -> bool:
        """Make a child that waits a session; False if it is gone."""
        child = self._children[descriptor]
        try:
            socket.send_fds(child.client, [b"x"], [client.fileno()])
        except OSError:
            return False
        child.client.close()
        child.client = client.dup()
        return True

    def _fork(self, request: str, client: socket.socket, waits: bool) -> int:
        asked = json.loads(request)
        group = None
        if self._settings["cgroups"]:
            self._count += 1
            group = Cgroup(self._settings["cgroups"], str(self._count), asked["limits"], SPARE_PROCESSES)
        pid = linux.clone("user", "mount", "pid", "ipc", "uts", "net") if self._settings["isolate"] else os.fork()
        if pid == 0:
            self._become_session(asked, client, group, waits)
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = _Child(pid, client.dup(), group)
        self._poll.register(descriptor, select.POLLIN)
        return descriptor

    def _end(self, descriptor: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._children[descriptor].pid, signal.SIGKILL)
        self._bury(descriptor)

    def _bury(self, descriptor: int) -> None:
        child = self._children.pop(descriptor)
        self._poll.unregister(descriptor)
        if self._ready is not None and self._ready[1] == descriptor:
            self._ready = None
        os.waitpid(child.pid, 0)
        os.close(descriptor)
        if child.group is not None:
            child.group.remove()
        child.client.close()

    def _become_session(self, asked: dict[str, Any], client: socket.socket, group: Cgroup | None, waits: bool) -> None:
        try:
            kept = [0, 1, 2, client.fileno(), *self._settings["cgroups"].values()]
            linux.keep_descriptors({descriptor: descriptor for descriptor in kept})
            isolate, limits = self._settings["isolate"], asked["limits"]
            try:
                if isolate:
                    _furnish(limits)
                    work, temporary, writable = _WORK, _TEMPORARY, [_WORK, _TEMPORARY, _SHARED]
                else:
                    linux.die_with_parent()
                    linux.adopt_orphans()
                    work, temporary, writable = asked["work"], asked["temporary"], []
                environment = {"HOME": work, "TMPDIR": temporary}
                jail = Jail(limits, work, environment, writable, isolate, group, None, isolate, self._filter)
                jail.prepare()
            except OSError as error:
                if not waits:
                    client.sendall(wire.encode({"fault": str(error)}))
                raise
            served, spare = client.fileno(), None
            if waits:
                spare = Supervisor(jail)
                message, descriptors, _, _ = socket.recv_fds(client, 1, 1)
                if not message:
                    return
                client.close()
                served = descriptors[0]
            server = Server(jail, temporary, served, served, spare)
            server.serve()
            if not isolate:
                server.close()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(0)


def main(settings: dict[str, Any]) -> None:
    """Get ready, and serve."""
    os.environ.clear()
    os.environ.update(settings["environment"])
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
    linux.bound_capabilities()
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
        linux.write(f"/proc/self/{name}", text.encode())
    flags = linux.NOSUID | linux.NODEV
    inodes = limits["disk_bytes"] // BYTES_OF_INODE + 64
    linux.mount("files", _TEMPORARY, "tmpfs", flags, f"size={limits['disk_bytes']},nr_inodes={inodes},mode=755")
    # The last one covers the file system that all three are folders of.
    for path in (_WORK, _SHARED, _TEMPORARY):
        below = f"{_TEMPORARY}/{os.path.basename(path)}"
        os.mkdir(below)
        linux.mount(below, path, "", linux.BIND)
    linux.mount("proc", "/proc", "proc", flags | linux.NOEXEC)
    linux.write("/proc/sys/user/max_user_namespaces", b"0")
    linux.raise_loopback()
