"""WebShop: a shop of text pages, and customers' instructions to buy one thing in it."""

from __future__ import annotations

from .env import WebShop
from .product import CatalogueError

__all__ = ["CatalogueError", "WebShop"]
