"""The families of tasks, one module each."""

from __future__ import annotations

from ..family import Family
from .drawer import OpenDrawer
from .navigate import Navigate
from .pick_place import PickPlace
from .push import Push
from .reach import Reach
from .rearrange import Rearrange
from .sort import Sort
from .stack import Stack
from .walk import Walk

FAMILIES: dict[str, type[Family]] = {
    family.env_id: family for family in (Reach, Push, PickPlace, Stack, OpenDrawer, Sort, Navigate, Walk, Rearrange)
}
"""Every family by the id of its environment."""


def find_family(env_id: str) -> Family:
    """The family of an environment's id.  Raises :class:`ValueError` that names them all."""
    if env_id not in FAMILIES:
        raise ValueError(f"there is no robot task {env_id!r}; there are {', '.join(FAMILIES)}")
    return FAMILIES[env_id]()
