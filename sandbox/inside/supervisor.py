"""The parent of a session's programs: it begins one after the other, and ends all that each has left behind.

With namespaces a supervisor is the first process of its own, which its programs are in, and cannot be ended from there.
It forks each program before there is anything to run.  That process confines itself and waits for its order, so that
little is left to do when one comes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import termios
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from . import files, linux, python, wire
from .jail import Jail

BEGUN, TROUBLE = b"B", b"T"
"""What a program says when it has its order, and what a report begins with, why it could not begin."""
ENDED = struct.Struct("!cidq")
"""Said of a program that has ended, and with it all others: ``b"E"``, its status as of ``os.wait``, the processor
seconds of the supervisor and all its programs up to then, and the most bytes that one process had resident."""

# The first numbers are left free for the descriptors that come with an order.
_STATUS, _ORDERS, _RULESET, _PIDS = 10, 11, 12, 13
_BASH = """
while IFS= read -r -d '' -u 3 palestra_command; do
  eval "$palestra_command" 3<&- 4>&- </dev/null
  printf '%d\\0' "$?" >&4
done
"""


class Supervisor:
    """The near side of one.  ``status`` is a descriptor that reads what it and its program say.

    Raises OSError where there can be no further process.
    """

    def __init__(self, jail: Jail) -> None:
        self._namespaces = jail.namespaces
        self._orders, theirs = socket.socketpair()
        self.status, their_status = os.pipe()
        self.cpu_s = 0.0  #: of it and its programs until the last one ended
        try:
            self.pid = linux.clone("pid", "mount", "ipc") if jail.namespaces else os.fork()
        except OSError:
            for descriptor in (self.status, their_status):
                os.close(descriptor)
            for end in (self._orders, theirs):
                end.close()
            raise
        if self.pid == 0:
            _guarded(lambda: _supervise(jail, theirs.fileno(), their_status), their_status)
        theirs.close()
        os.close(their_status)
        self.alive = True
        os.set_blocking(self.status, False)
        self._orders.setblocking(False)

    def order(self, request: dict[str, Any], data: bytes, descriptors: list[int], last: bool) -> tuple[int, bytes]:
        """Have the program that waits do something; the rest of the order, and the descriptor to write it to.

        After the ``last`` one no other program is begun, if it was sent whole.
        """
        message = wire.encode(request, data)
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it is gone, as ``status`` will tell
            sent = socket.send_fds(self._orders, [message], descriptors)
            if last and sent == len(message):
                self._orders.shutdown(socket.SHUT_WR)
        return self._orders.fileno(), message[sent:]

    @property
    def waits(self) -> bool:
        """Whether its next program still waits for an order: neither of them has said or met anything."""
        try:
            os.read(self.status, 1)
        except BlockingIOError:
            return True
        return False

    def end(self) -> tuple[float, int]:
        """End it and everything below it; its processor seconds since the last program ended, and its peak in bytes."""
        os.kill(self.pid, signal.SIGKILL if self._namespaces else signal.SIGTERM)
        _, _, used = os.wait4(self.pid, 0)
        self.alive = False
        os.close(self.status)
        self._orders.close()
        return used.ru_utime + used.ru_stime - self.cpu_s, used.ru_maxrss * 1024


def _supervise(jail: Jail, orders: int, status: int) -> NoReturn:
    linux.die_with_parent()
    if jail.cgroup is not None:
        jail.cgroup.join()
    # Should memory run out, the kernel is to take the program first.
    linux.write("/proc/self/oom_score_adj", b"1000")
    kept = {_STATUS: status, _ORDERS: orders}
    if jail.ruleset is not None:
        kept[_RULESET] = jail.ruleset
    if jail.namespaces:
        with contextlib.suppress(FileNotFoundError):  # a kernel without CONFIG_CHECKPOINT_RESTORE
            kept[_PIDS] = os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY)
        linux.mount("proc", "/proc", "proc", linux.NOSUID | linux.NODEV | linux.NOEXEC | linux.READ_ONLY)
    else:
        linux.adopt_orphans()
    linux.hide_memory()
    linux.keep_descriptors(kept)
    python.prepare()
    _guarded(lambda: _begin_programs(jail, _PIDS in kept), _STATUS)


def _begin_programs(jail: Jail, hides_count: bool) -> NoReturn:
    programs_s = 0.0
    orders = select.poll()
    orders.register(_ORDERS, select.POLLRDHUP)
    # Blocked, and taken one by one: a handler would miss what comes just before a wait.  A first process of a namespace
    # does not take SIGTERM, which what is inside could send as well.
    signals = {signal.SIGCHLD, signal.SIGUSR1} | (set() if jail.namespaces else {signal.SIGTERM})
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    while True:
        program = os.fork()
        if program == 0:
            _guarded(lambda: _become_program(jail), _STATUS)
        code, peak = None, 0
        while code is None:
            match signal.sigwait(signals):
                case signal.SIGTERM:
                    _end_others(jail)
                    os._exit(0)
                case signal.SIGUSR1:
                    _interrupt(program)
            for ended, ended_code, used in _ended():
                programs_s += used.ru_utime + used.ru_stime
                peak = max(peak, used.ru_maxrss)
                code = ended_code if ended == program else code
        for used in _end_others(jail):
            programs_s += used.ru_utime + used.ru_stime
            peak = max(peak, used.ru_maxrss)
        os.write(_STATUS, ENDED.pack(b"E", code, time.process_time() + programs_s, peak * 1024))
        # The last order may have come before there was a program to take it.
        if orders.poll(0) and not _unread(_ORDERS):
            os._exit(0)
        if jail.namespaces:
            if not hides_count:
                os._exit(0)  # the next program could tell by its number how many there have been
            linux.unshare("ipc")
            os.pwrite(_PIDS, b"1", 0)


def _unread(descriptor: int) -> int:
    """How many bytes wait to be read."""
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0])


def _become_program(jail: Jail) -> NoReturn:
    """Get ready, wait for an order, and follow it."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    linux.show_memory()
    linux.close_descriptors(_PIDS)
    jail.enter(None if jail.ruleset is None else _RULESET)
    orders = socket.socket(fileno=_ORDERS)
    head, descriptors, _, _ = socket.recv_fds(orders, 1 << 16, 8)
    if not head:
        os._exit(0)
    # The first of them are its standard streams: the lowest numbers were free.
    assert descriptors == list(range(len(descriptors)))
    buffered = bytearray(head)

    def read(size: int) -> bytes:
        if not buffered:
            return orders.recv(size)
        piece = bytes(buffered[:size])
        del buffered[:size]
        return piece

    request, (data,) = wire.receive(read)
    orders.close()
    if request["cpu_s"] is not None:
        # Whole seconds, of one process: the last resort, should the server that watches all of them be slow.
        most = int(request["cpu_s"]) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    os.write(_STATUS, BEGUN)
    os.close(_STATUS)
    try:
        _follow(request, data, jail.work)
    finally:
        os._exit(70)


