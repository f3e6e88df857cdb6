"""The checks of environments for several agents: a sound one passes, and each broken one fails what it breaks."""

from __future__ import annotations

import pytest
import table_mutants

import palestra
from palestra.envs.check import CHECKS, MULTI_CHECKS, Verdict
from palestra.envs.multi.registry import GAMES

IN_OTHER_PROCESSES = {"other_process", "other_hash_seed", "other_clock", "other_pace"}
ALL = {name.removeprefix("multi_") for name in MULTI_CHECKS}


def failures(name: str, only: set[str]) -> set[str]:
    report = palestra.check(f"table_mutants:{name}-v0", only={f"multi_{check}" for check in only})
    return {outcome.name.removeprefix("multi_") for outcome in report.failures}


def test_a_sound_environment_passes_every_check() -> None:
    report = palestra.check("table_mutants:Count-v0")
    assert [outcome.name for outcome in report.outcomes] == list(MULTI_CHECKS)
    assert {outcome.verdict for outcome in report.outcomes} == {Verdict.PASSED}, str(report)


SLOW_MUTANTS = {"HashOrder", "Today", "RewardsHaste"}
"""Those that only other processes show: one of the kind, ``ProcessNumber``, is enough without ``-m slow``."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW_MUTANTS else ()) for name in table_mutants.MUTANTS],
)
def test_a_broken_environment_fails_what_it_breaks_and_nothing_else(name: str) -> None:
    broken = table_mutants.MUTANTS[name]
    assert failures(name, ALL - IN_OTHER_PROCESSES | broken) == broken


def test_every_check_has_a_mutant() -> None:
    assert set().union(*table_mutants.MUTANTS.values()) == ALL


def test_both_forms_of_a_game_are_checked() -> None:
    names = ["close_twice", "multi_close_twice"]
    report = palestra.check("Nim-v0", kwargs={"heaps": [1, 2], "opponent": "optimal"}, only=names)
    assert [outcome.name for outcome in report.outcomes] == names
    assert report.passed


SLOW_ONES = {"terminal_observation_async", *IN_OTHER_PROCESSES, *(f"multi_{name}" for name in IN_OTHER_PROCESSES)}


@pytest.mark.parametrize("name", ["KuhnPoker", "PileNegotiation", "Werewolf"])
def test_games_pass_every_check_in_this_process(name: str) -> None:
    report = palestra.check(f"{name}-v0", only=(CHECKS.keys() | MULTI_CHECKS.keys()) - SLOW_ONES)
    assert report.passed, "\n".join(map(str, report.failures))


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_all_games_pass_every_check(name: str) -> None:
    report = palestra.check(f"{name}-v0")
    assert report.passed, "\n".join(map(str, report.failures))
