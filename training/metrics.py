"""What a run measures, a row per step: a JSON-lines file, TensorBoard and the console."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FILE = "metrics.jsonl"

CONSOLE = {
    "train/reward": "reward",
    "train/return": "return",
    "train/success": "success",
    "train/turns": "turns",
    "train/entropy": "entropy",
    "train/gap_max": "gap",
    "evaluation/success": "test success",
    "evaluation/return": "test return",
    "time/step": "seconds",
}
"""The values that the line of a step shows, and what it calls them."""


class Metrics:
    """Records named values per step; a context manager, whatever ends it.

    Every row is in ``metrics.jsonl`` when :meth:`log` returns, with ``step`` and with ``seconds``, the time that the
    run has taken so far without its breaks.

    Args:
        run: folder of the run.
        total_steps: where the progress bar ends.
        resume_from: the step that the run goes on from; rows of later steps, which will be made again, are removed.
            ``None`` begins a new record.
    """

    def __init__(self, run: str | Path, total_steps: int, resume_from: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from tqdm import tqdm

        folder = Path(run)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [] if resume_from is None else [row for row in read(folder) if row["step"] <= resume_from]
        rewrite(folder / FILE, rows)
        if resume_from is None:
            shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        purge = None if resume_from is None else resume_from + 1
        self._began = time.monotonic() - (rows[-1]["seconds"] if rows else 0.0)
        # Unbuffered, so that a row is written whole or, at worst, torn at the very end of the file.
        self._file = (folder / FILE).open("ab", buffering=0)
        self._writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=purge)
        # disable=None: no bar where nobody watches it.
        self._bar = tqdm(total=total_steps, initial=resume_from or 0, unit="step", dynamic_ncols=True, disable=None)
        self._width = len(str(total_steps))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record ``values`` of ``step``, named like ``train/reward``; what is not finite is ``null`` in the file."""
        plain = {name: float(value) for name, value in values.items()}
        row: dict[str, float | None] = {"step": step, "seconds": round(time.monotonic() - self._began, 3)}
        row |= {name: value if math.isfinite(value) else None for name, value in plain.items()}
        self._file.write(json.dumps(row).encode() + b"\n")
        for name, value in plain.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
        shown = [f"{label} {plain[name]:.4g}" for name, label in CONSOLE.items() if name in plain]
        if shown:
            self.say(f"step {step:{self._width}}  " + "  ".join(shown))
        self._bar.update(step - self._bar.n)

    def say(self, text: str) -> None:
        """Print a line, above the progress bar."""
        self._bar.write(text)

    def close(self) -> None:
        """Close the files and the progress bar."""
        self._file.close()
        self._writer.close()
        self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(run: str | Path) -> list[dict[str, Any]]:
    """The rows of a run's ``metrics.jsonl``, in their order; none if there is no such file."""
    return read_lines(Path(run) / FILE)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects in a JSON-lines file; none if there is no such file.

    A last line without its end, which a kill may leave, is not read.

    Raises:
        ValueError: another line is not a JSON object; the message names file and line.
    """
    if not path.is_file():
        return []
    rows = []
    *lines, _ = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: expected an object, not {line[:40]!r}")
        rows.append(row)
    return rows


def rewrite(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace a JSON-lines file by one of these objects, whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(temporary, path)