def _follow(request: dict[str, Any], data: bytes, work: str) -> NoReturn:
    match request["op"]:
        case "code":
            python.run(data)
        case "command":
            _execute(request["argv"])
        case "python":
            python.serve(3)
        case "shell":
            _execute(["bash", "--noprofile", "--norc", "-c", _BASH])
        case _:
            files.serve(request, work, request["temporary"])


def _execute(argv: list[str]) -> NoReturn:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python's own start ignores them
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    except ValueError as error:
        os.write(2, f"{argv[0]!r}: {error}\n".encode())
    os._exit(127)


def _interrupt(program: int) -> None:
    for pid in linux.descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT if pid == program else signal.SIGKILL)


def _ended() -> Iterator[tuple[int, int, resource.struct_rusage]]:
    """The children that have ended: number, status as of ``os.wait``, and what it used."""
    with contextlib.suppress(ChildProcessError):
        while (child := os.wait4(-1, os.WNOHANG))[0]:
            yield child


def _end_others(jail: Jail) -> list[resource.struct_rusage]:
    """End everything below this process, and wait until it has; what those used whose parent it was."""
    used = []
    with contextlib.suppress(ChildProcessError):
        while True:
            if jail.namespaces:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)  # all in the namespace but its first process
            else:
                _kill_below()
            used.append(os.wait4(-1, 0)[2])
    return used


def _kill_below() -> None:
    below = linux.descendants(os.getpid())
    # Stopped first: what is stopped starts no other.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _guarded(call: Any, report: int) -> NoReturn:
    """Make a call in a new process, which never returns into the code of the one that it was forked from."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001
        with contextlib.suppress(OSError):
            os.write(report, TROUBLE + trouble(error))
    finally:
        os._exit(70)


def trouble(error: BaseException) -> bytes:
    """An error as a report: its number, and what it says."""
    return f"{getattr(error, 'errno', None) or 0} {type(error).__name__}: {error}".encode()[:1000]
