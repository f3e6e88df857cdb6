"""Every block of docs/rewards.md runs and prints what it says; every built-in name has its line."""

from __future__ import annotations

import doctest
import re
import tomllib
from pathlib import Path

import pytest

from palestra.rewards import builtin, combine, parse_reward, schedule

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rewards.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_python_blocks_print_what_they_say() -> None:
    source = "\n".join(text for language, text in BLOCKS if language == "python")
    test = doctest.DocTestParser().get_doctest(source, {"__name__": "__main__"}, "rewards.md", str(PAGE), 0)
    report: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert result.attempted > 20
    assert result.failed == 0, "".join(report)


def test_the_recipes_are_read() -> None:
    recipes = [tomllib.loads(text) for language, text in BLOCKS if language == "toml"]
    assert recipes
    for recipe in recipes:
        assert str(parse_reward(recipe["reward"])) == recipe["reward"]


def test_there_are_no_other_blocks() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "toml"}


@pytest.mark.parametrize("name", [*builtin.__all__, *combine.__all__, *schedule.__all__])
def test_every_name_is_explained(name: str) -> None:
    table = "\n".join(line for line in PAGE.read_text().splitlines() if line.startswith("| `"))
    assert re.search(rf"`{name}\b", table) or re.search(rf"\b{name}\(", table)
