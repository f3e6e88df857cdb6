"""Isolation by Linux namespaces: bubblewrap around a zygote, and for every session a fork of it with its own.

Bubblewrap builds what all programs see: an image, read-only, and around it nothing of the host.  In there the zygote
waits.  A session is a fork with user, mount, process, ipc, host name and network namespaces of its own, an empty
writable layer in memory, and a control group where those can be made; each program in it has further process, mount and
ipc namespaces, no capability, Landlock rules where the kernel has them, and a system call filter.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from .backend import Backend
from .cgroup import Delegated
from .protocol import Limits, SandboxFault, SandboxUnavailable
from .session import RemoteSession
from .zygote import Zygote, ZygoteFailed, base_python

_HOST = (
    "bin",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "sbin",
    "usr",
    "etc/alternatives",
    "etc/ld.so.cache",
    "etc/ssl/certs",
)
_OURS = ("dev", "proc", "tmp", "work", "sys")
_PASSWD = """root:x:0:0:root:/root:/usr/sbin/nologin
user:x:1000:1000:user:/work:/bin/bash
nobody:x:65534:65534::/:/usr/sbin/nologin
"""
_GROUP = "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
_PATH = ("/usr/local/bin", "/usr/bin", "/bin")


class BubblewrapSandbox(Backend[RemoteSession]):
    """Sessions in Linux namespaces.

    An image is the path of a folder that holds a file tree with a Python of its own; None is this machine's ``/usr``
    and the Python that runs this.  ``packages`` are folders that Python programs find modules in, beside the standard
    library; ``preload`` names modules to be imported before any program runs, so that none waits for them.  ``user`` is
    who programs are for the kernel where this runs as root.

    Raises SandboxUnavailable without bubblewrap, or where namespaces are forbidden.
    """

    def __init__(
        self,
        image: str | None = None,
        packages: Sequence[str | Path] = (),
        preload: Sequence[str] = (),
        user: int = 65534,
    ) -> None:
        program = shutil.which("bwrap")
        if sys.platform != "linux":
            raise SandboxUnavailable("the bubblewrap sandbox needs Linux; elsewhere use the docker backend")
        if program is None:
            raise SandboxUnavailable(
                "the bubblewrap sandbox needs bubblewrap: apt install bubblewrap, dnf install bubblewrap, "
                "or what your system calls it"
            )
        self._program = program
        self._image = image
        # Not at their own places: what is below /tmp there is hidden by the programs' files.
        self._packages = {f"/packages/{n}": str(Path(path).resolve(strict=True)) for n, path in enumerate(packages)}
        self._preload = list(preload)
        self._user = user if os.geteuid() == 0 else None
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._zygotes: dict[str | None, tuple[Zygote, Delegated]] = {}
        self._sessions: weakref.WeakSet[RemoteSession] = weakref.WeakSet()
        self._closed = False
        self._zygote(image)

    @property
    def processes(self) -> list[int]:
        """The processes that hold everything else: whoever kills one loses its sessions, and nothing more."""
        return [zygote.pid for zygote, _ in self._zygotes.values()]

    def close(self) -> None:
        """See :meth:`palestra.sandbox.protocol.Sandbox.close`."""
        with self._lock:
            self._closed = True
            if self._owner == os.getpid():
                for session in list(self._sessions):
                    session.close()
                for image in list(self._zygotes):
                    self._end(image)

    def _begin(self, image: str | None, limits: Limits) -> RemoteSession:
        """A session of a zygote; one that was killed is replaced."""
        for attempt in (1, 2):
            zygote = self._zygote(image or self._image)
            try:
                session = RemoteSession(zygote.open(limits), limits, lambda: self._begin(image, limits)).begin()
                self._sessions.add(session)
                return session
            except SandboxFault:
                if attempt == 2 or not zygote.gone():
                    raise
        raise AssertionError

    def _zygote(self, image: str | None) -> Zygote:
        with self._lock:
            if self._closed:
                raise SandboxFault("the sandbox is closed")
            if self._owner != os.getpid():
                raise RuntimeError("a sandbox belongs to the process that opened it; open another in this one")
            if image in self._zygotes and not self._zygotes[image][0].alive:
                self._end(image)
            if image not in self._zygotes:
                self._zygotes[image] = self._start(image)
            return self._zygotes[image][0]

    def _end(self, image: str | None) -> None:
        zygote, delegated = self._zygotes.pop(image)
        zygote.close()
        delegated.close()

    def _start(self, image: str | None) -> tuple[Zygote, Delegated]:
        python, binds = _host_python() if image is None else (_image_python(image), [])
        environment = {"PATH": ":".join((str(Path(python).parent), *_PATH)), "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
        if self._packages:
            environment["PYTHONPATH"] = ":".join(self._packages)
        delegated = Delegated(self._user)
        settings = {
            "isolate": True,
            "user": self._user,
            "environment": environment,
            "cgroups": delegated.descriptors,
            "preload": self._preload,
            "paths": list(self._packages),
        }
        with ExitStack() as stack:
            arguments = [
                *_view(image, stack),
                *_binds(dict(zip(binds, binds, strict=True)) | self._packages),
                *_namespaces(self._user),
            ]
            descriptors = [*delegated.descriptors.values(), *map(int, _after(arguments, "--file"))]
            command = [self._program, *arguments, "--remount-ro", "/dev", "--remount-ro", "/", "--", python]
            try:
                return Zygote(command, settings, descriptors), delegated
            except ZygoteFailed as failure:
                delegated.close()
                raise SandboxUnavailable(_explain(str(failure))) from None


def _view(image: str | None, stack: ExitStack) -> list[str]:
    """What programs see of the file system: an image, or of the host what its programs need."""
    root = Path(image or "/")
    names = _HOST if image is None else [name for name in sorted(os.listdir(root)) if name not in _OURS]
    # Else bubblewrap would make it on the way, for its own user alone to pass.
    arguments = ["--perms", "0755", "--dir", "/etc"] if image is None else []
    for name in names:
        path = root / name
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), f"/{name}"]
        elif path.exists():
            arguments += ["--ro-bind", str(path), f"/{name}"]
    if image is None:
        for name, text in (("passwd", _PASSWD), ("group", _GROUP), ("hosts", _HOSTS)):
            file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            file.write(text.encode())
            file.seek(0)
            arguments += ["--perms", "0444", "--file", str(file.fileno()), f"/etc/{name}"]
    arguments += ["--dev", "/dev"]
    for name in ("proc", "tmp", "work"):
        arguments += ["--dir", f"/{name}"]
    return arguments


def _namespaces(user: int | None) -> list[str]:
    arguments = ["--die-with-parent", "--new-session", "--chdir", "/", "--hostname", "sandbox"]
    arguments += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    if user is None:
        return [*arguments, "--unshare-user", "--proc", "/proc"]
    # As root there is no user namespace to begin with.  The zygote gives these up when it becomes ``user``.
    for capability in ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        arguments += ["--cap-add", capability]
    return arguments


def _binds(folders: Mapping[str, str]) -> list[str]:
    """Folders by where they are to be seen, below folders that all may pass, as bubblewrap's own are not."""
    arguments = []
    for place, path in folders.items():
        for above in reversed(Path(place).parents[:-1]):
            arguments += ["--perms", "0755", "--dir", str(above)]
        arguments += ["--ro-bind", path, place]
    return arguments


