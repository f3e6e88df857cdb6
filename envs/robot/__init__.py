"""Robots in MuJoCo: tasks that language, vision and control agents share."""

from __future__ import annotations
