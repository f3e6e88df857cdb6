"""Who moves next, and what happens to an illegal move: a game in progress, as an immutable position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from .game import Game, IllegalMove, quote

Illegal = Literal["retry", "random", "forfeit"]


class Position(NamedTuple):
    """A game in progress.

    Players who move at the same time are asked one after the other; nobody sees an answer before all have given theirs.
    """

    state: Any
    turn: int | None
    """The player who is asked now; ``None`` when the game is over."""
    movers: tuple[int, ...] = ()
    """Everybody who moves in this round."""
    answers: tuple[str | None, ...] = ()
    """The answers of this round so far, in the order of ``movers``; ``None`` for an illegal one."""
    penalties: tuple[float, ...] = ()
    """What each player has been fined."""
    forfeited: tuple[float, ...] | None = None
    """The returns, once somebody has forfeited."""
    round: int = 0
    """How many rounds have been played or repeated."""


@dataclass(frozen=True, slots=True)
class Referee:
    """Applies moves to positions.

    ``illegal`` says what an illegal move leads to, always with feedback: ``"retry"`` changes nothing and asks again
    (where several move at the same time, all of them), ``"random"`` takes a legal move drawn at random in its place,
    and ``"forfeit"`` ends the game by :meth:`Game.forfeit`.  ``penalty`` is what the player is fined for it.
    """

    game: Game[Any]
    illegal: Illegal = "retry"
    penalty: float = 0.0

    def __post_init__(self) -> None:
        if self.illegal not in get_args(Illegal):
            raise ValueError(f"illegal must be one of {', '.join(get_args(Illegal))}, not {self.illegal!r}")
        if not self.penalty >= 0:
            raise ValueError(f"penalty is what a player is fined, a number from 0, not {self.penalty!r}")

    def open(self, np_random: np.random.Generator, task: Any = None) -> Position:
        """The first position of an episode."""
        fines = (0.0,) * len(self.game.roles)
        return self._settle(self.game.start(task), np_random)._replace(penalties=fines)

    def act(self, position: Position, text: object, np_random: np.random.Generator) -> tuple[Position, str | None]:
        """What the answer of the player whose turn it is leads to, and the feedback if it was illegal."""
        player, game = position.turn, self.game
        assert player is not None
        move, feedback = self._read(position, player, text)
        if feedback is not None:
            fines = list(position.penalties)
            fines[player] += self.penalty
            position = position._replace(penalties=tuple(fines))
            if self.illegal == "forfeit":
                return position._replace(turn=None, forfeited=game.forfeit(position.state, player)), feedback
            if self.illegal == "random":
                legal = game.actions(position.state, player)
                move = game.read(position.state, player, legal[int(np_random.integers(len(legal)))])
        movers = position.movers
        answers = (*position.answers, move)
        if len(answers) < len(movers):
            return position._replace(answers=answers, turn=movers[len(answers)]), feedback
        if None in answers:
            return position._replace(answers=(), turn=movers[0], round=position.round + 1), feedback
        moves: Mapping[int, Any] = dict(zip(movers, answers, strict=True))
        after = self._settle(game.play(position.state, moves), np_random)
        return after._replace(penalties=position.penalties, round=position.round + 1), feedback

    def paid(self, position: Position) -> tuple[float, ...]:
        """What each player has been paid so far, fines included."""
        returns = self.game.returns(position.state) if position.forfeited is None else position.forfeited
        if not any(position.penalties):
            return returns
        return tuple(value - fine for value, fine in zip(returns, position.penalties, strict=True))

    def _read(self, position: Position, player: int, text: object) -> tuple[str | None, str | None]:
        if not isinstance(text, str):
            return None, f"An action is text, not {quote(text)}."
        try:
            return self.game.read(position.state, player, text), None
        except IllegalMove as illegal:
            return None, str(illegal)

    def _settle(self, state: Any, np_random: np.random.Generator) -> Position:
        """Let chance move until a player does, or the game is over."""
        while not (movers := self.game.movers(state)) and not self.game.over(state):
            state = self.game.draw(state, np_random)
        return Position(state, movers[0] if movers else None, movers)
