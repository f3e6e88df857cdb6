"""Isolation by containers of any engine that speaks Docker's interface, Docker or Podman.

A session is a container: no network, a read-only root, folders in memory to write to, every capability dropped but the
three with which its first process, a server like that of the other backends, becomes the programs' user and ends them.
The server stays, so that a program costs a fork and not a container; the programs are confined further by it, with a
system call filter of their own and with Landlock where the engine lets them.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import socket
import sys
import tarfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .backend import Backend
from .inside.container import COMMITTED
from .inside.jail import BYTES_OF_INODE, SPARE_PROCESSES
from .loader import BOOT, order
from .protocol import Limits, SandboxFault, SandboxUnavailable
from .session import RemoteSession

_USER = 1000
#: What the server itself may use beside the programs.
_SERVER_BYTES = 64 << 20
_LABEL = "palestra.sandbox"
_START_S = 60.0


class DockerSandbox(Backend["DockerSession"]):
    """Sessions in containers.

    An image is the name of one that has Python 3.10 or later, pulled if the engine lacks it, or a folder with a
    Dockerfile, built when it is first asked for.  ``base_url`` names the engine, by default that of the environment
    (``DOCKER_HOST``).

    Raises SandboxUnavailable if no engine answers.
    """

    def __init__(self, image: str | None = None, base_url: str | None = None) -> None:
        try:
            import docker
        except ImportError:
            raise SandboxUnavailable(
                "the docker sandbox needs the docker package: pip install 'palestra[docker]'"
            ) from None
        self._errors = docker.errors
        self._image = image or f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._sessions: list[DockerSession] = []
        self._images: dict[str, str] = {}
        self._closed = False
        try:
            self.client = docker.DockerClient(base_url=base_url) if base_url else docker.from_env()
            self._cpus: float = self.client.info()["NCPU"]
        except Exception as error:
            where = base_url or os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
            raise SandboxUnavailable(
                f"no container engine answers at {where} ({error}). Start Docker (systemctl start docker, or dockerd), "
                "or Podman (podman system service --time=0 unix:///tmp/podman.sock), and name it by base_url= or "
                "DOCKER_HOST"
            ) from error

    def close(self) -> None:
        """See :meth:`palestra.sandbox.protocol.Sandbox.close`."""
        with self._lock:
            self._closed = True
            sessions, self._sessions = self._sessions, []
        if self._owner == os.getpid():
            for session in sessions:
                session.close()
            self.client.close()

    def _begin(self, image: str | None, limits: Limits) -> DockerSession:
        if self._owner != os.getpid():
            raise RuntimeError("a sandbox belongs to the process that opened it; open another in this one")
        try:
            channel = _ContainerChannel(self._create(self._ready(image or self._image), limits), limits, self._errors)
        except self._errors.DockerException as error:
            raise SandboxFault(f"no container could be started: {error}") from error
        session = DockerSession(channel, limits, lambda: self._begin(image, limits), channel.diagnose)
        with self._lock:
            if self._closed:
                session.close()
                raise SandboxFault("the sandbox is closed")
            self._sessions = [each for each in self._sessions if each.alive] + [session]
        return session.begin()

    def _ready(self, image: str) -> str:
        """The name of an image that the engine has, once it has built or pulled it."""
        with self._lock:
            if image not in self._images:
                try:
                    if Path(image, "Dockerfile").is_file():
                        self._images[image] = self.client.images.build(path=str(Path(image).resolve()), rm=True)[0].id
                    else:
                        try:
                            self.client.images.get(image)
                        except self._errors.ImageNotFound:
                            self.client.images.pull(image)
                        self._images[image] = image
                except (self._errors.APIError, self._errors.BuildError) as error:
                    raise SandboxUnavailable(
                        f"the engine has no image {image!r} and could not get it ({error}); name one by image=, or a "
                        "folder with a Dockerfile"
                    ) from error
            return self._images[image]

    def _create(self, image: str, limits: Limits) -> Any:
        inodes = limits.disk_bytes // BYTES_OF_INODE + 64
        options = f"size={limits.disk_bytes},nr_inodes={inodes},mode=755,uid={_USER},gid={_USER},nosuid,nodev,exec"
        # Of the three file systems in memory, none is to take what is the programs' or the server's.
        memory = limits.memory_bytes + 3 * limits.disk_bytes + _SERVER_BYTES
        return self.client.containers.create(
            image,
            entrypoint=["python3", "-s", "-S", "-B", "-X", "utf8", "-c", BOOT],
            command=[],
            user="0:0",
            stdin_open=True,
            auto_remove=True,
            hostname="sandbox",
            network_mode="none",
            read_only=True,
            tmpfs={"/work": options, "/tmp": options},
            shm_size=limits.disk_bytes,
            cap_drop=["ALL"],
            cap_add=["SETUID", "SETGID", "KILL"],
            security_opt=["no-new-privileges"],
            pids_limit=limits.processes + SPARE_PROCESSES,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=round(min(limits.cpus, self._cpus) * 1e9),  # an engine refuses more than there are
            log_config={"type": "none"},
            environment={"PYTHONHASHSEED": "0"},
            labels={_LABEL: str(self._owner)},
        )


class DockerSession(RemoteSession):
    """A session in a container."""

    _channel: _ContainerChannel

    @property
    def container(self) -> str:
        """The container's id."""
        return str(self._channel.container.id)

    def commit(self, name: str) -> str:
        """Make an image whose sessions begin with the files of this one; returns its name."""
        snapshot = self.snapshot()
        client = self._channel.container.client
        holder = client.containers.create(self._channel.container.image.id, ["true"])
        try:
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as writer:
                member = tarfile.TarInfo(COMMITTED.lstrip("/"))
                member.size, member.mode = len(snapshot), 0o444
                writer.addfile(member, io.BytesIO(snapshot))
            holder.put_archive("/", archive.getvalue())
            repository, _, tag = name.partition(":")
            holder.commit(repository, tag or "latest")
        finally:
            holder.remove(force=True)
        return name


