"""Exact measures of a policy in a small game: what a best response gains, and what each role can expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..agents.strategy import Asked, ModelStrategy
from ..envs.multi.game import Game
from ..envs.multi.solve import Tree, exploitability, uniform, values, write_out


class Yardstick:
    """A game written out, and every situation in which a role is asked.

    Raises:
        TooLarge: the game has too many histories.
    """

    def __init__(self, game: Game[Any]) -> None:
        self.game = game
        self._written = write_out(game)
        self._asked: dict[str, list[Asked]] = {role: [] for role in game.roles}
        for role, asked in _decisions(self._written):
            self._asked[role].append(asked)

    def measure(self, strategies: Mapping[str, ModelStrategy]) -> dict[str, float]:
        """Exploitability and each role's expected return when the roles play ``strategies``, for the metrics."""
        for role, strategy in strategies.items():
            strategy.read(self._asked[role])
        expected = values(self._written, strategies)
        gain = exploitability(self._written, strategies)
        return {"evaluation/exploitability": gain} | {
            f"evaluation/value_{role}": value for role, value in zip(self.game.roles, expected, strict=True)
        }


def _decisions(written: Any) -> Iterator[tuple[str, Asked]]:
    """Every role's observations at which it moves, and the legal actions there."""
    game: Game[Any] = written.game
    if isinstance(written, Tree):
        for item in written.sets:
            yield game.roles[item.player], (item.observation, item.actions)
        return
    seen: set[tuple[int, Asked]] = set()

    def asked(observation: str, actions: Any, player: int) -> np.ndarray:
        seen.add((player, (observation, tuple(actions))))
        return uniform(observation, actions)

    profile = {
        role: (lambda observation, actions, player=player: asked(observation, actions, player))
        for player, role in enumerate(game.roles)
    }
    written.expected(profile)
    for player, found in sorted(seen):
        yield game.roles[player], found
