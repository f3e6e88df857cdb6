"""The oracle where its way is not straight."""

from __future__ import annotations

from typing import Any

import pytest

from palestra.envs.webshop.catalogue import from_lists
from palestra.envs.webshop.goals import Goals
from palestra.envs.webshop.oracle import Plan, browsing, choose_options, make_plan, next_action
from palestra.envs.webshop.pages import Kind, State


def shop(options: dict[str, list[str]], wanted: list[str]) -> tuple[Any, Any]:
    groups = {group: [{"value": value} for value in values] for group, values in options.items()}
    item = {"asin": "B1", "name": "soft rug", "customization_options": groups}
    human = {"B1": [{"instruction": "a rug", "instruction_attributes": ["soft"], "instruction_options": wanted}]}
    catalogue = from_lists("a shop", [item], {}, human)
    return catalogue.product, Goals(catalogue, 0, 0, human=True)[0]


@pytest.mark.parametrize(
    ("options", "wanted", "chosen"),
    [
        ({"color": ["red", "navy"], "size": ["small", "large"]}, ["navy", "large"], {"color": "navy", "size": "large"}),
        ({"color": ["red"], "size": ["small"]}, [], {}),
        ({"color": ["red"]}, ["green"], {}),
        # A click on a value that two groups have sets the later one.
        ({"color": ["red", "blue"], "trim": ["red", "white"]}, ["red", "blue"], {"color": "blue", "trim": "red"}),
        ({"trim": ["red", "white"], "color": ["red", "blue"]}, ["red", "white"], {"trim": "white", "color": "red"}),
        # One value may do for two wishes.
        ({"a": ["cotton wool", "cotton"], "b": ["wool"]}, ["cotton", "wool"], {"a": "cotton wool"}),
        # Names that a click cannot choose.
        ({"a": ["buy now", "search", "[pack of 2] x"]}, ["buy now", "search", "[pack of 2] x"], {}),
    ],
)
def test_options_are_chosen_to_match_as_many_wishes_as_possible(
    options: dict[str, list[str]], wanted: list[str], chosen: dict[str, str]
) -> None:
    lookup, goal = shop(options, wanted)
    assert dict(choose_options(goal, lookup(0))) == chosen


def test_a_product_on_a_later_page_is_paged_to() -> None:
    lookup, goal = shop({}, [])
    results = (*range(1, 26), 0)
    plan = make_plan(goal, lookup, lambda query: results if query == "rug" else ())
    assert plan == Plan("rug", 3, 0, ())
    state = State(Kind.RESULTS, "rug", results)
    assert next_action(plan, state, lookup) == "click[next >]"
    assert next_action(plan, state._replace(page=3), lookup) == "click[b1]"
    assert next_action(plan, state._replace(page=5), lookup) == "click[< prev]"
    assert next_action(plan, state._replace(query="other", results=()), lookup) == "search[rug]"


def test_the_query_with_the_earliest_page_is_taken() -> None:
    lookup, goal = shop({}, [])
    answers = {"rug": (*range(1, 26), 0), "soft": (*range(1, 16), 0)}
    assert make_plan(goal, lookup, lambda query: answers.get(query, ()))[:2] == ("soft", 2)


def test_where_no_query_finds_the_product_it_keeps_searching() -> None:
    lookup, goal = shop({}, [])
    plan = make_plan(goal, lookup, lambda query: ())
    for state in (State(), State(Kind.RESULTS, plan.query), State(Kind.SUBPAGE, product=5)):
        assert next_action(plan, state, lookup) == f"search[{plan.query}]"


def test_it_leaves_another_product_for_the_results_that_show_its_own() -> None:
    lookup, goal = shop({}, [])
    plan = make_plan(goal, lookup, lambda query: (5, 0) if query == "rug" else ())
    opened = State(Kind.ITEM, "rug", (5, 0), product=5)
    assert next_action(plan, opened, lookup) == "click[< prev]"
    assert next_action(plan, opened._replace(kind=Kind.SUBPAGE, subpage="Features"), lookup) == "click[< prev]"
    assert next_action(plan, opened._replace(query="other", results=(5,)), lookup) == "search[rug]"


def test_browsing_opens_results_from_the_top_until_one_suits() -> None:
    lookup, goal = shop({}, [])
    results = (5, 6, 7, 0)
    plan = make_plan(goal, lookup, lambda query: results)
    looking = browsing(plan, goal, lambda number: lookup(0), results, lambda number, options: number == 7)
    assert looking == plan._replace(product=7, looked_at=frozenset({5, 6}))
    state = State(Kind.RESULTS, plan.query, results)
    codes = {5: "b5", 6: "b6", 7: "b7", 0: "b0"}

    class Coded:
        def __init__(self, number: int) -> None:
            self.asin = codes[number]

    opened = [
        next_action(looking, state._replace(visited=frozenset(visited)), Coded)  # type: ignore[arg-type]
        for visited in ((), {5}, {6}, {5, 6})
    ]
    assert opened == ["click[b5]", "click[b6]", "click[b5]", "click[b7]"]


def test_browsing_ends_at_the_goals_own_product_where_none_suits_before() -> None:
    lookup, goal = shop({}, [])
    plan = make_plan(goal, lookup, lambda query: (5, 0, 6))
    looking = browsing(plan, goal, lambda number: lookup(0), (5, 0, 6), lambda number, options: False)
    assert looking == plan._replace(looked_at=frozenset({5}))
