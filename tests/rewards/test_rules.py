"""Rules on texts: exact on small examples, and what dense ones teach."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, parse_reward
from palestra.rewards.rules import CONSTRAINTS, constraints_met, fraction_met, reasoning_pattern

from .lab import learn
from .shaping_toys import Text, episode, lists, read

a, b = read(key="a"), read(key="b")


def said(text: Any, *constraints: Any) -> Trajectory:
    return Trajectory("X-v0", None, 0, [Turn("o", text, info={"constraints": list(constraints)})], Status.TERMINATED)


@pytest.mark.parametrize(
    ("name", "argument", "meets", "fails"),
    [
        ("contains", "Refund", "a refund please", "nothing"),
        ("lacks", "sorry", "no", "I am SORRY"),
        ("starts_with", "Dear", "Dear all", "dear all"),
        ("ends_with", "!", "yes!\n", "yes"),
        ("min_words", 2, "one two", "one"),
        ("max_words", 2, "one two", "one two three"),
        ("paragraphs", 2, "one\n\n\ntwo\nthree\n\n", "one\ntwo"),
        ("bullets", 2, "- one\n  * two", "-one\n- two"),
        ("lowercase", True, "abc 1", "Abc"),
        ("json", True, '{"a": [1]}', "{a: 1}"),
        ("json", False, "text", "1"),
    ],
)
def test_each_constraint(name: str, argument: Any, meets: str, fails: str) -> None:
    group = [said(meets, (name, argument)), said(fails, (name, argument))]
    assert lists(constraints_met, group) == [[1], [0]]


def test_every_constraint_is_tried_above() -> None:
    [mark] = test_each_constraint.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in mark.args[1]} == CONSTRAINTS.keys()


def test_constraints_pay_by_the_fraction_met() -> None:
    asked = [("contains", "a"), ["max_words", 2], ("lowercase", True), ("bullets", 1)]
    group = [said("a b", *asked), said("- a", *asked), said("A B C", *asked)]
    assert lists(constraints_met, group) == [[0.75], [1], [0.25]]
    assert lists(constraints_met(all_or_nothing=True), group) == [[0], [1], [0]]


@pytest.mark.parametrize(
    ("trajectory", "message"),
    [
        (said("a", ("rhymes", True)), "no constraint 'rhymes'.*there are contains"),
        (said("a", ("max_words", "3")), "max_words needs int, not '3'"),
        (said("a", ("max_words", True)), "max_words needs int, not True"),
        (said("a"), "no info\\['constraints'\\]"),
        (said(3, ("max_words", 3)), "is 3, which is no text"),
    ],
)
def test_what_cannot_be_checked_is_named(trajectory: Trajectory, message: str) -> None:
    with pytest.raises(RewardError, match=message):
        constraints_met([trajectory])


@given(st.text())
def test_no_text_breaks_a_constraint(text: str) -> None:
    asked = [(name, {str: "x", int: 1, bool: True}[kind]) for name, (kind, _) in CONSTRAINTS.items()]
    [[value]] = lists(constraints_met, [said(text, *asked)])
    assert 0 <= value <= 1


def test_deep_and_huge_json_is_no_json() -> None:
    for text in ("[" * 100_000, "9" * 10_000):
        assert lists(constraints_met, [said(text, ("json", True))]) == [[0]]


def test_fraction_of_rewards_met() -> None:
    group = [episode(a=[0.5, 0.5], b=[0, 0.5]), episode(a=[2, 0], b=[1, 0]), episode(a=[], b=[])]
    assert lists(fraction_met(a, b), group) == [[0, 0.5], [0, 1], []]
    assert lists(fraction_met(a, b, threshold=0.5), group) == [[0, 1], [0, 1], []]
    with pytest.raises(ValueError, match="at least one rule"):
        fraction_met()


def test_reasoning_pattern_counts_distinct_phrases() -> None:
    reward = reasoning_pattern(("wait", "Let me check", "WAIT"), enough=2)
    group = [
        said("Wait, wait. wait"),
        said("let me check, wait"),
        said("no"),
        Trajectory("X", None, 0, [], Status.TERMINATED),
    ]
    assert lists(reward, group) == [[0.5], [1], [0], []]
    assert lists(reasoning_pattern(["wait"], enough=1), group[:1]) == [[1]]  # type: ignore[arg-type]
    for phrases in ((), "wait", ("",)):
        with pytest.raises(ValueError, match="needs phrases"):
            reasoning_pattern(phrases, enough=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="enough 0"):
        reasoning_pattern(("wait",), enough=0)


@pytest.mark.parametrize(
    "text",
    [
        "constraints_met(all_or_nothing=True)",
        "fraction_met(success, valid_action)",
        "reasoning_pattern(('wait', 'let me check',), enough=2)",
    ],
)
def test_expressions_read_back(text: str) -> None:
    assert str(parse_reward(text)) == text


class Sentence(Text):
    """Five words, one a turn out of three; ``info`` says for each so far whether it is the one asked for."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.words: list[str] = []
        return "0", {"legal_actions": list("abc")}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.words.append(action)
        right = [word == "abc"[index % 3] for index, word in enumerate(self.words)]
        over = len(right) == 5
        info = {"legal_actions": list("abc"), f"word {len(right) - 1}": float(right[-1]), "all": over and all(right)}
        return str(len(right)), float(info["all"]), over, False, info


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_works_light_if(seed: int) -> None:
    """Steps until 90% of the sentences meet all five constraints, for a fraction and for all or nothing."""

    def steps(reward: Reward) -> int:
        _, history = learn(Sentence(), reward, steps=120, seed=seed, learning_rate=1.0)
        return next((step for step, share in enumerate(history) if share >= 0.9), 120)

    dense = steps(fraction_met(*(read(key=f"word {index}") for index in range(5))))
    sparse = steps(read(key="all"))
    assert dense < 35
    assert sparse > 1.4 * dense
