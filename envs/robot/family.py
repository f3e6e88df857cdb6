"""What makes a family of tasks: a scene, words and layouts, when it is solved, and a script that solves it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import arm
from .motions import Hand, Wish
from .scene import Place
from .tasks import Task
from .world import Layout, World


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far each scene of a batch is: ``success`` ``[N]``, ``stage`` ``[N]`` and ``progress`` ``[N]`` in [0, 1].

    ``stage`` counts the stages that are behind; ``progress`` also has how near the next one is, in equal shares.
    """

    success: np.ndarray
    stage: np.ndarray
    progress: np.ndarray

    def where(self, rows: np.ndarray, other: Assessment) -> Assessment:
        """This one where the flags ``rows`` ``[N]`` are set, and the other elsewhere."""
        return Assessment(
            np.where(rows, self.success, other.success),
            np.where(rows, self.stage, other.stage),
            np.where(rows, self.progress, other.progress),
        )


def near(distance: np.ndarray, scale: float = 5.0) -> np.ndarray:
    """From 1 at no distance towards 0: ``1 - tanh(scale * distance)``, distances in metres."""
    return 1.0 - np.tanh(scale * np.ascontiguousarray(distance))


def ladder(*stages: tuple[np.ndarray, np.ndarray]) -> Assessment:
    """Judge by stages in order, each ``(done [N], how near it is to that, in [0, 1], [N])``.

    A scene stands behind the last stage that is done, whether or not those before it still hold: who has put a thing
    down no longer holds it.  Success is to have done the last one.
    """
    done = np.stack([finished for finished, _ in stages], axis=1)
    count = done.shape[1]
    stage = np.where(done.any(axis=1), count - np.argmax(done[:, ::-1], axis=1), 0)
    nearness = np.stack([*(part for _, part in stages), np.zeros(len(stage))], axis=1)
    # Below 1, so that being done is what completes a stage.
    partial = 0.99 * np.clip(nearness[np.arange(len(stage)), stage], 0.0, 1.0)
    return Assessment(done[:, -1], stage, (stage + partial) / count)


class Family(ABC):
    """One family of tasks.  What it computes, it computes for whole batches, so that one scene is a batch of one."""

    env_id: ClassVar[str]
    file: ClassVar[str] = "arm.xml"
    things: ClassVar[int]
    """How many free objects the scene has."""
    places: ClassVar[tuple[Place, ...]]
    stages: ClassVar[tuple[str, ...]]
    """What each stage is, in words."""
    endless: ClassVar[bool] = False
    """Whether the next of the layout's instructions follows on success, instead of the end of the episode."""

    @property
    @abstractmethod
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """Every combination of words that tasks are made of."""

    @abstractmethod
    def layout(self, task: Task) -> Layout:
        """How a task opens."""

    @abstractmethod
    def assess(self, world: World) -> Assessment:
        """How far each scene is."""

    @abstractmethod
    def advise(self, world: World, row: int) -> Wish:
        """Where the hand should go next, from wherever it is."""

    def features(self, world: World) -> np.ndarray:
        """The scene beside the robot, ``[N, F]``.

        For each object its position from the grip (3), quaternion (4) and velocity (3); for each place its position
        from the grip (3).  What the task is about comes first, in fixed roles.
        """
        here = arm.grip(world)
        parts = []
        for number in range(self.things):
            pose = world.object_pose(number)
            parts += [pose[:, :3] - here, pose[:, 3:], world.object_speed(number)]
        parts += [world.place_position(number) - here for number in range(len(self.places))]
        return np.concatenate(parts, axis=1)

    # What follows is the arm's; a family with another body has its own.

    controls: ClassVar[dict[str, int]] = arm.ACTIONS
    """The ways to drive the body, and how many numbers an action has."""

    def rest(self) -> tuple[np.ndarray, np.ndarray]:
        """The body's joints at the start of an episode, and its command."""
        return arm.home_joints()

    def command(self, world: World, actions: np.ndarray, control: arm.Control) -> np.ndarray:
        """What actions ``[N, A]`` in [-1, 1] tell the motors, ``[N, U]``."""
        return arm.command(world, actions, control)

    def feel(self, world: World) -> np.ndarray:
        """The body's own state, ``[N, P]``."""
        return arm.feel(world)

    def act(self, world: World, row: int, wish: Wish, control: arm.Control) -> np.ndarray:
        """The action ``[A]`` that follows a wish."""
        return arm.towards(world, row, wish.position, wish.gap, control)

    def hand(self, world: World, row: int) -> Hand:
        """What motions need to know of the arm of one scene."""
        held = tuple(bool(arm.holds(world, number)[row]) for number in range(self.things))
        return Hand(arm.grip(world)[row], float(arm.opening(world)[row]), held)
