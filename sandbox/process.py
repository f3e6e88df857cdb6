"""Plain subprocesses: limits, but no isolation.  Only for code that you trust."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .protocol import (
    DEFAULT_LIMITS,
    FileInfo,
    Interpreter,
    Limits,
    PythonInterpreter,
    Result,
    RunStatus,
    SandboxFault,
    Session,
)


class ProcessSandbox:
    """Runs programs as they are, in a temporary folder.  It does not isolate: they can read and change this machine."""

    def open(
        self,
        files: Mapping[str, bytes | str] | bytes | None = None,
        image: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> ProcessSession:
        """A new session; it takes no image."""
        if image is not None:
            raise ValueError("a process sandbox has no images")
        return ProcessSession(files, limits)

    def run(
        self,
        command: str | Sequence[str],
        stdin: bytes | str = b"",
        timeout: float | None = None,
        files: Mapping[str, bytes | str] | bytes | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Result:
        """Open a session, run one command in it, and close it."""
        with self.open(files, limits=limits) as session:
            return session.run(command, stdin, timeout)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ProcessSession:
    """A temporary folder and the programs that run in it."""

    def __init__(self, files: Mapping[str, bytes | str] | bytes | None, limits: Limits) -> None:
        self.limits = limits
        self._root = Path(tempfile.mkdtemp(prefix="palestra-"))
        self.alive = True
        if isinstance(files, bytes):
            self.restore(files)
        else:
            for path, data in (files or {}).items():
                self.write(path, data)

    def run(self, command: str | Sequence[str], stdin: bytes | str = b"", timeout: float | None = None) -> Result:
        """See :meth:`palestra.sandbox.protocol.Session.run`."""
        self._check()
        argv = [sys.executable, "-I", "-c", command] if isinstance(command, str) else list(command)
        start = time.monotonic()
        wall = min(timeout or self.limits.wall_s, self.limits.wall_s)
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._root), "LANG": "C.UTF-8"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            process = subprocess.Popen(
                argv,
                cwd=self._root,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=self._limit,
            )
        except OSError as error:
            return Result(RunStatus.ERROR, 127, stderr=f"{argv[0]}: {error.strerror}\n".encode())
        outputs: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
        over = threading.Event()

        def read(name: str, pipe: Any) -> None:
            while piece := os.read(pipe.fileno(), 1 << 16):
                outputs[name] += piece
                if sum(map(len, outputs.values())) > self.limits.output_bytes:
                    over.set()
                    self._kill(process)
                    return

        def write() -> None:
            try:
                with process.stdin as pipe:  # type: ignore[union-attr]
                    pipe.write(stdin.encode() if isinstance(stdin, str) else stdin)
            except BrokenPipeError:
                pass

        threads = [threading.Thread(target=read, args=("out", process.stdout), daemon=True)]
        threads += [threading.Thread(target=read, args=("err", process.stderr), daemon=True)]
        threads += [threading.Thread(target=write, daemon=True)]
        for thread in threads:
            thread.start()
        late = False
        try:
            process.wait(wall)
        except subprocess.TimeoutExpired:
            late = True
        self._kill(process)
        process.wait()
        for thread in threads:
            thread.join(1.0)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = process.returncode
        if late:
            status = RunStatus.TIMEOUT
        elif over.is_set():
            status = RunStatus.OUTPUT_LIMIT
        elif code == -signal.SIGXCPU:
            status = RunStatus.TIMEOUT
        elif code < 0:
            status = RunStatus.KILLED
        elif code and b"MemoryError" in outputs["err"][-2000:]:
            status = RunStatus.MEMORY
        else:
            status = RunStatus.ERROR if code else RunStatus.SUCCESS
        return Result(
            status,
            code,
            bytes(outputs["out"][: self.limits.output_bytes]),
            bytes(outputs["err"][: self.limits.output_bytes]),
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            time.monotonic() - start,
        )

    def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """See :meth:`palestra.sandbox.protocol.Session.write`."""
        target = self._path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        target.chmod(mode)

    def read(self, path: str) -> bytes:
        """See :meth:`palestra.sandbox.protocol.Session.read`."""
        target = self._path(path)
        if target.exists() and not target.is_file():
            raise ValueError(f"{path} is not a regular file")
        return target.read_bytes()

    def files(self) -> dict[str, FileInfo]:
        """See :meth:`palestra.sandbox.protocol.Session.files`."""
        self._check()
        found = {}
        for path in sorted(self._root.rglob("*")):
            status = path.lstat()
            kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
            kind = kinds.get(stat.S_IFMT(status.st_mode), "other")
            target = os.readlink(path) if kind == "link" else ""
            found[str(path.relative_to(self._root))] = FileInfo(
                kind, status.st_size, stat.S_IMODE(status.st_mode), target
            )
        return found

    def python(self) -> PythonInterpreter:
        """See :meth:`palestra.sandbox.protocol.Session.python`."""
        raise NotImplementedError

    def shell(self) -> Interpreter:
        """See :meth:`palestra.sandbox.protocol.Session.shell`."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """See :meth:`palestra.sandbox.protocol.Session.snapshot`."""
        self._check()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(self._root, ".")
        return buffer.getvalue()

    def restore(self, snapshot: bytes) -> None:
        """See :meth:`palestra.sandbox.protocol.Session.restore`."""
        self._check()
        shutil.rmtree(self._root)
        self._root.mkdir(mode=0o700)
        with tarfile.open(fileobj=io.BytesIO(snapshot)) as archive:
            try:
                archive.extractall(self._root, filter="tar")
            except tarfile.FilterError as error:
                raise ValueError(f"the archive leads outside: {error}") from None

    def fork(self) -> Session:
        """See :meth:`palestra.sandbox.protocol.Session.fork`."""
        return ProcessSession(self.snapshot(), self.limits)

    def close(self) -> None:
        """Remove the folder."""
        self.alive = False
        shutil.rmtree(self._root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        if not self.alive:
            raise SandboxFault("the session is closed")

    def _path(self, path: str) -> Path:
        self._check()
        target = (self._root / path).resolve()
        if not target.is_relative_to(self._root.resolve()):
            raise ValueError(f"{path} leads outside")
        return target

    def _limit(self) -> None:
        limits = self.limits
        cpu = int(limits.cpu_s + 0.999)
        for which, most in (
            (resource.RLIMIT_AS, limits.memory_bytes + (512 << 20)),
            (resource.RLIMIT_CPU, cpu),
            (resource.RLIMIT_FSIZE, limits.disk_bytes),
            (resource.RLIMIT_NOFILE, limits.open_files),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(which, (most, most + (which == resource.RLIMIT_CPU)))

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
