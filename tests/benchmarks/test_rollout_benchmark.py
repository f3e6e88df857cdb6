"""The rollout benchmark on Palestra's side, which must go on playing what TRL's side would play."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def benchmark(root: Path) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("rollout_benchmark", root / "benchmarks" / "rollout.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_every_reply_is_the_call(benchmark: ModuleType, tmp_path: Path) -> None:
    benchmark.make_model(tmp_path)
    (step,) = benchmark.compare(tmp_path, ["palestra"], turns=3, episodes=4, repeats=1)["palestra"]
    side = benchmark.Palestra(tmp_path, turns=3, group_size=4, groups=1)
    jobs = [benchmark.Job("Walk", 1, "train", member, (1, member)) for member in range(4)]
    episodes = side.rollout.collect(jobs, side.sampling)
    assert {turn.action for episode in episodes for turn in episode.turns} == {benchmark.CALL}
    assert step.turns == 3 * 4
    assert step.sampled == sum(len(turn.action_ids) for episode in episodes for turn in episode.turns)
    assert [len(context) for context in step.contexts] == [
        sum(len(turn.context_ids) + len(turn.action_ids) for turn in episode.turns) for episode in episodes
    ]
    assert 0 < step.prefilled < step.tokens - step.sampled  # the first page of a group is read once
    side.rollout.close()


def test_the_members_of_a_group_share_the_first_observation_only(benchmark: ModuleType) -> None:
    assert benchmark.describe(5, 0, 0) == benchmark.describe(5, 1, 0) != benchmark.describe(6, 0, 0)
    assert benchmark.describe(5, 0, 1) != benchmark.describe(5, 1, 1)


def test_both_environments_say_the_same(benchmark: ModuleType) -> None:
    ours, theirs = benchmark.Walk(turns=2), benchmark.ToolWalk(member=3)
    assert ours.reset(seed=3, options={"task": 7})[0] == theirs.reset(task=7)
    observation, *_ = ours.step(benchmark.CALL)
    assert observation == f"<tool_response>\n{theirs.act('walk')}\n</tool_response>"
    assert ours.step(benchmark.CALL)[1:3] == (theirs.get_reward(), True)


def test_the_report_names_turns_and_rates(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.make_model(tmp_path)
    benchmark.show(benchmark.compare(tmp_path, ["palestra"], turns=2, episodes=2, repeats=1))
    output = capsys.readouterr().out
    assert "palestra: 4 turns" in output
    assert re.search(r"rollout tokens per CPU second: [\d,]+ \(", output)


def test_settings_that_do_not_fit_are_refused(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(["--turns", "2", "3", "--episodes", "2"])
    assert "as many values" in capsys.readouterr().err
