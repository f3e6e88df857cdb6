"""The trajectory file format: everything comes back bit for bit, and what is broken is named."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from types import GeneratorType
from typing import Any

import numpy as np
import pytest

from palestra.trajectory import Group, Status, Trajectory, Turn
from palestra.trajectory_io import (
    TrajectoryFileError,
    append_trajectories,
    read_groups,
    read_trajectories,
    write_trajectories,
)


def same(a: Any, b: Any) -> bool:
    """Equal in type and in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (Turn, Trajectory)):
        return all(same(getattr(a, name), getattr(b, name)) for name in a.__slots__)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(k, m) and same(a[k], b[m]) for k, m in zip(a, b, strict=True)
        )  # order as well
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return bool(a == b)


def trajectory(seed: int = 7, **info: Any) -> Trajectory:
    rng = np.random.default_rng(seed)
    turns = [
        Turn(
            observation=f"page {index} \u2028 \x85 \r naïve 店",
            action=f"click[{index}]",
            reward=0.1 * index,
            context_ids=rng.integers(0, 2**31 - 1, index + 1, dtype=np.int32),
            action_ids=rng.integers(0, 2**31 - 1, 3, dtype=np.int32),
            logprobs=rng.standard_normal(3).astype(np.float32),
            version=index,
            info={"valid_action": True} | info,
        )
        for index in range(3)
    ]
    return Trajectory(
        env_id="WebShop-v0",
        task=4,
        seed=seed,
        turns=turns,
        status=Status.TERMINATED,
        split="train",
        final_observation="done",
        rewards={"success": rng.standard_normal(3), "total": np.array([0.1, -0.0, 1e-300])},
    )


def round_trip(path: Path, item: Trajectory) -> Trajectory:
    write_trajectories(path, [item])
    [back] = read_trajectories(path)
    return back


