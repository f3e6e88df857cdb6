"""Control groups that a zygote may make groups of its own in: one folder of each controller, where this user can."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import time
from pathlib import Path

_CONTROLLERS = ("memory", "pids", "cpu")
_NAME = re.compile(r"palestra-(\d+)-\d+")
_numbers = itertools.count()


class Delegated:
    """New folders below this process's own groups, that ``owner`` may write (by default this user).

    ``descriptors`` has one for each controller, or one named ``"unified"`` where the kernel has version 2; none where
    groups are not writable.  Then limits of memory are held by other means (see ``docs/sandbox.md``).
    """

    def __init__(self, owner: int | None = None) -> None:
        self._folders: dict[str, Path] = {}
        self.descriptors: dict[str, int] = {}
        name = f"palestra-{os.getpid()}-{next(_numbers)}"
        try:
            for controller, parent in _own_groups().items():
                _sweep(parent)
                folder = parent / name
                folder.mkdir()
                self._folders[controller] = folder
                if controller == "unified":
                    (folder / "zygote").mkdir()
                    for group in (parent, folder):
                        (group / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in _CONTROLLERS))
                if owner is not None:
                    for path in (folder, folder / "cgroup.procs"):
                        os.chown(path, owner, owner)
        except OSError:
            self.close()
            return
        for controller, folder in self._folders.items():
            self.descriptors[controller] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Remove the folders, in which no process is left."""
        for descriptor in self.descriptors.values():
            os.close(descriptor)
        for folder in self._folders.values():
            _remove(folder)
        self.descriptors, self._folders = {}, {}


def _own_groups() -> dict[str, Path]:
    """This process's group of each controller; empty unless all of them are there."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    groups = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mounted, kind, options, *_ = line.split(" ")
        if kind == "cgroup":
            for controller in set(options.split(",")) & set(_CONTROLLERS) & set(paths):
                # In a container the path is the host's, and its end is what is mounted.
                below = Path(mounted + paths[controller])
                groups[controller] = below if below.is_dir() else Path(mounted)
        elif kind == "cgroup2" and "" in paths:
            below = Path(mounted + paths[""])
            group = below if below.is_dir() else Path(mounted)
            if set(_CONTROLLERS) <= set((group / "cgroup.controllers").read_text().split()):
                return {"unified": group}
    return groups if len(groups) == len(_CONTROLLERS) else {}


def _sweep(parent: Path) -> None:
    """Remove what processes left that were killed."""
    for folder in parent.iterdir():
        match = _NAME.fullmatch(folder.name)
        if match and not Path("/proc", match[1]).exists():
            with contextlib.suppress(OSError):
                _remove(folder)


def _remove(folder: Path) -> None:
    for group in [*(path for path in folder.iterdir() if path.is_dir()), folder]:
        for _ in range(1000):
            try:
                group.rmdir()
                break
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                time.sleep(0.002)  # a process that was killed leaves its group a moment later
