"""ToolUse: requests that are carried out by calling tools."""

from __future__ import annotations

from .env import ToolUse

__all__ = ["ToolUse"]
