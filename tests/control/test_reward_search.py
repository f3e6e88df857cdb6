"""Writing, checking, training and reporting in a loop finds the reward program that teaches the task."""

from __future__ import annotations

from pathlib import Path

import pytest

from palestra.training.control import reward_search
from palestra.training.control.config import Evaluation, PPOConfig

from . import envs

BROKEN = "def reward(position):\n    return 1 / (position[0] - position[0])"
ASIDE = "def reward(position):\n    return position[0] + position[1]"
NEAR = (
    "import math\n\ndef reward(position, success):\n    far = math.sqrt(position[0] ** 2 + position[1] ** 2)\n"
    "    return success - far, {'far': far, 'success': success}"
)
requests: list[str] = []


def propose(request: str) -> str:
    """A proposer that begins badly, and knows better once it is told what became of that."""
    requests.append(request)
    bad = [BROKEN, ASIDE][len(requests) % 2]
    return f"```python\n{NEAR if 'Its score at the task' in request else bad}\n```"


def test_the_loop_finds_the_program_that_teaches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requests.clear()
    flags = f"--env={envs.__name__}:ControlPoint-v0 --algorithm=ppo --steps=8192 --num-envs=16 --horizon=32"
    flags += f" --minibatches=4 --epochs=8 --gamma=0.9 --learning-rate=3e-3 --hidden=32 --run={tmp_path / 'run'}"
    flags += f" --evaluation.episodes=10 --proposer={__name__}:propose --generations=2 --samples=2"
    assert reward_search.main(flags.split()) == 0
    said = capsys.readouterr().out
    assert "0_1.py: not trained on: error: line 2" in said
    assert "ZeroDivisionError" in said
    assert "position: list[float]  # x and y of the point" in requests[0]
    assert "Means per turn in the course of the training" in requests[2]
    best = said.splitlines()[-1]
    assert best.startswith(f"best: {tmp_path / 'run' / '1_'}")
    bad, good = (float(said.partition(f"\n{name}: fitness ")[2].split()[0]) for name in ("0_0.py", "1_0.py"))
    assert bad <= 0.3
    assert good >= 0.9


def test_what_cannot_be_searched_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = [f"--proposer={__name__}:propose", f"--run={tmp_path}"]
    for flags, complaint in [
        ([f"--env={envs.__name__}:ControlChain-v0", "--algorithm=ppo"], "no `meanings`"),
        (["--env=WebShop-v0"], "--algorithm ppo or sac"),
        ([f"--env={envs.__name__}:ControlPoint-v0", "--algorithm=ppo", "--minibatches=100000"], "minibatches"),
    ]:
        assert reward_search.main([*known, *flags]) == 2
        assert complaint in capsys.readouterr().err


def test_the_state_of_a_robot_is_known_by_name() -> None:
    schema = reward_search.schema_of(PPOConfig("Push-v0", evaluation=Evaluation(episodes=1)))
    lengths = {field.name: field.length for field in schema.fields}
    assert lengths == {"hand": 3, "opening": 0, "objects": 6, "places": 6, "success": 0}
    assert "Push the" in schema.task
