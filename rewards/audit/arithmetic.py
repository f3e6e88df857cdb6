"""Arithmetic that no model has seen: a generator of exactly solvable items, and an environment of them.

Source: RandomCalculation (arXiv:2507.10532), which generates clean arithmetic of any length so that training on it with
true, random and inverted rewards shows what the reward does rather than what the model remembers.  What we confirmed is
that; the operands' range and the offered answers here are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import gymnasium
import numpy as np

from ...envs.spaces import AnyText

LARGEST_OPERAND = 100
OPERATORS = "+-*/"


@dataclass(frozen=True, slots=True)
class Item:
    """An expression of integers, ``+ - * /`` and brackets, and its exact value."""

    expression: str
    answer: Fraction


def generate(count: int, steps: int, rng: np.random.Generator) -> list[Item]:
    """``count`` different items of ``steps`` operations each, by the generator's draws alone.

    Raises ValueError where ``steps`` is below 1.  Every item has a value: a division by zero is drawn again.
    """
    if steps < 1 or count < 1:
        raise ValueError(f"needs at least one item of one step, not {count} of {steps}")
    items: dict[str, Item] = {}
    while len(items) < count:
        expression, answer = _tree(steps, rng)
        if answer is not None:
            items.setdefault(expression, Item(expression, answer))
    return list(items.values())


def _tree(steps: int, rng: np.random.Generator) -> tuple[str, Fraction | None]:
    """A random expression with ``steps`` operations, and its value, None if it has none."""
    if steps == 0:
        number = int(rng.integers(LARGEST_OPERAND + 1))
        return str(number), Fraction(number)
    inside = int(rng.integers(steps))  # operations on the left of the last one
    operator = OPERATORS[int(rng.integers(len(OPERATORS)))]
    (left, first), (right, second) = _tree(inside, rng), _tree(steps - 1 - inside, rng)
    text = f"{_bracketed(left, inside)} {operator} {_bracketed(right, steps - 1 - inside)}"
    if first is None or second is None or (operator == "/" and second == 0):
        return text, None
    value = {"+": first + second, "-": first - second, "*": first * second}.get(operator)
    return text, first / second if value is None else value


def _bracketed(text: str, steps: int) -> str:
    return f"({text})" if steps else text


class RandomCalculation(gymnasium.Env[str, str]):
    """One question a turn long: an expression and ``choices`` answers, of which one is right and pays 1.

    ``items`` numbered tasks (``reset(options={"task": i})``) of ``steps`` operations, generated from ``item_seed``.
    ``info`` has ``legal_actions``, ``valid_action`` and after the answer ``success``.
    """

    guide = "Answer with the value of the expression, exactly as one of the answers is written."

    def __init__(self, items: int = 12, steps: int = 3, choices: int = 4, item_seed: int = 0) -> None:
        if choices < 2:
            raise ValueError("a question needs at least two answers")
        rng = np.random.default_rng(item_seed)
        self.items = generate(items, steps, rng)
        self.offered = [_offered(item, choices, rng) for item in self.items]
        self.observation_space, self.action_space = AnyText(), AnyText()
        self.item = -1

    def tasks(self, split: str) -> int:
        """How many items there are; the splits are the same ones."""
        return len(self.items)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Ask the item of ``options["task"]``, or any."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(len(self.items)))
        self.item = int((options or {}).get("task", drawn))
        answers = self.offered[self.item]
        asked = f"{self.items[self.item].expression} = ? Answers: {', '.join(answers)}"
        self._asked = asked
        return asked, {"legal_actions": list(answers), "valid_action": True}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge the answer; the episode is over."""
        right = action.strip() == str(self.items[self.item].answer)
        valid = action.strip() in self.offered[self.item]
        info: dict[str, Any] = {"legal_actions": [], "valid_action": valid, "success": right}
        if not valid:
            info["feedback"] = "That is none of the answers."
        return self._asked, float(right), True, False, info

    def oracle(self) -> str:
        """The right answer."""
        return str(self.items[self.item].answer)


def _offered(item: Item, choices: int, rng: np.random.Generator) -> list[str]:
    """The right answer and others near it, in random order."""
    answers = {str(item.answer)}
    while len(answers) < choices:
        answers.add(str(item.answer + int(rng.integers(1, 10)) * int(rng.choice([-1, 1]))))
    ordered = sorted(answers)
    return [ordered[index] for index in rng.permutation(len(ordered))]


if "RandomCalculation-v0" not in gymnasium.registry:
    gymnasium.register("RandomCalculation-v0", entry_point=f"{__name__}:RandomCalculation")
