"""The door: what ``python train.py`` answers, and what it does when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from palestra.training import checkpoint, metrics, recipe

SMALLEST = [
    "--small.hidden=16",
    "--small.layers=1",
    "--small.heads=2",
    "--small.kv-heads=1",
    "--small.vocabulary=300",
    "--warm-start.demonstrations=0",
    "--rollout.groups=2",
    "--rollout.group-size=2",
    "--rollout.max-turns=2",
    "--rollout.max-tokens=4",
    "--evaluation.tasks=2",
    "--evaluation.no-baselines",
    "--evaluation.every=1000",
    "--checkpoint-every=1",
    "--device=cpu",
]
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


def wait_for_steps(process: subprocess.Popen[str], run: Path, steps: int) -> None:
    """Until so many steps are recorded."""
    until = time.monotonic() + DEADLINE
    while not any(row["step"] >= steps for row in metrics.read(run)):
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            pytest.fail(f"it ended or hung before step {steps}: {process.communicate()[1]}")
        time.sleep(0.05)


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


def test_an_interrupted_run_is_saved_and_says_how_to_go_on(root: Path, run: Path) -> None:
    process = start(root, *SMALLEST, "--run", str(run), "--steps", "100000")
    wait_for_steps(process, run, 2)
    process.send_signal(signal.SIGINT)
    status, _, errors = finish(process)
    assert status == 130, errors
    assert f"python train.py --run {run} --resume" in errors
    assert "Traceback" not in errors
    saved = checkpoint.latest(run)
    assert saved is not None
    step = checkpoint.load(saved)[1]["step"]
    assert step >= 2
    assert (run / "report.md").is_file()

    status, _, errors = finish(start(root, "--run", str(run), "--resume", "--steps", str(step + 2)))
    assert status == 0, errors
    steps = [row["step"] for row in metrics.read(run) if "train/reward" in row]
    assert steps == list(range(1, step + 3))
    assert recipe.load(run / recipe.FILE).steps == step + 2


def test_resuming_with_another_setting_names_it(root: Path, run: Path) -> None:
    run.mkdir()
    (run / recipe.FILE).write_text(recipe.dump(recipe.parse([])))
    status, _, errors = finish(start(root, "--run", str(run), "--resume", "--optimizer.learning-rate", "0.5"))
    assert status == 2
    assert "optimizer.learning_rate: began with" in errors
