"""``Reach-v0``: bring the grip to the marker of a colour."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .. import arm
from ..family import Assessment, ladder, near
from ..manipulation import Manipulation
from ..motions import Wish
from ..scene import COLOURS, MARKER
from ..tasks import Task
from ..world import Layout, World
from .placing import scatter

REACHED = 0.02


class Reach(Manipulation):
    """Two markers in the air; the instruction names one.  Solved within 2 cm of it."""

    env_id = "Reach-v0"
    things = 0
    places = (MARKER, MARKER)
    stages = ("reached",)

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The colour to reach, and the other marker's."""
        return list(itertools.permutations(COLOURS, 2))

    def layout(self, task: Task) -> Layout:
        """The markers anywhere above the table, at least 12 cm apart."""
        rng = task.generator()
        positions = np.column_stack([scatter(rng, 2, 0.12), rng.uniform(0.04, 0.32, size=2)])
        places = tuple(f"{colour} marker" for colour in task.combination)
        return Layout((f"Move the gripper to the {places[0]}.",), (), places, self.rest(), positions)

    def assess(self, world: World) -> Assessment:
        """One stage: to be there."""
        distance = np.sqrt(((world.place_position(0) - arm.grip(world)) ** 2).sum(axis=1))
        return ladder((distance < REACHED, near(distance)))

    def advise(self, world: World, row: int) -> Wish:
        """Straight there."""
        return Wish(world.place_position(0)[row], 1.0)
