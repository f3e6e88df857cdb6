"""``Sort-v0``: put three objects each on its pad."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..family import Assessment, ladder
from ..manipulation import ON_PLACE, Manipulation, placing, stands_on
from ..motions import Wish, leave, place
from ..scene import COLOURS, PAD, SHAPES
from ..tasks import Task
from ..world import Layout, World
from .placing import CENTRE_ON_PAD, on_table, other, scatter, standing

COUNT = 3


class Sort(Manipulation):
    """Three objects and three pads of the same three colours.

    Each object belongs on the pad of its own colour, or on one that the instruction names.  A stage is behind for each
    object that stands in its place; ``progress`` is the mean of how far they are.
    """

    env_id = "Sort-v0"
    things = COUNT
    places = (PAD,) * COUNT
    stages = ("one object in its place", "two objects in their places", "three objects in their places")
    lifts = True

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The three colours, the shape of the first object, and whether pads are the objects' own colours."""
        colours = itertools.combinations(COLOURS, COUNT)
        return [(*three, shape, rule) for three in colours for shape in SHAPES for rule in ("own", "given")]

    def layout(self, task: Task) -> Layout:
        """All six apart.  The first pad is the first object's, and so on."""
        rng = task.generator()
        *colours, shape, rule = task.combination
        spots = scatter(rng, 2 * COUNT, 0.115)
        shapes = [shape, other(rng, SHAPES), other(rng, SHAPES)]
        things = tuple(f"{colour} {form}" for colour, form in zip(colours, shapes, strict=True))
        pads = colours if rule == "own" else [*colours[1:], colours[0]]
        places = tuple(f"{colour} pad" for colour in pads)
        instruction = "Put each object on the pad of its own colour."
        if rule == "given":
            first, *middle, last = (f"the {thing} on the {pad}" for thing, pad in zip(things, places, strict=True))
            instruction = f"Put {', '.join([first, *middle])} and {last}."
        qpos = np.concatenate([self.rest(), standing(rng, spots[:COUNT]).ravel()])
        return Layout((instruction,), things, places, qpos, on_table(spots[COUNT:], PAD.size[2]))

    def goal(self, world: World, number: int) -> np.ndarray:
        """Where the centre of an object belongs, ``[N, 3]``."""
        return world.place_position(number) + CENTRE_ON_PAD

    def moves(self, world: World, row: int) -> list[tuple[str, str]]:
        """Every object that is not in its place."""
        layout = world.layout(row)
        return [(layout.things[number], layout.places[number]) for number in self._left(world, row)]

    def _left(self, world: World, row: int) -> list[int]:
        return [number for number in range(COUNT) if not stands_on(world, number, self.goal(world, number))[row]]

    def assess(self, world: World) -> Assessment:
        """How many objects are in their places."""
        each = [ladder(*placing(world, number, self.goal(world, number))) for number in range(COUNT)]
        stage = np.sum([one.success for one in each], axis=0)
        return Assessment(stage == COUNT, stage, np.mean([one.progress for one in each], axis=0))

    def advise(self, world: World, row: int) -> Wish:
        """First what is in the hand, then the next object that is not in its place."""
        hand = self.hand(world, row)
        for number in sorted(self._left(world, row), key=lambda number: not hand.held[number]):
            thing, goal = world.object_position(number)[row], self.goal(world, number)[row]
            return place(hand, number, thing, goal, ON_PLACE)
        return leave(hand)
