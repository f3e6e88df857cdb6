"""A program and everything that it starts: begun, fed, watched, and ended to the last process.

Above each program is a supervisor, a process of the sandbox's own.  It adopts what the program leaves behind and says
how the program ended.  With namespaces it is the first process of the program's, and the kernel ends all others with
it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from . import linux
from .jail import SPARE_PROCESSES, Jail

_STATUS = struct.Struct("i")
_NOT_BEGUN = _STATUS.pack(-1)
_PIECE = 1 << 16
_WATCH_S = 0.05
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class Abandoned(Exception):
    """Whoever asked for the program is gone."""


@dataclass
class Ending:
    """Why :meth:`Program.attend` returned, and what was written until then.

    ``why`` is ``"ended"``, ``"replied"``, or the limit that was met: ``"wall"``, ``"cpu"``, ``"memory"``,
    ``"output"`` or ``"processes"``.
    """

    why: str = ""
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)


class Program:
    """Starts ``body`` in a process of its own, confined.  ``control``: further descriptors of its, from 3 on."""

    def __init__(
        self,
        jail: Jail,
        body: Callable[[], NoReturn],
        control: tuple[int, ...] = (),
        cpu_s: float | None = None,
    ) -> None:
        self._jail = jail
        self._kills = jail.cgroup.killed() if jail.cgroup else 0
        their_stdin, self.stdin = os.pipe()
        self.stdout, their_stdout = os.pipe()
        self.stderr, their_stderr = os.pipe()
        self._status, their_status = os.pipe()
        self._open = {self.stdin, self.stdout, self.stderr, self._status}
        theirs = {0: their_stdin, 1: their_stdout, 2: their_stderr}
        theirs |= {3 + index: descriptor for index, descriptor in enumerate(control)}
        self.status: int | None = None  #: as of ``os.wait``; None while it lives, or if the sandbox is what broke
        self.trouble = ""  #: why the sandbox could not begin it
        self.exhausted = False  #: that was because the session's programs have used up what it may have
        self.cpu_s = 0.0
        self.peak = 0
        self.pid = self._fork()
        self.alive = self.pid >= 0
        if self.pid == 0:
            _guarded(lambda: _supervise(jail, body, theirs, their_status, cpu_s), their_status)
        for descriptor in (*theirs.values(), their_status):
            os.close(descriptor)
        for descriptor in self._open:
            os.set_blocking(descriptor, False)

    def _fork(self) -> int:
        """The supervisor's process, 0 in that itself, or -1 if there cannot be one now."""
        if self._jail.namespaces:
            return linux.clone("pid", "mount", "ipc")
        try:
            return os.fork()
        except OSError as error:
            self._note(_report(error))
            if not self.exhausted:
                raise
            return -1

    def attend(
        self,
        client: int,
        wall_s: float,
        cpu_s: float,
        most_output: int,
        feed: dict[int, bytes],
        replies: Callable[[], bool] | None = None,
        control: int = -1,
    ) -> Ending:
        """Write ``feed`` to the program's descriptors, and collect what it writes, until it ends or meets a limit.

        With ``replies`` also until that, called when ``control`` is readable, is true.  The standard input is closed
        when all is written.  Raises Abandoned when ``client`` hangs up.
        """
        ending = Ending()
        began = time.monotonic()
        outputs = {self.stdout: ending.stdout, self.stderr: ending.stderr}
        pending = {descriptor: memoryview(data) for descriptor, data in feed.items()}
        spent = None if replies else 0.0  # by an interpreter, until the first look at it in this call
        poll = select.poll()
        poll.register(client, select.POLLRDHUP)
        poll.register(self._status, select.POLLIN)
        for descriptor in outputs:
            poll.register(descriptor, select.POLLIN)
        if replies:
            poll.register(control, select.POLLIN)
        for descriptor in pending:
            poll.register(descriptor, select.POLLOUT | (select.POLLIN if descriptor == control else 0))
        watch = began + _WATCH_S
        while not ending.why:
            now = time.monotonic()
            if now >= began + wall_s:
                ending.why = "wall"
                break
            if now >= watch:
                watch = now + _WATCH_S
                seconds, resident, processes = self.usage()
                spent = seconds if spent is None else spent
                ending.why = self._excess(seconds - spent > cpu_s, resident, processes)
            for descriptor, events in poll.poll(max(0.0, min(watch, began + wall_s) - now) * 1000):
                if descriptor == client:
                    raise Abandoned
                if descriptor == self._status:
                    self._reap()
                    ending.why = "ended"
                elif descriptor in outputs:
                    if not _read(descriptor, outputs[descriptor]):
                        poll.unregister(descriptor)
                else:
                    if descriptor in pending and events & ~select.POLLIN:
                        self._write(descriptor, pending, poll, also_read=descriptor == control)
                    if descriptor == control and events & ~select.POLLOUT and replies and replies():
                        ending.why = ending.why or "replied"
            if len(ending.stdout) + len(ending.stderr) > most_output:
                ending.why = "output"
        for descriptor, data in outputs.items():
            while len(data) <= most_output and _read(descriptor, data, limit=_PIECE):
                pass  # what was written before the end
        if len(ending.stdout) + len(ending.stderr) > most_output:
            ending.why = "output"
            del ending.stdout[most_output:]
            del ending.stderr[most_output - len(ending.stdout) :]
        return ending

    def interrupt(self) -> None:
        """Send SIGINT to the program, and end what it has started."""
        if self.alive:
            os.kill(self.pid, signal.SIGUSR1)

    def end(self) -> None:
        """End every process of the program, and wait until it has."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL if self._jail.namespaces else signal.SIGTERM)
            self._reap()
        for descriptor in tuple(self._open):
            self.close(descriptor)

    def own(self, *descriptors: int) -> None:
        """Take over descriptors that lead to the program, to be closed with it."""
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
            self._open.add(descriptor)

    def close(self, descriptor: int) -> None:
        """Close one of the descriptors to the program."""
        self._open.discard(descriptor)
        os.close(descriptor)

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed one of its processes for the memory of all."""
        return self._jail.cgroup is not None and self._jail.cgroup.killed() > self._kills

    def _note(self, report: bytes) -> None:
        number, _, text = report.decode("utf-8", "replace").partition(" ")
        self.trouble, self.exhausted = text, int(number) in (errno.EAGAIN, errno.ENOMEM)

    def _reap(self) -> None:
        if not self.alive:
            return
        _, _, used = os.wait4(self.pid, 0)
        self.alive = False
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._status, _STATUS.size + 1000)
            if data.startswith(_NOT_BEGUN):
                self._note(data[_STATUS.size :])
            elif data:
                self.status = _STATUS.unpack_from(data)[0]
        self.cpu_s = used.ru_utime + used.ru_stime
        self.peak = self._jail.cgroup.peak() if self._jail.cgroup else 0
        self.peak = self.peak or used.ru_maxrss * 1024

    def _write(self, descriptor: int, pending: dict[int, memoryview], poll: select.poll, also_read: bool) -> None:
        try:
            pending[descriptor] = pending[descriptor][os.write(descriptor, pending[descriptor][:_PIECE]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            pending[descriptor] = memoryview(b"")  # it does not want the rest
        if not pending[descriptor]:
            del pending[descriptor]
            if also_read:
                poll.modify(descriptor, select.POLLIN)
            else:
                poll.unregister(descriptor)
            if descriptor == self.stdin:
                self.close(descriptor)

    def usage(self) -> tuple[float, int, int]:
        """Processor seconds, resident bytes and number of the processes that live, the supervisor's left out."""
        ticks = pages = 0
        processes = linux.descendants(self.pid)
        for pid in processes:
            with contextlib.suppress(OSError, IndexError):
                fields = linux.process_fields(pid)
                ticks += sum(map(int, fields[11:15]))
                pages += int(fields[21])
        return ticks / _TICKS, pages * _PAGE, len(processes)

    def _excess(self, long: bool, resident: int, processes: int) -> str:
        """Which limit all its processes together are beyond, if one is."""
        limits = self._jail.limits
        if long:
            return "cpu"
        if self._jail.cgroup is None and resident > limits["memory_bytes"]:
            return "memory"
        return "processes" if processes > limits["processes"] + SPARE_PROCESSES else ""


def _supervise(
    jail: Jail, body: Callable[[], NoReturn], theirs: dict[int, int], status: int, cpu_s: float | None
) -> NoReturn:
    linux.die_with_parent()
    if jail.cgroup is not None:
        jail.cgroup.join()
    # Should memory run out, the kernel is to take the program first.
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    if jail.namespaces:
        linux.mount("proc", "/proc", "proc", linux.NOSUID | linux.NODEV | linux.NOEXEC | linux.READ_ONLY)
    else:
        linux.adopt_orphans()
    program = os.fork()
    if program == 0:
        _guarded(lambda: _run(jail, body, theirs, status, cpu_s), status)
    linux.hide_memory()
    signal.signal(signal.SIGUSR1, lambda *_: _interrupt(program))
    if not jail.namespaces:
        # A first process of a namespace has no handler: what is inside could use it to end the supervisor.
        signal.signal(signal.SIGTERM, lambda *_: _end_all())
    linux.keep_descriptors({0: status})
    while True:
        ended, code = os.wait()
        if ended == program:
            os.write(0, _STATUS.pack(code))
            _end_all()


def _run(
    jail: Jail, body: Callable[[], NoReturn], theirs: dict[int, int], status: int, cpu_s: float | None
) -> NoReturn:
    report = max(theirs) + 1
    kept = {**theirs, report: status}
    ruleset = None
    if jail.ruleset is not None:
        ruleset = report + 1
        kept[ruleset] = jail.ruleset
    linux.keep_descriptors(kept)
    _guarded(lambda: jail.enter(ruleset, cpu_s), report, ends=False)
    os.close(report)
    body()
    os._exit(0)


def _interrupt(program: int) -> None:
    for pid in linux.descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT if pid == program else signal.SIGKILL)


def _end_all() -> NoReturn:
    """End the supervisor and everything below it: with namespaces the kernel does that, otherwise it is done here."""
    if os.getpid() != 1:
        while below := linux.descendants(os.getpid()):
            # Stopped first: what is stopped starts no other.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in below:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
    os._exit(0)


def _guarded(call: Callable[[], object], report: int, ends: bool = True) -> None:
    """Make a call in a new process, which never returns into the code of the one that it was forked from."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001
        ends = True
        with contextlib.suppress(OSError):
            os.write(report, _NOT_BEGUN + _report(error))
    finally:
        if ends:
            os._exit(70)


def _report(error: BaseException) -> bytes:
    return f"{getattr(error, 'errno', None) or 0} {type(error).__name__}: {error}".encode()[:1000]


def _read(descriptor: int, data: bytearray, limit: int = _PIECE) -> bool:
    try:
        piece = os.read(descriptor, limit)
    except BlockingIOError:
        return False
    data += piece
    return bool(piece)
