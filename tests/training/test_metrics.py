from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from palestra.training.metrics import Metrics, read


def scalars(run: Path, name: str) -> list[tuple[int, float]]:
    """What TensorBoard shows."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [(event.step, round(event.value, 5)) for event in events.Scalars(name)]


def record(run: Path, steps: range, resume_from: int | None = None, offset: float = 0.0) -> None:
    with Metrics(run, total_steps=10, resume_from=resume_from) as metrics:
        for step in steps:
            metrics.log(step, {"train/reward": step / 4 + offset})


def test_rows_hold_what_was_logged(tmp_path: Path) -> None:
    with Metrics(tmp_path / "new" / "run", total_steps=3) as metrics:
        metrics.log(1, {"train/reward": 0.5, "train/entropy": np.float32(0.25)})
        metrics.log(2, {"train/reward": torch.tensor(0.75)})
        rows = read(tmp_path / "new" / "run")
    assert [row.pop("seconds") >= 0 for row in rows] == [True, True]
    assert rows == [{"step": 1, "train/reward": 0.5, "train/entropy": 0.25}, {"step": 2, "train/reward": 0.75}]


def test_tensorboard_holds_the_same(tmp_path: Path) -> None:
    record(tmp_path, range(1, 4))
    assert scalars(tmp_path, "train/reward") == [(1, 0.25), (2, 0.5), (3, 0.75)]


def test_a_new_record_replaces_an_old_one(tmp_path: Path) -> None:
    record(tmp_path, range(1, 9))
    record(tmp_path, range(1, 3), offset=1.0)
    assert [row["train/reward"] for row in read(tmp_path)] == [1.25, 1.5]
    assert scalars(tmp_path, "train/reward") == [(1, 1.25), (2, 1.5)]


def test_resuming_removes_the_steps_that_are_made_again(tmp_path: Path) -> None:
    record(tmp_path, range(1, 7))
    record(tmp_path, range(4, 6), resume_from=3, offset=1.0)
    expected = [(1, 0.25), (2, 0.5), (3, 0.75), (4, 2.0), (5, 2.25)]
    assert [(row["step"], row["train/reward"]) for row in read(tmp_path)] == expected
    assert scalars(tmp_path, "train/reward") == expected


def test_resuming_goes_on_with_the_clock(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "seconds": 100.0}\n{"step": 2, "seconds": 900.0}\n')
    record(tmp_path, range(2, 3), resume_from=1)
    assert 100 <= read(tmp_path)[-1]["seconds"] < 900


@pytest.mark.parametrize("torn", ['{"step": 3, "tra', '{"step": 3}', "\x00\x00"])
def test_a_torn_last_line_is_not_read(torn: str, tmp_path: Path) -> None:
    record(tmp_path, range(1, 3))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    assert [row["step"] for row in read(tmp_path)] == [1, 2]
    record(tmp_path, range(3, 5), resume_from=2)
    assert [row["step"] for row in read(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("line", ["{", "3", "null", ""])
def test_another_broken_line_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n' + line + '\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2"):
        read(tmp_path)


def test_no_file_is_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path) == []


def test_what_is_not_finite_is_null_in_the_file(tmp_path: Path) -> None:
    with Metrics(tmp_path, total_steps=1) as metrics:
        metrics.log(1, {"a": float("nan"), "b": float("inf"), "c": 1.0})

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    row = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert (row["a"], row["b"], row["c"]) == (None, None, 1.0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_rows_survive_what_ends_the_run(error: type[BaseException], tmp_path: Path) -> None:
    def interrupted() -> None:
        with Metrics(tmp_path, total_steps=5) as metrics:
            metrics.log(1, {"train/reward": 0.5})
            raise error

    with pytest.raises(error):
        interrupted()
    assert [row["step"] for row in read(tmp_path)] == [1]
    assert scalars(tmp_path, "train/reward") == [(1, 0.5)]


def test_the_console_gets_a_line_per_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Metrics(tmp_path, total_steps=100) as metrics:
        metrics.log(7, {"train/reward": 0.51234, "train/gap_max": 9.51e-7, "train/clip_fraction": 0.3})
        metrics.say("a word")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["step   7  reward 0.5123  gap 9.51e-07", "a word"]
