"""Where layouts put things."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..scene import OBJECT_HEIGHT, PAD, rest_pose

CENTRE_ON_PAD = np.array([0.0, 0.0, PAD.size[2] + OBJECT_HEIGHT / 2])
"""From the centre of a pad to that of an object that stands on it."""
NEAREST, FARTHEST = (0.3, -0.28), (0.56, 0.28)
"""The corners of the area where things and places are put, x and y in metres: all of it within the arm's reach."""


def scatter(
    rng: np.random.Generator,
    count: int,
    apart: float,
    low: tuple[float, float] = NEAREST,
    high: tuple[float, float] = FARTHEST,
) -> np.ndarray:
    """``count`` places between two corners, at least ``apart`` metres from each other, ``[count, 2]``.

    Drawn one by one; a draw that leaves no room for the next is begun anew.  Raises :class:`RuntimeError` if there is
    no room in a thousand draws, which is a mistake of the layout's.
    """
    for _ in range(1000):
        places: list[np.ndarray] = []
        for _ in range(20 * count):
            place = rng.uniform(low, high)
            if all(np.hypot(*(place - other)) >= apart for other in places):
                places.append(place)
            if len(places) == count:
                return np.array(places)
    raise RuntimeError(f"no room for {count} places {apart} m apart")


def other(rng: np.random.Generator, words: Iterable[str], *avoided: str) -> str:
    """One of the words, drawn, but none of those that are avoided."""
    left = [word for word in words if word not in avoided]
    return left[int(rng.integers(len(left)))]


def standing(rng: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """The free joints of objects that stand at ``[n, 2]``, turned a little, ``[n, 7]``."""
    turns = rng.uniform(-0.3, 0.3, size=len(places))
    return np.array([rest_pose(x, y, turn) for (x, y), turn in zip(places, turns, strict=True)])


def on_table(places: np.ndarray, height: float) -> np.ndarray:
    """``[n, 2]`` with the height of their centres, ``[n, 3]``."""
    return np.column_stack([places, np.full(len(places), height)])
