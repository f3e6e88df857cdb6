"""Trajectory files: JSON lines, one trajectory a line; images beside it.  Nothing is lost on the way, bit for bit.

What JSON has no form for is an object with one key that starts with ``$``: ``{"$tuple": [...]}``,
``{"$dict": [[key, value], ...]}``, ``{"$float": "nan"}``, ``{"$int": "0x..."}`` (a very long one),
``{"$text": base64}`` (one with lone surrogates), ``{"$str_": text}`` (NumPy's), ``{"$scalar": [dtype, base64]}``,
``{"$array": [dtype, shape, base64]}`` and ``{"$image": name}``, a PNG file in the folder ``<file>.images``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np

from .trajectory import Group, Status, Trajectory, Turn

VERSION = 1
"""The version that is written, and the only one that is read."""

_MARK = "palestra_trajectory"  # the first key of each line; its value is the version
_IMAGE_NAME = re.compile(r"[0-9a-f]{64}\.png")
_LONG_INT_BITS = 4096  # Python refuses to print integers much longer than this in decimal
_IMAGE_BYTES = 1 << 27  # Pillow takes much larger ones for an attack
_DTYPE_KINDS = "biufcUSmM"


class TrajectoryFileError(ValueError):
    """Part of a trajectory file cannot be read; ``path`` and ``line`` (from 1) say where."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}")
        self.path = path
        self.line = line


def write_trajectories(path: str | PathLike[str], trajectories: Iterable[Trajectory | Group]) -> None:
    """Write a file of trajectories, replacing one of that name; it appears whole or not at all.

    Members of a :class:`Group` stay one, for :func:`read_groups`.  Images, which are uint8 arrays [height, width, 3 or
    4], go into the folder ``<path>.images``, each once, named for its content; a replaced file's images stay there.
    Raises TypeError, naming the place, for a value that the format has no form for.
    """
    path = Path(path)
    with _replacing(path) as file:
        _write_lines(file, path, trajectories)


def append_trajectories(path: str | PathLike[str], trajectories: Iterable[Trajectory | Group]) -> None:
    """Add to the end of a file, which need not exist.  One writer at a time; on return all lines are on disk.

    An unfinished last line, left by a writer that was interrupted, is cut off first.  Raises TrajectoryFileError, and
    changes nothing, if the file ends in something that no writer left there.
    """
    path = Path(path)
    with open(path, "ab+") as file:
        _cut_unfinished_line(file, path)
        _write_lines(file, path, trajectories)
        file.flush()
        os.fsync(file.fileno())


def read_trajectories(path: str | PathLike[str]) -> Iterator[Trajectory]:
    """The trajectories of a file, read one at a time.

    Raises TrajectoryFileError for the first line that cannot be read (damaged, unfinished, foreign or of another
    version), after every line that can be read has been given.
    """
    first_error: TrajectoryFileError | None = None
    for _, item, _ in _read_lines(Path(path)):
        if isinstance(item, Trajectory):
            yield item
        else:
            first_error = first_error or item
    if first_error:
        raise first_error


def read_groups(path: str | PathLike[str]) -> Iterator[Group]:
    """The groups of a file, read one at a time; a trajectory that was written alone is a group of one.

    Raises TrajectoryFileError as :func:`read_trajectories` does, and for a group with a missing member, after every
    complete group has been given.
    """
    path = Path(path)
    first_error: TrajectoryFileError | None = None
    members: list[Trajectory] = []
    line = 0
    for line, item, (member, size) in _read_lines(path):
        if members and member != len(members):
            first_error = first_error or TrajectoryFileError(path, line, "the group before is incomplete")
            members = []
        if not isinstance(item, Trajectory):
            first_error = first_error or item
        elif member == len(members):
            members.append(item)
            if len(members) == size:
                yield Group(members)
                members = []
        else:
            first_error = first_error or TrajectoryFileError(path, line, "the group's earlier members are missing")
    if members:
        first_error = first_error or TrajectoryFileError(path, line, "the last group is incomplete")
    if first_error:
        raise first_error


# ---- lines


def _write_lines(file: IO[bytes], path: Path, trajectories: Iterable[Trajectory | Group]) -> None:
    images = _images_of(path)

    def save(image: np.ndarray) -> str:
        return _save_image(images, image)

    for item in trajectories:
        members = list(item) if isinstance(item, Group) else [item]
        lines = b""
        for member, trajectory in enumerate(members):
            head = {_MARK: VERSION, "group": [member, len(members)]}
            try:
                record = head | _encode_trajectory(trajectory, save)
                text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            except RecursionError as error:
                raise TypeError("a value is nested too deeply, or contains itself") from error
            lines += text.encode() + b"\n"
        file.write(lines)


