"""Bargaining by price: a buyer and a seller who know only their own limits."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from ...splits import Splits
from ..bargain import PROPOSE, BargainGame, Pay, split_by_view
from ..game import IllegalMove, quote

THINGS = ("bicycle", "lamp", "guitar", "carpet", "telescope", "coat", "kettle", "mirror")


HOPE = 40
"""How much better than its own limit a scripted player hopes for."""


class Sale(NamedTuple):
    """What is for sale, the least that the seller can take, and the most that it is worth to the buyer."""

    thing: str
    cost: int
    value: int


class PriceBargaining(BargainGame[Sale]):
    """A buyer and a seller agree on a price, or do not (Myerson and Satterthwaite 1983, with both limits private).

    A deal pays each its share of what there is to gain: (value - price) / (value - cost) to the buyer, (price - cost) /
    (value - cost) to the seller, at least -1; no deal pays 0.
    """

    name = "PriceBargaining"
    players = ("buyer", "seller")
    guide = (
        "A buyer and a seller bargain over the price of one thing. Each knows only its own limit, and gains by how "
        "much better than that the price is; without a deal nobody gains. To offer a price, answer: propose 45. Words "
        "may follow: propose 45: it is almost new. Or answer: accept, say <words>, leave."
    )
    lowest = -1.0
    patience: ClassVar[Mapping[str, float]] = {"fair": 0.2, "greedy": 0.5, "firm": 0.35, "deceptive": 0.35}

    def __init__(self, most_moves: int = 10, strategists: bool = False, pay: Pay = "own") -> None:
        super().__init__(most_moves, strategists, pay)
        self.splits = _splits()

    def deals(self, task: Sale) -> Sequence[str]:
        """Every price at which neither loses; others can be proposed too."""
        return [str(price) for price in range(task.cost, task.value + 1)]

    def imagined(self, task: Sale, player: int) -> Sequence[str]:
        """Prices up to 40 better than the player's own limit."""
        prices = range(task.value - HOPE, task.value + 1) if player == 0 else range(task.cost, task.cost + HOPE + 1)
        return [str(price) for price in prices if price > 0]

    def worth(self, task: Sale, deal: str, player: int) -> float:
        """The player's share of the gain."""
        gain = task.value - int(deal) if player == 0 else int(deal) - task.cost
        return max(gain / (task.value - task.cost), -1.0)

    def parse(self, task: Sale, text: str, player: int) -> str:
        """A whole number below 1,000."""
        match = re.fullmatch(r"\$?(\d{1,3})", text)
        if match is None:
            raise IllegalMove(f"{quote(text)} is no price; write for example: {PROPOSE} 45")
        return str(int(match[1]))

    def describe(self, task: Sale, deal: str, player: int) -> str:
        """The price."""
        return deal

    def brief(self, task: Sale, player: int) -> str:
        """The player's own limit."""
        if player == 0:
            return f"You are the buyer of a {task.thing}. It is worth {task.value} to you."
        return f"You are the seller of a {task.thing}. It cost you {task.cost}."

    def examples(self) -> Sequence[str]:
        """Some prices."""
        return (f"{PROPOSE} 30", f"{PROPOSE} 45", f"{PROPOSE} 60")


@lru_cache(maxsize=1)
def _splits() -> Splits[Sale]:
    """Sales in a fixed order, no two of them alike: 300 each for validation and test, 3,991 to train on."""
    sales = [
        Sale(thing, cost, cost + gain)
        for thing, cost, gain in itertools.product(THINGS, range(20, 81), range(10, 61, 5))
    ]
    shuffled = [sales[index] for index in np.random.default_rng(1983).permutation(len(sales))]
    return split_by_view(shuffled, lambda sale: (sale.thing, sale.value), train=4000, held_out=300)
