"""Tasks whose answer is known because we made them: turned images, cut-out patches, masked and shuffled steps.

A function here makes a :class:`Pretext` out of an observation or a reference trace.  An environment of one turn shows
``question`` (and ``image``) and records ``pretext.info()`` as the turn's ``info``; the rewards compare the action with
it.  Randomness comes from the generator that is passed in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..trajectory import Turn
from .lift import turn_reward
from .reward import RewardError

__all__ = ["pretext_match", "step_order"]


@dataclass(frozen=True, slots=True)
class Pretext:
    """A made-up question: the text, the images that go with it, and the answer that :data:`pretext_match` expects.

    ``order`` is set for reordering instead: the true place of each shown step, from 0.
    """

    question: str
    answer: str
    images: tuple[np.ndarray, ...] = ()
    order: tuple[int, ...] | None = None

    def info(self) -> dict[str, Any]:
        """What the rewards read."""
        return {"answer": self.answer} if self.order is None else {"answer": self.answer, "order": self.order}


def rotation(image: np.ndarray, rng: np.random.Generator) -> Pretext:
    """By how many degrees was this image turned: 0, 90, 180 or 270 counter-clockwise, each equally likely?

    ``image`` [height, width, ...] is first cut to its middle square: a wide image would show by its shape whether it
    was turned by a quarter.  Source: SSL4RL (arXiv:2510.16416), rotation.
    """
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    quarter = int(rng.integers(4))
    turned = np.ascontiguousarray(np.rot90(image[top : top + side, left : left + side], quarter))
    question = "By how many degrees was this image turned counter-clockwise: 0, 90, 180 or 270?"
    return Pretext(question, str(90 * quarter), (turned,))


def patch_position(image: np.ndarray, rng: np.random.Generator, grid: int = 2) -> Pretext:
    """From which of the grid by grid cells was this patch cut?  Cells count from 0, row by row, each equally likely.

    ``image`` [height, width, ...]; rows and columns that do not fill a cell are left out.  ValueError if there is not
    a pixel for each cell.  Source: SSL4RL (arXiv:2510.16416), position.
    """
    high, wide = image.shape[0] // grid, image.shape[1] // grid
    if grid < 2 or min(high, wide) == 0:
        raise ValueError(f"an image of shape {image.shape} has no grid of {grid} by {grid}")
    cell = int(rng.integers(grid * grid))
    row, column = divmod(cell, grid)
    patch = image[row * high : (row + 1) * high, column * wide : (column + 1) * wide].copy()
    question = f"The second image is a cell of the first, cut {grid} by {grid}. Which, from 0, row by row?"
    return Pretext(question, str(cell), (image, patch))


def masked_step(steps: Sequence[str], rng: np.random.Generator) -> Pretext:
    """A reference trace with one step hidden, which is the answer.  ValueError for a trace without steps.

    Source: MR-RLVR (arXiv:2511.17473), masked-then-fill.
    """
    if not steps:
        raise ValueError("a trace without steps")
    hidden = int(rng.integers(len(steps)))
    shown = "\n".join("[MASK]" if index == hidden else step for index, step in enumerate(steps))
    return Pretext(f"What stood in the place of [MASK]?\n{shown}", steps[hidden])


def shuffled_steps(steps: Sequence[str], rng: np.random.Generator) -> Pretext:
    """A reference trace in random order; the answer names the shown steps, from 0, in their true order.

    ValueError for fewer than two steps.  Source: MR-RLVR (arXiv:2511.17473), step reordering.
    """
    if len(steps) < 2:
        raise ValueError("one step has one order only")
    order = tuple(int(place) for place in rng.permutation(len(steps)))
    shown = "\n".join(f"{index}: {steps[place]}" for index, place in enumerate(order))
    answer = " ".join(str(index) for index in np.argsort(order))
    return Pretext(f"In which order do these steps belong?\n{shown}", answer, order=order)


@turn_reward
def pretext_match(turn: Turn) -> float:
    """1 if the action is ``info["answer"]``, apart from case and white space, else 0.

    For rotations, patches and masked steps (SSL4RL, arXiv:2510.16416; MR-RLVR, arXiv:2511.17473).  RewardError if the
    environment does not say the answer.
    """
    if "answer" not in turn.info:
        raise RewardError('the environment does not say info["answer"]')
    return float(_plain(turn.action) == _plain(turn.info["answer"]))


@turn_reward
def step_order(turn: Turn) -> float:
    """How well the action orders shuffled steps: :func:`pair_order` of the true places in the order that it names.

    The action's numbers are the shown steps, from 0, as in ``"2 0 1"``; naming a step twice or not at all earns 0.
    RewardError if the environment does not say ``info["order"]``, the true place of each shown step.
    """
    if "order" not in turn.info:
        raise RewardError('the environment does not say info["order"]')
    order = turn.info["order"]
    # A number of many digits is not the index of a step, and reading it takes long.
    named = [int(number) for number in re.findall(r"(?<!\d)\d{1,9}(?!\d)", str(turn.action), re.ASCII)]
    if sorted(named) != list(range(len(order))):
        return 0.0
    return pair_order([order[index] for index in named])


def pair_order(places: Sequence[int]) -> float:
    """The share of pairs that stand in rising order: 1 for sorted places, 0 for reversed ones, 1/2 expected by chance.

    It is (1 + Kendall's tau) / 2.  ValueError for fewer than two places.
    """
    pairs = list(combinations(places, 2))
    if not pairs:
        raise ValueError("no pair to order")
    return sum(first < second for first, second in pairs) / len(pairs)


def _plain(text: object) -> str:
    return " ".join(str(text).split()).casefold()
