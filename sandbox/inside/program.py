"""A program and everything that it starts: begun, fed, watched, and ended to the last process."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import linux
from .jail import SPARE_PROCESSES, Jail
from .supervisor import BEGUN, ENDED, TROUBLE, Supervisor, trouble

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
    """Has ``supervisor`` follow an order, or a new one if there is none; see :func:`supervisor._follow`.

    ``control``: further descriptors of the program's, from 3 on.  ``last``: no other will follow.
    """

    def __init__(
        self,
        jail: Jail,
        supervisor: Supervisor | None,
        order: dict[str, Any],
        data: bytes = b"",
        control: Sequence[int] = (),
        cpu_s: float | None = None,
        last: bool = False,
    ) -> None:
        self._jail = jail
        self._kills = jail.cgroup.killed() if jail.cgroup else 0
        self.status: int | None = None  #: as of ``os.wait``; None while it lives, or if the sandbox is what broke
        self.trouble = ""  #: why the sandbox could not begin it
        self.exhausted = False  #: that was because the session's programs have used up what it may have
        self.cpu_s = 0.0
        self.peak = 0
        self._begun = False
        self._heard = bytearray()
        their_stdin, self.stdin = os.pipe()
        self.stdout, their_stdout = os.pipe()
        self.stderr, their_stderr = os.pipe()
        self._open = {self.stdin, self.stdout, self.stderr}
        for descriptor in self._open:
            os.set_blocking(descriptor, False)
        theirs = [their_stdin, their_stdout, their_stderr, *control]
        self._rest: dict[int, bytes] = {}
        self.alive = True
        try:
            self._supervisor = supervisor or Supervisor(jail)
            sink, rest = self._supervisor.order({**order, "cpu_s": cpu_s}, data, theirs, last)
            self._rest = {sink: rest}
        except OSError as error:
            self._note(trouble(error))
            self.alive = False
            if not self.exhausted:
                raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    @property
    def supervisor(self) -> Supervisor | None:
        """The supervisor, for the next program, if this one has ended by itself."""
        return self._supervisor if self._begun and not self.alive and self._supervisor.alive else None

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
        if not self.alive:
            return Ending("ended")
        ending = Ending()
        began = time.monotonic()
        outputs = {self.stdout: ending.stdout, self.stderr: ending.stderr}
        rest, self._rest = self._rest, {}
        pending = {descriptor: memoryview(data) for descriptor, data in {**rest, **feed}.items()}
        spent = None if replies else 0.0  # by an interpreter, until the first look at it in this call
        poll = select.poll()
        poll.register(client, select.POLLRDHUP)
        poll.register(self._supervisor.status, select.POLLIN)
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
                if descriptor == self._supervisor.status:
                    ending.why = "ended" if self._hear() else ""
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
            os.kill(self._supervisor.pid, signal.SIGUSR1)

    def end(self) -> None:
        """End every process of the program, and wait until it has."""
        if self.alive:
            self._has_ended(*self._supervisor.end())
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

    def _hear(self) -> bool:
        """Take in what the supervisor and its program say; whether the program has ended."""
        try:
            said = os.read(self._supervisor.status, 1 << 12)
        except BlockingIOError:
            return False
        self._heard += said
        if self._heard.startswith(BEGUN):
            self._begun = True
            del self._heard[: len(BEGUN)]
        if len(self._heard) >= ENDED.size and not self._heard.startswith(TROUBLE):
            _, status, total, peak = ENDED.unpack(self._heard[: ENDED.size])
            used, self._supervisor.cpu_s = total - self._supervisor.cpu_s, total
            self.status = status if self._begun else None
            self._has_ended(used, peak)
        elif self._heard.startswith(TROUBLE) or not said:
            if self._heard:
                self._note(bytes(self._heard[len(TROUBLE) :]))
            self._has_ended(*self._supervisor.end())
        return not self.alive

    def _has_ended(self, cpu_s: float, peak: int) -> None:
        self.alive, self.cpu_s = False, cpu_s
        self.peak = (self._jail.cgroup.peak() if self._jail.cgroup else 0) or peak

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
        processes = linux.descendants(self._supervisor.pid)
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


def _read(descriptor: int, data: bytearray, limit: int = _PIECE) -> bool:
    try:
        piece = os.read(descriptor, limit)
    except BlockingIOError:
        return False
    data += piece
    return bool(piece)
