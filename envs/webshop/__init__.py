"""WebShop: a shop of pages, and customers' instructions to buy one thing in it."""

from __future__ import annotations

from typing import Any

import gymnasium

from .env import WebShop
from .product import CatalogueError

__all__ = ["CatalogueError", "WebShop", "make"]


def make(observation: str = "text", **options: Any) -> gymnasium.Env[Any, str]:
    """What ``gymnasium.make("WebShop-v0", ...)`` makes: the shop in words or, as ``"browser"``, in Chromium."""
    if observation == "browser":
        from .browser import WebShopInBrowser

        return WebShopInBrowser(**options)
    return WebShop(observation=observation, **options)  # type: ignore[arg-type]
