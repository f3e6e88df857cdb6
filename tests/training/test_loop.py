"""The whole loop on a tiny model and a tiny shop of paint: it learns, it survives, and it goes on where it was."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from palestra.agents.small import save_small_model
from palestra.train import main
from palestra.training import checkpoint, metrics, recipe
from palestra.trajectory import Status, Trajectory
from palestra.trajectory_io import read_trajectories

HERE = Path(__file__).resolve().parent
DEADLINE = 300
TINY = [
    "--env=colours:Colours-v0",
    "--device=cpu",
    "--reward=success",
    "--small.hidden=32",
    "--small.layers=2",
    "--small.heads=2",
    "--small.kv-heads=1",
    "--small.vocabulary=300",
    "--warm-start.demonstrations=48",
    "--warm-start.epochs=8",
    "--warm-start.excerpt-epochs=1",
    "--warm-start.batch-tokens=300",
    "--rollout.groups=6",
    "--rollout.max-turns=3",
    "--rollout.max-tokens=4",
    "--optimizer.learning-rate=5e-3",
    "--evaluation.tasks=12",
    "--evaluation.every=5",
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for a run, in a working directory of its own; the shop can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))
    return tmp_path / "run"


def rows(run: Path) -> list[dict[str, Any]]:
    return metrics.read(run)


def evaluations(run: Path) -> list[tuple[str, int]]:
    return [(row["agent"], row["step"]) for row in metrics.read_lines(run / "evaluations.jsonl")]


def weights(folder: Path | None) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    assert folder is not None
    return load_file(folder / "model.safetensors")


def same(one: Any, other: Any) -> bool:
    """Whether two nests of tensors and plain values are equal, bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def episodes(run: Path) -> list[Trajectory]:
    return [episode for path in sorted((run / "trajectories").iterdir()) for episode in read_trajectories(path)]


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """``python train.py`` in a process of its own."""
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(HERE)]))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}
    command = [sys.executable, str(root / "train.py"), *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and what it says on standard error."""
    _, errors = process.communicate(timeout=DEADLINE)
    return process.returncode, errors


def wait_until(process: subprocess.Popen[str], true: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not true():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            pytest.fail(f"it ended or hung: {process.communicate()}")
        time.sleep(0.01)


def reached(run: Path, step: int) -> Callable[[], bool]:
    return lambda: any(row["step"] >= step for row in rows(run))


def test_it_learns_and_writes_down_what_happened(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, f"--run={run}", "--steps=40", "--checkpoint-every=15"]) == 0
    written = {path.name for path in run.iterdir()}
    assert written == {
        "recipe.toml",
        "metrics.jsonl",
        "evaluations.jsonl",
        "evaluation_episodes.jsonl",
        "trajectories",
        "checkpoints",
        "small-model",
        "tensorboard",
        "report.md",
        "learning_curves.png",
    }
    success = [row["train/success"] for row in rows(run)]
    assert len(success) == 40
    assert np.mean(success[-5:]) > np.mean(success[:5]) + 0.3
    assert all(row["train/gap_max"] < 1e-4 for row in rows(run) if row.get("train/gap_max") is not None)
    assert sum(row.get("train/grad_norm", 0) > 0 for row in rows(run)) > 20
    steps = [0, 5, 10, 15, 20, 25, 30, 35, 40]
    assert evaluations(run) == [("random", 0), ("oracle", 0), *[("policy", step) for step in steps]]
    first = next(metrics.read_lines(run / "evaluations.jsonl")[i] for i in range(1, 2))
    assert (first["agent"], first["success"], first["tasks"]) == ("oracle", 1.0, 12)
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["step-000030", "step-000040"]

    played = episodes(run)
    assert len(played) == 40 * 6 * 8
    assert {episode.split for episode in played} == {"train"}
    assert {len(episode.turns) for episode in played} <= {2, 3}
    by_hand = [episode.rewards["success"].sum() == episode.turns[-1].info["success"] for episode in played]
    assert all(by_hand)
    assert {
        turn.version
        for episode in list(read_trajectories(run / "trajectories" / "step-000007.jsonl"))
        for turn in episode.turns
    } == {6}

    report = (run / "report.md").read_text()
    assert "| warm start |" in report
    assert "| trained, step 40 |" in report
    assert "tokens played; largest gap between" in report
    printed = capsys.readouterr().out
    assert "warm start: 48 demonstrations, 45 steps" in printed
    assert "step 40  reward" in printed


def test_a_trained_checkpoint_is_a_model(run: Path, tmp_path: Path) -> None:
    assert main([*TINY, f"--run={run}", "--steps=1"]) == 0
    saved = str(checkpoint.latest(run))
    again = [argument for argument in TINY if not argument.startswith(("--small", "--warm-start"))]
    assert main([*again, "--model", saved, f"--run={tmp_path / 'again'}", "--steps=1", "--system=none"]) == 0
    rates = [metrics.read_lines(folder / "evaluations.jsonl")[2]["success"] for folder in (run, tmp_path / "again")]
    assert rates[1] == pytest.approx(rates[0], abs=0.35)
    assert not (tmp_path / "again" / "small-model").exists()


def test_a_killed_run_goes_on_to_the_very_same_weights(run: Path, tmp_path: Path, root: Path) -> None:
    reward = "--reward=success + 0.1*intrinsic(VisitCounts()) + 0.1*intrinsic(RandomNetwork(HashedWords(16)))"
    settings = [*TINY, reward, "--steps=14", "--checkpoint-every=3", "--objective.kl=0.05", "--self-imitation.every=4"]
    status, errors = finish(start(root, *settings, f"--run={tmp_path / 'whole'}"))
    assert (status, errors) == (0, "")

    arguments = settings
    for step in (2, 8):
        process = start(root, *arguments, f"--run={run}")
        wait_until(process, reached(run, step))
        delay = random.uniform(0, 0.2)
        print(f"killed {delay:.3f} s after step {step}")
        time.sleep(delay)
        process.kill()
        process.communicate()
        arguments = ["--resume"]
    status, errors = finish(start(root, "--resume", f"--run={run}"))
    assert (status, errors) == (0, "")

    whole = tmp_path / "whole"
    last, before = checkpoint.latest(run), run / "checkpoints" / "step-000012"
    assert same(weights(last), weights(checkpoint.latest(whole)))
    assert same(checkpoint.load(last), checkpoint.load(checkpoint.latest(whole)))
    assert not same(weights(last), weights(before))
    assert [row["step"] for row in rows(run)] == list(range(1, 15))
    timeless = [
        [{key: value for key, value in row.items() if "time/" not in key and key != "seconds"} for row in rows(folder)]
        for folder in (run, whole)
    ]
    assert timeless[0] == timeless[1]
    assert evaluations(run) == evaluations(whole)
    assert len(set(evaluations(run))) == len(evaluations(run))
    assert max(row.get("train/kl", 0) for row in rows(run)) > 0
    assert [row["step"] for row in rows(run) if row.get("train/imitated")] == [4, 8, 12]
    assert same(weights(run / "reference"), weights(whole / "reference"))


@pytest.mark.parametrize(("over", "steps"), [("recent", (3, 4)), ("all", (1, 2, 3, 4))])
def test_self_imitation_takes_the_episodes_since_the_last_time_or_all(
    run: Path, over: str, steps: tuple[int, ...]
) -> None:
    assert main([*TINY, f"--run={run}", "--steps=4", "--self-imitation.every=2", f"--self-imitation.over={over}"]) == 0
    files = [run / "trajectories" / f"step-{step:06d}.jsonl" for step in steps]
    solved = [turn.info["success"] for file in files for each in read_trajectories(file) for turn in each.turns[-1:]]
    assert rows(run)[-1]["train/imitated"] == sum(solved) > 0


def test_it_resumes_from_before_the_first_step(run: Path, root: Path) -> None:
    """The baselines and the first evaluation are kept, and not made again."""
    assert main([*TINY, f"--run={run}", "--steps=0"]) == 0
    assert evaluations(run) == [("random", 0), ("oracle", 0), ("policy", 0)]
    assert main(["--resume", f"--run={run}", "--steps=2"]) == 0
    assert evaluations(run) == [("random", 0), ("oracle", 0), ("policy", 0), ("policy", 2)]


def gated(root: Path, run: Path) -> tuple[subprocess.Popen[str], Path]:
    """A run that has taken some steps, and is stuck in one until the file is gone; it was interrupted once."""
    gate = run.parent / "gate"
    options = [f"--env-options=gate={gate}", "--checkpoint-every=100000", "--evaluation.every=100000"]
    process = start(root, *TINY, f"--run={run}", "--steps=100000", *options)
    wait_until(process, reached(run, 2))
    gate.touch()
    wait_until(process, Path(f"{gate}.waiting").exists)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    until_said(process.stdout, "Stopping after this step")
    return process, gate


def until_said(lines: Any, text: str) -> None:
    said = []
    for line in lines:
        said.append(line)
        if text in line:
            return
    pytest.fail(f"it never said {text!r}: {said}")


def test_an_interrupted_run_finishes_its_step_and_saves(run: Path, root: Path) -> None:
    process, gate = gated(root, run)
    gate.unlink()
    status, errors = finish(process)
    assert status == 130, errors
    assert f"Go on with: python train.py --run {run} --resume" in errors
    assert "Traceback" not in errors
    step = rows(run)[-1]["step"]
    saved = checkpoint.latest(run)
    assert saved == run / "checkpoints" / f"step-{step:06d}"
    assert (run / "report.md").is_file()
    assert main(["--resume", f"--run={run}", f"--steps={step + 1}"]) == 0
    assert [row["step"] for row in rows(run)] == list(range(1, step + 2))
    assert not same(weights(saved), weights(checkpoint.latest(run)))


def test_a_second_interrupt_stops_at_once(run: Path, root: Path) -> None:
    process, gate = gated(root, run)
    process.send_signal(signal.SIGINT)
    status, errors = finish(process)
    assert gate.exists(), "it did not wait for the step"
    assert status == 130, errors
    assert "Traceback" not in errors
    assert checkpoint.latest(run) == run / "checkpoints" / "step-000000"


@pytest.mark.parametrize(("trouble", "expected"), [("raise", Status.FAULT), ("hang", Status.TIMEOUT)])
def test_an_environment_in_trouble_costs_its_own_episodes(trouble: str, expected: Status, run: Path) -> None:
    model = run.parent / "model"
    save_small_model(model, ["first red second green blue black white pink"], vocab_size=300, hidden=32, layers=1)
    options = [f"--env-options=trouble={trouble}", "--rollout.timeout=0.5", f"--model={model}"]
    smaller = ["--warm-start.demonstrations=12", "--steps=2", "--rollout.groups=4", "--evaluation.tasks=4"]
    assert main([*TINY, f"--run={run}", *options, *smaller]) == 0
    played = episodes(run)
    assert {episode.status for episode in played} == {expected, Status.TERMINATED}
    failed = [episode for episode in played if episode.status is expected]
    assert all(not episode.rewards for episode in failed)
    assert sum(row["train/faults"] for row in rows(run)) == len(failed)
    results = {row["agent"]: row for row in metrics.read_lines(run / "evaluations.jsonl")}
    assert results["oracle"]["faults"] == results["random"]["faults"] == results["policy"]["faults"] > 0
    assert results["oracle"]["success"] == 1.0


def test_an_environment_that_always_fails_ends_the_run_in_a_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--env-options=trouble=always", "--warm-start.demonstrations=0", "--evaluation.no-baselines"]
    assert main([*TINY, f"--run={run}", *options]) == 1
    assert "all 12 episodes failed; the first: RuntimeError: the lid is stuck" in capsys.readouterr().err


@pytest.mark.parametrize("env", ["FrozenLake-v1", "Taxi-v4", "Blackjack-v1"])
def test_any_environment_with_discrete_actions_will_do(env: str, run: Path) -> None:
    sizes = [argument for argument in TINY if argument.startswith(("--small", "--rollout", "--device"))]
    assert main([f"--env={env}", *sizes, "--steps=2", "--evaluation.tasks=4", "--rollout.max-turns=5"]) == 0
    name = env.partition("-")[0].lower()
    folder = Path("runs") / f"{name}-0"
    assert [row["step"] for row in rows(folder)] == [1, 2]
    assert recipe.load(folder / recipe.FILE).reward == "env"
    assert [agent for agent, _ in evaluations(folder)] == ["random", "policy", "policy"]
    assert all(len(episode.turns) for episode in episodes(folder))


def answer(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main([*TINY, *arguments])
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--env=Colour-v0"], "there is no environment 'Colour-v0'"),
        (["--env=no_such_module:X-v0"], "No module named 'no_such_module'"),
        (["--env-options=troubel=raise"], "unexpected keyword argument 'troubel'"),
        (["--model=no/such/folder"], "--model no/such/folder: no model at"),
        (["--small.heads=3"], "--small: hidden 32"),
        (["--reward=sucess"], "did you mean 'success'?"),
        (["--advantage=gae"], "advantage must be one of"),
        (["--advantage-options=gamma=0.9"], "advantage_options: the advantage grpo has no option gamma; it has none"),
        (["--objective.loss=hinge"], "objective.loss must be one of"),
        (["--env=FrozenLake-v1"], "has no oracle() to learn from"),
    ],
)
def test_what_cannot_be_followed_is_said_in_a_line(
    arguments: list[str], complaint: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, errors = answer(arguments, capsys)
    assert status == 2
    assert errors.startswith("train.py: ")
    assert complaint in errors
    assert [path.name for path in Path("runs").glob("*/recipe.toml")] in ([], ["recipe.toml"])


def test_nothing_is_left_of_a_run_that_could_not_begin(run: Path) -> None:
    assert main([*TINY, "--env=Colour-v0"]) == 2
    assert list(Path("runs").iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, errors = answer(["--device=cuda"], capsys)
    assert status == 2
    assert "torch finds no GPU here" in errors


def test_a_reward_that_does_not_fit_ends_the_run_in_a_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, errors = answer(["--env-options=trouble=silent"], capsys)
    assert status == 1
    assert errors.startswith("train.py: success: colours:Colours-v0 ended without info")


def test_a_folder_that_holds_a_run_is_not_taken_for_another(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, f"--run={run}", "--steps=1"]) == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    status, errors = answer([f"--run={run}"], capsys)
    assert status == 2
    assert f"{run} holds a run: go on with it by --resume, or choose another --run" in errors
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_repeated_command_gets_a_folder_of_its_own_and_resume_takes_the_last(run: Path) -> None:
    for _ in range(2):
        assert main([*TINY, "--steps=1"]) == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["colours-0", "colours-1"]
    assert main(["--resume", "--steps=2"]) == 0
    assert [len(rows(Path("runs") / name)) for name in ("colours-0", "colours-1")] == [1, 2]


def test_a_damaged_checkpoint_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, f"--run={run}", "--steps=1"]) == 0
    saved = checkpoint.latest(run)
    assert saved is not None
    (saved / "model.safetensors").write_bytes(b"")
    assert main(["--resume", f"--run={run}", "--steps=2"]) == 1
    assert "damaged checkpoint" in capsys.readouterr().err


def test_a_fault_of_the_program_keeps_its_traceback(run: Path) -> None:
    (run.parent / "broken_reward.py").write_text(
        "from palestra.rewards import episode_reward\n\n\n@episode_reward\ndef broken(t):\n    return t.nothing\n"
    )
    with pytest.raises(AttributeError, match="nothing"):
        main([*TINY, "--steps=1", "--reward=broken_reward:broken", f"--run={run}"])


def test_the_same_seed_gives_the_same_run(run: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "other")]
    for folder, seed in zip(folders, ("1", "1", "2"), strict=True):
        assert main([*TINY, f"--run={folder}", "--steps=2", f"--seed={seed}"]) == 0
    one, again, other = (weights(checkpoint.latest(folder)) for folder in folders)
    assert same(one, again)
    assert not same(one, other)
    files = [(folder / "trajectories" / "step-000002.jsonl").read_text() for folder in folders]
    assert files[0] == files[1]
    assert json.loads(files[0].splitlines()[0]) is not None
