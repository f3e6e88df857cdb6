"""Who meets whom in self-play: the members of a pool, and how often each is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .config import Opponents
from .ratings import prioritised

_MEMORY = 0.95
"""Share of what is known of a member that is kept from one step to the next: policies change."""


class Matching:
    """Chooses opponents from a pool, by how often the policy has beaten each of late.

    Args:
        settings: the way of choosing, and the scripts that are members from the start; the others are the policy's past
            selves, of which the last few stay.
    """

    def __init__(self, settings: Opponents) -> None:
        self._settings = settings
        self.past: list[str] = []
        self._known: dict[str, list[float]] = {}

    @property
    def pool(self) -> list[str]:
        """Whom the policy may meet beside itself."""
        return [*self._settings.scripts, *self.past]

    def join(self, member: str) -> list[str]:
        """Add a past self to the pool; the oldest, which have to leave if there are too many."""
        everybody = [*self.past, member]
        self.past = everybody[-self._settings.pool :]
        return everybody[: -self._settings.pool]

    def win_rate(self, member: str) -> float:
        """How often the policy has beaten a member of late; a half where nothing is known."""
        games, points = self._known.get(member, [0.0, 0.0])
        return (points + 0.5) / (games + 1)

    def learn(self, outcomes: Sequence[tuple[str, float]]) -> None:
        """Take in a step's games against members: 1 for a win of the policy, a half for a draw."""
        self._known = {member: [_MEMORY * value for value in cell] for member, cell in self._known.items()}
        for member, points in outcomes:
            cell = self._known.setdefault(member, [0.0, 0.0])
            cell[0] += 1
            cell[1] += points

    def choose(self, np_random: np.random.Generator) -> str | None:
        """A member of the pool, or None for the policy itself."""
        settings = self._settings
        if settings.matching == "latest" or not self.pool or np_random.random() < settings.share:
            return None
        if settings.matching == "past":
            weights = np.full(len(self.pool), 1 / len(self.pool))
        else:
            weights = prioritised([self.win_rate(member) for member in self.pool])
        return self.pool[int(np_random.choice(len(weights), p=weights))]

    def snapshot(self) -> dict[str, Any]:
        """Everything, as values for JSON."""
        return {"past": list(self.past), "known": {member: list(cell) for member, cell in self._known.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        self.past = list(state["past"])
        self._known = {member: list(cell) for member, cell in state["known"].items()}
