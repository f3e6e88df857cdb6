"""What ``docs/games.md`` shows is run as it stands."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from palestra.cli import main
from palestra.envs.multi.registry import GAMES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "games.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_blocks_run_and_print_what_is_shown(number: int) -> None:
    code, expected = BLOCKS[number]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/games.md", "exec"), {})
    assert printed.getvalue() == expected


def test_every_game_is_listed() -> None:
    listed = set(re.findall(r"`(\w+)-v0`", PAGE.split("## Rules")[0]))
    assert listed - {"WebShop"} == set(GAMES)


def test_the_commands_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for line in re.findall(r"^python -m palestra (.*)$", PAGE, re.MULTILINE):
        extra = ["--only", "multi_close_twice"] if line.startswith("check") else []
        assert main([*line.split(), *extra]) == (1 if line.startswith("play") else 0)
