"""The last steps of a process before it runs what is not trusted."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass, field
from typing import Any

from . import landlock, linux
from .cgroup import Group

#: Processes of the sandbox itself that are counted beside a session's programs.
SPARE_PROCESSES = 8
#: For so many bytes of ``disk_bytes`` there may be one file.
BYTES_OF_INODE = 4096


@dataclass
class Jail:
    """What holds the programs of a session.

    ``namespaces``: each program gets process, mount and ipc namespaces of its own, and joins ``cgroup`` if there is
    one.  ``user``: it becomes this user.  ``confined``: it loses every privilege, and can make only the system calls
    that ``seccomp`` allows.
    """

    limits: dict[str, Any]
    work: str
    environment: dict[str, str]
    writable: list[str] = field(default_factory=list)
    namespaces: bool = False
    cgroup: Group | None = None
    user: int | None = None
    confined: bool = True
    seccomp: bytes = b""
    ruleset: int | None = None  #: a descriptor, made by :meth:`prepare`
    _most: list[tuple[int, int]] = field(default_factory=list)

    def prepare(self) -> None:
        """Do once, in this process, what its programs inherit."""
        os.umask(0o022)
        os.environ.update(self.environment)
        self._most = self._resources()
        if self.confined:
            devices = [path for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty") if os.path.exists(path)]
            self.ruleset = landlock.make_ruleset(self.writable, devices)
            linux.forbid_new_privileges()
            linux.bound_capabilities()

    def enter(self, ruleset: int | None) -> None:
        """Confine this process, for good.  ``ruleset`` is the descriptor as it is called here; it is closed."""
        os.setsid()
        for which, most in self._most:
            resource.setrlimit(which, (most, most))
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        try:
            os.chdir(self.work)
        except PermissionError:
            os.chmod(self.work, 0o755)  # its owner, which is this user, has closed it
            os.chdir(self.work)
        if self.confined:
            linux.drop_capabilities()
            if ruleset is not None:
                landlock.restrict(ruleset)
                os.close(ruleset)
            linux.install_seccomp(self.seccomp)

    def _resources(self) -> list[tuple[int, int]]:
        """The limits of each process of the session, but for its time."""
        limits = self.limits
        most = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: limits["disk_bytes"],
            resource.RLIMIT_NOFILE: limits["open_files"],
            resource.RLIMIT_MEMLOCK: 1 << 16,
            resource.RLIMIT_MSGQUEUE: 1 << 16,
        }
        if self.cgroup is None:
            with open("/proc/self/statm", "rb") as file:
                mapped = int(file.read().split()[0]) * resource.getpagesize()
            most[resource.RLIMIT_AS] = mapped + limits["memory_bytes"]
        if self.namespaces:
            # Counted by user namespace, of which each session has its own.
            most[resource.RLIMIT_NPROC] = limits["processes"] + SPARE_PROCESSES
        hard = {which: resource.getrlimit(which)[1] for which in most}
        unlimited = resource.RLIM_INFINITY
        return [(which, most[which] if hard[which] == unlimited else min(most[which], hard[which])) for which in most]
