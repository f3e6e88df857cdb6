"""Connect four, on bit boards, and a player that looks ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ..game import Game, Mover

COLUMNS, ROWS = 7, 6
HEIGHT = ROWS + 1
"""Bits of a column; the topmost stays 0, so that lines do not run on into the next column."""
FULL = sum(((1 << ROWS) - 1) << HEIGHT * column for column in range(COLUMNS))
PLACES = [[1 << HEIGHT * column + row for column in range(COLUMNS)] for row in reversed(range(ROWS))]
"""The bits of the board as it is shown, the top row first."""
CENTRE_FIRST = (3, 2, 4, 1, 5, 0, 6)
WON = 1000


class State(NamedTuple):
    """The discs of each player as bit boards: bit ``7 * column + row``, from the bottom left; and whose turn it is."""

    discs: tuple[int, int] = (0, 0)
    turn: int = 0


class ConnectFour(Game[State]):
    """Four in a row on a board of seven by six; the first player can force a win (Allis 1988).

    A win pays 1, a loss -1, a draw 0.  The player ``"strong"`` looks six discs ahead.
    """

    name = "ConnectFour"
    roles = ("player_0", "player_1")
    zero_sum = True
    perfect_information = True
    guide = (
        "Connect four. Drop a disc into one of the columns 1 to 7; it falls to the lowest free place. Whoever has four "
        "in a row, column or diagonal wins. Answer with the number of a column and nothing else."
    )
    phrases = tuple(map(str, range(1, COLUMNS + 1)))

    def start(self, task: None = None) -> State:
        """The empty board."""
        return State()

    def movers(self, state: State) -> tuple[int, ...]:
        """The players take turns."""
        return () if self.over(state) else (state.turn,)

    def over(self, state: State) -> bool:
        """After four in a row, or when the board is full."""
        return four(state.discs[1 - state.turn]) or state.discs[0] | state.discs[1] == FULL

    def actions(self, state: State, player: int) -> Sequence[str]:
        """The columns that are not full."""
        return [self.phrases[column] for column in open_columns(state)]

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Drop a disc."""
        (move,) = moves.values()
        return drop(state, int(move) - 1)

    def returns(self, state: State) -> tuple[float, ...]:
        """1 for the winner, -1 for the loser; only whoever moved last can have won."""
        if not four(state.discs[1 - state.turn]):
            return (0.0, 0.0)
        return (1.0, -1.0) if state.turn == 1 else (-1.0, 1.0)

    def facts(self, state: State, player: int) -> str:
        """The board, and which discs are the player's."""
        return f"You are {'XO'[player]}.\n{self.render(state)}"

    def render(self, state: State) -> str:
        """The board, with the numbers of the columns below."""
        first, second = state.discs
        rows = [" ".join(["X" if first & bit else "O" if second & bit else "." for bit in row]) for row in PLACES]
        return "\n".join([*rows, " ".join(self.phrases)])

    def scripted(self) -> Mapping[str, Mover]:
        """A player that looks ahead."""
        return {"strong": partial(look_ahead, depth=6)}


def four(discs: int) -> bool:
    """Whether there are four in a row: up, along, and on both diagonals."""
    for shift in (1, HEIGHT, HEIGHT - 1, HEIGHT + 1):
        pairs = discs & discs >> shift
        if pairs & pairs >> 2 * shift:
            return True
    return False


def open_columns(state: State) -> list[int]:
    """The columns that are not full."""
    taken = state.discs[0] | state.discs[1]
    return [column for column in range(COLUMNS) if not taken >> (HEIGHT * column + ROWS - 1) & 1]


def drop(state: State, column: int) -> State:
    """The state after a disc of the player to move."""
    taken = state.discs[0] | state.discs[1]
    own = state.discs[state.turn] | ((taken + (1 << HEIGHT * column)) & ((1 << ROWS) - 1) << HEIGHT * column)
    discs = (own, state.discs[1]) if state.turn == 0 else (state.discs[0], own)
    return State(discs, 1 - state.turn)


def look_ahead(state: State, player: int, np_random: np.random.Generator, depth: int) -> str:
    """A column that is best ``depth`` discs ahead, by alpha-beta search; drawn at random among equals."""
    worth = {column: -_search(drop(state, column), depth - 1, -WON - 99, WON + 99) for column in open_columns(state)}
    best = [column for column, value in worth.items() if value == max(worth.values())]
    return str(best[int(np_random.integers(len(best)))] + 1)


def _search(state: State, depth: int, low: int, high: int) -> int:
    """What the position is worth to the player to move: sooner wins more, otherwise the discs in the middle."""
    if four(state.discs[1 - state.turn]):
        return -WON - depth
    columns = open_columns(state)
    if not columns:
        return 0
    if depth == 0:
        middle = ((1 << ROWS) - 1) << HEIGHT * (COLUMNS // 2)
        own, other = state.discs[state.turn] & middle, state.discs[1 - state.turn] & middle
        return own.bit_count() - other.bit_count()
    for column in CENTRE_FIRST:
        if column in columns:
            low = max(low, -_search(drop(state, column), depth - 1, -high, -low))
            if low >= high:
                break
    return low
