"""Landlock: which files a process may write, whatever is mounted where (Linux 5.13 and later)."""

from __future__ import annotations

import ctypes
import os
import struct

from .linux import _LIBC, _checked

_CREATE, _ADD, _RESTRICT = 444, 445, 446

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_DEVICES = 1 << 6 | 1 << 11
_REFER, _TRUNCATE, _DEVICE_CONTROL = 1 << 13, 1 << 14, 1 << 15
# What each version of the interface can restrict.
_BY_VERSION = {1: (1 << 13) - 1, 2: _REFER, 3: _TRUNCATE, 5: _DEVICE_CONTROL}
_SCOPES = 0b11  # abstract sockets and signals to outside, from version 6 on


def version() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    return max(0, int(_LIBC.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))))


def make_ruleset(writable: list[str], devices: list[str]) -> int | None:
    """A descriptor of rules: reading and executing anywhere, writing below ``writable`` and to ``devices`` only.

    No device can be made anywhere.  None where the kernel has no Landlock.
    """
    known = version()
    if known == 0:
        return None
    handled = sum(rights for since, rights in _BY_VERSION.items() if since <= known)
    attributes = struct.pack("=QQQ", handled, 0, _SCOPES)
    if known < 6:
        attributes = attributes[: 16 if known >= 4 else 8]
    size = ctypes.c_size_t(len(attributes))
    ruleset = _checked(_LIBC.syscall(_CREATE, attributes, size, ctypes.c_uint(0)), "landlock_create_ruleset")
    _allow(ruleset, "/", _EXECUTE | _READ_FILE | _READ_FOLDER)
    for path in writable:
        _allow(ruleset, path, handled & ~_MAKE_DEVICES & ~_DEVICE_CONTROL)
    for path in devices:
        _allow(ruleset, path, handled & (_READ_FILE | _WRITE_FILE | _TRUNCATE | _DEVICE_CONTROL))
    return ruleset


def restrict(ruleset: int) -> None:
    """Bind this process, and its children, to the rules, for good.  Needs ``no_new_privs``."""
    _checked(_LIBC.syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0)), "landlock_restrict_self")


def _allow(ruleset: int, path: str, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, handle)
        result = _LIBC.syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint(0))
        _checked(result, f"landlock_add_rule {path}")
    finally:
        os.close(handle)
