"""Goals: what a customer asks for, in the order and with the prices that two seeds give."""

from __future__ import annotations

import bisect
import itertools
import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from .catalogue import Catalogue

#: The price limits that a goal may name.
PRICE_LIMITS = [10.0 * i for i in range(1, 100)]
NO_PRICE_LIMIT = 1000000.0

#: Where each split lies among the shuffled goals, as in the WebShop paper.
SPLITS = {"test": (0, 500), "validation": (500, 1500), "train": (1500, None)}


@dataclass(frozen=True)
class Goal:
    """One task: buy something like ``product`` (a number in the catalogue) that has these attributes and options."""

    number: int
    product: int
    asin: str
    instruction: str
    attributes: tuple[str, ...]
    options: tuple[str, ...]
    price_upper: float

    def as_info(self) -> dict[str, Any]:
        """The goal in plain JSON types."""
        return {
            "number": self.number,
            "asin": self.asin,
            "instruction": self.instruction,
            "attributes": list(self.attributes),
            "options": list(self.options),
            "price_upper": self.price_upper,
        }


def draw_prices(catalogue: Catalogue, rng: random.Random) -> np.ndarray:
    """The price of every product: a draw from its range, if it has one, in catalogue order."""
    prices = np.array(catalogue.low)
    for number in np.flatnonzero(~np.isnan(catalogue.high)).tolist():
        prices[number] = rng.uniform(float(catalogue.low[number]), float(catalogue.high[number]))
    return prices


def draw_price_limit(price: float, rng: random.Random) -> float:
    """A price limit above ``price``; :data:`NO_PRICE_LIMIT`, without a draw, where too few limits are above it."""
    above = bisect.bisect_right(PRICE_LIMITS, price)
    choices = PRICE_LIMITS[above : above + 4]
    if len(choices) < 2:
        return NO_PRICE_LIMIT
    return max(rng.sample(choices, 2))


class Goals(Sequence[Goal]):
    """The shuffled goals of a catalogue, and the drawn ``prices`` of its products.

    Args:
        catalogue: the shop.
        price_seed: seed of the prices, then of the price limits.
        shuffle_seed: seed of the order.
        human: goals from the instructions that people wrote; otherwise the synthetic ones, one for every combination of
            options of every product that has a synthetic instruction.
    """

    def __init__(self, catalogue: Catalogue, price_seed: int, shuffle_seed: int, human: bool) -> None:
        self.catalogue = catalogue
        rng = random.Random(price_seed)
        self.prices = draw_prices(catalogue, rng)
        self._human = human
        # Goal number -> source: the instruction, for synthetic goals with a number for the combination of its options.
        self._sources = array("q")
        self._starts = array("q")
        self._limits = array("d")
        count = self._draw_human(rng) if human else self._draw_synthetic(rng)
        self._order = array("q", range(count))
        random.Random(shuffle_seed).shuffle(self._order)

    def _draw_human(self, rng: random.Random) -> int:
        for price in self.prices[self.catalogue.instruction_products].tolist():
            self._limits.append(draw_price_limit(price, rng))
        return len(self._limits)

    def _draw_synthetic(self, rng: random.Random) -> int:
        count = 0
        for number in range(len(self.catalogue)):
            product = self.catalogue.read(number)
            if product.instruction is None or not product.instruction_attributes:
                continue
            self._sources.append(number)
            self._starts.append(count)
            self._limits.append(draw_price_limit(float(self.prices[number]), rng))
            count += math.prod(len(values) for values in product.options.values())
        return count

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Goal: ...
    @overload
    def __getitem__(self, index: slice) -> list[Goal]: ...
    def __getitem__(self, index: int | slice) -> Goal | list[Goal]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return self._human_goal(number) if self._human else self._synthetic_goal(number)

    def _human_goal(self, number: int) -> Goal:
        source = self._order[number]
        instruction = self.catalogue.instruction(source)
        return Goal(
            number=number,
            product=instruction.product,
            asin=self.catalogue.product(instruction.product).asin,
            instruction=instruction.text.strip(".") + _limit_text(self._limits[source]),
            attributes=tuple(instruction.attributes),
            options=tuple(instruction.options),
            price_upper=self._limits[source],
        )

    def _synthetic_goal(self, number: int) -> Goal:
        place = self._order[number]
        source = bisect.bisect_right(self._starts, place) - 1
        product = self.catalogue.product(self._sources[source])
        groups = sorted(product.options)
        combinations = itertools.product(*(product.options[group] for group in groups))
        options = next(itertools.islice(combinations, place - self._starts[source], None))
        wishes = ", and ".join(f"{group}: {value}" for group, value in zip(groups, options, strict=True))
        text = f"{product.instruction} with {wishes}" if wishes else f"{product.instruction}"
        return Goal(
            number=number,
            product=product.index,
            asin=product.asin,
            instruction=text + _limit_text(self._limits[source]),
            attributes=product.instruction_attributes,
            options=options,
            price_upper=self._limits[source],
        )

    def split(self, name: str) -> range:
        """The goal numbers of a split; ``ValueError`` for a name that is none."""
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(sorted(SPLITS))}, not {name!r}")
        start, end = SPLITS[name]
        return range(len(self))[start:end]


def _limit_text(limit: float) -> str:
    return "" if limit == NO_PRICE_LIMIT else f", and price lower than {limit:.2f} dollars"
