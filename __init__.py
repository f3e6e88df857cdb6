"""Palestra: the gym where language-model agents train.

Importing it registers the environments with Gymnasium; nothing heavy is loaded until it is used.
"""

from __future__ import annotations

from .envs import register_all
from .envs.abilities import EnvironmentFault
from .trajectory import Group, Status, Trajectory, Turn

__version__ = "0.1.0"
__all__ = ["EnvironmentFault", "Group", "Status", "Trajectory", "Turn", "register_all"]

register_all()
