"""What ``docs/new-environment.md`` shows is run as it stands."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from palestra.envs.check import CHECKS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "new-environment.md").read_text()
BLOCKS = re.findall(r"(<!-- train -->\n)?^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
"""Whether it trains, the language and the text of every block of the page."""


def block(language: str, number: int = 0, *, train: bool = False) -> str:
    return [text for mark, name, text in BLOCKS if name == language and bool(mark) == train][number]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_module.py").write_text(block("python"))
    return tmp_path


def test_the_environment_is_shorter_than_30_lines() -> None:
    lines = [line for line in block("python").splitlines() if line.strip()]
    assert 10 < len(lines) < 30


def test_the_environment_passes_the_check(folder: Path) -> None:
    arguments = shlex.split(block("sh"))
    assert arguments[0] == "python"
    command = [sys.executable, *arguments[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("skipped ")}
    # It declares a guide, an oracle and tasks, and neither snapshots nor pictures.
    assert skipped == {name for name in CHECKS if "snapshot" in name or "restore" in name} | {
        "render_modes",
        "oracle_recovers",
    }
    assert done.stdout.rstrip().endswith(f"{len(CHECKS) - len(skipped)} passed, 0 failed, {len(skipped)} skipped")


def test_training_on_it_learns_from_demonstrations(folder: Path, root: Path) -> None:
    arguments = shlex.split(block("sh", train=True))
    assert arguments[:4] == ["python", "train.py", "--env", "my_module:Sorting-v0"]
    shorter = ["--steps=2", "--warm-start.demonstrations=60", "--rollout.groups=2", "--rollout.max-turns=6"]
    smaller = ["--small.hidden=32", "--small.layers=2", "--evaluation.tasks=8", "--device=cpu", "--run=run"]
    command = [sys.executable, str(root / "train.py"), *arguments[2:], *shorter, *smaller]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    losses = [float(loss) for loss in re.findall(r"cross-entropy ([\d.]+)", done.stdout)]
    assert losses[-1] < losses[0] / 2
    assert "oracle at step 0: success 100.0%" in done.stdout
    report = (folder / "run" / "report.md").read_text()
    assert "| trained, step 2 |" in report


def test_the_words_are_as_shown() -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block("python", 1), "docs/new-environment.md", "exec"), {})
    assert printed.getvalue() == block("text")
