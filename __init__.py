"""Palestra: the gym where language-model agents train.

Importing it registers the environments with Gymnasium; nothing heavy is loaded until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .envs import register_all
from .envs.abilities import EnvironmentFault
from .envs.multi.registry import make_multi, register_multi
from .trajectory import Group, Status, Trajectory, Turn

if TYPE_CHECKING:
    from .envs.check import check

__version__ = "0.1.0"
__all__ = [
    "EnvironmentFault",
    "Group",
    "Status",
    "Trajectory",
    "Turn",
    "check",
    "make_multi",
    "register_all",
    "register_multi",
]

register_all()


def __getattr__(name: str) -> Any:
    # Loaded on first use: the checker is for those who write environments.
    if name == "check":
        from .envs.check import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
