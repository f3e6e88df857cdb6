"""``PickPlace-v0``: put an object on the pad of a colour."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..family import Assessment, ladder
from ..manipulation import ON_PLACE, PLACING, Manipulation, placing
from ..motions import Wish, place
from ..scene import COLOURS, PAD, SHAPES
from ..tasks import Task
from ..world import Layout, World
from .placing import CENTRE_ON_PAD, on_table, other, scatter, standing


class PickPlace(Manipulation):
    """Two objects and two raised pads; the instruction names one of each.

    Solved when the object stands on the pad, its centre within 3 cm of the pad's, and the hand has let go.
    """

    env_id = "PickPlace-v0"
    things = 2
    places = (PAD, PAD)
    stages = PLACING
    lifts = True

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The object's colour and shape, and the pad's colour."""
        return list(itertools.product(COLOURS, SHAPES, COLOURS))

    def layout(self, task: Task) -> Layout:
        """All four apart; the other object and the other pad have other colours."""
        rng = task.generator()
        colour, shape, pad = task.combination
        spots = scatter(rng, 4, 0.13)
        things = (f"{colour} {shape}", f"{other(rng, COLOURS, colour)} {other(rng, SHAPES)}")
        places = (f"{pad} pad", f"{other(rng, COLOURS, pad)} pad")
        qpos = np.concatenate([self.rest(), standing(rng, spots[:2]).ravel()])
        return Layout(self._instructions(things, places), things, places, qpos, on_table(spots[2:], PAD.size[2]))

    def _instructions(self, things: tuple[str, ...], places: tuple[str, ...]) -> tuple[str, ...]:
        return (f"Put the {things[0]} on the {places[0]}.",)

    def goal(self, world: World) -> np.ndarray:
        """Where the centre of the object belongs, ``[N, 3]``."""
        return world.place_position(0) + CENTRE_ON_PAD

    def moves(self, world: World, row: int) -> list[tuple[str, str]]:
        """The object, to the pad of the instruction that holds now."""
        layout = world.layout(row)
        return [(layout.things[0], layout.places[world.phase[row]])]

    def assess(self, world: World) -> Assessment:
        """To the object, into the hand, over the pad, onto it."""
        return ladder(*placing(world, 0, self.goal(world)))

    def advise(self, world: World, row: int) -> Wish:
        """Pick it up and put it there."""
        hand, thing = self.hand(world, row), world.object_position(0)[row]
        return place(hand, 0, thing, self.goal(world)[row], ON_PLACE)