def _read_lines(path: Path) -> Iterator[tuple[int, Trajectory | TrajectoryFileError, tuple[int, int]]]:
    """(line number, trajectory or what is wrong with it, (place in the group, size of the group))."""
    images = _images_of(path)

    def load(name: str) -> np.ndarray:
        return _load_image(images, name)

    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line.decode(), object_pairs_hook=_no_repeats)
                if not isinstance(record, dict) or _MARK not in record:
                    raise ValueError("not a Palestra trajectory")
                if record[_MARK] != VERSION:
                    raise ValueError(f"version {record[_MARK]!r} of the format; this Palestra reads version {VERSION}")
                del record[_MARK]
                member, size = record.pop("group")
                trajectory = _decode_trajectory(record, load)
                if not (isinstance(member, int) and isinstance(size, int) and 0 <= member < size):
                    raise ValueError(f"member {member!r} of a group of {size!r}")
            except (ValueError, TypeError, KeyError, RecursionError, OSError) as error:
                unfinished = line.startswith(f'{{"{_MARK}"'.encode()) and not line.endswith(b"\n")
                reason = "the line is unfinished" if unfinished else f"{type(error).__name__}: {error}"
                yield number, TrajectoryFileError(path, number, reason), (-1, -1)
            else:
                yield number, trajectory, (member, size)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key is repeated")
    return record


def _cut_unfinished_line(file: IO[bytes], path: Path) -> None:
    size = end = file.seek(0, os.SEEK_END)
    tail = b""
    while end and b"\n" not in tail:  # back to the last line break, in blocks
        start = max(0, end - (1 << 16))
        file.seek(start)
        tail = file.read(end - start) + tail
        end = start
    tail = tail[tail.rfind(b"\n") + 1 :]
    if not tail:
        return
    mark = f'{{"{_MARK}":{VERSION},'.encode()
    if not (tail.startswith(mark) or mark.startswith(tail)):
        raise TrajectoryFileError(path, _count_lines(file) + 1, "not a Palestra trajectory; not appending to this file")
    try:
        json.loads(tail)
    except ValueError:
        file.truncate(size - len(tail))
    else:
        file.write(b"\n")  # only the line break was missing


def _count_lines(file: IO[bytes]) -> int:
    file.seek(0)
    return sum(1 for line in file if line.endswith(b"\n"))


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of ``path`` when it is whole and on disk, or goes away."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, is on disk
    finally:
        os.close(folder)


# ---- records

_TURN_FIELDS = [field.name for field in fields(Turn)]
_TRAJECTORY_FIELDS = [field.name for field in fields(Trajectory)]
_INTEGER = (int, np.integer)
_TYPES: dict[str, tuple[type, ...]] = {
    "env_id": (str,),
    "task": (*_INTEGER, type(None)),
    "seed": _INTEGER,
    "status": (Status,),
    "role": (str,),
    "policy": (str,),
    "split": (str, type(None)),
    "error": (str, type(None)),
    "turns": (list,),
    "rewards": (dict,),
    "reward": (int, float, np.integer, np.floating),
    "version": _INTEGER,
    "info": (dict,),
    "choices": (tuple,),
    "fresh": (bool,),
}
_ARRAYS = {"context_ids": "int32", "action_ids": "int32", "logprobs": "float32"}


def _check_field(name: str, value: Any, place: str) -> None:
    if name in _ARRAYS:
        _check_array(value, _ARRAYS[name], place)
    elif name in _TYPES and not isinstance(value, _TYPES[name]):
        wanted = " or ".join(kind.__name__ for kind in _TYPES[name])
        raise TypeError(f"{place} is {type(value).__name__}, not {wanted}")
    if name == "rewards":
        for part, values in value.items():
            _check_array(values, "float64", f"{place}[{part!r}]")
    if name == "choices":
        for index, choice in enumerate(value):
            _check_array(choice, "int32", f"{place}[{index}]")


def _check_array(value: Any, dtype: str, place: str) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != 1:
        found = f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{place} is {found}, not an array {dtype} [n]")


def _encode_trajectory(trajectory: Trajectory, save: Callable[[np.ndarray], str]) -> dict[str, Any]:
    def encode_fields(item: Any, names: list[str], place: str) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for name in names:
            value = getattr(item, name)
            _check_field(name, value, place + name)
            if name == "turns":
                record[name] = [
                    encode_fields(turn, _TURN_FIELDS, f"turns[{index}].") for index, turn in enumerate(value)
                ]
            else:
                record[name] = str(value) if name == "status" else _encode(value, place + name, save)
        return record

    return encode_fields(trajectory, _TRAJECTORY_FIELDS, "")


