"""Trees of files as values: written to a sandbox as an archive, and read back from one."""

from __future__ import annotations

import datetime
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

NOW = int(datetime.datetime(2024, 3, 14, 9, 0, tzinfo=datetime.UTC).timestamp())
"""When episodes begin, by the clock of their shell."""
DAY = 86_400


@dataclass(frozen=True, slots=True)
class File:
    """A regular file, or a link where ``target`` is set; ``mtime`` in seconds since 1970."""

    data: bytes = b""
    mode: int = 0o644
    mtime: int = NOW - 30 * DAY
    target: str = ""

    @property
    def text(self) -> str:
        """The content as text; what is not UTF-8 becomes U+FFFD."""
        return self.data.decode("utf-8", "replace")


Tree = Mapping[str, File]
"""Files by their path below the home folder; folders are those that files lie in."""


def text_file(text: str, mode: int = 0o644, mtime: int = NOW - 30 * DAY) -> File:
    """A file with that content."""
    return File(text.encode(), mode, mtime)


def pack(tree: Tree) -> bytes:
    """The tree as a tar archive, the same for the same tree."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, file in sorted(tree.items()):
            entry = tarfile.TarInfo(path)
            entry.mode, entry.mtime = file.mode, file.mtime
            if file.target:
                entry.type, entry.linkname = tarfile.SYMTYPE, file.target
            else:
                entry.size = len(file.data)
            archive.addfile(entry, io.BytesIO(file.data))
    return buffer.getvalue()


def unpack(snapshot: bytes) -> dict[str, File]:
    """The files and links in the home folder of a session's snapshot, which are below ``work`` there."""
    tree = {}
    with tarfile.open(fileobj=io.BytesIO(snapshot)) as entries:
        for entry in entries:
            root, _, path = entry.name.partition("/")
            if root != "work":
                continue
            if entry.issym():
                tree[path] = File(b"", entry.mode, int(entry.mtime), entry.linkname)
            elif entry.isreg() or entry.islnk():
                content = entries.extractfile(entry)
                data = b"" if content is None else content.read()
                tree[path] = File(data, entry.mode & 0o7777, int(entry.mtime))
    return tree


def below(tree: Tree, folder: str) -> dict[str, File]:
    """The part of a tree below a folder, by the paths there."""
    return {path.removeprefix(f"{folder}/"): file for path, file in tree.items() if path.startswith(f"{folder}/")}


def contents(tree: Tree) -> dict[str, bytes | str]:
    """What is in each file, or where a link leads: what matters where times and permissions do not."""
    return {path: file.target or file.data for path, file in tree.items()}
