"""What the families share in which one of two objects belongs to one of two places."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..manipulation import Manipulation
from ..scene import COLOURS, SHAPES
from ..tasks import Task
from ..world import Layout
from .placing import on_table, other, scatter, standing


class ObjectToPlace(Manipulation):
    """Two objects and two places of one kind; the instruction names one of each."""

    things = 2
    kind: ClassVar[str]
    """What instructions call a place."""
    place_height: ClassVar[float]
    """Of the centre of a place over the table, in metres."""

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The object's colour and shape, and the place's colour."""
        return list(itertools.product(COLOURS, SHAPES, COLOURS))

    def layout(self, task: Task) -> Layout:
        """All four apart; the other object and the other place have other colours."""
        rng = task.generator()
        colour, shape, place = task.combination
        spots = scatter(rng, 4, 0.13)
        things = (f"{colour} {shape}", f"{other(rng, COLOURS, colour)} {other(rng, SHAPES)}")
        places = (f"{place} {self.kind}", f"{other(rng, COLOURS, place)} {self.kind}")
        qpos = np.concatenate([self.rest(), standing(rng, spots[:2]).ravel()])
        return Layout(self.instructions(things, places), things, places, qpos, on_table(spots[2:], self.place_height))

    @abstractmethod
    def instructions(self, things: tuple[str, ...], places: tuple[str, ...]) -> tuple[str, ...]:
        """What is asked for, one after the other; the task's own object and place come first."""
