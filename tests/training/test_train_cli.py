"""The door: what ``python train.py`` answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from palestra.training import recipe

DEADLINE = 300


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(root / "train.py"), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=DEADLINE)
    return process.returncode, output, errors


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--stepz", "3"], "unknown flag --stepz; did you mean --steps?"),
        (["--recipe", "webshp"], "did you mean webshop?"),
        (["--resume", "--run", "/nowhere/at/all"], "no run to resume in /nowhere/at/all"),
        (["--steps", "many"], "--steps"),
    ],
)
def test_a_wrong_command_line_is_answered_without_a_traceback(arguments: list[str], complaint: str, root: Path) -> None:
    status, output, errors = finish(start(root, *arguments))
    assert (status, output) == (2, "")
    assert complaint in errors
    assert "Traceback" not in errors


def test_help(root: Path) -> None:
    status, output, errors = finish(start(root, "--help"))
    assert (status, errors) == (0, "")
    assert "--rollout.group-size" in output
    assert "--recipe" in output


def test_what_is_not_installed_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None; from palestra.train import main; sys.exit(main([]))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "torch" in result.stderr
    assert "pip install 'palestra[train]'" in result.stderr


@pytest.mark.parametrize(("before", "after"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_do_not_spin_unless_told_to(before: dict[str, str], after: str) -> None:
    code = """if True:
        import os, sys
        from palestra.train import main
        assert "torch" not in sys.modules
        main(["--stepz"])
        assert "torch" in sys.modules
        print(os.environ["OMP_WAIT_POLICY"])
    """
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | before
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == after


def test_resuming_with_another_setting_names_it(root: Path, run: Path) -> None:
    run.mkdir()
    (run / recipe.FILE).write_text(recipe.dump(recipe.parse([f"--run={run}"])))
    status, _, errors = finish(start(root, "--run", str(run), "--resume", "--optimizer.learning-rate", "0.5"))
    assert status == 2
    assert "optimizer.learning_rate: began with" in errors
