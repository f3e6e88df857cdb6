"""A scripted solver: it knows the goal's product, and finds and buys it through the same pages as any agent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .action import click, parse_action, search
from .goals import Goal
from .pages import BUY, ITEM_BUTTONS, NEXT_PAGE, PREVIOUS_PAGE, RESULTS_PER_PAGE, Kind, Lookup, State
from .product import Product
from .scoring import option_matches

_BOILERPLATE = frozenset(
    """a an the i i'm im i'd i'll am is are be me my we to of for with and in on that which can need want would like
    looking look find searching search buy get please show some something it its has have should lower than less under
    below price priced dollars dollar""".split()  # noqa: SIM905
)


class Plan(NamedTuple):
    """What to buy: the query and the page that show ``product``, and the options to click there, by group.

    Where that page shows products that are to be ``looked_at`` before, they are opened first, and left again.
    """

    query: str
    page: int
    product: int
    options: tuple[tuple[str, str], ...]
    looked_at: frozenset[int] = frozenset()


def make_plan(goal: Goal, lookup: Lookup, find: Callable[[str], tuple[int, ...]]) -> Plan:
    """Plan for a goal, with the first query that shows the product on page 1, or else on the earliest page.

    Where no query finds it, the plan is to keep searching.
    """
    target = lookup(goal.product)
    best: tuple[int, str] | None = None
    queries = list(dict.fromkeys(query for query in _queries(goal, target) if query))
    for query in queries:
        results = find(query)
        if goal.product in results:
            page = results.index(goal.product) // RESULTS_PER_PAGE + 1
            if best is None or page < best[0]:
                best = page, query
            if page == 1:
                break
    page, query = best or (1, queries[-1])
    return Plan(query, page, goal.product, choose_options(goal, target))


def browsing(
    plan: Plan, goal: Goal, lookup: Lookup, results: tuple[int, ...], suits: Callable[[int, list[str]], bool]
) -> Plan:
    """The plan of a customer who does not know what is sold: to look at a page's products from the top until one suits.

    Every action then follows from what has been seen, so that an agent can learn it.  ``suits(product, options)`` says
    whether a purchase would be all that was asked for.
    """
    looked_at: set[int] = set()
    for product in results[(plan.page - 1) * RESULTS_PER_PAGE : plan.page * RESULTS_PER_PAGE]:
        options = choose_options(goal, lookup(product))
        if product == plan.product or suits(product, [value for _, value in options]):
            return plan._replace(product=product, options=options, looked_at=frozenset(looked_at))
        looked_at.add(product)
    return plan


def _queries(goal: Goal, target: Product) -> Iterator[str]:
    """Queries to try, from what an agent could write itself to what only the catalogue knows."""
    wish = goal.instruction.lower().partition(", and price lower than")[0]
    yield wish.strip()
    yield _words(wish)
    yield _words(" ".join([*goal.attributes, target.query]))
    yield _words(" ".join([*goal.attributes, target.query, *goal.options]))
    yield _words(target.title)
    yield _words(f"{target.title} {' '.join(target.option_groups)}")
    yield _words(f"{target.title} {target.description[:500]}")
    yield target.asin.lower()


def _words(text: str) -> str:
    words = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())
    return " ".join(dict.fromkeys(word for word in words if word not in _BOILERPLATE))


def choose_options(goal: Goal, product: Product) -> tuple[tuple[str, str], ...]:
    """The values to click, at most one per group, that together match as many of the goal's options as possible."""
    # best: set of matched goal options, as bits -> the choices that match them.
    best: dict[int, tuple[tuple[str, str], ...]] = {0: ()}
    for group in product.options:
        matched: dict[int, str] = {}
        for value, owner in product.option_groups.items():
            if owner == group and _can_be_chosen(value):
                bits = sum(1 << i for i, wanted in enumerate(goal.options) if option_matches(wanted, value))
                # Of values that match the same, the one that is the goal's own words.
                if bits and (bits not in matched or value in goal.options):
                    matched[bits] = value
        for bits, choices in list(best.items()):
            for more, value in matched.items():
                if bits | more != bits:
                    best.setdefault(bits | more, (*choices, (group, value)))
    return max(best.items(), key=lambda entry: (entry[0].bit_count(), -len(entry[1])))[1]


def _can_be_chosen(value: str) -> bool:
    """Whether a click on an option chooses it: not where it has a button's name, or one that no action can say."""
    return value not in (*ITEM_BUTTONS, "search") and parse_action(click(value)) == ("click", value)


def next_action(plan: Plan, state: State, lookup: Lookup) -> str:
    """The next action of the plan, from any page."""
    if state.kind is Kind.ITEM and state.product == plan.product:
        missing = [value for group, value in plan.options if dict(state.chosen).get(group) != value]
        return click(missing[0] if missing else BUY.lower())
    if state.kind in (Kind.ITEM, Kind.SUBPAGE) and state.query == plan.query and plan.product in state.results:
        return click(PREVIOUS_PAGE.lower())
    if state.kind is Kind.RESULTS:
        if plan.product in state.shown():
            ahead = [product for product in state.shown() if product in plan.looked_at - state.visited]
            return click(lookup((ahead or [plan.product])[0]).asin.lower())
        if state.query == plan.query and plan.product in state.results:
            return click((NEXT_PAGE if state.page < plan.page else PREVIOUS_PAGE).lower())
    return search(plan.query)
