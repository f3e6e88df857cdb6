"""Nim: take from one heap; whoever takes the last one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..game import Game


class State(NamedTuple):
    """The sizes of the heaps, and whose turn it is."""

    heaps: tuple[int, ...]
    turn: int = 0


class Nim(Game[State]):
    """The game of Bouton 1901: the player to move wins exactly if the binary sum of the heaps is not 0.

    A win pays 1, a loss -1.
    """

    name = "Nim"
    roles = ("player_0", "player_1")
    zero_sum = True
    perfect_information = True
    guide = (
        "Nim. Take as many as you like, at least one, from one of the heaps. Whoever takes the very last one wins. To "
        "take 2 from heap 1, answer: take 2 from 1"
    )

    def __init__(self, heaps: Sequence[int] = (3, 4, 5)) -> None:
        if not heaps or min(heaps) < 0 or not any(heaps):
            raise ValueError(f"heaps must be sizes, not all of them 0, not {heaps!r}")
        self.heaps = tuple(heaps)
        self.phrases = tuple(_moves(self.heaps))

    def start(self, task: None = None) -> State:
        """All heaps full."""
        return State(self.heaps)

    def movers(self, state: State) -> tuple[int, ...]:
        """The players take turns."""
        return () if self.over(state) else (state.turn,)

    def over(self, state: State) -> bool:
        """When everything is taken."""
        return not any(state.heaps)

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Any number from any heap."""
        return _moves(state.heaps)

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Take."""
        ((player, move),) = moves.items()
        _, count, _, heap = move.split()
        heaps = list(state.heaps)
        heaps[int(heap) - 1] -= int(count)
        return State(tuple(heaps), 1 - player)

    def returns(self, state: State) -> tuple[float, ...]:
        """1 for whoever took the last."""
        if not self.over(state):
            return (0.0, 0.0)
        return (1.0, -1.0) if state.turn == 1 else (-1.0, 1.0)

    def facts(self, state: State, player: int) -> str:
        """The heaps."""
        return self.render(state)

    def render(self, state: State) -> str:
        """The heaps."""
        return "; ".join(f"heap {number}: {size}" for number, size in enumerate(state.heaps, 1))


def _moves(heaps: tuple[int, ...]) -> list[str]:
    return [f"take {count} from {heap}" for heap, size in enumerate(heaps, 1) for count in range(1, size + 1)]
