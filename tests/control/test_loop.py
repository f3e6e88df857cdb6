"""Whole runs: what they write, what they learn, and that an interruption changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from palestra import train
from palestra.training import checkpoint, recipe
from palestra.training.control import loop
from palestra.training.control.config import (
    Cloning,
    ControlConfig,
    Demonstrations,
    Evaluation,
    LearnedReward,
    Offline,
    PPOConfig,
    SACConfig,
    Skills,
)
from palestra.training.metrics import Metrics, read

from . import envs

POINT = "ControlPoint-v0"
BRIEF = Evaluation(episodes=3, every=128, baselines=False)
SMALL_PPO = PPOConfig(
    POINT, steps=512, num_envs=4, horizon=16, minibatches=4, epochs=2, hidden=16, checkpoint_every=128, evaluation=BRIEF
)
SMALL_SAC = SACConfig(
    POINT,
    steps=256,
    num_envs=4,
    horizon=8,
    hidden=16,
    warm_up=32,
    batch_size=16,
    checkpoint_every=128,
    evaluation=BRIEF,
    normalise_observations=True,
    demonstrations=Demonstrations(2),
    offline=Offline(updates=2, share=0.25),
)


def kept(run: Path) -> dict[str, Any]:
    """What the last checkpoint holds, as numbers in a row."""
    saved = checkpoint.latest(run)
    assert saved is not None
    return checkpoint.load(saved)[0]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


class Lost(Exception):
    """The power is gone."""


BROKEN_OFF = {
    "ppo": SMALL_PPO,
    "sac": SMALL_SAC,
    "adversarial": replace(
        SMALL_PPO, demonstrations=Demonstrations(2), learned_reward=LearnedReward("adversarial", updates=2)
    ),
    "preferences": replace(SMALL_PPO, learned_reward=LearnedReward("preferences", labels=5, segment=4, updates=2)),
    "skills": replace(SMALL_PPO, skills=Skills(3, "0:1", updates=2)),
}


@pytest.mark.parametrize("config", BROKEN_OFF.values(), ids=BROKEN_OFF)
def test_a_run_that_breaks_off_goes_on_bit_by_bit(
    config: ControlConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = (replace(config, run=str(tmp_path / name)) for name in ("whole", "broken"))
    loop.train(whole)
    with monkeypatch.context() as patch:

        def log(self: Metrics, step: int, values: dict[str, float]) -> None:
            if step > 160:  # after the first checkpoint, before the next
                raise Lost
            logged(self, step, values)

        logged = Metrics.log
        patch.setattr(Metrics, "log", log)
        with pytest.raises(Lost):
            loop.train(broken)
    loop.train(replace(broken, resume=True))
    assert same(kept(tmp_path / "whole"), kept(tmp_path / "broken"))
    first, second = (
        [{key: value for key, value in row.items() if "time" not in key and key != "seconds"} for row in read(path)]
        for path in (tmp_path / "whole", tmp_path / "broken")
    )
    assert first == second
    evaluations = [(tmp_path / name / "evaluations.jsonl").read_text() for name in ("whole", "broken")]
    assert evaluations[0] == evaluations[1]


def test_a_run_writes_what_a_language_run_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--algorithm=ppo", f"--env={envs.__name__}:{POINT}", f"--run={tmp_path}", "--steps=128", "--num-envs=4"]
    flags += ["--horizon=16", "--minibatches=2", "--evaluation.episodes=3", "--evaluation.every=64"]
    assert train.main(flags) == 0
    assert recipe.load(tmp_path / recipe.FILE).steps == 128
    rows = read(tmp_path)
    assert [row["step"] for row in rows] == [64, 128]
    assert rows[-1].keys() >= {"train/return", "train/success", "train/entropy", "evaluation/return", "time/step"}
    assert list((tmp_path / "tensorboard").iterdir())
    assert (tmp_path / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    evaluations = list(map(json.loads, (tmp_path / "evaluations.jsonl").read_text().splitlines()))
    assert [(row["agent"], row["step"]) for row in evaluations] == [
        ("random", 0), ("oracle", 0), ("policy", 0), ("policy", 64), ("policy", 128),
    ]  # fmt: skip
    assert evaluations[1]["success"] == 1.0
    report = (tmp_path / "report.md").read_text()
    assert "| oracle |" in report
    assert "| trained, step 128 |" in report
    assert "- `num_envs`: 4" in report
    assert "step 128  return" in capsys.readouterr().out
    assert train.main([*flags, "--resume", "--gamma=0.5"]) == 2
    assert "gamma: began with 0.99, now 0.5" in capsys.readouterr().err
    assert train.main(flags) == 2
    assert "holds a run" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_or_interrupted_it_goes_on(number: int, tmp_path: Path, root: Path) -> None:
    """After a kill the run is, to the bit, the one that nothing stopped; Ctrl-C says how to go on."""
    flags = ["--algorithm=ppo", f"--env={envs.__name__}:{POINT}", "--steps=60000", "--checkpoint-every=6000"]
    flags += ["--num-envs=4", "--horizon=64", "--evaluation.episodes=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, str(root / "train.py"), *flags]
    subprocess.run([*command, f"--run={tmp_path / 'whole'}"], env=environment, check=True, cwd=root)
    broken = tmp_path / "broken"
    process = subprocess.Popen(
        [*command, f"--run={broken}"], env=environment, cwd=root, stderr=subprocess.PIPE, text=True
    )
    while len(read(broken)) < 40:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    if number == signal.SIGINT:
        assert f"Go on with: python train.py --run {broken} --resume" in errors
    subprocess.run([*command, f"--run={broken}", "--resume"], env=environment, check=True, cwd=root)
    assert read(broken)[-1]["step"] == read(tmp_path / "whole")[-1]["step"]
    if number == signal.SIGKILL:
        assert same(kept(broken), kept(tmp_path / "whole"))


def last_evaluation(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1]))


def best(run: Path) -> float:
    """The oracle's return on the evaluated episodes, which is the best there is along each axis."""
    rows = map(json.loads, (run / "evaluations.jsonl").read_text().splitlines())
    return next(float(row["score"]) for row in rows if row["agent"] == "oracle")


