"""``Push-v0``: push an object onto the zone of a colour."""

from __future__ import annotations

import numpy as np

from .. import arm
from ..family import Assessment, ladder, near
from ..motions import Wish, push
from ..scene import ZONE
from ..world import World
from .object_to_place import ObjectToPlace

ARRIVED = 0.03


class Push(ObjectToPlace):
    """Two objects and two zones on the table; the instruction names one of each.

    Solved when the centre of the object is within 3 cm of the zone's.
    """

    env_id = "Push-v0"
    kind = "zone"
    places = (ZONE, ZONE)
    place_height = ZONE.size[1]
    stages = ("at the object", "at the zone")

    def instructions(self, things: tuple[str, ...], places: tuple[str, ...]) -> tuple[str, ...]:
        """One: the object, onto the zone."""
        return (f"Push the {things[0]} onto the {places[0]}.",)

    def assess(self, world: World) -> Assessment:
        """First to be at the object, then the object at the zone."""
        thing = world.object_position(0)
        hand = np.sqrt(((thing - arm.grip(world)) ** 2).sum(axis=1))
        way = np.sqrt(((world.place_position(0) - thing)[:, :2] ** 2).sum(axis=1))
        supported = thing[:, 2] > 0.0
        return ladder((hand < 0.06, near(hand - 0.06)), ((way < ARRIVED) & supported, near(way)))

    def advise(self, world: World, row: int) -> Wish:
        """From behind the object towards the zone."""
        return push(self.hand(world, row), 0, world.object_position(0)[row], world.place_position(0)[row])
