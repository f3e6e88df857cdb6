"""Opponents: chance, the exact solution, and the players that games bring along."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .game import Game, Mover, Player
from .solve import Strategy, solution


def random_player(observation: str, info: Mapping[str, Any], np_random: np.random.Generator) -> str:
    """Any legal action, each equally likely."""
    legal = info["legal_actions"]
    return legal[int(np_random.integers(len(legal)))]


class StrategyPlayer:
    """Plays a :data:`~palestra.envs.multi.solve.Strategy`: probabilities of the legal actions by observation."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def __call__(self, observation: str, info: Mapping[str, Any], np_random: np.random.Generator) -> str:
        """Draw an action."""
        legal = info["legal_actions"]
        chances = np.cumsum(self.strategy(observation, legal))
        return legal[int(min(np.searchsorted(chances, np_random.random() * chances[-1], "right"), len(legal) - 1))]


def mover(game: Game[Any], opponent: str | Player, role: str) -> Mover:
    """What plays ``role``: a function of yours, or the player of that name.

    ``"optimal"`` plays its part in a :func:`~palestra.envs.multi.solve.solution` of the game, which must be small.
    Raises :class:`ValueError` for an unknown name, and for ``"optimal"`` where the game cannot be solved.
    """
    if callable(opponent):
        return _seated(game, opponent)
    scripted = game.scripted()
    if opponent in scripted:
        return scripted[opponent]
    if opponent == "random":
        return _seated(game, random_player)
    if opponent == "optimal":
        return _seated(game, StrategyPlayer(solution(game, role)))
    known = ["random", "optimal", *scripted]
    nearest = difflib.get_close_matches(str(opponent), known, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"{game.name} has no player {opponent!r}; there are {', '.join(map(repr, known))}{hint}")


def _seated(game: Game[Any], player: Player) -> Mover:
    """A player that is shown what its seat may know."""

    def move(state: Any, number: int, np_random: np.random.Generator) -> str:
        info = {"role": game.roles[number], "legal_actions": list(game.actions(state, number))}
        return player(game.observe(state, number), info, np_random)

    return move
