"""Transitions that are learned from again and again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Transitions(NamedTuple):
    """What actions led to, float32 arrays with a row each; observations are raw, actions in [-1, 1].

    ``terminated`` is 1 where nothing follows, 0 also where an episode was only cut off.  ``returns`` are the discounted
    sums of the rewards to the episode's end, as far as they are known: else minus infinity, which bounds nothing.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_observations: np.ndarray
    terminated: np.ndarray
    returns: np.ndarray

    def take(self, rows: np.ndarray) -> Transitions:
        """Some of them."""
        return Transitions(*(column[rows] for column in self))


class Buffer:
    """The last ``capacity`` transitions, drawn uniformly."""

    def __init__(self, capacity: int, observation_size: int, action_size: int) -> None:
        seen = (capacity, observation_size)
        shapes = [seen, (capacity, action_size), (capacity,), seen, (capacity,), (capacity,)]
        self._columns = Transitions(*(np.empty(shape, np.float32) for shape in shapes))
        self._capacity, self._added = capacity, 0

    def __len__(self) -> int:
        return min(self._added, self._capacity)

    def add(self, rows: Transitions) -> None:
        """Take in transitions, over the oldest ones once it is full."""
        places = (self._added + np.arange(len(rows.rewards))) % self._capacity
        for column, values in zip(self._columns, rows, strict=True):
            column[places] = values
        self._added += len(places)

    def draw(self, count: int, generator: torch.Generator) -> Transitions:
        """``count`` transitions, with replacement."""
        return self._columns.take(torch.randint(len(self), (count,), generator=generator).numpy())

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: the transitions, and how many there have been."""
        columns: list[Tensor] = [torch.from_numpy(column[: len(self)]) for column in self._columns]
        return {"added": self._added, "columns": columns}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        self._added = state["added"]
        for column, kept in zip(self._columns, state["columns"], strict=True):
            column[: len(self)] = kept.numpy()