VALUES = {
    "none": None,
    "booleans": [True, False, np.True_],
    "integers": [0, -1, 2**63, -(2**64), 10**5000, np.int8(-3), np.uint64(2**64 - 1)],
    "floats": [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf],
    "numpy floats": [np.float64(0.1), np.float32(0.1), np.float16(math.nan), np.float64(-math.inf), np.complex64(1j)],
    "texts": ["", "\0", "a\nb\r\x85\u2028", "𝔘", "\\ \" '", "$tuple", np.str_("é"), np.str_("")],
    "surrogates": ["\ud800", "\udc00\ud800", "\ud83d\ude00", "x\udfffy"],
    "surrogate key": {"\ud800": 1, "b": "\udcff"},
    "tuples": ((), (1, (2.0, [None])), [(1,)]),
    "keys": {1: "a", "1": "b", None: 2, (1, "x"): 4, 2.5: 5, math.inf: 6},
    "keys like ours": {"$tuple": [1]},
    "key like ours": {"a": 1, "$array": 2},
    "empty": {"list": [], "dict": {}, "tuple": ()},
    "arrays": [
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10)[::3],
        np.array([math.nan, math.inf, -0.0], np.float32),
        np.array(3.5),
        np.zeros((0, 4), np.float16),
        np.array([True, False]),
        np.array(["a", "ééé", ""]),
        np.array([1, 2], ">i4"),
        np.array(["2020-01-01", "NaT"], "M8[D]"),
    ],
    "datetime": np.timedelta64(3, "s"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back(tmp_path: Path, name: str) -> None:
    item = trajectory(value=VALUES[name], nested={"deep": [{"value": VALUES[name]}]})
    item.turns[0].action = VALUES[name]
    assert same(round_trip(tmp_path / "t.jsonl", item), item)


@pytest.mark.parametrize("seed", range(20))
def test_random_values_come_back(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def draw(depth: int) -> Any:
        match rng.integers(0 if depth else 4, 11):
            case 0:
                return [draw(depth - 1) for _ in range(rng.integers(4))]
            case 1:
                return tuple(draw(depth - 1) for _ in range(rng.integers(4)))
            case 2:
                return {text(): draw(depth - 1) for _ in range(rng.integers(4))}
            case 3:
                return {int(rng.integers(9)): draw(depth - 1), text(): draw(depth - 1)}
            case 4:
                return text()
            case 5:
                return float(np.frombuffer(rng.bytes(8))[0])
            case 6:
                return int.from_bytes(rng.bytes(int(rng.integers(20))), signed=True)
            case 7:
                return np.frombuffer(rng.bytes(24), rng.choice(["f4", "i8", "u1", ">f8", "c8"])).reshape(-1, 1).copy()
            case 8:
                return np.frombuffer(rng.bytes(8), rng.choice(["f4", "i8", "u1", "f2"]))[0]
            case 9:
                return bool(rng.integers(2))
            case _:
                return None

    def text() -> str:
        pool = ["a", "$", "\n", "\ud800", "\udc00", "é", "\0", '"', "\\", "\U0001f600"]
        return "".join(rng.choice(pool) for _ in range(rng.integers(5)))

    item = trajectory(value=draw(5))
    assert same(round_trip(tmp_path / "t.jsonl", item), item)


def test_float32_logprobs_keep_their_bits(tmp_path: Path) -> None:
    item = trajectory()
    item.turns[0].logprobs = np.array([0x7FC00001, 0xFF800000, 0x00000001, 0x80000000], np.uint32).view(np.float32)
    assert same(round_trip(tmp_path / "t.jsonl", item), item)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_and_empty_fields(tmp_path: Path, status: Status) -> None:
    item = Trajectory("X-v0", None, np.int64(3), status=status, error="lost \ud800")  # type: ignore[arg-type]
    assert same(round_trip(tmp_path / "t.jsonl", item), item)


def test_every_line_is_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, [trajectory(value=VALUES), trajectory(8)])
    lines = path.read_bytes().decode("utf-8").split("\n")
    assert len(lines) == 3
    assert lines[-1] == ""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for line in lines[:-1]:
        assert json.loads(line, parse_constant=refuse)["palestra_trajectory"] == 1


class Colour(StrEnum):
    RED = "red"


class Text(str):
    pass


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [0, object()]}, r"turns\[0\]\.info\['value'\]\['a'\]\[1\].*object"),
        ((1, {2: b"bytes"}), r"turns\[0\]\.info\['value'\]\[1\]\[2\].*bytes"),
        (Colour.RED, "Colour"),
        (Text("x"), "Text"),
        ({1, 2}, "set"),
        (np.array([object()]), "ndarray"),
        (np.zeros(2, [("x", "f4")]), "ndarray"),
        (np.ma.array([1.0]), "MaskedArray"),
        (LOOP, "contains itself"),
        ({object(): 1}, "key <object"),
    ],
)
def test_a_value_without_a_form_is_named(tmp_path: Path, value: Any, place: str) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, [trajectory(1)])
    before = path.read_bytes()
    with pytest.raises(TypeError, match=place):
        write_trajectories(path, [trajectory(2), trajectory(value=value)])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["t.jsonl"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("action_ids", np.zeros(2, np.int64), r"turns\[1\]\.action_ids is int64 \[2\], not an array int32"),
        ("logprobs", [0.5], r"turns\[1\]\.logprobs is list"),
        ("reward", "1", r"turns\[1\]\.reward is str"),
        ("info", None, r"turns\[1\]\.info is NoneType"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(tmp_path: Path, field: str, value: Any, message: str) -> None:
    item = trajectory()
    setattr(item.turns[1], field, value)
    with pytest.raises(TypeError, match=message):
        write_trajectories(tmp_path / "t.jsonl", [item])


# ---- images


def image(seed: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (5, 4, channels), dtype=np.uint8)


def test_images_go_beside_the_file_once_each(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    item = trajectory()
    clear = image(3, 4)
    clear[..., 3] = 0  # colours under full transparency are kept, too
    item.turns[0].observation = {"text": "a", "image": image(1)}
    item.turns[1].observation = {"text": "b", "image": image(1)[::-1]}
    item.turns[2].observation = {"text": "c", "image": image(1)}
    item.final_observation = {"text": "d", "image": clear}
    item.turns[0].info["mask"] = image(5)[..., 0]  # not an image: stays in the line
    assert same(round_trip(path, item), item)
    images = sorted((tmp_path / "t.jsonl.images").iterdir())
    assert len(images) == 3
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in images)


@pytest.mark.parametrize("damage", ["missing", "other", "garbage", "truncated"])
def test_a_broken_image_is_an_error_of_its_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "t.jsonl"
    items = [trajectory(1), trajectory(2), trajectory(3)]
    items[1].turns[0].observation = {"text": "a", "image": image(1)}
    write_trajectories(path, items)
    [file] = (tmp_path / "t.jsonl.images").iterdir()
    if damage == "missing":
        file.unlink()
    elif damage == "other":
        write_trajectories(tmp_path / "u", [trajectory(value=image(2))])
        [other] = (tmp_path / "u.images").iterdir()
        file.write_bytes(other.read_bytes())
    else:
        file.write_bytes(b"garbage" if damage == "garbage" else file.read_bytes()[:50])
    assert_reads(path, [items[0], items[2]], line=2, message="image")


def test_an_image_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, [trajectory(value=image(1))])
    [file] = (tmp_path / "t.jsonl.images").iterdir()
    path.write_text(path.read_text().replace(file.name, "../" + file.name))
    assert_reads(path, [], line=1, message="not the name of an image")


# ---- damage


def assert_reads(path: Path, readable: list[Trajectory], line: int, message: str) -> None:
    """The file gives the readable trajectories and then an error with the line and the message."""
    found: list[Trajectory] = []
    with pytest.raises(TrajectoryFileError, match=message) as caught:
        found.extend(read_trajectories(path))
    assert same(found, readable)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert str(path) in str(caught.value)


def test_a_file_cut_at_any_byte_gives_the_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    items = [trajectory(1), trajectory(2)]
    write_trajectories(path, items)
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    cut = tmp_path / "cut.jsonl"
    for end in range(first + 1, len(data) - 1, 17):
        cut.write_bytes(data[:end])
        message = "unfinished" if end >= first + 23 else "cut"
        assert_reads(cut, items[:1], line=2, message=message)
        append_trajectories(cut, items[1:])
        assert cut.read_bytes() == data


def test_a_missing_last_line_break_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    items = [trajectory(1), trajectory(2)]
    write_trajectories(path, items)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    assert same(list(read_trajectories(path)), items)
    append_trajectories(path, [trajectory(3)])
    assert same(list(read_trajectories(path)), [*items, trajectory(3)])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            b'"palestra_trajectory":1',
            b'"palestra_trajectory":2',
            "version 2 of the format; this Palestra reads version 1",
        ),
        (b'"palestra_trajectory":1', b'"other":1', "not a Palestra trajectory"),
        (b'"seed":2', b'"seed":"2"', "seed is str"),
        (b'"seed":2', b'"seeds":2', "other fields: seed, seeds"),
        (b'"seed":2', b'"seed":2,"seed":2', "repeated"),
        (b'"status":"terminated"', b'"status":"won"', "won"),
        (b'"turns":[', b'"turns":[7,', r"turns\[0\]"),
        (b'"$array":["<i4"', b'"$array":["<i8"', "bytes"),
        (b'"$array":["<i4"', b'"$array":["O"', "unknown kind of array"),
        (b'"$array":["<i4"', b'"$array":["<f4"', "not an array int32"),
        (b'"$array":["<i4",[', b'"$array":["<i4",[-1,-', "bytes|negative"),
        (b'"$array"', b'"$new"', "unknown form"),
        (b'"group":[0,1]', b'"group":[1,1]', "member 1 of a group of 1"),
        (b'"task":4', b'"task":{"$dict":[[[],1]]}', "unhashable"),
        (b'"task":4', b'"task":' + b"[" * 100_000, "RecursionError"),
        (b"{", b"[" * 10, "JSONDecodeError"),
        (b"page", b"\xff", "utf-8"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_kept(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    path = tmp_path / "t.jsonl"
    items = [trajectory(1), trajectory(2), trajectory(3)]
    write_trajectories(path, items)
    lines = path.read_bytes().splitlines(keepends=True)
    assert old in lines[1]
    lines[1] = lines[1].replace(old, new, 1)
    path.write_bytes(b"".join(lines))
    assert_reads(path, [items[0], items[2]], line=2, message=message)


@pytest.mark.parametrize("content", [b"hello\nworld", b'{"a": 1}', b"\0\1\2", b"[]\n", b"5", b"\n"])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(TrajectoryFileError, match=r"notes\.txt, line 1"):
        list(read_trajectories(path))
    if not content.endswith(b"\n"):
        with pytest.raises(TrajectoryFileError, match="not appending"):
            append_trajectories(path, [trajectory()])
        assert path.read_bytes() == content


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_trajectories(tmp_path / "none.jsonl"))


# ---- writing


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, (trajectory(seed) for seed in range(3)))
    reader = read_trajectories(path)
    assert isinstance(reader, GeneratorType)
    assert next(reader).seed == 0
    append_trajectories(path, [trajectory(9)])
    assert [item.seed for item in reader] == [1, 2, 9]


