"""What a game of two robots has to say: its scene, what a move does, who has won."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from ...robot.scene import Place
from ...robot.world import Layout, World

ROLES = ("robot_0", "robot_1")


class Verdict(NamedTuple):
    """Whether the game is over, and what each robot is then paid."""

    over: bool
    paid: tuple[float, float] = (0.0, 0.0)


class Rules(ABC):
    """A game of two robots in one scene.

    Everything that decides the future is in the :class:`~palestra.envs.robot.world.World`, whose first half of joints
    and commands is the first robot's.
    """

    name: ClassVar[str]
    guide: ClassVar[str]
    """How to act here, in words for a language model."""
    file: ClassVar[str]
    """The scene in the assets of :mod:`palestra.envs.robot`."""
    places: ClassVar[tuple[Place, ...]] = ()
    shapes: ClassVar[tuple[str, ...]] = ()
    numbers: ClassVar[int]
    """How many numbers an action has, each in [-1, 1]."""
    words: ClassVar[Mapping[str, str]]
    """The moves in words, and what each does."""
    hold: ClassVar[int]
    """Control steps of 40 ms that a move in words lasts."""
    limit: ClassVar[int]
    """Control steps after which the game is broken off."""

    @abstractmethod
    def layout(self, np_random: np.random.Generator) -> Layout:
        """How an episode opens."""

    @abstractmethod
    def rest(self, layout: Layout) -> np.ndarray:
        """The commands that hold both robots as they open, ``[C]``."""

    @abstractmethod
    def command(self, world: World, actions: np.ndarray) -> np.ndarray:
        """The commands that actions ``[2, A]`` lead to, ``[1, C]``."""

    @abstractmethod
    def observe(self, world: World, player: int) -> np.ndarray:
        """What a robot knows, as numbers seen from itself, ``[D]``."""

    @abstractmethod
    def describe(self, world: World, player: int) -> str:
        """The same in words."""

    @abstractmethod
    def act(self, world: World, player: int, word: str) -> np.ndarray:
        """The action ``[A]`` that a move in words takes now."""

    @abstractmethod
    def advise(self, world: World, player: int) -> str:
        """The move in words of the scripted player."""

    @abstractmethod
    def judge(self, world: World) -> Verdict:
        """Whether the game is over now."""
