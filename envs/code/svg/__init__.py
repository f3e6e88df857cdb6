"""Drawings from descriptions, as SVG programs."""

from __future__ import annotations

from .env import Svg

__all__ = ["Svg"]
