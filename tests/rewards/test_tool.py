"""Graded tool calls and executed queries: hand-computed numbers, hostile texts, and what they teach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, parse_reward, score, turn_reward
from palestra.rewards.semantic import contrastive_similarity
from palestra.rewards.tool import Call, matched_share, read_calls, sql_execution, tool_correct, tool_format
from palestra.training.advantages import Scored, estimator

GOLD = [{"name": "search", "arguments": {"query": "shoes", "limit": 3}}]


def pay(reward: Reward, action: Any, **info: Any) -> float:
    trajectory = Trajectory("X-v0", None, 0, [Turn("o", action, info=info)], Status.TERMINATED)
    [values] = reward([trajectory])
    assert values is not None
    return float(values[0])


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


# S_max = 1 + (1 + 2) = 4 for GOLD.
@pytest.mark.parametrize(
    ("action", "share"),
    [
        (call("search", query="shoes", limit=3), 4),
        (call("search", limit=3.0, query="shoes"), 4),
        ('{"name": "search", "parameters": {"query": "shoes", "limit": 3}}', 4),
        (call("search", query="shoes", limit=4), 1 + 1 + 1),
        (call("search", query="shoes", limit="3"), 1 + 1 + 1),
        (call("search", query="boots"), 1 + 1 / 2 + 0),
        (call("search", query="shoes", limit=3, page=1), 1 + 2 / 3 + 2),
        (call("search"), 1 + 0 + 0),
        (call("buy", query="shoes", limit=3), 0),
        ("I would rather talk.", 0),
        (call("search", query="shoes", limit=3) + call("buy"), 1 / 2 + 1 + 2),
    ],
)
def test_the_graded_call(action: str, share: float) -> None:
    assert pay(tool_correct, action, tool_calls=GOLD) == pytest.approx(6 * share / 4 - 3)


def test_the_order_of_calls_does_not_matter_and_each_is_used_once() -> None:
    gold = [{"name": "get", "arguments": {"key": 1}}, {"name": "get", "arguments": {"key": 2}}]
    assert pay(tool_correct, call("get", key=2) + call("get", key=1), tool_calls=gold) == 3
    # Names match fully; the first reference call finds its twin (1 + 1), the second only the argument's name (1).
    assert pay(tool_correct, call("get", key=1) + call("get", key=1), tool_calls=gold) == pytest.approx(6 * 4 / 5 - 3)
    lines = (
        '<tool_call>\n{"name": "get", "arguments": {"key": 1}}\n{"name": "get", "arguments": {"key": 2}}\n</tool_call>'
    )
    assert pay(tool_correct, lines, tool_calls=gold) == 3


def test_where_nothing_should_be_called() -> None:
    assert pay(tool_correct, "The answer is 4.", tool_calls=[]) == 3
    assert pay(tool_correct, call("search"), tool_calls=[]) == -3
    assert pay(tool_format, "The answer is 4.", tool_calls=[]) == 1
    assert pay(tool_format, call("search"), tool_calls=[]) == 0
    assert pay(tool_format, "The answer is 4.", tool_calls=GOLD) == 0


@pytest.mark.parametrize(
    "action",
    [
        "<tool_call>",
        "</tool_call>",
        "<tool_call></tool_call>",
        "</tool_call><tool_call>",
        '<tool_call>{"name": "a"}</tool_call></tool_call>',
        "<tool_call>" * 5000,
        '<tool_call>{"name": "search", "arguments": {"query": NaN}}</tool_call>',
        '<tool_call>{"name": 3}</tool_call>',
        '<tool_call>{"name": "search", "arguments": []}</tool_call>',
        "[" * 100_000,
        '{"name": "a", "arguments": {"b": ' + "[" * 5000 + "]" * 5000 + "}}",
        '{"name": "a", "arguments": {"b": ' + "1" * 5000 + "}}",
    ],
    ids=lambda action: action[:40],
)
def test_a_malformed_call_pays_the_least(action: str) -> None:
    assert pay(tool_correct, action, tool_calls=GOLD) == -3
    assert pay(tool_format, action, tool_calls=GOLD) == 0


def test_true_is_not_one() -> None:
    gold = [{"name": "f", "arguments": {"x": 1}}]
    assert pay(tool_correct, '{"name": "f", "arguments": {"x": true}}', tool_calls=gold) < 3
    assert pay(tool_correct, '{"name": "f", "arguments": {"x": 1.0}}', tool_calls=gold) == 3


def test_what_the_environment_must_say() -> None:
    with pytest.raises(RewardError, match="does not say"):
        pay(tool_correct, call("search"))
    with pytest.raises(RewardError, match="must list calls"):
        pay(tool_correct, call("search"), tool_calls=[{"tool": "search"}])
    with pytest.raises(RewardError, match="read as text, and is int"):
        pay(tool_correct, 3, tool_calls=GOLD)
    assert str(parse_reward("tool_format + tool_correct")) == "tool_format + tool_correct"


CALLS = st.builds(
    Call, st.sampled_from("ab"), st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["1", "2"]), max_size=3)
)


@settings(max_examples=50)
@given(st.lists(CALLS, max_size=4), st.lists(CALLS, max_size=4))
def test_the_share_is_one_only_for_the_same_calls(calls: list[Call], reference: list[Call]) -> None:
    def multiset(items: Sequence[Call]) -> list[Any]:
        return sorted((item.name, sorted(item.arguments.items())) for item in items)

    share = matched_share(calls, reference)
    assert 0 <= share <= 1 + 1e-12
    assert (share > 1 - 1e-9) == (multiset(calls) == multiset(reference))


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for action in (text, f"<tool_call>{text}</tool_call>", '{"name": "a", "arguments": {"b": ' + text):
        assert read_calls(action) is None or all(isinstance(item, Call) for item in read_calls(action) or [])


# Eight tools, each with up to three arguments of eight values; a policy that picks each of the four on its own.
TOOLS, KEYS, VALUES = "abcdefgh", "xyz", 8


@turn_reward
def exact_call(turn: Turn) -> float:
    return float(tool_correct.function(turn) == 3)


def solved_tasks(reward: Reward, keys: str, seed: int, rate: float = 1.0, steps: int = 60) -> float:
    """The share of 20 tasks whose likeliest call is right, after training on all of them for some steps."""
    rng, estimate = np.random.default_rng(seed), estimator("grpo", {})
    sizes = (len(TOOLS), *[VALUES] * len(keys))
    gold = [[int(rng.integers(size)) for size in sizes] for _ in range(20)]
    logits = [[np.zeros(size) for size in sizes] for _ in gold]
    for _ in range(steps):
        for right, slots in zip(gold, logits, strict=True):
            probabilities = [np.exp(slot) / np.exp(slot).sum() for slot in slots]
            picks = [[int(rng.choice(len(p), p=p)) for p in probabilities] for _ in range(8)]
            info = {"tool_calls": [{"name": TOOLS[right[0]], "arguments": dict(zip(keys, right[1:], strict=True))}]}
            texts = [call(TOOLS[tool], **dict(zip(keys, values, strict=True))) for tool, *values in picks]
            group = Group([Trajectory("T", 0, 0, [Turn("o", text, info=info)]) for text in texts])
            score(reward, group)
            for pick, [advantage] in zip(picks, estimate(Scored.by(reward, group)), strict=True):
                for slot, chosen, p in zip(slots, pick, probabilities, strict=True):
                    slot += rate * advantage / 8 * ((np.arange(len(p)) == chosen) - p)
    return float(
        np.mean([[int(slot.argmax()) for slot in slots] == right for slots, right in zip(logits, gold, strict=True)])
    )


@pytest.mark.slow
def test_works_tool_rl() -> None:
    """Grading leads where luck seldom finds the right one of 512 or 4096 calls, unless the steps are too small."""

    def both(keys: str, rate: float) -> tuple[np.ndarray, np.ndarray]:
        graded, exact = (
            np.array([solved_tasks(reward, keys, seed, rate) for seed in range(3)])
            for reward in (tool_format + tool_correct, exact_call)
        )
        print(len(keys), "arguments, rate", rate, "graded", graded, "exact", exact)
        return graded, exact

    graded, exact = both("xyz", rate=1.0)
    assert graded.min() > exact.max() + 0.5
    graded, exact = both("xy", rate=1.0)
    assert graded.min() > exact.max() + 0.2
    # One lucky hit weighs sqrt(7) in its group and teaches all slots at once; grades teach one slot after the other.
    graded, exact = both("xy", rate=0.1)
    assert graded.mean() < exact.mean()


def test_works_tool_rl_order() -> None:
    wrong_tool, wrong_value, exact = (
        pay(tool_format + tool_correct, action, tool_calls=GOLD)
        for action in (
            call("buy", query="shoes", limit=3),
            call("search", query="boots", limit=9),
            call("search", query="shoes", limit=3),
        )
    )
    assert -3 <= wrong_tool < wrong_value < exact == 4


SHOP = {
    "schema": """create table item (name text, price real, colour text);
        insert into item values ('shoe', 20, 'red'), ('boot', 50, 'black'), ('hat', 10, 'black'), ('sock', 2, 'red')""",
    "query": "select name from item where price < 15",
}


@pytest.mark.parametrize(
    ("query", "paid"),
    [
        ("select name from item where price <= 10", 1),
        ("select name from item where price < 15 order by name desc", 1),
        ("Here it is:\n```sql\nselect name from item where 15 > price\n```", 1),
        ("select name from item", 0),
        ("select name, price from item where price < 15", 0),
        ("select price from item where price < 15", 0),
        ("select name from item where price < 15 union all select name from item where price < 5", 0),
        ("selec name", 0),
        ("", 0),
        ("select name from item where price < ?", 0),
        ("\ud800", 0),
        ("\0", 0),
        ("select name from item where price < 15; drop table item", 0),
        ("delete from item returning name", 0),
        ("attach database '/tmp/never.db' as other", 0),
        ("with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n", 0),
        ("select hex(zeroblob(1000000000))", 0),
        ("select name from item where price < 15 and random() is not null", 0),
    ],
)
def test_queries_are_judged_by_their_rows(query: str, paid: float) -> None:
    assert pay(sql_execution, query, sql=SHOP) == paid


def test_the_order_of_rows_counts_where_the_reference_orders() -> None:
    ordered = SHOP | {"query": "select name from item order by price"}
    assert pay(sql_execution, "select name from item order by price asc", sql=ordered) == 1
    assert pay(sql_execution, "select name from item order by price desc", sql=ordered) == 0


def test_a_query_without_rows_must_still_have_the_columns() -> None:
    empty = SHOP | {"query": "select name from item where price > 99"}
    assert pay(sql_execution, "select colour from item where price > 98", sql=empty) == 1
    assert pay(sql_execution, "select name, colour from item where price > 98", sql=empty) == 0
    assert pay(sql_execution, "", sql=empty) == 0


def test_a_column_may_have_the_name_of_a_refused_function() -> None:
    task = {"schema": "create table t (random int); insert into t values (4)", "query": "select random from t"}
    assert pay(sql_execution, "select random from t", sql=task) == 1


@pytest.mark.parametrize("broken", [{"schema": "creat"}, {"query": "selec"}, {"query": "create table t (a)"}])
def test_a_broken_reference_is_an_error(broken: dict[str, str]) -> None:
    with pytest.raises(RewardError, match="the reference"):
        pay(sql_execution, "select 1", sql=SHOP | broken)


# Cheap things and dark things happen to be the same things, so that both queries return the same rows.
ACCIDENT = {
    "schema": """create table item (name text, price real, colour text);
        insert into item values ('shoe', 20, 'red'), ('hat', 10, 'black'), ('sock', 2, 'black')""",
    "query": "select name from item where price < 15",
}
INTENDED = "select name from item where price < 15"
ACCIDENTAL = "select name from item where colour = 'black'"


def words_of_the_schema(texts: list[str]) -> np.ndarray:
    """A stand-in for a trained encoder: which of the schema's notions a text is about."""
    notions = [("price", "cheap", "cost", "expensive"), ("colour", "black", "dark"), ("count", "how many")]
    return np.array([[float(any(word in text.lower() for word in notion)) for notion in notions] for text in texts])


