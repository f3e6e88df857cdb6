"""The files of a session: lists, single files and whole trees, by programs that are confined like all others.

Paths are walked folder by folder without following a link, so that none leads out of the folder that it starts in.
What is wrong with a request is ``OSError`` or ``ValueError``, which :func:`serve` answers.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NoReturn

_SNAPSHOT = "palestra-snapshot"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


def serve(request: dict[str, Any], work: str, temporary: str) -> NoReturn:
    """Answer one request, whose data is the standard input: data to the standard output, and then a line of JSON."""
    source, sink = open(0, "rb", closefd=False), open(1, "wb", closefd=False)  # noqa: SIM115
    answer: dict[str, Any] = {}
    try:
        match request["op"]:
            case "write":
                write(work, request["path"], source.read(), request["mode"])
            case "read":
                sink.write(read(work, request["path"]))
            case "files":
                answer["files"] = list_files(work)
            case "snapshot":
                pack(sink, work, temporary)
            case "fill":
                unpack(source, work, temporary)
            case "restore":
                empty(work)
                empty(temporary)
                unpack(source, work, temporary)
    except OSError as error:
        answer = {"error": "OSError", "arguments": [error.errno, error.strerror, request.get("path")]}
    except (ValueError, tarfile.TarError, EOFError, RecursionError) as error:
        answer = {"error": "ValueError", "arguments": [str(error)]}
    sink.write(b"\n" + json.dumps(answer).encode())
    sink.flush()
    os._exit(0)


def write(root: str, path: str, data: bytes, mode: int) -> None:
    """Write a file, in place of what is there, and the folders above it."""
    with _parent(root, path, create=True) as (folder, name):
        _write(folder, name, lambda file: file.write(data), mode)


def read(root: str, path: str) -> bytes:
    """A regular file's content, whatever its mode."""
    with _opened(root), _parent(root, path) as (folder, name):
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise ValueError(f"{path} is not a regular file")
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with open(handle, "rb") as file:
            return file.read()


def list_files(root: str) -> dict[str, list[Any]]:
    """Everything below a folder, by path: its kind, size and permission bits, and a link's target."""
    found: dict[str, list[Any]] = {}
    with _opened(root) as modes:
        for path, status in _walk(root):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "other")
            mode = modes.get(path, stat.S_IMODE(status.st_mode))
            target = os.readlink(os.path.join(root, path)) if kind == "link" else ""
            found[path] = [kind, status.st_size if kind == "file" else 0, mode, target]
    return found


def empty(root: str) -> None:
    """Remove everything below a folder, however deep it is and whatever its modes are."""
    number = 0
    while entries := list(os.scandir(root)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for below in list(os.scandir(entry.path)):
                if below.is_dir(follow_symlinks=False):
                    os.chmod(below.path, 0o700)
                    while os.path.lexists(up := os.path.join(root, str(number))):
                        number += 1
                    os.rename(below.path, up)
                else:
                    os.unlink(below.path)
            os.rmdir(entry.path)


def pack(sink: BinaryIO, work: str, temporary: str) -> None:
    """Write both folders as a tar archive that :func:`unpack` knows again.  Pipes and sockets are left out."""
    header = {"comment": _SNAPSHOT}
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT, pax_headers=header) as archive:
        for prefix, root in (("work", work), ("tmp", temporary)):
            archive.addfile(archive.gettarinfo(root, prefix))
            with _opened(root) as modes:
                for path, status in _walk(root):
                    if stat.S_IFMT(status.st_mode) not in _KINDS:
                        continue
                    member = archive.gettarinfo(os.path.join(root, path), f"{prefix}/{path}")
                    member.mode = modes.get(path, member.mode)
                    member.uid = member.gid = 0
                    member.uname = member.gname = ""
                    if member.isreg():
                        with open(os.path.join(root, path), "rb") as file:
                            archive.addfile(member, file)
                    else:
                        archive.addfile(member)


