"""Rules that a text can be checked against: constraints of an instruction, and phrases of reasoning.

The text is the last turn's action.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..trajectory import Trajectory
from .combinator import Operation, combinator
from .combine import paid_at_the_end, totals
from .lift import episode_reward
from .reward import Episodes, Reward, RewardError, Scope, Values, place

__all__ = ["constraints_met", "fraction_met", "reasoning_pattern"]


@episode_reward
def constraints_met(trajectory: Trajectory, all_or_nothing: bool = False) -> float:
    """The fraction of the task's constraints that the text meets; with ``all_or_nothing``, 1 if it meets all, else 0.

    The last turn's ``info["constraints"]`` lists them as pairs of a name of :data:`CONSTRAINTS` and its argument, such
    as ``[("max_words", 50), ("contains", "refund")]``.  RewardError for an unknown name, an argument that does not
    fit, an empty list, or an action that is no text.  Source: the rule-based dense reward of Light-IF
    (arXiv:2508.03178); the set of constraints is ours.
    """
    text = _text(trajectory)
    constraints = trajectory.turns[-1].info.get("constraints")
    if not constraints:
        raise RewardError(f"constraints_met: no info['constraints'] in the last turn of {place(trajectory)}")
    met = [_check(name, argument, text, trajectory) for name, argument in constraints]
    return float(all(met)) if all_or_nothing else sum(met) / len(met)


@combinator(Scope.EPISODE)
def fraction_met(*rules: Reward, threshold: float = 1.0) -> Operation:
    """The fraction of the rules that total at least ``threshold`` in the episode, on its last turn.

    The same for constraints that are rewards themselves: ``fraction_met(polite, quick)``.  Their all-or-nothing form is
    ``product``.
    """
    if not rules:
        raise ValueError("fraction_met needs at least one rule")

    def operation(episodes: Episodes) -> Values:
        met = [totals(episodes.values(rule)) >= threshold for rule in rules]
        return paid_at_the_end(np.mean(met, axis=0), episodes)

    return operation


@combinator(Scope.EPISODE)
def reasoning_pattern(phrases: tuple[str, ...], *, enough: int) -> Operation:
    """How many of the key phrases of reasoning the text uses, whatever its answer: min(1, found / enough), in [0, 1].

    A phrase counts once, and case does not.  Paid on the last turn.  Source: the reasoning pattern reward of
    arXiv:2505.22653; its authors' code pays for 40 phrases such as "let me check" with ``enough=20`` and
    subtracts the repeated 20-grams, for which there is :func:`~palestra.rewards.length.repetition`.
    """
    if not phrases or isinstance(phrases, str) or not all(isinstance(phrase, str) and phrase for phrase in phrases):
        raise ValueError(f"reasoning_pattern needs phrases, got {phrases!r}")
    if enough < 1:
        raise ValueError(f"reasoning_pattern: enough {enough} is below 1")
    wanted = {phrase.lower() for phrase in phrases}

    def operation(episodes: Episodes) -> Values:
        texts = [_text(trajectory).lower() if trajectory.turns else "" for trajectory in episodes]
        found = [sum(phrase in text for phrase in wanted) for text in texts]
        return paid_at_the_end(np.minimum(1.0, np.array(found) / enough), episodes)

    return operation


def _is_json(text: str, wanted: bool) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return not wanted
    return wanted


def _words(text: str) -> int:
    return len(text.split())


CONSTRAINTS: dict[str, tuple[type, Callable[[str, Any], bool]]] = {
    "contains": (str, lambda text, wanted: wanted.lower() in text.lower()),
    "lacks": (str, lambda text, unwanted: unwanted.lower() not in text.lower()),
    "starts_with": (str, lambda text, start: text.startswith(start)),
    "ends_with": (str, lambda text, end: text.rstrip().endswith(end)),
    "min_words": (int, lambda text, count: _words(text) >= count),
    "max_words": (int, lambda text, count: _words(text) <= count),
    "paragraphs": (int, lambda text, count: sum(bool(part.strip()) for part in re.split(r"\n\s*\n", text)) == count),
    "bullets": (int, lambda text, count: len(re.findall(r"^[ \t]*[-*] ", text, re.MULTILINE)) == count),
    "lowercase": (bool, lambda text, wanted: (text == text.lower()) == wanted),
    "json": (bool, _is_json),
}
"""What can be asked of a text: name -> type of the constraint's argument, and function of the text and it."""


def _check(name: str, argument: Any, text: str, trajectory: Trajectory) -> bool:
    if name not in CONSTRAINTS:
        raise RewardError(f"no constraint {name!r}, asked by {place(trajectory)}; there are {', '.join(CONSTRAINTS)}")
    kind, is_met = CONSTRAINTS[name]
    if type(argument) is not kind:
        raise RewardError(f"constraint {name} needs {kind.__name__}, not {argument!r}, asked by {place(trajectory)}")
    return is_met(text, argument)


def _text(trajectory: Trajectory) -> str:
    action = trajectory.turns[-1].action
    if not isinstance(action, str):
        raise RewardError(f"the last action of {place(trajectory)} is {action!r:.80}, which is no text")
    return action
