"""``Walk-v0``: walk on four legs to the marker of a colour."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from .. import gait, walker
from ..family import Assessment, Control, Family, ladder, near
from ..scene import BEACON, COLOURS
from ..tasks import Task
from ..world import Layout, World
from .placing import scatter

MARKERS = 3
ARRIVED = 0.12
"""How near the middle of the trunk comes to that of the marker, seen from above, in metres."""
FIELD = 0.9


class Walk(Family):
    """Three markers on an open floor, which it can walk through; the instruction names one.

    Solved when it stands at the marker.  Falling over ends nothing: it can get up again.
    """

    env_id = "Walk-v0"
    file = "quadruped.xml"
    things = 0
    places = (BEACON,) * MARKERS
    stages = ("at the marker",)
    controls: ClassVar[Mapping[Control, int]] = {"joint": walker.JOINTS}
    guide = (
        "You drive a four-legged robot on an open floor. Each answer is an action of twelve numbers from -1 to 1, "
        "three for each leg (front left, front right, back left, back right): how far it swings to the left, how far "
        "the hip turns it backward, and how far the knee is stretched; all 0 is standing. Do what the instruction asks."
    )

    meanings: ClassVar[Mapping[str, str]] = {
        "goal": "how far the marker to walk to is ahead of the robot and to its left, in metres",
        "upright": "1 when the robot is upright, 0 on its side, -1 on its back",
        "height": "of the middle of the robot's trunk over the floor, in metres: 0.21 when it stands",
    }

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The colour to walk to, and those of the two other markers."""
        return list(itertools.permutations(COLOURS, MARKERS))

    def layout(self, task: Task) -> Layout:
        """Markers at least 0.6 m apart, and as far from where it starts."""
        rng = task.generator()
        spots = scatter(rng, MARKERS + 1, 0.6, low=(-FIELD, -FIELD), high=(FIELD, FIELD))
        names = tuple(f"{colour} marker" for colour in task.combination)
        positions = np.column_stack([spots[:MARKERS], np.full(MARKERS, BEACON.size[1])])
        x, y = spots[-1]
        qpos = walker.at(x, y, rng.uniform(-np.pi, np.pi))
        return Layout((f"Walk to the {names[0]}.",), (), names, qpos, positions)

    def rest(self) -> np.ndarray:
        """Standing still."""
        return walker.STANDING

    def command(self, world: World, actions: np.ndarray, control: Control) -> np.ndarray:
        """Servo targets, see :func:`palestra.envs.robot.walker.command`."""
        return walker.command(actions)

    def feel(self, world: World) -> np.ndarray:
        """The body's own state, see :func:`palestra.envs.robot.walker.feel`."""
        return walker.feel(world)

    def features(self, world: World) -> np.ndarray:
        """Where the goal is from the trunk: ahead and to the left, in metres ``[N, 2]``."""
        return walker.into_body(world, world.place_position(0)[:, :2] - walker.position(world)[:, :2])

    def named(self, world: World) -> dict[str, np.ndarray]:
        """Where the goal is, and whether the robot stands."""
        return {
            "goal": self.features(world),
            "upright": walker.upward(world)[:, 2],
            "height": walker.position(world)[:, 2],
        }

    def assess(self, world: World) -> Assessment:
        """One stage: to stand there.  Who lies has made no progress."""
        way = world.place_position(0)[:, :2] - walker.position(world)[:, :2]
        distance = np.sqrt((way**2).sum(axis=1))
        up = walker.stands(world)
        return ladder(((distance < ARRIVED) & up, near(distance - ARRIVED, 1.0) * up))

    def oracle(self, world: World, row: int, control: Control) -> np.ndarray:
        """Trot there, turning towards it first; get up where it lies."""
        ahead, left = self.features(world)[row]
        aside = float(np.arctan2(left, ahead))
        return gait.move(world, row, max(0.0, 1.0 - 2.0 * abs(aside)), float(np.clip(2.0 * aside, -1.0, 1.0)))
