"""Tasks in a shell, judged by the files that are left."""

from __future__ import annotations

from .env import Terminal

__all__ = ["Terminal"]
