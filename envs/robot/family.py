"""What makes a family of tasks: a scene, words and layouts, when it is solved, and a script that solves it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from .scene import Place
from .tasks import Task
from .world import Layout, World

Control = Literal["end_effector", "joint", "velocity"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far each scene of a batch is: ``success`` ``[N]``, ``stage`` ``[N]`` and ``progress`` ``[N]`` in [0, 1].

    ``stage`` counts the stages that are behind; ``progress`` also has how near what follows is, and is 1 on success.
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
    file: ClassVar[str]
    """The scene in ``assets/``."""
    things: ClassVar[int]
    """How many free objects the scene has."""
    places: ClassVar[tuple[Place, ...]]
    """The kinds of the places that are added to the scene."""
    stages: ClassVar[tuple[str, ...]]
    """What each stage is, in words."""
    endless: ClassVar[bool] = False
    """Whether the next of the layout's instructions follows on success, instead of the end of the episode."""
    controls: ClassVar[Mapping[Control, int]]
    """The ways to drive the body, the usual one first, and how many numbers an action has."""
    guide: ClassVar[str]
    """What the numbers of an action are, in words."""
    meanings: ClassVar[Mapping[str, str]]
    """What each of :meth:`named` is, in words."""

    @property
    @abstractmethod
    def combinations(self) -> Sequence[tuple[str, ...]]:
        """Every combination of words that tasks are made of."""

    @abstractmethod
    def layout(self, task: Task) -> Layout:
        """How a task opens."""

    @abstractmethod
    def rest(self) -> np.ndarray:
        """The command that keeps the body still where layouts put it, ``[U]``."""

    @abstractmethod
    def command(self, world: World, actions: np.ndarray, control: Control) -> np.ndarray:
        """What actions ``[N, A]`` in [-1, 1] tell the motors, ``[N, U]``."""

    @abstractmethod
    def feel(self, world: World) -> np.ndarray:
        """The body's own state, ``[N, P]``."""

    @abstractmethod
    def features(self, world: World) -> np.ndarray:
        """The scene beside the body, ``[N, F]``, what the task is about in fixed roles."""

    @abstractmethod
    def named(self, world: World) -> dict[str, np.ndarray]:
        """What ``info`` says of the scene by name, for programs that judge it: each ``[N]`` or ``[N, K]``."""

    @abstractmethod
    def assess(self, world: World) -> Assessment:
        """How far each scene is."""

    @abstractmethod
    def oracle(self, world: World, row: int, control: Control) -> np.ndarray:
        """The next action ``[A]`` of a script that solves a scene from wherever it is."""
