"""Structured actions such as ``{"type": "click", "name": "buy_now"}`` against what a person did in the same place.

The action is the text of one JSON object, or of an object that holds it under ``"action"`` beside a rationale.
``0.5 * action_format + action_hierarchy`` is the action's part of Shop-R1's reward.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..envs.tool_calls import read_json
from ..trajectory import Turn
from .lift import turn_reward
from .reward import RewardError
from .tool import action_text, required

__all__ = ["action_format", "action_hierarchy"]


@turn_reward
def action_format(turn: Turn) -> float:
    """1 if the action is a JSON object with a text under ``"type"``, else 0."""
    return float(read_action(action_text(turn)) is not None)


@turn_reward
def action_hierarchy(
    turn: Turn,
    type_weight: float = 0.3,
    attribute_weight: float = 0.2,
    value_weight: float = 1000.0,
    value_weights: Mapping[str, float] = MappingProxyType({"type_and_submit.name": 0.1}),
    threshold: float = 0.75,
) -> float:
    """The right type, then its attributes, then their values, each worth more the harder it is to get right.

    The reference is ``info["gold_action"]``: ``{"type": str, attribute: text, ...}``.  0 for another type.  For the
    right one,

        type_weight + sum over the reference's A attributes of
            attribute_weight / A * [the action gives it a text] + w * rouge_l(action's text, reference's text),

    where a ROUGE-L below ``threshold`` counts as 0, and w is ``value_weights["type.attribute"]`` where there is one,
    else ``value_weight``.  The great weight of the long texts is the difficulty-aware scaling: without it a policy
    earns nearly as much by always ending the session, which has no attribute to get wrong.  Attributes that the
    reference lacks earn nothing.  RewardError without a reference.

    The weights are those that published summaries of Shop-R1 (arXiv:2507.17842) give for its three actions, ``click``
    (name), ``type_and_submit`` (name, text) and ``terminate``.  An estimator that divides by the group's standard
    deviation removes the scale between groups, and what the weights still do is rank the actions within a group.
    """
    gold = required(turn, "gold_action")
    if not _is_action(gold) or not all(isinstance(value, str) for value in gold.values()):
        raise RewardError(f'info["gold_action"] must hold a type and texts, not {gold!r:.200}')
    action = read_action(action_text(turn))
    if action is None or action["type"] != gold["type"]:
        return 0.0
    attributes = [name for name in gold if name != "type"]
    total = type_weight
    for name in attributes:
        text = action.get(name)
        if not isinstance(text, str) or not text.strip():
            continue
        similarity = rouge_l(text, gold[name])
        weight = value_weights.get(f"{gold['type']}.{name}", value_weight)
        total += attribute_weight / len(attributes) + weight * similarity * (similarity >= threshold)
    return total


def read_action(text: str) -> Mapping[str, Any] | None:
    """The action in a text, None if it holds none."""
    values = read_json(text)
    if values is None or len(values) != 1:
        return None
    [value] = values
    if isinstance(value, dict) and isinstance(value.get("action"), dict):
        value = value["action"]
    return value if _is_action(value) else None


def rouge_l(left: str, right: str) -> float:
    """The F1 of the longest common subsequence of words in lower case, in [0, 1]; 0 if either has none.

    2 * LCS / (words of the one + words of the other).  Source: ROUGE (Lin, 2004).
    """
    first, second = words(left), words(right)
    if not first or not second:
        return 0.0
    return 2 * _common_subsequence(first, second) / (len(first) + len(second))


def words(text: str) -> list[str]:
    """The runs of letters, digits and underscores, in lower case."""
    return re.findall(r"\w+", text.lower())


def _common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    lengths = [0] * (len(right) + 1)
    for word in left:
        diagonal = 0
        for index, other in enumerate(right, start=1):
            above = lengths[index]
            lengths[index] = diagonal + 1 if word == other else max(above, lengths[index - 1])
            diagonal = above
    return lengths[-1]


def _is_action(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("type"), str)
