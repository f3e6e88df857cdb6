"""Structured actions: the hierarchy's hand-computed numbers, hostile texts, and what it teaches."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, parse_reward, score, turn_reward
from palestra.rewards.action import action_format, action_hierarchy, read_action, rouge_l
from palestra.training.advantages import Scored, estimator

CLICK = {"type": "click", "name": "add to the shopping cart"}
SUBMIT = {"type": "type_and_submit", "name": "search box", "text": "red running shoes for men"}
TERMINATE = {"type": "terminate"}


def pay(reward: Reward, action: Any, gold: Any = CLICK) -> float:
    text = action if isinstance(action, str) else json.dumps(action)
    turn = Turn("o", text, info={} if gold is None else {"gold_action": gold})
    [values] = reward([Trajectory("X-v0", None, 0, [turn], Status.TERMINATED)])
    assert values is not None
    return float(values[0])


@pytest.mark.parametrize(
    ("action", "gold", "paid"),
    [
        (TERMINATE, TERMINATE, 0.3),
        (TERMINATE, CLICK, 0),
        (CLICK, TERMINATE, 0),
        ({"type": "click"}, CLICK, 0.3),
        ({"type": "click", "name": "  "}, CLICK, 0.3),
        ({"type": "click", "name": 7}, CLICK, 0.3),
        ({"type": "click", "name": "checkout"}, CLICK, 0.5),
        ({"type": "click", "name": "checkout", "text": "add to the shopping cart"}, CLICK, 0.5),
        (CLICK, CLICK, 1000.5),
        # ROUGE-L 2 * 4 / (4 + 5) is above the threshold, 2 * 3 / (4 + 5) is not.
        ({"type": "click", "name": "Add to shopping cart!"}, CLICK, 0.5 + 1000 * 8 / 9),
        ({"type": "click", "name": "add to my cart"}, CLICK, 0.5),
        (SUBMIT, SUBMIT, 0.3 + 0.2 + 0.1 + 1000),
        (SUBMIT | {"text": "hat"}, SUBMIT, 0.3 + 0.2 + 0.1),
        ({"type": "type_and_submit", "text": SUBMIT["text"]}, SUBMIT, 0.3 + 0.1 + 1000),
    ],
)
def test_each_level_of_the_hierarchy(action: dict[str, Any], gold: dict[str, Any], paid: float) -> None:
    assert pay(action_hierarchy, action, gold) == pytest.approx(paid)
    assert pay(action_hierarchy, {"rationale": "because", "action": action}, gold) == pytest.approx(paid)


def test_weights_are_parameters() -> None:
    reward = action_hierarchy(type_weight=1, attribute_weight=2, value_weight=4, value_weights={"click.name": 8})
    assert pay(reward, CLICK) == 1 + 2 + 8
    assert pay(reward, SUBMIT, SUBMIT) == 1 + 2 + 4 + 4
    assert parse_reward(str(reward)) == reward
    assert parse_reward("0.5*action_format + action_hierarchy") == 0.5 * action_format + action_hierarchy
    assert pay(action_hierarchy(threshold=0.5), {"type": "click", "name": "add to my cart"}) == pytest.approx(
        0.5 + 1000 * 6 / 9
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"type": 3}', '{"name": "x"}', "{}{}", "[" * 99_999])
def test_what_is_no_action_pays_nothing(text: str) -> None:
    assert pay(action_format, text) == pay(action_hierarchy, text) == 0
    assert pay(action_format, TERMINATE) == 1


@settings(max_examples=50)
@given(st.text(max_size=50))
def test_any_text_is_read_or_refused(text: str) -> None:
    action = read_action('{"type": ' + text)
    assert action is None or isinstance(action["type"], str)


def test_what_the_environment_must_say() -> None:
    with pytest.raises(RewardError, match="does not say"):
        pay(action_hierarchy, CLICK, None)
    for gold in ("click", {"name": "x"}, {"type": "click", "name": 3}):
        with pytest.raises(RewardError, match="must hold a type and texts"):
            pay(action_hierarchy, CLICK, gold)


def test_rouge_l() -> None:
    assert rouge_l("the cat sat", "The cat, sat!") == 1
    assert rouge_l("sat cat the", "the cat sat") == pytest.approx(1 / 3)
    assert rouge_l("a b c d", "a x c") == pytest.approx(2 * 2 / 7)
    assert rouge_l("", "a") == rouge_l("a", "...") == 0


WORDS = st.lists(st.sampled_from("abc"), max_size=7).map(" ".join)


@settings(max_examples=50)
@given(WORDS, WORDS)
def test_rouge_l_is_the_longest_common_subsequence(left: str, right: str) -> None:
    one, other = left.split(), right.split()

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return 0
        if one[i] == other[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    wanted = 2 * longest(0, 0) / (len(one) + len(other)) if one and other else 0
    assert rouge_l(left, right) == pytest.approx(wanted)


def test_works_shop_r1_order() -> None:
    wrong_type, type_only, attribute, everything = (
        pay(action_hierarchy, action, SUBMIT)
        for action in (
            TERMINATE,
            {"type": "type_and_submit"},
            {"type": "type_and_submit", "name": "x", "text": "y"},
            SUBMIT,
        )
    )
    assert wrong_type < type_only < attribute < everything
    name_wrong = pay(action_hierarchy, SUBMIT | {"name": "x"}, SUBMIT)
    text_wrong = pay(action_hierarchy, SUBMIT | {"text": "y"}, SUBMIT)
    assert everything - text_wrong > 100 * (everything - name_wrong)  # the long text is worth more than the name


# Twelve pages.  On each, people ended the session in 4 of 10 visits, and else clicked or searched for one thing that
# the page suggests, 3 of 10 each: ending is the likeliest type, and has nothing else to get wrong.
LABELS = [f"open the page of article {number}" for number in range(6)]
QUERIES = [f"something like article {number} but cheaper" for number in range(6)]
CHOICES = [
    TERMINATE,
    *({"type": "click", "name": label} for label in LABELS),
    *({"type": "type_and_submit", "name": "search box", "text": query} for query in QUERIES),
]


@turn_reward
def type_match(turn: Turn) -> float:
    action = read_action(turn.action)
    return float(action is not None and action["type"] == turn.info["gold_action"]["type"])


def simulate(reward: Reward, advantage: str, seed: int) -> tuple[float, float]:
    """The probability of ending, and that of the right label or query among the other actions, after training.

    The types share their logits over the pages, as a network would share what is easy; labels and queries do not.
    """
    rng, estimate = np.random.default_rng(seed), estimator(advantage, {})
    kinds, details = np.zeros(3), np.zeros((12, 2, 6))
    likely = rng.integers(6, size=12)
    for _ in range(1200):
        page = int(rng.integers(12))
        kind = int(rng.choice(3, p=[0.4, 0.3, 0.3]))
        gold = CHOICES[0] if kind == 0 else CHOICES[1 + 6 * (kind - 1) + likely[page]]
        p = np.exp(kinds - kinds.max()) / np.exp(kinds - kinds.max()).sum()
        q = np.exp(details[page]) / np.exp(details[page]).sum(axis=1, keepdims=True)
        picks = [(k, int(rng.choice(6, p=q[k - 1])) if k else 0) for k in rng.choice(3, size=8, p=p)]
        texts = [json.dumps(CHOICES[0 if k == 0 else 1 + 6 * (k - 1) + d]) for k, d in picks]
        group = Group([Trajectory("S", page, 0, [Turn("o", text, info={"gold_action": gold})]) for text in texts])
        score(reward, group)
        for (k, d), [amount] in zip(picks, estimate(Scored.by(reward, group)), strict=True):
            kinds += 0.2 * amount / 8 * ((np.arange(3) == k) - p)
            if k:
                details[page, k - 1] += 0.8 * amount / 8 * ((np.arange(6) == d) - q[k - 1])
    p = np.exp(kinds - kinds.max()) / np.exp(kinds - kinds.max()).sum()
    q = np.exp(details) / np.exp(details).sum(axis=2, keepdims=True)
    return float(p[0]), float(np.mean(q[np.arange(12), :, likely]))


@pytest.mark.slow
def test_works_shop_r1() -> None:
    """Without division by the group's deviation, the weights end the exploit; with it, no weight does."""

    def results(reward: Reward, advantage: str) -> np.ndarray:
        found = np.array([simulate(reward, advantage, seed) for seed in range(3)])
        print(advantage, reward, "(ends, right label)", found.round(2).tolist())
        return found.T

    ends, right = results(type_match, "dr_grpo")
    assert ends.min() > 0.9
    assert right.max() < 0.25
    ends, right = results(action_hierarchy(value_weight=5), "dr_grpo")
    assert ends.max() < 0.1
    assert right.min() > 0.4
    ends, right = results(action_hierarchy, "grpo")
    assert ends.min() > 0.9