def intent(**more: Any) -> dict[str, Any]:
    return {"sql": ACCIDENT, "reference": "which things are cheap", "negatives": ["which are dark", "how many"], **more}


def test_works_contrastive_text_to_sql() -> None:
    both = sql_execution + 0.5 * contrastive_similarity(words_of_the_schema)
    assert pay(sql_execution, INTENDED, **intent()) == pay(sql_execution, ACCIDENTAL, **intent()) == 1
    assert pay(both, INTENDED, **intent()) > pay(both, ACCIDENTAL, **intent()) + 0.4
    assert pay(both, "select count(*) from item", **intent()) < 1

    candidates = [INTENDED, ACCIDENTAL, "select name from item", "select count(*) from item", "nonsense"]

    def meant(reward: Reward, seed: int) -> float:
        """The probability of the intended query after training."""
        rng, logits, estimate = np.random.default_rng(seed), np.zeros(len(candidates)), estimator("grpo", {})
        for _ in range(40):
            p = np.exp(logits) / np.exp(logits).sum()
            picks = rng.choice(len(candidates), size=8, p=p)
            group = Group([Trajectory("T", 0, 0, [Turn("o", candidates[i], info=intent())]) for i in picks])
            score(reward, group)
            for pick, [advantage] in zip(picks, estimate(Scored.by(reward, group)), strict=True):
                logits += 0.5 * advantage / 8 * ((np.arange(len(p)) == pick) - p)
        return float(np.exp(logits[0]) / np.exp(logits).sum())

    with_meaning = [meant(both, seed) for seed in range(3)]
    execution_only = [meant(sql_execution, seed) for seed in range(3)]
    print("both", np.round(with_meaning, 2), "execution", np.round(execution_only, 2))
    assert min(with_meaning) > 0.9
    assert np.mean(execution_only) < 0.7
