"""Levine's hats: each sees only the other's hats, and both must name a black one of their own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..game import Game, Mover

NAMES = ("white", "black")


class State(NamedTuple):
    """The hats of each player from the bottom up, 1 for black, and the places that they named."""

    hats: tuple[tuple[int, ...], ...] = ()
    named: tuple[int, ...] = ()


class LevineHats(Game[State]):
    """Two players under stacks of ``height`` hats, each black or white by a fair coin.

    Each sees the other's stack and names a place in its own, at the same time; both are paid 1 if both hats there are
    black.  The best that a team can agree on wins 4/16, 5/16 and 22/64 for heights 1, 2 and 3, of 0.35 for endless
    stacks (conjectured; https://arxiv.org/abs/2508.01737).
    """

    name = "LevineHats"
    roles = ("player_0", "player_1")
    simultaneous = True
    lowest = 0.0

    def __init__(self, height: int = 2) -> None:
        if not 1 <= height <= 8:
            raise ValueError(f"height must be from 1 to 8, not {height}")
        self.height = height
        self.phrases = tuple(map(str, range(1, height + 1)))
        self.guide = (
            f"Levine's hats. You and your partner each wear a stack of {height} hats, black or white, and see only the "
            "other's, from the bottom up. Without talking you each name a place in your own stack, counted from the "
            "bottom; you both win if both hats named are black. Answer with a number and nothing else."
        )

    def start(self, task: None = None) -> State:
        """Before the hats are put on."""
        return State()

    def movers(self, state: State) -> tuple[int, ...]:
        """Both, at the same time, once."""
        return () if not state.hats or state.named else (0, 1)

    def over(self, state: State) -> bool:
        """After both have named a place."""
        return bool(state.named)

    def chances(self, state: State) -> Sequence[tuple[State, float]]:
        """Every colouring, equally likely."""
        stacks = list(itertools.product((0, 1), repeat=self.height))
        return [(State(pair), 1 / len(stacks) ** 2) for pair in itertools.product(stacks, repeat=2)]

    def actions(self, state: State, player: int) -> Sequence[str]:
        """The places."""
        return self.phrases

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Note the places."""
        return state._replace(named=(int(moves[0]), int(moves[1])))

    def returns(self, state: State) -> tuple[float, ...]:
        """1 for both if both named a black hat."""
        won = bool(state.named) and all(stack[place - 1] for stack, place in zip(state.hats, state.named, strict=True))
        return (float(won), float(won))

    def scripted(self) -> Mapping[str, Mover]:
        """``lookout``: the first player looks, the second does not, so that a team of it wins 1/4 as if neither did."""
        return {"lookout": self._look_out}

    def _look_out(self, state: State, player: int, np_random: np.random.Generator) -> str:
        """The first player names the lowest place where the partner's hat is black, the second any place."""
        if player == 1:
            return str(1 + int(np_random.integers(self.height)))
        seen = state.hats[1]
        return str(1 + seen.index(1) if 1 in seen else self.height)

    def facts(self, state: State, player: int) -> str:
        """The other's hats."""
        return f"You are {self.roles[player]}. Your partner's hats: {_shown(state.hats[1 - player])}."

    def events(self, state: State, player: int) -> Sequence[str]:
        """In the end, what both named and had on."""
        if not state.named:
            return ()
        own, other = state.named[player], state.named[1 - player]
        return [f"You named {own} of {_shown(state.hats[player])}.", f"Your partner named {other}."]

    def render(self, state: State) -> str:
        """All hats, and the places named."""
        rows = [f"{role}: {_shown(stack)}" for role, stack in zip(self.roles, state.hats, strict=True)]
        return "\n".join([*rows, *([f"named: {state.named[0]}, {state.named[1]}"] if state.named else [])])


def _shown(stack: tuple[int, ...]) -> str:
    return ", ".join(NAMES[hat] for hat in stack)