class _ContainerChannel:
    """A channel to a container's standard input and output, which it starts."""

    def __init__(self, container: Any, limits: Limits, errors: Any) -> None:
        self.container = container
        self._errors = errors
        self._stdout = bytearray()
        self._stderr = bytearray()
        try:
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            attached = container.attach_socket(params=streams)
            self._kept = attached  # the connection ends with it
            self._handle: socket.socket = getattr(attached, "_sock", attached)
            self._handle.settimeout(_START_S)
            container.start()
            self.send(order("container", {"limits": asdict(limits), "environment": _ENVIRONMENT, "user": _USER}))
        except BaseException:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLIN)

    def send(self, data: bytes) -> None:
        """See :class:`~palestra.sandbox.session.Channel`."""
        self._handle.sendall(data)

    def receive(self, size: int, deadline: float) -> bytes:
        """See :class:`~palestra.sandbox.session.Channel`."""
        while not self._stdout:
            kind, length = self._frame(deadline)
            if not kind:
                return b""
            while length:
                piece = self._some(length, deadline)
                if not piece:
                    return b""
                length -= len(piece)
                if kind == 1:
                    self._stdout += piece
                else:
                    self._stderr = (self._stderr + piece)[-2000:]
        data = bytes(self._stdout[:size])
        del self._stdout[:size]
        return data

    def close(self) -> None:
        """See :class:`~palestra.sandbox.session.Channel`."""
        try:
            with contextlib.suppress(self._errors.NotFound):
                self.container.remove(force=True)
        except self._errors.APIError as error:
            if error.status_code != 409:  # it is being removed already, having ended
                raise
        finally:
            if hasattr(self, "_kept"):
                self._kept.close()
                self._handle.close()

    def diagnose(self) -> str:
        """What became of it, as far as it said."""
        said = self._stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f"the container was lost: {said}" if said else "the container was lost"

    def _frame(self, deadline: float) -> tuple[int, int]:
        """Which stream the next bytes are of (1: output, 2: error, 0: the end), and how many they are."""
        header = b""
        while len(header) < 8:
            piece = self._some(8 - len(header), deadline)
            if not piece:
                return 0, 0
            header += piece
        return header[0], int.from_bytes(header[4:], "big")

    def _some(self, size: int, deadline: float) -> bytes:
        if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        return self._handle.recv(min(size, 1 << 20))


_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
}
