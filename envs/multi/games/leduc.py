"""Leduc hold'em: six cards, a card on the board, two rounds of betting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..game import Game

CARDS = ("jack", "queen", "king")
MOST_RAISES = 2
BETS = (2, 4)
"""What a bet or raise adds in each round."""


class State(NamedTuple):
    """The ranks dealt, the rank on the board, and the moves of each round."""

    cards: tuple[int, ...] = ()
    board: int | None = None
    rounds: tuple[tuple[str, ...], ...] = ((),)


class LeducPoker(Game[State]):
    """The poker of Southey et al. 2005 (https://arxiv.org/abs/1207.1411): the first player's value is -0.0856.

    Two jacks, two queens, two kings; each player puts in a chip.  Bets are 2 in the first round and 4 in the second,
    with at most two in a round.  A pair with the board wins, then the higher card.  Returns are chips won.
    """

    name = "LeducPoker"
    roles = ("player_0", "player_1")
    guide = (
        "Leduc poker. There are two jacks, two queens and two kings. You and your opponent each put one chip into the "
        "pot and hold one card. There are two rounds of betting, with a card laid on the board between them; a bet or "
        "raise adds 2 chips in the first and 4 in the second, and there are at most two in a round. If nobody folds, a "
        "pair with the board wins, else the higher card. Answer with one action and nothing else."
    )
    phrases = ("check", "bet", "call", "raise", "fold")
    zero_sum = True
    lowest = -13.0

    def start(self, task: None = None) -> State:
        """Before the deal."""
        return State()

    def movers(self, state: State) -> tuple[int, ...]:
        """The first player begins each round."""
        if not state.cards or self.over(state) or (_closed(state.rounds[-1]) and state.board is None):
            return ()
        return (len(state.rounds[-1]) % 2,)

    def over(self, state: State) -> bool:
        """After a fold, or when the second round of betting is closed."""
        last = state.rounds[-1]
        return last[-1:] == ("fold",) or (len(state.rounds) == 2 and _closed(last))

    def chances(self, state: State) -> Sequence[tuple[State, float]]:
        """The deal by ranks, and then the card on the board."""
        if not state.cards:
            pairs = [(first, second) for first in range(3) for second in range(3)]
            return [(State(pair), (1 if pair[0] == pair[1] else 2) / 15) for pair in pairs]
        left = [2 - state.cards.count(rank) for rank in range(3)]
        rounds = (*state.rounds, ())
        return [(State(state.cards, rank, rounds), count / 4) for rank, count in enumerate(left) if count]

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Check or bet; after a bet call, raise if there may be another, or fold."""
        moves = state.rounds[-1]
        bets = moves.count("bet") + moves.count("raise")
        if not bets:
            return ("check", "bet")
        return ("call", "raise", "fold") if bets < MOST_RAISES else ("call", "fold")

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Append the move."""
        return state._replace(rounds=(*state.rounds[:-1], (*state.rounds[-1], *moves.values())))

    def returns(self, state: State) -> tuple[float, ...]:
        """The chips won, at the end."""
        if not self.over(state):
            return (0.0, 0.0)
        put = self._put_in(state)
        if state.rounds[-1][-1] == "fold":
            loser = (len(state.rounds[-1]) - 1) % 2
        else:
            strength = [(card == state.board, card) for card in state.cards]
            if strength[0] == strength[1]:
                return (0.0, 0.0)
            loser = int(strength[1] < strength[0])
        return (float(put[1]), -float(put[1])) if loser else (-float(put[0]), float(put[0]))

    def _put_in(self, state: State) -> list[int]:
        put = [1, 1]
        for bet, moves in zip(BETS, state.rounds, strict=False):
            for number, move in enumerate(moves):
                player = number % 2
                if move in ("bet", "raise"):
                    put[player] = put[1 - player] + bet
                elif move == "call":
                    put[player] = put[1 - player]
        return put

    def facts(self, state: State, player: int) -> str:
        """The player's card."""
        return f"You hold the {CARDS[state.cards[player]]}."

    def events(self, state: State, player: int) -> Sequence[str]:
        """The moves, the board, and the other card after a showdown."""
        names = ["You" if seat == player else "Opponent" for seat in range(2)]
        lines = _lines(state, names)
        if self.over(state) and state.rounds[-1][-1] != "fold":
            lines.append(f"Opponent holds the {CARDS[state.cards[1 - player]]}.")
        return lines

    def render(self, state: State) -> str:
        """The cards and the moves."""
        held = ", ".join(f"{role} holds the {CARDS[card]}" for role, card in zip(self.roles, state.cards, strict=True))
        return "\n".join([held, *_lines(state, self.roles)])


def _closed(moves: tuple[str, ...]) -> bool:
    """Whether a round of betting is over without a fold."""
    return moves[-1:] == ("call",) or moves == ("check", "check")


def _lines(state: State, names: Sequence[str]) -> list[str]:
    lines = []
    for number, moves in enumerate(state.rounds):
        if number == 1 and state.board is not None:
            lines.append(f"The board shows the {CARDS[state.board]}.")
        lines += [f"{names[index % 2]}: {move}" for index, move in enumerate(moves)]
    return lines
