"""``PickPlace-v0``: put an object on the pad of a colour."""

from __future__ import annotations

import numpy as np

from ..family import Assessment, ladder
from ..manipulation import ON_PLACE, PLACING, placing
from ..motions import Wish, place
from ..scene import PAD
from ..world import World
from .object_to_place import ObjectToPlace
from .placing import CENTRE_ON_PAD


class PickPlace(ObjectToPlace):
    """Two objects and two raised pads; the instruction names one of each.

    Solved when the object stands on the pad, its centre within 3 cm of the pad's, and the hand has let go.
    """

    env_id = "PickPlace-v0"
    kind = "pad"
    places = (PAD, PAD)
    place_height = PAD.size[2]
    stages = PLACING
    lifts = True

    def instructions(self, things: tuple[str, ...], places: tuple[str, ...]) -> tuple[str, ...]:
        """One: the object, to the pad."""
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
