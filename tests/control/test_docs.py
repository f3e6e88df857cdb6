"""What docs/robots.md says of learning is what train.py takes."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from palestra.training import recipe
from palestra.training.control.config import ControlConfig, check
from palestra.training.control.reward_search import schema_of
from palestra.training.control.vector import make_vector

PAGE = (Path(__file__).parents[2] / "docs" / "robots.md").read_text(encoding="utf-8")
JOINED = PAGE.replace("\\\n", " ").splitlines()
LINES = [line.partition("#")[0] for line in JOINED if line.startswith("python train.py") and "--help" not in line]
SEARCHES = [line for line in JOINED if "reward_search" in line and line.startswith("python -m")]


def test_the_page_has_commands() -> None:
    assert len(LINES) == 9


def test_the_search_for_a_reward_can_be_followed() -> None:
    (line,) = SEARCHES
    config = recipe.parse(shlex.split(line)[5:])
    assert isinstance(config, ControlConfig)
    assert check(config) is None
    assert schema_of(config).names[-1] == "success"


@pytest.mark.parametrize("line", LINES)
def test_a_command_can_be_followed(line: str, tmp_path: Path) -> None:
    config = recipe.parse([*shlex.split(line)[2:], f"--run={tmp_path}"])
    assert isinstance(config, ControlConfig)
    assert check(config) is None
    make_vector(config).close()
