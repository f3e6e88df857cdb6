"""The blocks of docs/web.md run and print what they say; the recipe names tasks that have solvers."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from pathlib import Path
from typing import Any

from palestra.envs.web.miniwob.oracle import solved_tasks

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "docs" / "web.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_blocks_print_what_they_say() -> None:
    variables: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for language, text in BLOCKS:
            if language == "python":
                exec(text, variables)
    assert said.getvalue() == "".join(text for language, text in BLOCKS if language == "text")


def test_the_recipe_can_be_imitated() -> None:
    recipe = tomllib.loads((ROOT / "recipes" / "miniwob.toml").read_text())
    tasks = recipe["env_options"]["tasks"]
    assert len(tasks) >= 8
    assert set(tasks) <= solved_tasks()
