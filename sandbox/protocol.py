"""What a sandbox is, whichever backend it has: open a session, run untrusted programs in it, read what they left.

A session is a place with files of its own.  ``run`` starts a fresh process in it each time and returns when that
process has ended, having killed whatever it left behind; the files stay.  ``python()`` and ``shell()`` start
interpreters that stay too.  A program can fail in many ways, and each is a :class:`RunStatus`; none is an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable


class SandboxFault(RuntimeError):
    """The sandbox itself broke (it was killed from outside, the engine is gone): what ran in it has no outcome."""


class SandboxUnavailable(RuntimeError):
    """This machine cannot run such a sandbox; the text says what to install or to allow."""


class RunStatus(StrEnum):
    """How a run ended."""

    SUCCESS = "success"  #: exit code 0
    ERROR = "error"  #: another exit code
    TIMEOUT = "timeout"  #: it was stopped for its wall or processor time
    MEMORY = "memory"  #: it was stopped for its memory, or ended by a ``MemoryError``
    OUTPUT_LIMIT = "output_limit"  #: it was stopped for writing too much
    KILLED = "killed"  #: a signal ended it that was not the sandbox's: a crash, or its own doing
    FAULT = (
        "fault"  #: the sandbox broke: no outcome, and never the program's doing as far as the sandbox can prevent it
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What the programs of a session may use; all of them together, where nothing else is said."""

    wall_s: float = 10.0  #: of one run
    cpu_s: float = 10.0  #: of one run
    memory_bytes: int = 256 << 20
    output_bytes: int = 1 << 20  #: of one run, standard output and standard error together
    processes: int = 64
    disk_bytes: int = 64 << 20  #: of files, which are held in memory where the backend isolates
    open_files: int = 256  #: of one process
    cpus: float = 1.0  #: processors' worth of time, where control groups are to be had

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} must be positive, not {value!r}")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run.

    ``exit_code`` is that of the program, ``-n`` if signal n ended it, and None where it has none (``FAULT``).  Output
    is complete up to the limit.  ``value`` is what a function called by :meth:`PythonInterpreter.call` returned.
    """

    status: RunStatus
    exit_code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory: int = 0  #: bytes
    value: Any = None
    reason: str = ""  #: for a fault, what broke; for a limit, which

    @property
    def ok(self) -> bool:
        """Whether the status is ``SUCCESS``."""
        return self.status is RunStatus.SUCCESS

    @property
    def text(self) -> str:
        """Standard output as text; what is not UTF-8 becomes U+FFFD."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Standard error as text; what is not UTF-8 becomes U+FFFD."""
        return self.stderr.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class FileInfo:
    """An entry of a session's files.  ``kind`` is ``"file"``, ``"folder"``, ``"link"`` or ``"other"``."""

    kind: str
    size: int
    mode: int  #: permission bits
    target: str = ""  #: where a link points to


@runtime_checkable
class Interpreter(Protocol):
    """An interpreter that keeps its variables from one ``run`` to the next.

    A run beyond its time is interrupted; if that does not help, or if it used too much memory, the interpreter is
    killed, ``alive`` is False, and further runs have the status ``KILLED``.
    """

    @property
    def alive(self) -> bool: ...

    def run(self, source: str, timeout: float | None = None) -> Result:
        """Run source text; the status is ``ERROR`` if it raised, or a shell's last command failed."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class PythonInterpreter(Interpreter, Protocol):
    """A persistent Python.  Where the last statement of a run is an expression, its ``repr`` is printed."""

    def call(self, function: str, *arguments: Any, timeout: float | None = None) -> Result:
        """Call a function that an earlier run defined.  Arguments and the result's ``value`` are JSON values."""
        ...


@runtime_checkable
class Session(Protocol):
    """A place with files of its own, in which programs run.  For one caller at a time; a context manager.

    Paths are relative to the working folder of the programs, which is also their ``HOME``; nothing outside of it
    can be named, also not by way of a link.  Once a session is lost, runs have the status ``FAULT`` and everything else
    raises :class:`SandboxFault`.
    """

    @property
    def alive(self) -> bool: ...

    def run(self, command: str | Sequence[str], stdin: bytes | str = b"", timeout: float | None = None) -> Result:
        """Run Python code (a ``str``) or a program with its arguments (a sequence) in a process of its own.

        ``timeout`` in seconds may only shorten ``limits.wall_s``.
        """
        ...

    def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file, and the folders that it needs."""
        ...

    def read(self, path: str) -> bytes:
        """A regular file's content; FileNotFoundError if there is none, ValueError for anything but a regular file."""
        ...

    def files(self) -> dict[str, FileInfo]:
        """Everything in the working folder, by its path."""
        ...

    def python(self) -> PythonInterpreter:
        """Start a persistent Python."""
        ...

    def shell(self) -> Interpreter:
        """Start a persistent shell (bash)."""
        ...

    def snapshot(self) -> bytes:
        """All files, as bytes that any session of any backend can :meth:`restore`; interpreters are not in it."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Replace all files by those of a snapshot, and end the interpreters."""
        ...

    def fork(self) -> Session:
        """A new session with a copy of the files."""
        ...

    def close(self) -> None:
        """End every process and forget the files; returns when that is done.  May be called again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Sandbox(Protocol):
    """Opens sessions.  A context manager; may be used from several threads, but only in the process that made it."""

    def open(
        self,
        files: Mapping[str, bytes | str] | bytes | None = None,
        image: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Session:
        """A new session that has these files: texts or bytes by path, or a tar archive (also a snapshot).

        ``image`` is what the programs see around their files, in the backend's own terms; None is its default.
        Raises ValueError for an archive that leads outside, and SandboxFault if no session can be opened.
        """
        ...

    def run(
        self,
        command: str | Sequence[str],
        stdin: bytes | str = b"",
        timeout: float | None = None,
        files: Mapping[str, bytes | str] | bytes | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Result:
        """Open a session, run one command in it, and close it."""
        ...

    def close(self) -> None:
        """Close every session.  May be called again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
