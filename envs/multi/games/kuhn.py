"""Kuhn poker: three cards, two players, one bet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..game import Game

CARDS = ("jack", "queen", "king")


class State(NamedTuple):
    """The cards dealt, by player, and the moves so far."""

    cards: tuple[int, ...] = ()
    moves: tuple[str, ...] = ()


DEALS = tuple((State((first, second)), 1 / 6) for first in range(3) for second in range(3) if first != second)


class KuhnPoker(Game[State]):
    """The poker of Kuhn 1950: the first player's value is -1/18, and every equilibrium is known.

    Each player puts in a chip and is dealt one of three cards.  A player checks or bets a second chip; a bet is called
    or folded.  Returns are chips won.
    """

    name = "KuhnPoker"
    roles = ("player_0", "player_1")
    guide = (
        "Kuhn poker. There are three cards: jack, queen and king, which is the highest. You and your opponent each put "
        "one chip into the pot and hold one card. Check or bet one more chip; answer a bet by call or fold. If nobody "
        "folds, the higher card wins the pot. Answer with one action and nothing else."
    )
    phrases = ("check", "bet", "call", "fold")
    zero_sum = True
    lowest = -2.0

    def start(self, task: None = None) -> State:
        """Before the deal."""
        return State()

    def movers(self, state: State) -> tuple[int, ...]:
        """The players take turns."""
        return () if not state.cards or self.over(state) else (len(state.moves) % 2,)

    def over(self, state: State) -> bool:
        """After a fold, a call, or two checks."""
        return state.moves[-1:] in (("fold",), ("call",)) or state.moves == ("check", "check")

    def chances(self, state: State) -> Sequence[tuple[State, float]]:
        """The six deals."""
        return DEALS

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Check or bet; call or fold after a bet."""
        return ("call", "fold") if state.moves[-1:] == ("bet",) else ("check", "bet")

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Append the move."""
        return state._replace(moves=(*state.moves, *moves.values()))

    def returns(self, state: State) -> tuple[float, ...]:
        """The chips won, at the end."""
        if not self.over(state):
            return (0.0, 0.0)
        if state.moves[-1] == "fold":
            winner, chips = len(state.moves) % 2, 1.0
        else:
            winner, chips = int(state.cards[1] > state.cards[0]), 2.0 if "call" in state.moves else 1.0
        return (chips, -chips) if winner == 0 else (-chips, chips)

    def facts(self, state: State, player: int) -> str:
        """The player's card."""
        return f"You hold the {CARDS[state.cards[player]]}."

    def events(self, state: State, player: int) -> Sequence[str]:
        """The moves, and the other card after a showdown."""
        lines = [f"{'You' if number % 2 == player else 'Opponent'}: {move}" for number, move in enumerate(state.moves)]
        if self.over(state) and state.moves[-1] != "fold":
            lines.append(f"Opponent holds the {CARDS[state.cards[1 - player]]}.")
        return lines

    def render(self, state: State) -> str:
        """Both cards and the moves."""
        held = ", ".join(f"{role} holds the {CARDS[card]}" for role, card in zip(self.roles, state.cards, strict=True))
        return "\n".join([held, *(f"{self.roles[number % 2]}: {move}" for number, move in enumerate(state.moves))])
