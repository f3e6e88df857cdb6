"""Questions about generated databases, answered by SQL."""

from __future__ import annotations

from .env import TextToSQL

__all__ = ["TextToSQL"]