def test_a_file_can_be_rewritten_from_itself(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, [trajectory(seed) for seed in range(4)])
    write_trajectories(path, (item for item in read_trajectories(path) if item.seed % 2))
    assert [item.seed for item in read_trajectories(path)] == [1, 3]


def test_appending_makes_the_file_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    append_trajectories(path, [trajectory(1)])
    append_trajectories(path, [])
    append_trajectories(path, [trajectory(2), trajectory(3)])
    assert same(list(read_trajectories(path)), [trajectory(1), trajectory(2), trajectory(3)])


def test_a_writer_that_is_killed_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    program = f"""
import itertools
from palestra import Trajectory
from palestra.trajectory_io import append_trajectories
for seed in itertools.count():
    append_trajectories({str(path)!r}, [Trajectory("X-v0", None, seed, error="x" * 10_000)])
    print(seed, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < 20:
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    append_trajectories(path, [Trajectory("X-v0", None, -1)])
    seeds = [item.seed for item in read_trajectories(path)]
    assert seeds[:-1] == list(range(len(seeds) - 1))
    assert len(seeds) - 1 > acknowledged
    assert seeds[-1] == -1


# ---- groups


def test_groups_stay_together(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, [Group([trajectory(1), trajectory(2)]), trajectory(3)])
    append_trajectories(path, [Group([trajectory(4)]), Group([trajectory(5), trajectory(6), trajectory(7)])])
    assert [[item.seed for item in group] for group in read_groups(path)] == [[1, 2], [3], [4], [5, 6, 7]]
    assert [item.seed for item in read_trajectories(path)] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("damaged", "complete", "line"),
    [(1, [[3], [4, 5]], 1), (2, [[3], [4, 5]], 2), (3, [[1, 2], [4, 5]], 3), (5, [[1, 2], [3]], 5)],
)
def test_an_incomplete_group_is_left_out_and_named(
    tmp_path: Path, damaged: int, complete: list[list[int]], line: int
) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(
        path, [Group([trajectory(1), trajectory(2)]), trajectory(3), Group([trajectory(4), trajectory(5)])]
    )
    lines = path.read_bytes().splitlines(keepends=True)
    lines[damaged - 1] = b"?\n"
    path.write_bytes(b"".join(lines))
    found: list[Group] = []
    with pytest.raises(TrajectoryFileError) as caught:
        found.extend(read_groups(path))
    assert [[item.seed for item in group] for group in found] == complete
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("missing", "complete", "line"), [(0, [[3, 4]], 1), (1, [[3, 4]], 2), (2, [[1, 2]], 3), (3, [[1, 2]], 3)]
)
def test_a_group_with_a_line_gone_is_left_out_and_named(
    tmp_path: Path, missing: int, complete: list[list[int]], line: int
) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, [Group([trajectory(1), trajectory(2)]), Group([trajectory(3), trajectory(4)])])
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[missing]
    path.write_bytes(b"".join(lines))
    found: list[Group] = []
    with pytest.raises(TrajectoryFileError, match="group") as caught:
        found.extend(read_groups(path))
    assert [[item.seed for item in group] for group in found] == complete
    assert caught.value.line == line
