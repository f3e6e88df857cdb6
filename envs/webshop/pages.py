"""What the pages of the shop show, in each form of observation, and what can be clicked on them.

A page is a list of pieces in reading order.  ``text`` joins them with ``[SEP]``; ``text_rich`` gives each a line and
marks what is a button and what has been clicked.  ``brief`` is for agents that remember the conversation: it
numbers the results instead of giving their codes, leaves out the standing buttons, and shows the instruction and a
product once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from typing import Literal, NamedTuple

from .goals import NO_PRICE_LIMIT
from .product import Product

RESULTS_PER_PAGE = 10
BACK_TO_SEARCH = "Back to Search"
NEXT_PAGE = "Next >"
PREVIOUS_PAGE = "< Prev"
BUY = "Buy Now"
SUBPAGES = ("Description", "Features", "Reviews")

#: The clickable names of a product's page that are not its options.
ITEM_BUTTONS = tuple(name.lower() for name in (BACK_TO_SEARCH, PREVIOUS_PAGE, *SUBPAGES, BUY))


class Kind(Enum):
    """The kinds of page."""

    SEARCH = "search"
    RESULTS = "results"
    ITEM = "item"
    SUBPAGE = "subpage"
    DONE = "done"


class State(NamedTuple):
    """Everything that a page depends on, but for the goal.  Products are catalogue numbers.

    ``product`` is the one looked at, or on a page of results the one that was left for it.  ``chosen`` are the
    (group, value) pairs of the clicked options, ``visited`` the products looked at since the last ``Back to Search``,
    ``score`` that of the purchase.
    """

    kind: Kind = Kind.SEARCH
    query: str = ""
    results: tuple[int, ...] = ()
    page: int = 1
    product: int = -1
    chosen: tuple[tuple[str, str], ...] = ()
    subpage: str = ""
    visited: frozenset[int] = frozenset()
    score: float = 0.0

    def shown(self) -> tuple[int, ...]:
        """The products on this page of the results."""
        return self.results[(self.page - 1) * RESULTS_PER_PAGE : self.page * RESULTS_PER_PAGE]


Lookup = Callable[[int], Product]
Style = Literal["plain", "button", "option", "product"]
Piece = tuple[Style, str]


def clickables(state: State, lookup: Lookup) -> list[str]:
    """What a click may name on this page, lower-cased: the buttons, then products or options, each name once."""
    if state.kind is Kind.ITEM:
        # An option may have the name of a button: what a click on it does is then what the button does.
        return list(dict.fromkeys([*ITEM_BUTTONS, *lookup(state.product).option_groups]))
    names = (text.lower() for style, text in _body(state, lookup) if style in ("button", "product"))
    return list(dict.fromkeys(names))


def render_text(state: State, instruction: str, lookup: Lookup) -> str:
    """The page as one line, its pieces joined with ``[SEP]``."""
    return " [SEP] ".join(text.strip() for _, text in _visible(state, instruction, lookup))


def render_text_rich(state: State, instruction: str, lookup: Lookup) -> str:
    """The page with one piece a line; buttons are marked, and so is what has been clicked."""
    clicked_first = ""
    lines = []
    address = _address(state, lookup) if state.kind is Kind.ITEM else ""
    visited = {lookup(number).asin for number in state.visited} if state.kind is Kind.RESULTS else ()
    for style, text in _visible(state, instruction, lookup):
        if style == "plain":
            line = text
        elif style == "button":
            line = f"[button] {text} [button_]"
        elif style == "product":
            line = f"\n[clicked button] {text} [clicked button_]" if text in visited else f"\n[button] {text} [button_]"
        elif f'"{text}"' in address:
            line = f"  [clicked button] {text} [clicked button_]"
            clicked_first = f"You have clicked {text}.\n{clicked_first}"
        else:
            line = f"  [button] {text} [button_]"
        lines.append(line + "\n")
    return clicked_first + "".join(lines)


def render_brief(
    state: State, instruction: str, lookup: Lookup, limit: float = NO_PRICE_LIMIT, again: bool = False
) -> str:
    """The page in few words: what is new on it, with results as numbered lines.

    The instruction stands on the search page only, but a product's page sets its price beside the price ``limit``.  A
    page of results to which one comes back says only which of them were opened, and once an option has been clicked a
    product's page is no more than the options chosen so far.  Where nothing has happened since the page was shown,
    ``again``, it says no more than where one is.
    """
    match state.kind:
        case Kind.SEARCH:
            return instruction
        case Kind.RESULTS if again or state.product in state.shown():
            opened = [str(number) for number, product in enumerate(state.shown(), 1) if product in state.visited]
            return f"page {state.page}" + (f", opened {', '.join(opened)}" if opened else "")
        case Kind.RESULTS:
            products = map(lookup, state.shown())
            lines = [f"{item.title} {item.price_tag}[{number}]" for number, item in enumerate(products, 1)]
            return "\n".join([f"page {state.page}", *lines])
        case Kind.ITEM if state.chosen:
            return "chosen: " + ", ".join(value for _, value in state.chosen)
        case Kind.ITEM:
            product = lookup(state.product)
            options = [] if again else [f"{group}: {', '.join(values)}" for group, values in product.options.items()]
            asked = "" if limit == NO_PRICE_LIMIT else f", limit ${limit:.2f}"
            return "\n".join([*options, f"{product.title} {product.price_tag}{asked}"])
        case Kind.SUBPAGE if again:
            return state.subpage.lower()
        case Kind.SUBPAGE | Kind.DONE:
            return "\n".join(text.strip() for style, text in _body(state, lookup) if style == "plain")


def numbered(state: State, lookup: Lookup) -> dict[str, str]:
    """What the numbers of a brief page of results stand for: number to lower-cased product code."""
    if state.kind is not Kind.RESULTS:
        return {}
    return {str(number): lookup(product).asin.lower() for number, product in enumerate(state.shown(), 1)}


def _address(state: State, lookup: Lookup) -> str:
    """The part of an item page's address that tells the reference which options have been clicked.

    It looks for a quoted value anywhere in it, so a value that JSON escapes is never found, and a quoted word of the
    query is.  Both are visible to an agent, and kept.
    """
    words = state.query.replace(" ", "+")
    return f"{lookup(state.product).asin}/{words}/{state.page}/{json.dumps(dict(state.chosen))}"


def _visible(state: State, instruction: str, lookup: Lookup) -> list[Piece]:
    """The pieces of the whole page; as in a parsed HTML page, an empty text is no piece, nor is a mere line break."""
    if state.kind is Kind.SEARCH:
        pieces: list[Piece] = [("plain", "WebShop"), ("plain", "Instruction: "), ("plain", instruction)]
    else:
        pieces = [("plain", "Instruction:"), ("plain", instruction)]
    pieces += _body(state, lookup)
    return [piece for piece in pieces if piece[1] not in ("", "\n")]


def _body(state: State, lookup: Lookup) -> list[Piece]:
    match state.kind:
        case Kind.SEARCH:
            return [("button", "Search")]
        case Kind.RESULTS:
            return _results(state, lookup)
        case Kind.ITEM:
            return _item(lookup(state.product))
        case Kind.SUBPAGE:
            return _subpage(state.subpage, lookup(state.product))
        case Kind.DONE:
            return [
                ("plain", "Thank you for shopping with us!"),
                ("plain", f"You bought {lookup(state.product).asin}."),
                ("plain", f"Your score (min 0.0, max 1.0): {state.score}"),
            ]


def _results(state: State, lookup: Lookup) -> list[Piece]:
    pieces: list[Piece] = [
        ("button", BACK_TO_SEARCH),
        ("plain", f"Page {state.page} (Total results: {len(state.results)})"),
    ]
    if state.page > 1:
        pieces.append(("button", PREVIOUS_PAGE))
    pieces.append(("button", NEXT_PAGE))
    for number in state.shown():
        product = lookup(number)
        pieces += [("product", product.asin), ("plain", product.title), ("plain", product.price_tag)]
    return pieces


def _item(product: Product) -> list[Piece]:
    pieces: list[Piece] = [("button", BACK_TO_SEARCH), ("button", PREVIOUS_PAGE)]
    for group, values in product.options.items():
        pieces.append(("plain", group))
        pieces += [("option", value) for value in values]
    pieces += [("plain", product.title), ("plain", f"Price: {product.price_tag}"), ("plain", "Rating: N.A.")]
    pieces += [("button", name) for name in (*SUBPAGES, BUY)]
    return pieces


def _subpage(name: str, product: Product) -> list[Piece]:
    pieces: list[Piece] = [("button", BACK_TO_SEARCH), ("button", PREVIOUS_PAGE)]
    if name == "Description":
        pieces.append(("plain", product.description))
    elif name == "Features":
        pieces += [("plain", f" {bullet}") for bullet in product.bullets]
    return pieces
