"""The checker itself: an environment that keeps every promise passes, and each broken one fails what it breaks."""

from __future__ import annotations

import mutants
import pytest

from palestra.envs.check import CHECKS, Verdict, check

IN_OTHER_PROCESSES = {
    "other_process",
    "other_hash_seed",
    "other_clock",
    "other_pace",
    "terminal_observation_async",
}
"""The slow ones: without ``-m slow`` they run only on the environments that must fail them."""


def failures(name: str, only: set[str]) -> set[str]:
    return {outcome.name for outcome in check(f"mutants:{name}-v0", only=only).failures}


def test_a_sound_environment_passes_every_check() -> None:
    report = check("mutants:Boxes-v0")
    assert [outcome.name for outcome in report.outcomes] == list(CHECKS)
    assert {outcome.verdict for outcome in report.outcomes} == {Verdict.PASSED}, str(report)


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_a_broken_environment_fails_what_it_breaks_and_nothing_else(name: str) -> None:
    broken = mutants.MUTANTS[name]
    assert failures(name, CHECKS.keys() - IN_OTHER_PROCESSES | broken) == broken


@pytest.mark.slow
@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_a_broken_environment_fails_nothing_else_in_other_processes(name: str) -> None:
    assert failures(name, set(CHECKS)) == mutants.MUTANTS[name]


def test_every_check_has_a_mutant() -> None:
    assert len(mutants.MUTANTS) >= 20
    assert set().union(*mutants.MUTANTS.values()) == set(CHECKS)
