"""``Push-v0``: push an object onto the zone of a colour."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .. import arm
from ..family import Assessment, ladder, near
from ..manipulation import Manipulation
from ..motions import Wish, push
from ..scene import COLOURS, SHAPES, ZONE
from ..tasks import Task
from ..world import Layout, World
from .placing import on_table, other, scatter, standing

ARRIVED = 0.03


class Push(Manipulation):
    """Two objects and two zones on the table; the instruction names one of each.

    Solved when the centre of the object is within 3 cm of the zone's.
    """

    env_id = "Push-v0"
    things = 2
    places = (ZONE, ZONE)
    stages = ("at the object", "at the zone")

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The object's colour and shape, and the zone's colour."""
        return list(itertools.product(COLOURS, SHAPES, COLOURS))

    def layout(self, task: Task) -> Layout:
        """All four apart; the other object and the other zone have other colours."""
        rng = task.generator()
        colour, shape, zone = task.combination
        spots = scatter(rng, 4, 0.13)
        things = (f"{colour} {shape}", f"{other(rng, COLOURS, colour)} {other(rng, SHAPES)}")
        places = (f"{zone} zone", f"{other(rng, COLOURS, zone)} zone")
        qpos = np.concatenate([self.rest(), standing(rng, spots[:2]).ravel()])
        instruction = f"Push the {things[0]} onto the {places[0]}."
        return Layout((instruction,), things, places, qpos, on_table(spots[2:], ZONE.size[1]))

    def assess(self, world: World) -> Assessment:
        """First to be at the object, then the object at the zone."""
        thing = world.object_position(0)
        hand = np.sqrt(((thing - arm.grip(world)) ** 2).sum(axis=1))
        way = np.sqrt(((world.place_position(0) - thing)[:, :2] ** 2).sum(axis=1))
        on_table = thing[:, 2] > 0.0
        return ladder((hand < 0.06, near(hand - 0.06)), ((way < ARRIVED) & on_table, near(way)))

    def advise(self, world: World, row: int) -> Wish:
        """From behind the object towards the zone."""
        return push(self.hand(world, row), 0, world.object_position(0)[row], world.place_position(0)[row])
