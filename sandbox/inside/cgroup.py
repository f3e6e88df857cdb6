"""Control groups: what the programs of a session use together, limited and measured by the kernel.

Folders are named by descriptors, so that nothing of ``/sys`` need be seen in the sandbox.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import Any, Protocol

_PERIOD = 100_000  # microseconds


def enter(folders: dict[str, int]) -> None:
    """Move this process, which will make groups, to where version 2 lets its children be moved from."""
    if "unified" in folders:
        handle = os.open("zygote/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=folders["unified"])
        os.write(handle, b"0")
        os.close(handle)


class Group(Protocol):
    """What a program is told of the group that it is in."""

    def join(self) -> None: ...

    def killed(self) -> int: ...

    def forget_peak(self) -> None: ...

    def peak(self) -> int: ...


class Cgroup:
    """A group of its own below the folders that were delegated: for version 1 one for each controller, for 2 one."""

    def __init__(self, folders: dict[str, int], name: str, limits: dict[str, Any], spare: int) -> None:
        """``folders``: descriptors by controller, or by ``"unified"``.  ``spare``: processes that are not counted."""
        self._folders = folders
        self._name = name
        self._unified = "unified" in folders
        for folder in folders.values():
            os.mkdir(name, dir_fd=folder)
        # The kernel counts files in memory as memory: what they use is not to be missing for the programs.
        memory, processes = str(limits["memory_bytes"] + limits["disk_bytes"]), str(limits["processes"] + spare)
        quota = str(round(limits["cpus"] * _PERIOD))
        if self._unified:
            settings = {"memory.max": memory, "memory.swap.max": "0", "pids.max": processes}
            settings["cpu.max"] = f"{quota} {_PERIOD}"
        else:
            settings = {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
            settings |= {"pids.max": processes, "cpu.cfs_quota_us": quota}
        for file, value in settings.items():
            try:
                self._write(file, value)
            except FileNotFoundError:
                if "sw" not in file:  # a kernel without swap has nothing to limit there
                    raise

    def join(self) -> None:
        """Move this process into the group; its children are born there."""
        for controller in self._folders:
            self._write("cgroup.procs", "0", controller)

    def killed(self) -> int:
        """How many processes the kernel has killed for their memory."""
        text = self._read("memory.events" if self._unified else "memory.oom_control")
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)

    def forget_peak(self) -> None:
        """Measure the peak from here on, where the kernel can."""
        if not self._unified:
            self._write("memory.max_usage_in_bytes", "0")

    def peak(self) -> int:
        """The most memory that was used, in bytes; 0 where the kernel does not say."""
        with contextlib.suppress(FileNotFoundError):
            return int(self._read("memory.peak" if self._unified else "memory.max_usage_in_bytes"))
        return 0

    def remove(self) -> None:
        """Remove the group, whose processes have ended."""
        for folder in self._folders.values():
            for attempt in range(200):
                try:
                    os.rmdir(self._name, dir_fd=folder)
                    break
                except OSError as error:
                    # A process that has ended leaves its group a moment after its parent has heard of it.
                    if error.errno != errno.EBUSY or attempt == 199:
                        raise
                    time.sleep(0.001)

    def _controller(self, file: str) -> str:
        return "unified" if self._unified else file.partition(".")[0]

    def _write(self, file: str, value: str, controller: str = "") -> None:
        folder = self._folders[controller or self._controller(file)]
        handle = os.open(f"{self._name}/{file}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.write(handle, value.encode())
        finally:
            os.close(handle)

    def _read(self, file: str) -> str:
        handle = os.open(
            f"{self._name}/{file}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folders[self._controller(file)]
        )
        try:
            return os.read(handle, 1 << 16).decode()
        finally:
            os.close(handle)
