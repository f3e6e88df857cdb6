"""``OpenDrawer-v0``: pull open the drawer with the handle of a colour."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from .. import arm
from ..family import Assessment, ladder, near
from ..manipulation import Manipulation
from ..motions import Wish, travel
from ..scene import COLOURS
from ..tasks import Task
from ..world import Layout, World
from .placing import other

COUNT = 3
HANDLE = np.array([-0.055, 0.0, 0.06])
"""From a closed drawer's corner to the middle of its handle, as in ``assets/drawers.xml``."""
OPENED = 0.1
"""How far out counts as open, in metres."""
WIDTH = 0.15
GAP = 0.6
"""How far the gripper opens to straddle a handle, so that one finger fits behind it."""
SIDES = ("left", "middle", "right")


class OpenDrawer(Manipulation):
    """Three drawers side by side, their handles of three colours; the instruction names one.

    Solved when it is 10 cm out.  Drawers may be a little open at the start.
    """

    env_id = "OpenDrawer-v0"
    file = "drawers.xml"
    things = 0
    places = ()
    stages = ("at the handle", "handle in the hand", "drawer open")
    meanings: ClassVar[Mapping[str, str]] = {
        **Manipulation.meanings,
        "handles": "x, y and z of each handle, the one that the task is about first",
        "slides": "how far out each drawer is in metres, in the same order",
    }

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The handle's colour, and where its drawer is."""
        return list(itertools.product(COLOURS, SIDES))

    def layout(self, task: Task) -> Layout:
        """The named drawer is the scene's first, wherever it is put."""
        rng = task.generator()
        colour, side = task.combination
        second = other(rng, COLOURS, colour)
        places = tuple(f"{name} handle" for name in (colour, second, other(rng, COLOURS, colour, second)))
        slots = [SIDES.index(side), *rng.permutation([slot for slot in range(COUNT) if SIDES[slot] != side])]
        corner = np.array([rng.uniform(0.55, 0.58), rng.uniform(-0.05, 0.05), 0.0])
        positions = np.array([corner + np.array([0.0, WIDTH * (1 - slot), 0.0]) for slot in slots])
        qpos = np.concatenate([self.rest(), rng.uniform(0.0, 0.03, size=COUNT)])
        return Layout((f"Open the drawer with the {places[0]}.",), (), places, qpos, positions)

    def handle(self, world: World, number: int) -> np.ndarray:
        """The middle of a drawer's handle, ``[N, 3]``."""
        moved = world.place_position(number) + HANDLE
        moved[:, 0] -= self.slide(world, number)
        return moved

    def slide(self, world: World, number: int) -> np.ndarray:
        """How far out a drawer is, in metres, ``[N]``."""
        return world.joints[:, arm.JOINTS + 2 + number]

    def features(self, world: World) -> np.ndarray:
        """For each drawer its handle's position from the grip (3) and how far out it is (1); the named one first."""
        here = arm.grip(world)
        parts = []
        for number in range(COUNT):
            parts += [self.handle(world, number) - here, self.slide(world, number)[:, None]]
        return np.concatenate(parts, axis=1)

    def named(self, world: World) -> dict[str, np.ndarray]:
        """The hand and the drawers."""
        handles = np.concatenate([self.handle(world, number) for number in range(COUNT)], axis=1)
        slides = np.stack([self.slide(world, number) for number in range(COUNT)], axis=1)
        return {**super().named(world), "handles": handles, "slides": slides}

    def grips(self, world: World, number: int) -> np.ndarray:
        """Whether the fingers are closed on a drawer's handle, ``[N]``."""
        offset = np.abs(self.handle(world, number) - arm.grip(world))
        around = (offset[:, 0] < 0.015) & (offset[:, 1] < 0.045) & (offset[:, 2] < 0.02)
        return around & (arm.opening(world) < 0.02) & (world.command[:, arm.JOINTS] < 0.5 * arm.OPEN)

    def assess(self, world: World) -> Assessment:
        """To the handle, into the hand, out."""
        away = np.sqrt(((self.handle(world, 0) - arm.grip(world)) ** 2).sum(axis=1))
        slide = self.slide(world, 0)
        return ladder(
            (away < 0.03, near(away)),
            (self.grips(world, 0), near(away)),
            (slide > OPENED, np.clip(slide / OPENED, 0.0, 1.0)),
        )

    def advise(self, world: World, row: int) -> Wish:
        """Straddle the handle from above, close, and pull."""
        return open_drawer(self, world, row, 0)


def open_drawer(family: OpenDrawer, world: World, row: int, number: int) -> Wish:
    """The motion that opens any of the drawers."""
    hand, handle = family.hand(world, row), family.handle(world, number)[row]
    if family.grips(world, number)[row]:
        return Wish(handle + np.array([-0.05, 0.0, 0.0]), 0.0)
    offset = np.abs(handle - hand.position)
    if offset.max() < 0.012:
        return Wish(handle, 0.0)
    return travel(hand, handle, GAP)
