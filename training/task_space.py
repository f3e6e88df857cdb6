"""The tasks of an environment as points: numbers on one side, parameters on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

VARIATION = "variation"
"""The parameter that is a seed: it makes tasks different, but neither harder nor easier."""
Cell = tuple[int, ...]
"""The places of a task's values on every axis but the variation's."""


class TaskSpace:
    """Tasks that are numbered along axes, the last one fastest, as ``axes(split)`` of an environment gives them.

    An axis of numbers is ordered; one of texts holds alternatives.

    >>> space = TaskSpace({"variation": range(10), "level": (1, 2, 3), "kind": ("star", "move")})
    >>> space.parameters(8)
    {'variation': 1, 'level': 2, 'kind': 'star'}
    >>> space.number(variation=1, level=2, kind="star")
    8
    """

    def __init__(self, axes: Mapping[str, Sequence[Any]]) -> None:
        self.axes = {name: tuple(values) for name, values in axes.items()}
        self.shape = tuple(map(len, self.axes.values()))
        self.size = int(np.prod(self.shape))
        self._kept = [place for place, name in enumerate(self.axes) if name != VARIATION]
        self._ordered = [
            place
            for place in self._kept
            if all(isinstance(value, int | float) for value in list(self.axes.values())[place])
        ]

    def parameters(self, number: int) -> dict[str, Any]:
        """The parameters of a task."""
        places = np.unravel_index(number, self.shape)
        return {name: values[int(i)] for (name, values), i in zip(self.axes.items(), places, strict=True)}

    def number(self, **parameters: Any) -> int:
        """The task of these parameters.  Raises :class:`ValueError` for a name or value that there is not."""
        if set(parameters) != set(self.axes):
            raise ValueError(f"a task has the parameters {', '.join(self.axes)}, not {', '.join(parameters)}")
        for name, value in parameters.items():
            if value not in self.axes[name]:
                raise ValueError(f"{name} is one of {', '.join(map(str, self.axes[name][:50]))}, not {value!r}")
        places = [self.axes[name].index(parameters[name]) for name in self.axes]
        return int(np.ravel_multi_index(places, self.shape))

    def cell(self, number: int) -> Cell:
        """What is left of a task without its variation."""
        places = np.unravel_index(number, self.shape)
        return tuple(int(places[place]) for place in self._kept)

    def draw(self, rng: np.random.Generator) -> int:
        """Any task."""
        return int(rng.integers(self.size))

    def draw_in(self, cell: Sequence[int], rng: np.random.Generator) -> int:
        """A task of a cell."""
        places = [int(rng.integers(length)) for length in self.shape]
        for place, value in zip(self._kept, cell, strict=True):
            places[place] = value
        return int(np.ravel_multi_index(places, self.shape))

    def neighbours(self, cell: Cell) -> list[Cell]:
        """The cells one step up or down on one of the ordered axes."""
        found = []
        for place, axis in enumerate(self._kept):
            if axis in self._ordered:
                for step in (-1, 1):
                    value = cell[place] + step
                    if 0 <= value < self.shape[axis]:
                        found.append((*cell[:place], value, *cell[place + 1 :]))
        return found

    def point(self, number: int) -> np.ndarray:
        """A task's cell as a point of the unit cube, float64 [axes]; alternatives stand in their order."""
        cell = self.cell(number)
        spans = [max(self.shape[place] - 1, 1) for place in self._kept]
        return np.array([value / span for value, span in zip(cell, spans, strict=True)])

    def cell_at(self, point: np.ndarray) -> Cell:
        """The cell nearest to a point of the unit cube."""
        spans = [self.shape[place] - 1 for place in self._kept]
        return tuple(round(float(np.clip(value, 0, 1)) * span) for value, span in zip(point, spans, strict=True))
