"""Tic-tac-toe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..game import Game

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))

State = str
"""The nine squares, row by row: ``X`` for the first player, ``O`` for the second, ``.`` if free."""


class TicTacToe(Game[State]):
    """Three in a row on a board of three by three; perfect play is a draw.  A win pays 1, a loss -1, a draw 0."""

    name = "TicTacToe"
    roles = ("player_0", "player_1")
    guide = (
        "Tic-tac-toe. The squares are numbered 1 to 9, row by row. Whoever has three in a row, column or diagonal "
        "wins. Answer with the number of a free square and nothing else."
    )
    phrases = tuple(map(str, range(1, 10)))
    zero_sum = True
    perfect_information = True

    def start(self, task: None = None) -> State:
        """The empty board."""
        return "." * 9

    def movers(self, state: State) -> tuple[int, ...]:
        """The players take turns."""
        return () if self.over(state) else ((9 - state.count(".")) % 2,)

    def over(self, state: State) -> bool:
        """After three in a row, or nine moves."""
        return "." not in state or self.winner(state) is not None

    def winner(self, state: State) -> int | None:
        """Who has three in a row."""
        for first, second, third in LINES:
            if state[first] == state[second] == state[third] != ".":
                return "XO".index(state[first])
        return None

    def actions(self, state: State, player: int) -> Sequence[str]:
        """The free squares."""
        return [number for number, mark in zip(self.phrases, state, strict=True) if mark == "."]

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Take a square."""
        ((player, move),) = moves.items()
        square = int(move) - 1
        return state[:square] + "XO"[player] + state[square + 1 :]

    def returns(self, state: State) -> tuple[float, ...]:
        """1 for the winner, -1 for the loser."""
        winner = self.winner(state)
        return (0.0, 0.0) if winner is None else (1.0, -1.0) if winner == 0 else (-1.0, 1.0)

    def facts(self, state: State, player: int) -> str:
        """The board, and which marks are the player's."""
        return f"You are {'XO'[player]}.\n{self.render(state)}"

    def outcome(self, state: State) -> dict[str, int | None]:
        """The winner."""
        return {"winner": self.winner(state)}

    def render(self, state: State) -> str:
        """The board: X and O, and the numbers of the free squares."""
        marks = [number if mark == "." else mark for number, mark in zip(self.phrases, state, strict=True)]
        return "\n".join(" ".join(marks[row : row + 3]) for row in (0, 3, 6))
