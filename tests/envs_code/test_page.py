"""What ``docs/code.md`` shows is run as it stands."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "code.md").read_text()
EXAMPLES = re.findall(
    r"^## (\S+)\n(?:(?!^## ).*\n)*?```python\n((?:.*\n)*?)```\n\n```text\n((?:.*\n)*?)```", PAGE, re.MULTILINE
)
"""The section, the program and what it prints."""


@pytest.mark.parametrize(("program", "printed"), [example[1:] for example in EXAMPLES], ids=[e[0] for e in EXAMPLES])
def test_the_page_shows_what_is_printed(program: str, printed: str) -> None:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(program, "docs/code.md", "exec"), {})
    assert output.getvalue() == printed


def test_every_program_of_the_page_is_an_example() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") > 0
