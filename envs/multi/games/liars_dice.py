"""Liar's dice, small: a die each, rising bids about both, and a call."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..game import Game

LIAR = "liar"


class State(NamedTuple):
    """The dice of each player, and the moves so far."""

    dice: tuple[tuple[int, ...], ...] = ()
    moves: tuple[str, ...] = ()


class LiarsDice(Game[State]):
    """Two players with ``dice`` dice of ``faces`` faces, each seen only by its owner.

    A bid says that at least so many of all dice show a face; the next bid names more dice, or as many of a higher face.
    Whoever answers ``liar`` wins if the bid was too high, and loses otherwise.  A win pays 1.
    """

    name = "LiarsDice"
    roles = ("player_0", "player_1")
    zero_sum = True

    def __init__(self, dice: int = 1, faces: int = 4) -> None:
        if dice < 1 or faces < 2:
            raise ValueError(f"there must be at least one die of two faces, not {dice} of {faces}")
        self.dice = dice
        self.faces = faces
        self.bids = tuple(f"{count} x {face}" for count in range(1, 2 * dice + 1) for face in range(1, faces + 1))
        self.phrases = (*self.bids, LIAR)
        self.guide = (
            f"Liar's dice. You and your opponent have each rolled {dice} "
            f"{'die' if dice == 1 else 'dice'} with {faces} faces, and see only your own. Take turns to bid that at "
            "least so many of all dice show a face: 2 x 3 claims two threes. Each bid names more dice than the last, "
            "or as many of a higher face. Answer liar instead if you think that the last bid is too high: you win if "
            "it is, and lose if it is not. Answer with one action and nothing else."
        )

    def start(self, task: None = None) -> State:
        """Before the roll."""
        return State()

    def movers(self, state: State) -> tuple[int, ...]:
        """The players take turns."""
        return () if not state.dice or self.over(state) else (len(state.moves) % 2,)

    def over(self, state: State) -> bool:
        """After the call."""
        return state.moves[-1:] == (LIAR,)

    def chances(self, state: State) -> Sequence[tuple[State, float]]:
        """Every roll; the order of a player's dice does not matter."""
        weights: dict[tuple[int, ...], float] = {}
        for roll in itertools.product(range(1, self.faces + 1), repeat=self.dice):
            shown = tuple(sorted(roll))
            weights[shown] = weights.get(shown, 0.0) + self.faces**-self.dice
        return [(State((a, b)), p * q) for (a, p), (b, q) in itertools.product(weights.items(), repeat=2)]

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Every higher bid, and the call."""
        if not state.moves:
            return self.bids
        return (*self.bids[self.bids.index(state.moves[-1]) + 1 :], LIAR)

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Append the move."""
        return state._replace(moves=(*state.moves, *moves.values()))

    def returns(self, state: State) -> tuple[float, ...]:
        """1 for the winner of the call, -1 for the loser."""
        if not self.over(state):
            return (0.0, 0.0)
        count, _, face = state.moves[-2].partition(" x ")
        caller = (len(state.moves) - 1) % 2
        wins = sum(roll.count(int(face)) for roll in state.dice) < int(count)
        return (1.0, -1.0) if (caller == 0) == wins else (-1.0, 1.0)

    def facts(self, state: State, player: int) -> str:
        """The player's dice."""
        return f"You rolled {', '.join(map(str, state.dice[player]))}."

    def events(self, state: State, player: int) -> Sequence[str]:
        """The bids, and the other dice after the call."""
        lines = [f"{'You' if number % 2 == player else 'Opponent'}: {move}" for number, move in enumerate(state.moves)]
        if self.over(state):
            lines.append(f"Opponent rolled {', '.join(map(str, state.dice[1 - player]))}.")
        return lines

    def render(self, state: State) -> str:
        """The dice and the bids."""
        rolls = [
            f"{role} rolled {', '.join(map(str, roll))}" for role, roll in zip(self.roles, state.dice, strict=True)
        ]
        return "\n".join([*rolls, *(f"{self.roles[number % 2]}: {move}" for number, move in enumerate(state.moves))])
