"""A file of named arrays that is memory-mapped when read: the form of what is cached on disk.

Layout: the arrays' bytes, each aligned to 8; a JSON footer (format, and for each array offset, length and type); the
footer's length and the CRC-32 of all that precedes it (both 8 bytes, little-endian).  A file appears under its name
only when it is complete.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

_ALIGNMENT = 8
_TAIL_BYTES = 16
_CHUNK = 1 << 22


class DamagedFile(Exception):
    """A file is not a complete, unchanged file of sections of the wanted format."""


class SectionWriter:
    """Writes the sections of a file; ``write`` makes it a binary stream for the first one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sections: dict[str, tuple[int, int, str]] = {}
        self._position = 0
        self._crc = 0

    def write(self, data: bytes | memoryview, /) -> int:
        """Append bytes to the section that :meth:`close_stream` will name."""
        self._file.write(data)
        self._crc = zlib.crc32(data, self._crc)
        self._position += len(data)
        return len(data)

    def close_stream(self, name: str) -> None:
        """Name everything that has been written so far."""
        self._sections[name] = (0, self._position, "|u1")

    def add(self, name: str, values: np.ndarray) -> None:
        """Append a one-dimensional array."""
        self.write(b"\0" * (-self._position % _ALIGNMENT))
        self._sections[name] = (self._position, values.nbytes, values.dtype.str)
        if values.nbytes:
            self.write(np.ascontiguousarray(values).view(np.uint8).data)

    def finish(self, version: str) -> None:
        """Write the footer."""
        footer = json.dumps({"format": version, "sections": self._sections}).encode()
        self.write(footer)
        self._file.write(len(footer).to_bytes(8, "little") + self._crc.to_bytes(8, "little"))


@contextmanager
def write_sections(path: Path, version: str) -> Iterator[SectionWriter]:
    """Write a file of sections; it replaces ``path`` in one step at the end, or leaves no trace if the body raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb", buffering=_CHUNK) as file:
            writer = SectionWriter(file)
            yield writer
            writer.finish(version)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def read_sections(path: Path, version: str) -> dict[str, np.ndarray]:
    """The arrays of a file of sections, memory-mapped and read-only.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFile: it is damaged, or of another format than ``version``.
    """
    size = path.stat().st_size
    if size < _TAIL_BYTES:
        raise DamagedFile("it is too short")
    with open(path, "rb") as file:
        crc = 0
        left = size - _TAIL_BYTES
        while left and (chunk := file.read(min(_CHUNK, left))):
            crc = zlib.crc32(chunk, crc)
            left -= len(chunk)
        tail = file.read(_TAIL_BYTES)
        if int.from_bytes(tail[8:], "little") != crc:
            raise DamagedFile("its checksum is wrong")
        footer_bytes = int.from_bytes(tail[:8], "little")
        if footer_bytes > size - _TAIL_BYTES:
            raise DamagedFile("its footer is damaged")
        file.seek(size - _TAIL_BYTES - footer_bytes)
        footer = json.loads(file.read(footer_bytes))
    if footer["format"] != version:
        raise DamagedFile(f"its format is {footer['format']!r}, not {version!r}")
    whole = np.memmap(path, dtype=np.uint8, mode="r")
    return {
        name: np.asarray(whole[start : start + length]).view(dtype)
        for name, (start, length, dtype) in footer["sections"].items()
    }
