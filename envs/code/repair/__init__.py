"""CodeRepair: mend or write functions, with tests that are seen and tests that decide."""

from __future__ import annotations

from .env import CodeRepair

__all__ = ["CodeRepair"]