def unpack(source: BinaryIO, work: str, temporary: str) -> None:
    """Write what an archive holds: a snapshot's into both folders, any other's into the first.

    Raises ValueError for a name that leads outside, also by way of a link in the archive, and for anything but files,
    folders and links.
    """
    with tarfile.open(fileobj=source, mode="r|*") as archive:
        folders: list[tuple[str, str, tarfile.TarInfo]] = []
        for member in archive:
            roots = {"": work}
            if archive.pax_headers.get("comment") == _SNAPSHOT:
                roots = {"work": work, "tmp": temporary}
            root, path = _place(roots, member.name)
            if member.isdir():
                with _folder(root, path, create=True):
                    folders.append((root, path, member))
                continue
            with _parent(root, path, create=True) as (folder, name):
                _unpack_member(archive, member, roots, folder, name)
                os.utime(name, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)
        # From the leaves to the root: writing into a folder changes its time, and may be forbidden by its mode.
        for root, path, member in reversed(folders):
            with _folder(root, path) as folder:
                os.utime(folder, (member.mtime, member.mtime))
                os.chmod(folder, stat.S_IMODE(member.mode))


def _unpack_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, roots: dict[str, str], folder: int, name: str
) -> None:
    if member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        _write(folder, name, lambda file: shutil.copyfileobj(content, file), stat.S_IMODE(member.mode))
    elif member.issym():
        _unlink(folder, name)
        os.symlink(member.linkname, name, dir_fd=folder)
    elif member.islnk():
        _unlink(folder, name)
        with _parent(*_place(roots, member.linkname)) as (there, original):
            os.link(original, name, src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False)
    else:
        raise ValueError(f"{member.name!r} is neither a file nor a folder nor a link")


def _place(roots: dict[str, str], name: str) -> tuple[str, str]:
    """The root that a name in an archive is below, and the path from there."""
    if "" in roots:
        return roots[""], name
    prefix, _, path = name.partition("/")
    if prefix not in roots:
        raise ValueError(f"{name!r} is not part of a snapshot")
    return roots[prefix], path


@contextmanager
def _folder(root: str, path: str, create: bool = False) -> Iterator[int]:
    """A descriptor of a folder below a root."""
    if path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} leads outside")
    now = os.open(root, _FOLDER)
    try:
        for part in path.split("/"):
            if part in ("", "."):
                continue
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=now)
            if stat.S_ISLNK(os.stat(part, dir_fd=now, follow_symlinks=False).st_mode):
                raise ValueError(f"{path!r} leads through a link")
            below = os.open(part, _FOLDER, dir_fd=now)
            os.close(now)
            now = below
        yield now
    finally:
        os.close(now)


@contextmanager
def _parent(root: str, path: str, create: bool = False) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder that a path is in, and its name there."""
    above, _, name = path.rpartition("/")
    if path.startswith("/") or name in ("", ".", ".."):
        raise ValueError(f"{path!r} is not the path of a file")
    with _folder(root, above, create) as folder:
        yield folder, name


def _unlink(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _write(folder: int, name: str, fill: Callable[[BinaryIO], object], mode: int) -> None:
    _unlink(folder, name)
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with open(handle, "wb") as file:
        fill(file)
        os.fchmod(handle, mode)


def _walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every path below a root and what it is, folders before what they hold, in the order of their names."""
    waiting = [""]
    while waiting:
        path = waiting.pop()
        if path:
            status = os.stat(os.path.join(root, path), follow_symlinks=False)
            yield path, status
            if not stat.S_ISDIR(status.st_mode):
                continue
        names = sorted(os.listdir(os.path.join(root, path)), reverse=True)
        waiting += [os.path.join(path, name) for name in names]


@contextmanager
def _opened(root: str) -> Iterator[dict[str, int]]:
    """Let the owner, who this is, read everything below a root for a while.  Gives the modes that differed, by path."""
    modes: dict[str, int] = {}
    try:
        for path, status in _walk(root):
            mode = stat.S_IMODE(status.st_mode)
            needed = {stat.S_IFREG: 0o400, stat.S_IFDIR: 0o700}.get(stat.S_IFMT(status.st_mode), 0)
            if mode & needed != needed:
                os.chmod(os.path.join(root, path), mode | needed)
                modes[path] = mode
        yield modes
    finally:
        for path in reversed(modes):
            full = os.path.join(root, path)
            if os.path.lexists(full):
                os.chmod(full, modes[path])
