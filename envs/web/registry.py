"""The names of the web environments that bring their own pages."""

from __future__ import annotations

import gymnasium


def register_web() -> None:
    """Register them with Gymnasium, by the places where they are, so that nothing is imported before one is made."""
    gymnasium.register("WebTasks-v0", entry_point="palestra.envs.web.tasks:WebTasks", max_episode_steps=60)
    gymnasium.register("WebTasksText-v0", entry_point="palestra.envs.web.text_tasks:WebTasksText", max_episode_steps=60)
    gymnasium.register(
        "HtmlFromImage-v0", entry_point="palestra.envs.web.html_from_image:HtmlFromImage", max_episode_steps=8
    )
