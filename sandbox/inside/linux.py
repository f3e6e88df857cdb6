"""The system calls that Python's standard library lacks."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import signal
import socket
import struct

# PyDLL keeps the interpreter's lock: a cloned child finds it held by itself, as after a fork.
_LIBC = ctypes.PyDLL(None, use_errno=True)
_LIBC.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)

MACHINE = platform.machine()
_NUMBERS = {
    "x86_64": {"clone": 56, "capset": 126, "seccomp": 317},
    "aarch64": {"clone": 220, "capset": 91, "seccomp": 277},
}
_CALLS = _NUMBERS.get(MACHINE, {})
_CLOSE_RANGE = 436  # on every machine, as all newer ones

NEW_NAMESPACES = {
    "mount": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
READ_ONLY, NOSUID, NODEV, NOEXEC, BIND = 1, 2, 4, 8, 4096

_SET_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_BOUND, _NO_NEW_PRIVILEGES, _SUBREAPER, _AMBIENT = 1, 4, 24, 38, 36, 47


def _call(name: str, *arguments: object) -> int:
    if name not in _CALLS:
        raise OSError(f"no system calls are known for {MACHINE}; they are for {' and '.join(_NUMBERS)}")
    return _checked(_LIBC.syscall(_CALLS[name], *arguments), name)


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def clone(*namespaces: str) -> int:
    """Fork, with new namespaces for the child.  No fork hooks run: for a process with one thread."""
    flags = sum(NEW_NAMESPACES[name] for name in namespaces)
    zero = ctypes.c_long(0)
    return _call("clone", ctypes.c_ulong(flags | signal.SIGCHLD), zero, zero, zero, zero)


def unshare(namespace: str) -> None:
    """Go over to a new namespace of a kind."""
    _checked(_LIBC.unshare(NEW_NAMESPACES[namespace]), "unshare")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount a file system of a kind, or bind a folder."""
    result = _LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _checked(result, f"mount {target}")


def _prctl(option: int, argument: int) -> int:
    return int(_LIBC.prctl(option, argument, 0, 0, 0))


def write(path: str, text: bytes) -> None:
    """Write to a file of the kernel's."""
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, text)
    finally:
        os.close(handle)


def die_with_parent() -> None:
    """Be killed when the parent process ends."""
    _checked(_prctl(_SET_DEATH_SIGNAL, signal.SIGKILL), "prctl")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _checked(_prctl(_SUBREAPER, 1), "prctl")


def close_descriptors(first: int, last: int | None = None) -> None:
    """Close every descriptor from ``first`` to ``last``, by default to the last that there is."""
    last = 0x7FFFFFFF if last is None else last
    if first > last:
        return
    if _LIBC.syscall(_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), ctypes.c_uint(0)) < 0:
        for name in os.listdir("/proc/self/fd"):  # before Linux 5.9, and below some older filters
            if first <= int(name) <= last:
                with contextlib.suppress(OSError):
                    os.close(int(name))


def keep_descriptors(kept: dict[int, int]) -> None:
    """Close every descriptor but these, given as the number to have and the number that it has."""
    base = max(*kept, *kept.values()) + 1
    for index, now in enumerate(kept.values()):
        os.dup2(now, base + index)
    for index, wanted in enumerate(kept):
        os.dup2(base + index, wanted)
    first = 0
    for wanted in sorted(kept):
        close_descriptors(first, wanted - 1)
        first = wanted + 1
    close_descriptors(first)


def hide_memory() -> None:
    """Let no process of the same user look into this one."""
    _checked(_prctl(_SET_DUMPABLE, 0), "prctl")


def show_memory() -> None:
    """Let this process write its own files in ``/proc`` again, which changing the user forbids."""
    _checked(_prctl(_SET_DUMPABLE, 1), "prctl")


def forbid_new_privileges() -> None:
    """Make set-user-id programs and file capabilities do nothing from here on."""
    _checked(_prctl(_NO_NEW_PRIVILEGES, 1), "prctl")


def bound_capabilities() -> None:
    """Let no program that is begun from here on gain a capability; this process keeps those that it has."""
    for capability in range(64):
        if _prctl(_DROP_BOUND, capability) < 0:
            break  # the kernel knows no more of them, or this process may not, which then has none to give


def drop_capabilities() -> None:
    """Give up every capability that this process has."""
    _prctl(_AMBIENT, 4)  # PR_CAP_AMBIENT_CLEAR_ALL; a kernel without ambient capabilities has none to clear
    _call("capset", struct.pack("=II", 0x20080522, 0), bytes(24))


def raise_loopback() -> None:
    """Bring the loopback interface of this network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def install_seccomp(program: bytes) -> None:
    """Filter this process's system calls, and its children's, by a BPF program, for good."""
    text = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))
    _call("seccomp", ctypes.c_ulong(1), ctypes.c_ulong(0), header)


def descendants(root: int) -> list[int]:
    """The processes below one, parents before their children; zombies are not among them."""
    found, level = [], _children(root)
    while level:
        level = [pid for pid in level if _lives(pid)]
        found += level
        level = [child for pid in level for child in _children(pid)]
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    if not os.path.exists("/proc/thread-self/children"):  # a kernel without CONFIG_PROC_CHILDREN
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError):
                if int(process_fields(int(name))[1]) == pid:
                    found.append(int(name))
        return found
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def _lives(pid: int) -> bool:
    try:
        fields = process_fields(pid)
        return fields[0] not in ("Z", "X") or int(fields[17]) > 1  # its first thread may have ended before others
    except (OSError, IndexError):
        return False


def process_fields(pid: int) -> list[str]:
    """``/proc/PID/stat`` from the third field, the state, on."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].decode().split()
