"""What the families share that have the arm as their body."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from . import arm
from .family import Control, Family, near
from .motions import Hand, Wish
from .scene import OBJECT_HEIGHT
from .world import World

ON_PLACE = 0.03
"""How far the centre of an object may be from that of the place it belongs on, in metres."""


class Manipulation(Family):
    """A family whose body is the arm."""

    file = "arm.xml"
    controls: ClassVar[Mapping[Control, int]] = arm.CONTROLS
    guide = (
        "You drive a robot arm over a table. Each answer is an action of numbers from -1 to 1: moves of the hand along "
        "x (away from its base), y (to the left) and z (up), or turns of its five joints, as the environment was made; "
        "the last number closes the gripper at -1 and opens it at 1. Do what the instruction asks."
    )

    meanings: ClassVar[Mapping[str, str]] = {
        "hand": "x, y and z of the hand: metres away from the arm's base, to its left, and up",
        "opening": "the gap between the fingers in metres",
        "objects": "x, y and z of each object, the one that the task is about first",
        "places": "x, y and z of each place or marker, the one that the task is about first",
    }
    lifts: ClassVar[bool] = False
    """Whether objects are to be picked up; :meth:`moves` then says which."""

    def moves(self, world: World, row: int) -> list[tuple[str, str]]:
        """What is still to be put where, by name, in order."""
        return []

    @abstractmethod
    def advise(self, world: World, row: int) -> Wish:
        """Where the hand should go next, from wherever it is."""

    def rest(self) -> np.ndarray:
        """The arm above the table, the gripper open."""
        return arm.at_home()

    def command(self, world: World, actions: np.ndarray, control: Control) -> np.ndarray:
        """Servo targets, see :func:`palestra.envs.robot.arm.command`."""
        return arm.command(world, actions, control)

    def feel(self, world: World) -> np.ndarray:
        """The arm's own state, see :func:`palestra.envs.robot.arm.feel`."""
        return arm.feel(world)

    def features(self, world: World) -> np.ndarray:
        """Objects, then places, ``[N, F]``.

        For each object its position from the grip (3), quaternion (4) and velocity (3); for each place its position
        from the grip (3).
        """
        here = arm.grip(world)
        parts = []
        for number in range(self.things):
            pose = world.object_pose(number)
            parts += [pose[:, :3] - here, pose[:, 3:], world.object_speed(number)]
        parts += [world.place_position(number) - here for number in range(len(self.places))]
        return np.concatenate(parts, axis=1)

    def named(self, world: World) -> dict[str, np.ndarray]:
        """The hand, and where everything is."""
        found = {"hand": arm.grip(world), "opening": arm.opening(world)}
        if self.things:
            things = [world.object_position(number) for number in range(self.things)]
            found["objects"] = np.concatenate(things, axis=1)
        if self.places:
            places = [world.place_position(number) for number in range(len(self.places))]
            found["places"] = np.concatenate(places, axis=1)
        return found

    def oracle(self, world: World, row: int, control: Control) -> np.ndarray:
        """The action that follows :meth:`advise`."""
        wish = self.advise(world, row)
        return arm.towards(world, row, wish.position, wish.gap, control)

    def hand(self, world: World, row: int) -> Hand:
        """What motions need to know of the arm of one scene."""
        held = tuple(bool(arm.holds(world, number)[row]) for number in range(self.things))
        return Hand(arm.grip(world)[row], float(arm.opening(world)[row]), held)


def stands_on(world: World, number: int, goal: np.ndarray, tolerance: float = ON_PLACE) -> np.ndarray:
    """Whether an object rests at a goal ``[N, 3]`` for its centre, out of the hand, ``[N]``."""
    offset = world.object_position(number) - goal
    aside = np.sqrt((offset[:, :2] ** 2).sum(axis=1))
    return (aside < tolerance) & (np.abs(offset[:, 2]) < 0.01) & arm.is_free(world, number)


PLACING = ("at the object", "object in the hand", "object above its place", "object in its place")


def placing(
    world: World, number: int, goal: np.ndarray, tolerance: float = ON_PLACE
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The stages of :data:`PLACING` for :func:`~palestra.envs.robot.family.ladder`."""
    thing = world.object_position(number)
    hand = np.sqrt(((thing - arm.grip(world)) ** 2).sum(axis=1))
    held = arm.holds(world, number)
    way = thing - goal
    aside = np.sqrt((way[:, :2] ** 2).sum(axis=1))
    lifted = held & (thing[:, 2] > OBJECT_HEIGHT) & (aside < tolerance)
    return (
        (hand < 0.05, near(hand)),
        (held, near(hand)),
        (lifted, near(aside)),
        (stands_on(world, number, goal, tolerance), near(np.abs(way[:, 2]))),
    )
