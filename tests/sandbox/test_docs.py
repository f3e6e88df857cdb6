"""The page about sandboxes: its examples run, and its comments are what they give."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


def test_the_examples_give_what_they_say() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    try:
        # An expression with a comment that is a value is a claim.
        code = re.sub(r"^( *)(\S.*\S)  # (b?\".*\"|\d+)$", r"\1assert \2 == \3", "\n".join(blocks), flags=re.MULTILINE)
        assert code.count("assert ") == 4
        exec(code, names)
        result = names["result"]
        assert (str(result.status), result.exit_code, result.text) == ("success", 0, "olleh\n")  # type: ignore[attr-defined]
    finally:
        if "sandbox" in names:
            names["sandbox"].close()  # type: ignore[attr-defined]
