"""The score of a purchase, as in WebShop (Yao et al. 2022, https://arxiv.org/abs/2207.01206)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from rapidfuzz.fuzz import token_set_ratio
from rapidfuzz.utils import default_process

from .goals import Goal
from .product import Product

#: Two texts match when their token set ratio, rounded to a whole number, is above this.
MATCH_ABOVE = 85

#: The first of these that a text contains stands for the text when options are compared.
COLOURS = """
    alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown burgundy camel
    camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee cognac copper coral cranberry
    cream crystal dark denim eggplant elephant espresso fuchsia gold granite grape graphite grass gray green
    grey heather indigo ivory ivy khaki lavender lemon leopard light lilac lime magenta maroon mauve merlot
    midnight mint mocha multicolor mushroom mustard natural navy nude olive orange peach pewter pink plum purple
    rainbow red rose royal rust sand sapphire seashell silver skull slate steel stone stonewash sunflower tan
    taupe teal tiger turquoise violet walnut wheat white wine yellow
""".split()  # noqa: SIM905 - a list of a hundred lines says no more

_NOT_ASCII = dict.fromkeys(range(128, 256))


@lru_cache(maxsize=65536)
def _prepared(text: str) -> str:
    """Lower case, letters and digits only, Latin-1 letters beyond ASCII dropped: the preparation of ``thefuzz``."""
    return default_process(text.translate(_NOT_ASCII))


def matches(a: str, b: str) -> bool:
    """Whether two texts mean the same to the score.

    The reference uses ``thefuzz.fuzz.token_set_ratio``, which prepares the texts and rounds the ratio; rapidfuzz with
    the same preparation and rounding gives the same answers on all pairs of texts of the recorded episodes.
    """
    return round(token_set_ratio(_prepared(a), _prepared(b))) > MATCH_ABOVE


@lru_cache(maxsize=65536)
def normal_colour(text: str) -> str:
    """The first colour of the list that ``text`` contains, or ``text`` itself."""
    return next((colour for colour in COLOURS if colour in text), text)


def option_matches(wanted: str, chosen: str) -> bool:
    """Whether a chosen option is the wanted one."""
    return matches(normal_colour(wanted), normal_colour(chosen))


def count_attributes(product: Product, attributes: Iterable[str]) -> int:
    """How many of a goal's attributes the product has, among its own attributes or in its texts."""
    return sum(
        any(matches(own, wanted) for own in product.attributes) or any(wanted in text for text in product.searchable)
        for wanted in attributes
    )


def count_options(wanted: Iterable[str], chosen: Sequence[str]) -> int:
    """How many of a goal's options are among the chosen ones."""
    return sum(any(option_matches(option, choice) for choice in chosen) for option in wanted)


def score_type(
    product: Product, target: Product, nouns: Sequence[str], target_nouns: Sequence[str]
) -> dict[str, float | bool]:
    """Whether the purchase is the kind of thing that was asked for; ``nouns`` are those of the two titles."""
    query_match = product.query == target.query
    category_match = len(product.categories & target.categories) >= 2
    title_score = len(set(nouns) & set(target_nouns)) / len(target_nouns) if target_nouns else 0.2
    if title_score == 0.0:
        r_type = 0.0
    elif title_score < 0.1:
        r_type = 0.1
    else:
        r_type = 1.0 if query_match or category_match or title_score > 0.2 else 0.5
    return {
        "r_type": r_type,
        "query_match": query_match,
        "category_match": category_match,
        "title_score": title_score,
    }


def score_purchase(
    goal: Goal,
    target: Product,
    product: Product,
    price: float,
    chosen: Sequence[str],
    nouns: Sequence[str],
    target_nouns: Sequence[str],
) -> dict[str, Any]:
    """Score a purchase; every part in plain types, the total in [0, 1] under ``"score"``.

    Args:
        goal: what was asked for.
        target: the product that the goal was written for.
        product: the product bought, at ``price`` and with the options ``chosen``.
        nouns: nouns of the title of ``product``.
        target_nouns: nouns of the title of ``target``, repeats included.
    """
    parts = score_type(product, target, nouns, target_nouns)
    n_att = count_attributes(product, goal.attributes)
    n_opt = count_options(goal.options, chosen)
    price_ok = price <= goal.price_upper
    wanted = len(goal.attributes) + len(goal.options) + 1
    score = (n_att + n_opt + price_ok) / wanted * parts["r_type"]
    return {
        **parts,
        "n_att": n_att,
        "n_opt": n_opt,
        "price_ok": price_ok,
        "r_att": n_att / len(goal.attributes),
        "w_att": len(goal.attributes) / wanted,
        "r_option": n_opt / len(goal.options) if goal.options else None,
        "w_option": len(goal.options) / wanted,
        "r_price": float(price_ok),
        "w_price": 1 / wanted,
        "score": score,
        "success": score == 1.0,
        "asin": product.asin,
        "price": price,
        "options": list(chosen),
    }
