"""Negotiation over a pile of goods, which are worth something else to each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...splits import Splits
from ..bargain import PROPOSE, BargainGame, Pay, split_by_view
from ..game import IllegalMove, quote

GOODS = ("book", "hat", "ball")
POINTS = 10
"""What the whole pile is worth to each player."""


class Pile(NamedTuple):
    """How many of each good there are, and what one of each is worth to each player."""

    counts: tuple[int, ...]
    worth: tuple[tuple[int, ...], tuple[int, ...]]


class PileNegotiation(BargainGame[Pile]):
    """Lewis et al. 2017's Deal or No Deal (https://arxiv.org/abs/1706.05125): share books, hats and balls.

    Five to seven things lie in the pile; all of them together are worth 10 points to each player, who knows only its
    own values.  A deal pays a player's points over 10, no deal 0.  ``outcome`` says whether the deal is Pareto-optimal,
    and its Nash product over the best one's.
    """

    name = "PileNegotiation"
    players = ("player_0", "player_1")
    guide = (
        "Share a pile of books, hats and balls with somebody else. Each of you knows only what they are worth to "
        "yourself; you are paid for what you get, and nothing without a deal. Say what you want to have, and the other "
        "gets the rest: propose 1 book, 2 hats. Words may follow: propose 1 book: I love reading. Or answer: accept, "
        "say <words>, leave."
    )

    def __init__(self, most_moves: int = 10, strategists: bool = False, pay: Pay = "own") -> None:
        super().__init__(most_moves, strategists, pay)
        self.splits = _splits()

    def deals(self, task: Pile) -> Sequence[str]:
        """Every share of the first player: ``1 0 2``."""
        return _shares(task.counts)

    def worth(self, task: Pile, deal: str, player: int) -> float:
        """The points of the player's share, over 10."""
        share = _share(task, deal, player)
        return sum(part * worth for part, worth in zip(share, task.worth[player], strict=True)) / POINTS

    def left(self, task: Pile, deal: str, player: int) -> int:
        """How many things."""
        return sum(_share(task, deal, 1 - player))

    def parse(self, task: Pile, text: str, player: int) -> str:
        """``1 book, 2 hats``: what the proposer wants; what is not named goes to the other."""
        wanted = dict.fromkeys(GOODS, 0)
        for part in re.split(r",|\band\b", text):
            match = re.fullmatch(r"\s*(\d{1,2})\s+([a-z]+?)s?\s*", part, re.IGNORECASE)
            if match is None or match[2].lower() not in wanted:
                raise IllegalMove(f"{quote(text)} is no share; write for example: {PROPOSE} 1 book, 2 hats")
            wanted[match[2].lower()] += int(match[1])
        for good, count in zip(GOODS, task.counts, strict=True):
            if wanted[good] > count:
                raise IllegalMove(f"There are only {count} {good}s in the pile.")
        share = [wanted[good] for good in GOODS]
        return _written(share if player == 0 else [w - s for w, s in zip(task.counts, share, strict=True)])

    def describe(self, task: Pile, deal: str, player: int) -> str:
        """What the proposer gets, in words."""
        share = _share(task, deal, player)
        parts = [_amount(count, good) for count, good in zip(share, GOODS, strict=True) if count]
        return ", ".join(parts) or f"0 {GOODS[0]}s"

    def brief(self, task: Pile, player: int) -> str:
        """The pile and the player's values."""
        parts = [f"{_amount(count, good)}" for count, good in zip(task.counts, GOODS, strict=True)]
        values = [f"a {good} {worth}" for good, worth in zip(GOODS, task.worth[player], strict=True)]
        return f"The pile: {', '.join(parts)}. To you is worth: {', '.join(values)}."

    def examples(self) -> Sequence[str]:
        """Some shares."""
        return (f"{PROPOSE} 1 book", f"{PROPOSE} 1 hat, 1 ball")


def _share(task: Pile, deal: str, player: int) -> list[int]:
    first = [int(count) for count in deal.split()]
    return first if player == 0 else [whole - part for whole, part in zip(task.counts, first, strict=True)]


def _amount(count: int, good: str) -> str:
    return f"{count} {good}{'' if count == 1 else 's'}"


def _written(share: Sequence[int]) -> str:
    return " ".join(map(str, share))


@lru_cache(maxsize=256)
def _shares(counts: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(_written(share) for share in itertools.product(*(range(count + 1) for count in counts)))


@lru_cache(maxsize=1)
def _splits() -> Splits[Pile]:
    """Piles in a fixed order, no two of them alike: 500 each for validation and test, 4,000 to train on."""
    piles = []
    for counts in itertools.product(range(1, 5), repeat=len(GOODS)):
        if 5 <= sum(counts) <= 7:
            values = [
                worth
                for worth in itertools.product(range(POINTS + 1), repeat=len(GOODS))
                if sum(count * value for count, value in zip(counts, worth, strict=True)) == POINTS
            ]
            piles += [Pile(counts, (one, other)) for one, other in itertools.product(values, repeat=2) if one != other]
    order = np.random.default_rng(1706).permutation(len(piles))
    shuffled = [piles[index] for index in order]
    return split_by_view(shuffled, lambda pile: (pile.counts, pile.worth[0]), train=4000, held_out=500)
