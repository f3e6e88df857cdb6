"""Every block of docs/code.md runs and prints what it says."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "code.md"


def test_the_blocks_print_what_they_say() -> None:
    test = doctest.DocTestParser().get_doctest(PAGE.read_text(), {}, "code.md", str(PAGE), 0)
    report: list[str] = []
    result = doctest.DocTestRunner().run(test, out=report.append)
    assert result.attempted > 15
    assert result.failed == 0, "".join(report)