def _after(arguments: Sequence[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(arguments) if name == option]


def _host_python() -> tuple[str, list[str]]:
    """The interpreter that runs this, without its virtual environment, and what it needs outside of ``/usr``."""
    python = base_python()
    prefixes = {os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)}
    return python, sorted(path for path in prefixes if not path.startswith("/usr"))


def _image_python(image: str) -> str:
    if not Path(image).is_dir():
        raise ValueError(f"a bubblewrap sandbox's image is a folder with a file tree, which {image} is not")
    for name in ("usr/local/bin/python3", "usr/bin/python3", "bin/python3"):
        if os.path.lexists(Path(image, name)):
            return f"/{name}"
    raise SandboxUnavailable(f"the image {image} has no python3, which a sandbox needs to begin anything in it")


def _explain(said: str) -> str:
    """What can be done about a zygote that did not start."""
    forbidden = ("new namespace", "uid map", "Operation not permitted", "Permission denied", "No space left", "clone")
    if any(words in said for words in forbidden):
        return (
            f"this machine does not let bubblewrap make namespaces ({said}). Allow unprivileged user namespaces: "
            "sysctl user.max_user_namespaces=10000 and, where they exist, kernel.unprivileged_userns_clone=1 and "
            "kernel.apparmor_restrict_unprivileged_userns=0. In a container, run it with "
            "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN. "
            "Or use the docker backend"
        )
    return f"the bubblewrap sandbox did not start: {said}"
