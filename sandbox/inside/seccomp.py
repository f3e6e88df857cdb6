"""The system calls that untrusted programs may not make, as a BPF program for seccomp.

What remains is what ordinary programs need.  Refused are: other namespaces and mounts, other processes' memory, the
kernel's own doors (BPF, keys, performance counters, user faults, io_uring, modules), clocks, memory that no limit
counts, sockets of families that have no namespace, and whatever is newer than this list (so is the x32 interface).  The
filter is the second wall: the namespaces, the lack of capabilities and Landlock refuse most of this as well.
"""

from __future__ import annotations

import errno
import struct

# number on x86_64, number on aarch64 (None: it has none)
_FORBIDDEN: dict[str, tuple[int, int | None]] = {
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # doors into the kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "personality": (135, 92),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "sysfs": (139, None),
    # clocks
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
}
# Libraries that are refused these as unknown do without.
_UNKNOWN: dict[str, tuple[int, int | None]] = {
    "clone3": (435, 435),  # its flags are in memory, where a filter cannot read them
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
}
_LAST = 452  # fchmodat2, the last one that was looked at
_CLONE, _SOCKET, _IOCTL = (56, 220), (41, 198), (16, 29)
_NAMESPACE_FLAGS = 0x7E020000  # CLONE_NEW*
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL = 0x7FFF0000, 0x80000000


def build(machine: str) -> bytes:
    """The program for a machine (``platform.machine()``); OSError where none is known."""
    if machine not in _ARCHITECTURES:
        raise OSError(f"no system call filter is known for {machine}; there are {' and '.join(_ARCHITECTURES)}")
    column, architecture = _ARCHITECTURES[machine]
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_IF_AT_LEAST, _LAST + 1, 0, 1),
        _refuse(errno.ENOSYS),
    ]
    for calls, error in ((_FORBIDDEN, errno.EPERM), (_UNKNOWN, errno.ENOSYS)):
        for numbers in calls.values():
            number = numbers[column]
            if number is not None:
                program += [_step(_IF_EQUAL, number, 0, 1), _refuse(error)]
    flags = [_step(_IF_ANY_BIT, _NAMESPACE_FLAGS, 0, 1), _refuse(errno.EPERM)]
    program += _with_argument(_CLONE[column], 0, flags)
    families = [_step(_IF_EQUAL, family, len(_FAMILIES) - index, 0) for index, family in enumerate(_FAMILIES)]
    program += _with_argument(_SOCKET[column], 0, [*families, _refuse(errno.EAFNOSUPPORT)])
    inputs = [step for code in _TERMINAL_INPUT for step in (_step(_IF_EQUAL, code, 0, 1), _refuse(errno.EPERM))]
    program += _with_argument(_IOCTL[column], 1, inputs)
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _with_argument(number: int, argument: int, body: list[bytes]) -> list[bytes]:
    """For one system call, ``body`` over the low half of an argument, and then allow it."""
    body = [_step(_LOAD, _ARGUMENTS + 8 * argument), *body, _step(_RETURN, _ALLOW)]
    return [_step(_IF_EQUAL, number, 0, len(body)), *body]


def _refuse(number: int) -> bytes:
    return _step(_RETURN, 0x00050000 | number)


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)
