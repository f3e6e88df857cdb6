"""Where agents act: plain Gymnasium and PettingZoo environments."""

from __future__ import annotations

import gymnasium

from .code.registry import register_code
from .multi.registry import register_games
from .robot.registry import register_robots
from .web.miniwob.registry import register_miniwob
from .web.registry import register_web


def register_all() -> None:
    """Register every environment with Gymnasium; calling it again changes nothing."""
    if "WebShop-v0" not in gymnasium.registry:
        gymnasium.register("WebShop-v0", entry_point="palestra.envs.webshop:make", max_episode_steps=100)
        register_code()
        register_games()
        register_miniwob()
        register_robots()
        register_web()
