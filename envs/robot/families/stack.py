"""``Stack-v0``: put one object on another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..family import Assessment, ladder
from ..manipulation import PLACING, Manipulation, placing
from ..motions import Wish, place
from ..scene import COLOURS, OBJECT_HEIGHT, SHAPES
from ..tasks import Task
from ..world import Layout, World
from .placing import other, scatter, standing

ON_OBJECT = 0.02


class Stack(Manipulation):
    """Three objects; the instruction names two.

    Solved when the first stands on the second, their centres within 2 cm of one vertical, and the hand has let go.
    """

    env_id = "Stack-v0"
    things = 3
    places = ()
    stages = PLACING
    lifts = True

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """Colour and shape of what is put, and of what it is put on."""
        names = list(itertools.product(COLOURS, SHAPES))
        return [(*upper, *lower) for upper, lower in itertools.product(names, names) if upper[0] != lower[0]]

    def layout(self, task: Task) -> Layout:
        """All three apart; the third has another colour."""
        rng = task.generator()
        upper, lower = task.combination[:2], task.combination[2:]
        things = (" ".join(upper), " ".join(lower), f"{other(rng, COLOURS, upper[0], lower[0])} {other(rng, SHAPES)}")
        qpos = np.concatenate([self.rest(), standing(rng, scatter(rng, 3, 0.13)).ravel()])
        return Layout((f"Put the {things[0]} on top of the {things[1]}.",), things, (), qpos, np.zeros((0, 3)))

    def goal(self, world: World) -> np.ndarray:
        """Where the centre of the upper object belongs, ``[N, 3]``."""
        return world.object_position(1) + np.array([0.0, 0.0, OBJECT_HEIGHT])

    def moves(self, world: World, row: int) -> list[tuple[str, str]]:
        """The upper object, to the lower one."""
        layout = world.layout(row)
        return [(layout.things[0], layout.things[1])]

    def assess(self, world: World) -> Assessment:
        """To the object, into the hand, over the other one, onto it."""
        return ladder(*placing(world, 0, self.goal(world), ON_OBJECT))

    def advise(self, world: World, row: int) -> Wish:
        """Pick it up and put it there."""
        hand, thing = self.hand(world, row), world.object_position(0)[row]
        return place(hand, 0, thing, self.goal(world)[row], ON_OBJECT)
