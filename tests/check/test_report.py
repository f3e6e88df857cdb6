"""What the checker says, and its command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gymnasium
import mutants
import numpy as np
import pytest

import palestra
from palestra.cli import main
from palestra.envs.check import Settings, Verdict, find_spec
from palestra.envs.check.compare import difference
from palestra.envs.check.report import Outcome


def test_a_failure_says_where_and_what_to_fix() -> None:
    message = palestra.check("mutants:OneTooMany-v0", only=["bad_options_are_refused"])[
        "bad_options_are_refused"
    ].message
    assert "{'task': 20, 'split': 'train'}" in message
    assert "ValueError" in message


def test_what_is_not_declared_is_skipped_with_the_reason() -> None:
    report = palestra.check("FrozenLake-v1", only=["oracle_solves", "hostile_actions_are_answered", "close_twice"])
    assert report["oracle_solves"] == Outcome("oracle_solves", Verdict.SKIPPED, "no oracle is declared")
    assert report["hostile_actions_are_answered"].verdict is Verdict.SKIPPED
    assert report["close_twice"].verdict is Verdict.PASSED
    assert report.passed


def test_arguments_reach_the_environment() -> None:
    slippery, firm = (
        palestra.check("FrozenLake-v1", kwargs={"is_slippery": slippery}, only=["seeds_matter"])["seeds_matter"]
        for slippery in (True, False)
    )
    assert slippery == Outcome("seeds_matter", Verdict.PASSED, "")
    assert firm == Outcome("seeds_matter", Verdict.PASSED, "12 seeds gave the same episode, though it draws")


def test_an_environment_that_cannot_be_made_fails_once() -> None:
    report = palestra.check("FrozenLake-v1", kwargs={"is_slipery": False})
    assert [outcome.name for outcome in report.failures] == ["can_be_played"]
    assert "unexpected keyword argument 'is_slipery'" in report["can_be_played"].message
    assert "FrozenLake-v1: 0 passed, 1 failed" in str(report)


def test_the_score_to_reach_is_the_registered_threshold() -> None:
    gymnasium.register("TooHigh-v0", entry_point=mutants.Boxes, max_episode_steps=50, reward_threshold=2.0)
    assert "below 2" in palestra.check("TooHigh-v0", only=["oracle_solves"])["oracle_solves"].message
    settings = Settings(min_oracle_score=1.0)
    assert palestra.check("TooHigh-v0", only=["oracle_solves"], settings=settings).passed


def test_mistakes_that_cannot_be_made_good_may_be_allowed() -> None:
    blind = "mutants:BlindOracle-v0"
    assert not palestra.check(blind, only=["oracle_recovers"]).passed
    assert palestra.check(blind, only=["oracle_recovers"], settings=Settings(min_recovery_score=0.0)).passed


def test_what_an_environment_prints_does_not_disturb_the_comparison(capfd: pytest.CaptureFixture[str]) -> None:
    report = palestra.check("mutants:Chatty-v0", only=["other_process"])
    assert report["other_process"].verdict is Verdict.PASSED, str(report)
    assert "another" in capfd.readouterr().out


def test_an_oracle_that_scores_nan_has_not_solved_anything() -> None:
    report = palestra.check("mutants:NotANumber-v0", only=["oracle_solves"])
    assert "nan" in report["oracle_solves"].message


def test_rows_hold_what_no_terminal_can_print() -> None:
    row = str(Outcome("name", Verdict.FAILED, "a \ud800\nline " * 30))
    assert row.encode("utf-8").count(b"\\ud800") == 30
    assert max(map(len, row.splitlines())) <= 120


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"a": [1, 2]}, {"a": [1, 3]}, "['a'][1]: 2 is not 3"),
        ((1.0, float("nan")), (1.0, float("nan")), None),
        (np.int64(3), 3, None),
        (np.zeros(2), np.zeros(3), "value: array([0., 0.]) is not array([0., 0., 0.])"),
        ("1", 1, "value: '1' is not 1"),
        ({"a": 1}, {"b": 1}, "value: keys [\"'a'\"] are not [\"'b'\"]"),
        ([1], [1, 2], "value: length 1 is not 2"),
        (None, 0, "value: None is not 0"),
    ],
)
def test_differences_are_named(left: object, right: object, expected: str | None) -> None:
    assert difference(left, right) == expected


def test_unknown_names_are_answered_by_the_nearest() -> None:
    with pytest.raises(ValueError, match="'oracle_solves'"):
        palestra.check("mutants:Boxes-v0", only=["oracle_solve"])
    with pytest.raises(ValueError, match="'WebShop-v0'"):
        find_spec("Webshop-v1")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        find_spec("no_such_module:Boxes-v0")
    with pytest.raises(ValueError, match="episodes must be at least 1"):
        Settings(episodes=0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["chek", "Boxes-v0"], "did you mean check?"),
        (["check", "Boxes-v0", "--word"], "did you mean --words?"),
        (["check", "mutants:Boxs-v0"], "'Boxes-v0'"),
        (["check", "mutants:Boxes-v0", "--only", "close_twce"], "'close_twice'"),
        (["check", "mutants:Boxes-v0", "--set", "size"], "NAME=VALUE"),
    ],
)
def test_the_command_line_names_the_nearest(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert expected in capsys.readouterr().err


def test_the_command_line_sets_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    firm = ["check", "FrozenLake-v1", "--only", "seeds_matter", "--set", "is_slippery=false", "--set", "map_name=8x8"]
    assert main(firm) == 0
    assert "gave the same episode" in capsys.readouterr().out


def test_the_command_line_exits_1_on_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "mutants:Boxes-v0", "--only", "close_twice", "--only", "guide_is_text"]) == 0
    assert "mutants:Boxes-v0: 2 passed, 0 failed, 0 skipped" in capsys.readouterr().out
    assert main(["check", "mutants:ClosesOnce-v0", "--only", "close_twice"]) == 1
    assert "RuntimeError: closed" in capsys.readouterr().out


def test_the_module_runs_as_a_command_and_imports_from_the_working_directory(tmp_path: Path) -> None:
    source = Path(mutants.__file__).read_text()
    (tmp_path / "my_module.py").write_text(source)
    command = [sys.executable, "-m", "palestra", "check", "my_module:Boxes-v0", "--only", "other_process"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my_module:Boxes-v0: 1 passed" in done.stdout
