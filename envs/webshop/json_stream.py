"""Read one huge JSON array or object entry by entry, naming the entry and the position in every error.

The standard library's decoder does the work, because it accepts exactly what ``json.load``, the reader that these files
were written for, accepts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .product import CatalogueError

_CHUNK = 1 << 20
#: An entry that still does not parse after this many characters is broken, not merely cut off by the end of the buffer.
_LONGEST_ENTRY = 1 << 26
_decode = json.JSONDecoder().raw_decode


def stream_array(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield ``(where, value)`` for each element of the JSON array in ``path``; ``where`` names the file and the entry.

    Raises:
        CatalogueError: the file cannot be read or is not a JSON array; the message names the entry and the position.
    """
    reader = _Reader(path)
    reader.expect("[", "a JSON array starts with '['")
    while reader.next_entry("]"):
        yield reader.where, reader.value()


def stream_object(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Yield ``(where, key, value)`` for each member of the JSON object in ``path``.

    Raises:
        CatalogueError: the file cannot be read or is not a JSON object; the message names the entry and the position.
    """
    reader = _Reader(path)
    reader.expect("{", "a JSON object starts with '{'")
    while reader.next_entry("}"):
        key = reader.value()
        if not isinstance(key, str):
            raise reader.error("a key must be text")
        reader.expect(":", "':' is missing after a key")
        yield f"{reader.where} ({key!r})", key, reader.value()


class _Reader:
    """A cursor over the values of a text file of which only a window is in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file = open(path, encoding="utf-8")  # noqa: SIM115 - closed at the end of the document, or with the reader
        except OSError as error:
            raise CatalogueError(f"{path}: {error.strerror}") from error
        self.window = ""
        self.position = 0
        self.passed = 0
        self.entry = -1

    @property
    def where(self) -> str:
        return f"{self.path}, entry {self.entry} (the first is 0)" if self.entry >= 0 else f"{self.path}"

    def error(self, message: str, position: int | None = None) -> CatalogueError:
        character = self.passed + (self.position if position is None else position)
        return CatalogueError(f"{self.where}, character {character}: {message}")

    def more(self, size: int = _CHUNK) -> bool:
        """Drop what has been read, append up to ``size`` characters; False at the end of the file."""
        try:
            chunk = self.file.read(size)
        except UnicodeDecodeError as error:
            raise self.error(f"not UTF-8 text: {error}") from error
        self.passed += self.position
        self.window = self.window[self.position :] + chunk
        self.position = 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character that is not blank, or an empty string at the end of the file."""
        while True:
            while self.position < len(self.window):
                character = self.window[self.position]
                if character not in " \t\r\n":
                    return character
                self.position += 1
            if not self.more():
                return ""

    def expect(self, character: str, message: str) -> None:
        found = self.peek()
        if found != character:
            raise self.error(message if found else f"the file ends here; {message}")
        self.position += 1

    def next_entry(self, closing: str) -> bool:
        """Move to the next entry; at the closing bracket check that nothing follows, close the file and say False."""
        if self.peek() == closing:
            self.position += 1
            if self.peek():
                raise self.error("more text after the end of the document")
            self.file.close()
            return False
        if self.entry >= 0:
            self.expect(",", f"',' or {closing!r} is missing after this entry")
            self.peek()
        self.entry += 1
        return True

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = _decode(self.window, self.position)
            except json.JSONDecodeError as error:
                pending = len(self.window) - self.position
                failure = self.error(f"broken JSON: {error.msg}", error.pos)
                if pending > _LONGEST_ENTRY or not self.more(max(_CHUNK, pending)):
                    raise failure from error
            except RecursionError as error:
                raise self.error("broken JSON: nested too deeply") from error
            else:
                self.position = end
                return value
