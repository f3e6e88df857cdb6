"""What a player is shown of a game in progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from .game import Game
from .referee import Position

Detail = Literal["full", "new"]


class View:
    """Puts positions into words for each player: all that it may know, or what is new since it answered last."""

    def __init__(self, game: Game[Any], detail: Detail) -> None:
        if detail not in get_args(Detail):
            raise ValueError(f"observation must be one of {', '.join(get_args(Detail))}, not {detail!r}")
        self._game = game
        self._detail = detail
        self.clear()

    def clear(self) -> None:
        """Forget what has been shown: a new episode."""
        self._seen: dict[int, tuple[str, int]] = {}

    def look(self, position: Position, player: int) -> None:
        """Note that the player has seen what :meth:`show` says now."""
        if self._detail == "new":
            state = position.state
            self._seen[player] = self._game.facts(state, player), len(self._game.events(state, player))

    def show(self, position: Position, player: int) -> str:
        """What the player is told."""
        if player not in self._seen:
            return self._game.observe(position.state, player)
        facts, count = self._seen[player]
        game, state = self._game, position.state
        now = game.facts(state, player)
        lines = [now if now != facts else "", *game.events(state, player)[count:]]
        if player in game.movers(state):
            lines.append(game.prompt(state, player))
        return "\n".join(line for line in lines if line)

    def memory(self) -> Any:
        """What has been shown, as a value."""
        return dict(self._seen)

    def remember(self, memory: Any) -> None:
        """Go back to a :meth:`memory`."""
        self._seen = dict(memory)


def legal_actions(game: Game[Any], position: Position, player: int) -> list[str]:
    """The legal actions of the player if it is asked now, else none."""
    return list(game.actions(position.state, player)) if position.turn == player else []


def task_of(game: Game[Any], options: Mapping[str, Any], np_random: np.random.Generator) -> Any:
    """The task that the options of ``reset`` name; raises :class:`ValueError` where the game has none."""
    if game.splits is not None:
        return game.splits.choose(options, np_random)
    if options:
        raise ValueError(f"unknown reset option {next(iter(options))!r}; {game.name} has no numbered tasks")
    return None
