"""Git repositories as files, made without Git, so that the same history has the same hashes everywhere."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from .tree import File

CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"


@dataclass
class Repository:
    """A repository with one branch, ``main``, which grows commit by commit."""

    objects: dict[str, bytes] = field(default_factory=dict)
    """Compressed objects by their hash."""
    head: str = ""
    work: dict[str, str] = field(default_factory=dict)
    """The files of the last commit."""

    def commit(self, files: Mapping[str, str], message: str, author: str, time: int) -> str:
        """Commit exactly these files; the hash of the commit."""
        self.work = dict(files)
        who = f"{author} <{author.split()[0].lower()}@example.org> {time} +0000"
        lines = [f"tree {self._tree(self.work)}"]
        if self.head:
            lines.append(f"parent {self.head}")
        lines += [f"author {who}", f"committer {who}", "", message, ""]
        self.head = self._add("commit", "\n".join(lines).encode())
        return self.head

    def files(self, root: str, time: int) -> dict[str, File]:
        """The repository and its working folder, below ``root``."""
        tree = {f"{root}/{path}": File(text.encode(), mtime=time) for path, text in self.work.items()}
        inside = {
            "HEAD": b"ref: refs/heads/main\n",
            "config": CONFIG.encode(),
            "refs/heads/main": f"{self.head}\n".encode(),
            "index": self._index(),
            **{f"objects/{name[:2]}/{name[2:]}": data for name, data in self.objects.items()},
        }
        return tree | {f"{root}/.git/{path}": File(data, mtime=time) for path, data in inside.items()}

    def _add(self, kind: str, data: bytes) -> str:
        whole = f"{kind} {len(data)}\0".encode() + data
        name = hashlib.sha1(whole).hexdigest()
        self.objects[name] = zlib.compress(whole)
        return name

    def _tree(self, files: Mapping[str, str]) -> str:
        entries: dict[str, tuple[str, str]] = {}
        folders: dict[str, dict[str, str]] = {}
        for path, text in files.items():
            first, _, rest = path.partition("/")
            if rest:
                folders.setdefault(first, {})[rest] = text
            else:
                entries[first] = ("100644", self._add("blob", text.encode()))
        for name, inside in folders.items():
            entries[name] = ("40000", self._tree(inside))
        # Git sorts a folder as if its name ended in a slash.
        ordered = sorted(entries, key=lambda name: name + "/" * (name in folders))
        return self._add("tree", b"".join(_tree_entry(name, *entries[name]) for name in ordered))

    def _index(self) -> bytes:
        """The index, version 2; the zeros for what the file system knows make Git compare the contents."""
        body = struct.pack(">4sII", b"DIRC", 2, len(self.work))
        for path, text in sorted(self.work.items()):
            blob = bytes.fromhex(self._add("blob", text.encode()))
            numbers = struct.pack(">10I", 0, 0, 0, 0, 0, 0, 0o100644, 0, 0, len(text.encode()))
            entry = numbers + blob + struct.pack(">H", len(path.encode())) + path.encode()
            body += entry + b"\0" * (8 - len(entry) % 8)
        return body + hashlib.sha1(body).digest()


def _tree_entry(name: str, mode: str, digest: str) -> bytes:
    return f"{mode} {name}\0".encode() + bytes.fromhex(digest)
