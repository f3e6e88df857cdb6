"""Text generation that plays a judge's model: it reads the prompt and answers in the form that was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np

from palestra import Status, Trajectory, Turn
from palestra.rewards.judges import Ask

Env = gymnasium.Env[str, str]


_ITEM = re.compile(r"<item ([A-Z]) (\w{6})>\n(.*?)\n</item \1 \2>", re.DOTALL)


def code_of(prompt: str) -> str:
    """The code with which the prompt wants its verdict."""
    return re.findall(r"<(?:verdict|criteria) (\w{6})>", prompt)[-1]


def items_of(prompt: str) -> list[str]:
    """The texts of the fenced items."""
    code = code_of(prompt)
    return [text for _, found, text in _ITEM.findall(prompt) if found == code]


def criteria_of(prompt: str) -> str:
    """What the prompt says before it says where the items stand."""
    return prompt.partition("\n\nWhat is to be judged stands")[0].partition("\n\n")[2]


def verdict(prompt: str, body: object, reasoning: str = "I looked at it.") -> str:
    """A reply that ends with a verdict in the wanted form."""
    code = code_of(prompt)
    return f"<think>{reasoning}</think>\n<verdict {code}>\n{body}\n</verdict {code}>"


def scorer(score: Callable[[str, str], float]) -> Ask:
    """Answers every form of question from ``score(item, criteria)`` in [0, 1]."""

    def ask(prompts: Sequence[str]) -> list[str]:
        return [verdict(prompt, body(prompt)) for prompt in prompts]

    def body(prompt: str) -> str:
        scores = [score(item, criteria_of(prompt)) for item in items_of(prompt)]
        if len(scores) == 1:
            return f"{10 * scores[0]:.6f}"
        if len(scores) == 2:
            return "tie" if scores[0] == scores[1] else "AB"[int(scores[1] > scores[0])]
        order = sorted(range(len(scores)), key=lambda index: -scores[index])
        return " > ".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index] for index in order)

    return ask


def action_of(item: str) -> str:
    """The last action of a transcript."""
    return re.findall(r"\[turn \d+: action\]\n(.*?)(?:\n\[|$)", item, re.DOTALL)[-1]


def episode(action: str, reward: float = 0.0, turns: int = 1) -> Trajectory:
    """An episode that ends with an action."""
    made = [Turn("go on", "wait") for _ in range(turns - 1)] + [Turn("choose", action, reward)]
    return Trajectory("Choice-v0", 0, 0, made, Status.TERMINATED)


class Choice(Env):
    """One turn with named actions, each of a known worth: ``Choice({"a": 1.0, "b": 0.0})``."""

    def __init__(self, worth: dict[str, float]) -> None:
        self.worth = worth

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return "choose", {"legal_actions": list(self.worth)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "done", self.worth[action], True, False, {"legal_actions": []}


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's, for values without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])
