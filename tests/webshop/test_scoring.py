"""The parts of the score, at the places where the rules change."""

from __future__ import annotations

from typing import Any

import pytest

from palestra.envs.webshop.goals import Goal
from palestra.envs.webshop.nouns import rule_nouns
from palestra.envs.webshop.product import Product
from palestra.envs.webshop.scoring import (
    COLOURS,
    count_attributes,
    count_options,
    matches,
    normal_colour,
    score_purchase,
    score_type,
)


def product(**values: Any) -> Product:
    defaults: dict[str, Any] = {
        "index": 0,
        "asin": "B0",
        "title": "a title",
        "category": "",
        "query": "query",
        "product_category": "A › B › C",
        "description": "",
        "bullets": (),
        "pricing": (10.0,),
        "options": {},
        "attributes": (),
        "instruction": None,
        "instruction_attributes": (),
    }
    return Product(**defaults | values)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("machine washable", "washable machine", True),
        ("machine washable", "machine", True),
        ("machine washable", "hand washable", False),
        ("A-Gray", "a gray", True),
        ("", "", False),
        ("!", "!", False),
        ("café", "caf", True),
        ("12 oz", "10 oz", False),
        # A ratio of 85.71, which is above 85, and one of 85.0 exactly, which is not.
        ("abcdefg", "abcdefz", True),
        ("abcdefghijklmnopqrst", "abcdefghijklmnopqxyz", False),
        # A ratio of 85.25 is above 85, but rounds to it.
        ("a" * 26 + "b" * 5, "a" * 26 + "c" * 4, False),
    ],
)
def test_when_texts_match(a: str, b: str, same: bool) -> None:
    assert matches(a, b) is same
    assert matches(b, a) is same


def test_colours_stand_for_what_contains_them() -> None:
    assert len(COLOURS) == 102
    assert normal_colour("b07-white") == "white"
    assert normal_colour("light pink") == "light"
    assert normal_colour("standard") == "tan"
    assert normal_colour("6 ft") == "6 ft"


def test_an_attribute_is_found_among_attributes_or_in_texts() -> None:
    found = product(
        title="Soft Rug", bullets=("Easy", "Clean it"), description="of WOOL", attributes=("machine washable",)
    )
    assert count_attributes(found, ["washable machine"]) == 1
    assert count_attributes(found, ["soft rug", "easy clean", "of wool"]) == 3
    assert count_attributes(found, ["Soft Rug", "silk"]) == 0
    assert count_attributes(found, ["soft", "soft"]) == 2


def test_each_wanted_option_counts_once() -> None:
    assert count_options(["navy blue", "x-large"], ["blue", "x-large", "twin"]) == 2
    assert count_options(["red", "red"], ["red"]) == 2
    assert count_options(["red"], ["dark red", "red"]) == 1
    assert count_options(["red"], []) == 0
    assert count_options([], ["red"]) == 0


@pytest.mark.parametrize(
    ("shared", "of", "same_query", "categories", "r_type"),
    [
        (0, 3, True, "A › B › C", 0.0),
        (1, 11, True, "A › B › C", 0.1),
        (1, 10, False, "X › Y", 0.5),
        (1, 10, True, "X › Y", 1.0),
        (1, 10, False, "X › B › A", 1.0),
        (1, 10, False, "X › B", 0.5),
        (1, 5, False, "X › Y", 0.5),
        (2, 9, False, "X › Y", 1.0),
        (0, 0, False, "X › Y", 0.5),
        (0, 0, True, "X › Y", 1.0),
    ],
)
def test_the_kind_of_product(shared: int, of: int, same_query: bool, categories: str, r_type: float) -> None:
    wanted = [f"noun{i}" for i in range(of)]
    bought = [f"noun{i}" for i in range(shared)] + ["other"]
    parts = score_type(
        product(query="query" if same_query else "another", product_category=categories), product(), bought, wanted
    )
    assert parts["r_type"] == r_type
    assert parts["query_match"] is same_query


def test_repeated_nouns_of_the_goal_count_in_the_denominator_only() -> None:
    assert score_type(product(), product(), ["rug"], ["rug", "rug"])["title_score"] == 0.5


def test_the_price_limit_is_inclusive() -> None:
    goal = Goal(0, 0, "B0", "", ("soft",), ("red",), 20.0)
    for price, ok in ((20.0, True), (20.01, False)):
        parts = score_purchase(goal, product(), product(title="soft rug"), price, ["red"], ["rug"], ["rug"])
        assert parts["price_ok"] is ok
        assert parts["score"] == (1.0 if ok else pytest.approx(2 / 3))


def test_the_rule_for_nouns() -> None:
    title = "Norrfell waterproof Hiking Boots for Women with a soft Rubber Sole, 2 pack (12 oz)"
    assert rule_nouns(title) == ("norrfell", "hiking", "boots", "women", "rubber", "sole", "pack")
    assert rule_nouns("") == ()
    assert rule_nouns("12 34 for the") == ()
