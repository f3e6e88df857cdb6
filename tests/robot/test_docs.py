"""What docs/robots.md shows runs, and what it says of the environments is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from palestra.envs.robot.families import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "robots.md").read_text(encoding="utf-8")


def test_the_first_examples_run() -> None:
    environments = PAGE.partition("\n## Learning")[0]
    blocks = re.findall(r"```python\n(.*?)```", environments, flags=re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
        assert names.get("info", {}).get("valid_action", True)
    assert names["env"].unwrapped.codec.bins == 256


def test_the_table_is_complete() -> None:
    rows = dict(re.findall(r"^\| `(\S+-v0)` \|.*\| (\d)[^|]*\|$", PAGE, flags=re.MULTILINE))
    assert {env_id: int(stages) for env_id, stages in rows.items()} == {
        env_id: len(family.stages) for env_id, family in FAMILIES.items()
    }