def _decode_trajectory(record: dict[str, Any], load: Callable[[str], np.ndarray]) -> Trajectory:
    def decode_fields(record: Any, names: list[str], place: str) -> dict[str, Any]:
        if not isinstance(record, dict) or set(record) != set(names):
            found = set(record) if isinstance(record, dict) else set()
            raise ValueError(f"{place or 'the trajectory'} has other fields: {', '.join(sorted(found ^ set(names)))}")
        values: dict[str, Any] = {}
        for name in names:
            value = record[name]
            if name == "turns" and isinstance(value, list):
                value = [
                    Turn(**decode_fields(turn, _TURN_FIELDS, f"turns[{index}].")) for index, turn in enumerate(value)
                ]
            else:
                value = Status(value) if name == "status" else _decode(value, load)
            _check_field(name, value, place + name)
            values[name] = value
        return values

    return Trajectory(**decode_fields(record, _TRAJECTORY_FIELDS, ""))


# ---- values


def _encode(value: Any, place: str, save: Callable[[np.ndarray], str]) -> Any:
    kind = type(value)  # exactly: a subclass would come back as something else
    if value is None or kind is bool:
        return value
    if kind is str:
        return value if _is_unicode(value) else {"$text": _base64(value.encode("utf-8", "surrogatepass"))}
    if kind is int:
        return value if value.bit_length() <= _LONG_INT_BITS else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is list:
        return [_encode(item, f"{place}[{index}]", save) for index, item in enumerate(value)]
    if kind is tuple:
        return {"$tuple": [_encode(item, f"{place}[{index}]", save) for index, item in enumerate(value)]}
    if kind is dict:
        if all(type(key) is str and not key.startswith("$") and _is_unicode(key) for key in value):
            return {key: _encode(item, f"{place}[{key!r}]", save) for key, item in value.items()}
        return {
            "$dict": [
                [_encode(key, f"{place}, key {key!r}", save), _encode(item, f"{place}[{key!r}]", save)]
                for key, item in value.items()
            ]
        }
    if kind is np.ndarray and value.dtype.kind in _DTYPE_KINDS:
        if value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] in (3, 4) and 0 < value.size <= _IMAGE_BYTES:
            return {"$image": save(value)}
        return {"$array": [value.dtype.str, list(value.shape), _base64(value.tobytes())]}
    if kind is np.str_:
        return {"$str_": _encode(str(value), place, save)}
    if isinstance(value, np.generic) and value.dtype.kind in _DTYPE_KINDS and not isinstance(value, np.bytes_):
        return {"$scalar": [value.dtype.str, _base64(value.tobytes())]}
    raise TypeError(f"{place}: a trajectory file has no form for {kind.__module__}.{kind.__qualname__}: {value!r:.100}")


def _decode(value: Any, load: Callable[[str], np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decode(item, load) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if not tag.startswith("$"):
        return {key: _decode(item, load) for key, item in value.items()}
    if len(value) > 1:
        raise ValueError(f"keys beside {tag!r}")
    match value:
        case {"$tuple": list(items)}:
            return tuple(_decode(item, load) for item in items)
        case {"$dict": list(pairs)}:
            return {_decode(key, load): _decode(item, load) for key, item in pairs}
        case {"$float": "nan" | "inf" | "-inf" as text}:
            return float(text)
        case {"$int": str(text)}:
            return int(text, 16)
        case {"$text": str(data)}:
            return base64.b64decode(data, validate=True).decode("utf-8", "surrogatepass")
        case {"$str_": text}:
            return np.str_(_decode(text, load))
        case {"$scalar": [str(dtype), str(data)]}:
            return _array(dtype, [], data)[()]
        case {"$array": [str(dtype), list(shape), str(data)]}:
            return _array(dtype, shape, data)
        case {"$image": str(name)}:
            return load(name)
    raise ValueError(f"unknown form {tag!r}")


def _array(dtype: str, shape: list[int], data: str) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind not in _DTYPE_KINDS:
        raise ValueError(f"unknown kind of array {dtype!r}")
    content = base64.b64decode(data, validate=True)
    if len(content) != math.prod(shape) * kind.itemsize:
        raise ValueError(f"an array {dtype} {shape} does not have {len(content)} bytes")
    return np.ndarray(shape, kind, buffer=bytearray(content) or None)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---- images


def _images_of(path: Path) -> Path:
    return path.with_name(path.name + ".images")


def _image_name(image: np.ndarray) -> str:
    content = hashlib.sha256(repr(image.shape).encode())
    content.update(image.tobytes())
    return content.hexdigest() + ".png"


def _save_image(folder: Path, image: np.ndarray) -> str:
    from PIL import Image

    name = _image_name(image)
    if not (folder / name).exists():
        folder.mkdir(exist_ok=True)
        with _replacing(folder / name) as file:
            Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
    return name


def _load_image(folder: Path, name: str) -> np.ndarray:
    from PIL import Image

    if not _IMAGE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an image")
    try:
        with Image.open(folder / name, formats=["PNG"]) as file:
            image = np.array(file)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot read the image: {error}") from error
    if image.dtype != np.uint8 or _image_name(image) != name:
        raise ValueError(f"the image {name} is not the one that was written")
    return image
