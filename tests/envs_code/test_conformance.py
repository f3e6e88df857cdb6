"""The environments of this folder keep what ``palestra check`` asks for."""

from __future__ import annotations

from typing import Any

import pytest

from palestra.envs.check import check
from palestra.envs.check.subject import Settings

QUICK = (
    "can_be_played",
    "gymnasium_check_env",
    "info_is_json",
    "same_seed_same_episode",
    "restore_repeats_the_future",
    "oracle_solves",
    "bad_options_are_refused",
)


@pytest.mark.parametrize("env_id", ["CodeRepair-v0", "Math-v0", "ToolUse-v0", "ReasoningGym/chain_sum-v0"])
def test_it_keeps_the_first_promises(env_id: str) -> None:
    report = check(env_id, only=QUICK, settings=Settings(episodes=2, steps=4, oracle_tasks=2))
    assert not [outcome for outcome in report.outcomes if outcome.verdict != "passed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("CodeRepair-v0", {}),
        ("CodeRepair-v0", {"levels": [3]}),
        ("Math-v0", {}),
        ("MathPython-v0", {}),
        ("ToolUse-v0", {}),
        ("ReasoningGym/chain_sum-v0", {}),
    ],
)
def test_it_keeps_every_promise(env_id: str, kwargs: dict[str, Any]) -> None:
    report = check(env_id, kwargs=kwargs)
    assert not [outcome for outcome in report.outcomes if outcome.verdict == "failed"]