MEASURED = Evaluation(episodes=20, every=10**9)


def test_ppo_learns_to_the_optimum(tmp_path: Path) -> None:
    config = PPOConfig(
        POINT, steps=16_000, num_envs=16, horizon=32, minibatches=4, epochs=8, gamma=0.9, learning_rate=3e-3, hidden=32
    )
    loop.train(replace(config, evaluation=MEASURED, run=str(tmp_path)))
    assert last_evaluation(tmp_path)["score"] > best(tmp_path) - 0.5
    assert json.loads((tmp_path / "evaluations.jsonl").read_text().splitlines()[0])["score"] < best(tmp_path) - 10


def test_sac_learns_to_the_optimum(tmp_path: Path) -> None:
    config = SACConfig(
        POINT, steps=2_000, num_envs=8, horizon=50, gamma=0.9, learning_rate=3e-3, hidden=32, batch_size=64, warm_up=200
    )
    loop.train(replace(config, evaluation=MEASURED, run=str(tmp_path)))
    assert last_evaluation(tmp_path)["score"] > best(tmp_path) - 0.5


def test_cloning_alone_does_as_the_oracle_does(tmp_path: Path) -> None:
    config = PPOConfig(
        POINT, steps=0, demonstrations=Demonstrations(40, 0.3), cloning=Cloning(updates=800), evaluation=MEASURED
    )
    loop.train(replace(config, run=str(tmp_path)))
    assert last_evaluation(tmp_path)["score"] > best(tmp_path) - 0.2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adversarial", "preferences"])
def test_a_learned_reward_takes_the_place_of_the_tasks(kind: Any, tmp_path: Path) -> None:
    """From demonstrations, or from comparisons alone, to near the best return of a reward that is never paid."""
    config = PPOConfig(
        POINT,
        steps=48_000,
        num_envs=16,
        horizon=40,
        minibatches=4,
        epochs=8,
        gamma=0.9,
        learning_rate=2e-3,
        hidden=32,
        demonstrations=Demonstrations(20 if kind == "adversarial" else 0),
        learned_reward=LearnedReward(kind, labels=20, segment=5, learning_rate=1e-3),
    )
    loop.train(replace(config, evaluation=MEASURED, run=str(tmp_path)))
    assert last_evaluation(tmp_path)["score"] > best(tmp_path) - 1.0
