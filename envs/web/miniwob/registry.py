"""The names under which MiniWoB's tasks are made."""

from __future__ import annotations

import gymnasium

from .names import TASKS

_ENTRY_POINT = "palestra.envs.web.miniwob.env:MiniWoB"


def register_miniwob() -> None:
    """Register ``MiniWoB/<task>-v0`` for every task, and ``MiniWoB/mix-v0``, whose tasks are an argument."""
    for task in TASKS:
        gymnasium.register(
            f"MiniWoB/{task}-v0", entry_point=_ENTRY_POINT, kwargs={"tasks": task}, max_episode_steps=100
        )
    gymnasium.register("MiniWoB/mix-v0", entry_point=_ENTRY_POINT, max_episode_steps=100)
