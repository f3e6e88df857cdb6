"""Messages between the two ends of a sandbox: a header, which is JSON, and blobs of bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct("!I")
MOST = 1 << 31  #: bytes of one message


class Closed(Exception):
    """The other end is gone."""


def encode(header: dict[str, Any], *blobs: bytes) -> bytes:
    """A message as bytes."""
    text = json.dumps([header, [len(blob) for blob in blobs]]).encode()
    return b"".join((_LENGTH.pack(len(text)), text, *blobs))


def receive(read: Callable[[int], bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The next message.  ``read(n)`` gives 1 to n bytes, or none at the end, which raises :class:`Closed`."""

    def exactly(size: int) -> bytes:
        pieces, missing = [], size
        while missing:
            piece = read(min(missing, 1 << 20))
            if not piece:
                raise Closed
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    size = _LENGTH.unpack(exactly(_LENGTH.size))[0]
    if size > MOST:
        raise Closed
    header, sizes = json.loads(exactly(size))
    if sum(sizes) > MOST or any(size < 0 for size in sizes):
        raise Closed
    return header, [exactly(size) for size in sizes]
