"""What the pages on web tasks and curricula show is run as it stands."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["web-tasks.md", "curriculum.md"])
def test_the_examples_print_what_they_say(root: Path, name: str) -> None:
    page = (root / "docs" / name).read_text()
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks["python"], name, "exec"), {})
    assert printed.getvalue() == blocks["text"]
