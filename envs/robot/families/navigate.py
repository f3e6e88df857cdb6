"""``Navigate-v0``: drive to the pillar of a colour."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from .. import base
from ..family import Assessment, Control, Family, ladder, near
from ..plane import wrapped
from ..scene import COLOURS, PILLAR
from ..tasks import Task
from ..world import Layout, World
from .placing import scatter

PILLARS = 6
COLOURED = 3
ARRIVED = 0.5
"""How near the middle of the base comes to that of the pillar, in metres: 17 cm from body to body."""
ROOM = 1.45
CELL = 0.1
CELLS = 40
"""Cells along each side of the grid that the script plans on."""


class Navigate(Family):
    """Six pillars in a room, three of them coloured; the instruction names one.

    The base sees them by lidar, and knows where the goal is.  Solved when it is at the pillar.
    """

    env_id = "Navigate-v0"
    file = "room.xml"
    things = 0
    places = (PILLAR,) * PILLARS
    stages = ("at the pillar",)
    controls: ClassVar[Mapping[Control, int]] = {"velocity": 2}
    guide = (
        "You drive a round robot in a room with pillars. Each answer is an action of two numbers from -1 to 1: the "
        "speed ahead, and how fast to turn to the left. Do what the instruction asks."
    )

    meanings: ClassVar[Mapping[str, str]] = {
        "goal": "how far the pillar to drive to is ahead of the robot and to its left, in metres",
        "lidar": "how far it is to the next thing in 24 directions, the first ahead, turning left, in metres",
    }

    @property
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """The colour to drive to, and those of the two other coloured pillars."""
        return list(itertools.permutations(COLOURS, COLOURED))

    def layout(self, task: Task) -> Layout:
        """Pillars at least 0.85 m apart, so that the base passes between any two, and as far from where it starts."""
        rng = task.generator()
        spots = scatter(rng, PILLARS + 1, 0.85, low=(-ROOM, -ROOM), high=(ROOM, ROOM))
        names = [f"{colour} pillar" for colour in task.combination] + ["grey pillar"] * (PILLARS - COLOURED)
        positions = np.column_stack([spots[:PILLARS], np.full(PILLARS, PILLAR.size[1])])
        qpos = np.array([*spots[-1], rng.uniform(-np.pi, np.pi)])
        return Layout((f"Drive to the {names[0]}.",), (), tuple(names), qpos, positions)

    def rest(self) -> np.ndarray:
        """Standing still."""
        return np.zeros(3)

    def command(self, world: World, actions: np.ndarray, control: Control) -> np.ndarray:
        """Velocities, see :func:`palestra.envs.robot.base.command`."""
        return base.command(world, actions)

    def feel(self, world: World) -> np.ndarray:
        """Its motion (3), and its lidar (24)."""
        return np.concatenate([base.feel(world), base.lidar(world, PILLARS, PILLAR.size[0])], axis=1)

    def features(self, world: World) -> np.ndarray:
        """Where the goal is from the base: ahead and to the left, in metres ``[N, 2]``."""
        return base.into_body(world, world.place_position(0)[:, :2] - world.joints[:, :2])

    def named(self, world: World) -> dict[str, np.ndarray]:
        """Where the goal is, and what the lidar sees."""
        return {"goal": self.features(world), "lidar": base.lidar(world, PILLARS, PILLAR.size[0])}

    def assess(self, world: World) -> Assessment:
        """One stage: to be there."""
        way = world.place_position(0)[:, :2] - world.joints[:, :2]
        distance = np.sqrt((way**2).sum(axis=1))
        return ladder((distance < ARRIVED, near(distance - ARRIVED, 1.0)))

    def oracle(self, world: World, row: int, control: Control) -> np.ndarray:
        """Along the shortest way on a grid, turning towards it first."""
        here, heading = world.joints[row, :2], world.joints[row, 2]
        way = waypoint(world, row, 0) - here
        aside = wrapped(np.arctan2(way[1], way[0]) - heading)
        return np.array([max(0.0, 1.0 - 2.0 * abs(aside)), np.clip(2.0 * aside, -1.0, 1.0)], dtype=np.float32)


def waypoint(world: World, row: int, number: int) -> np.ndarray:
    """A point ``[2]`` some cells ahead on the shortest way to a pillar."""
    pillars = np.array([world.place_position(index)[row, :2] for index in range(PILLARS)])
    steps = _steps_to(pillars.tobytes(), number)
    cell = tuple(np.clip((world.joints[row, :2] + base.WALLS) / CELL, 0, CELLS - 1).astype(int))
    for _ in range(3):
        cell = min(_around(cell), key=lambda other: steps[other])
    return (np.array(cell) + 0.5) * CELL - base.WALLS


@lru_cache(maxsize=64)
def _steps_to(pillars: bytes, number: int) -> np.ndarray:
    """From each cell, how far it is to a pillar by free cells: ``[CELLS, CELLS]``, huge in what is not free."""
    places = np.frombuffer(pillars).reshape(-1, 2)
    centres = (np.arange(CELLS) + 0.5) * CELL - base.WALLS
    grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1)
    away = np.sqrt(((grid[:, :, None] - places) ** 2).sum(axis=-1))
    margin = base.RADIUS + 0.06
    others = np.delete(away, number, axis=2)
    free = (others.min(axis=2) > PILLAR.size[0] + margin) & (np.abs(grid).max(axis=2) < base.WALLS - margin)
    steps = np.where(free, 1e6, 1e9)
    front = deque((int(x), int(y)) for x, y in np.argwhere(away[:, :, number] < ARRIVED - CELL))
    for cell in front:
        steps[cell] = 0.0
    while front:
        cell = front.popleft()
        for other in _around(cell):
            length = steps[cell] + float(np.hypot(other[0] - cell[0], other[1] - cell[1]))
            if free[other] and length < steps[other] - 1e-9:
                steps[other] = length
                front.append(other)
    # From what is not free, by the shortest way out of it.
    blocked = np.argwhere(~free)
    freed = np.argwhere(free)
    for x, y in blocked:
        if steps[x, y] >= 1e9:
            steps[x, y] += float(np.hypot(*(freed - (x, y)).T).min())
    return steps


def _around(cell: tuple[int, ...]) -> list[tuple[int, int]]:
    x, y = cell
    near_x, near_y = range(max(x - 1, 0), min(x + 2, CELLS)), range(max(y - 1, 0), min(y + 2, CELLS))
    return [(i, j) for i in near_x for j in near_y]
