"""The embedded shop: a seeded catalogue with goals, in the structures of WebShop's three files.

:func:`generate` writes what WebShop (Yao et al. 2022, https://arxiv.org/abs/2207.01206) ships as ``items_shuffle``,
``items_ins_v2`` and ``items_human_ins``, so that the embedded shop and the real one are loaded by the same code.

The shop is a set of *families*, one for each product type of ``shop.toml``.  A family's products share most of their
words and differ in attributes, options and price, so a search for a type answers with a page of near-misses.  A few
attribute sets ("prototypes") are each shared by about three products of a family: those can often be told apart only by
their options and their price.  Some attributes stand in the title, the others only among the features.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

#: An asin is "B0" and four of these pairs of letters: few enough for a small tokenizer to have one token for each.
ASIN_PAIRS = [first + second for first in "BCDFGHJKLMNPRSTW" for second in "QVXYZ"]
CENTS = ["99", "99", "99", "95", "49", "89", "25", "50"]
TITLE_WORDS = 12

#: A family's budget, middle and premium products: how many there are of each, and how many goals each of them has.
#: A price limit of a budget product shuts out all premium ones, so most goals are for budget products.
TIER_WEIGHTS = [9, 2, 9]
TIER_GOALS = [14, 9, 4]


@dataclass(frozen=True)
class Pool:
    """The values of an option group, and how an instruction asks for one: first (``say``) or after another (``label``).

    Where ``run`` is set the values are in order, and a product has neighbours.
    """

    group: str
    values: list[str]
    say: list[str]
    label: list[str]
    run: bool = False


@dataclass(frozen=True)
class Words:
    """What ``shop.toml`` holds outside its departments."""

    lines: list[str]
    shapes: list[str]
    conflicts: list[list[str]]
    pools: dict[str, Pool]
    attributes: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Kind:
    """A product type, with its department's words."""

    name: str
    department: str
    section: str
    category: str
    brands: list[str]
    article: str
    plural: bool
    price: tuple[float, float]
    uses: list[str]
    attributes: list[str]
    options: list[str]


@dataclass(frozen=True)
class Product:
    """A product before it is written out; the first ``visible`` attributes stand in its title."""

    kind: Kind
    brand: str
    name: str
    attributes: list[str]
    visible: int
    options: dict[str, list[str]]
    tier: int


def generate(
    seed: int = 0, products: int = 1000
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """A catalogue of ``products`` products with 4 to 14 human-style goals for each, 9 on average.

    The answer depends on the arguments alone.  Returns ``(items, attributes, instructions)``, the contents of WebShop's
    ``items_shuffle*.json`` (a list of products), ``items_ins_v2*.json`` and ``items_human_ins*.json`` (by asin).
    """
    rng = Random(seed)
    words, kinds = _read_words()
    prototypes = [[_attributes(words, kind, rng) for _ in range(3)] for kind in kinds]
    items: list[dict[str, Any]] = []
    attributes: dict[str, dict[str, Any]] = {}
    instructions: dict[str, list[dict[str, Any]]] = {}
    order = [number % len(kinds) for number in range(products)]
    rng.shuffle(order)
    for family in order:
        asin = _asin(rng)
        while asin in attributes:
            asin = _asin(rng)
        product = _product(words, kinds[family], prototypes[family], rng)
        items.append(_item(words, asin, product, rng))
        goals = _goals(words, product, rng)
        instructions[asin] = goals
        shown = product.attributes[: rng.randint(1, 2)]
        attributes[asin] = {
            "attributes": sorted(product.attributes),
            "instruction": f"find me {_thing(words, product.kind, shown)}",
            "instruction_attributes": shown,
        }
    return items, attributes, instructions


def _read_words() -> tuple[Words, list[Kind]]:
    data = tomllib.loads(Path(__file__).with_name("shop.toml").read_text(encoding="utf-8"))
    words = Words(
        lines=data["lines"],
        shapes=data["shapes"],
        conflicts=data["conflicts"],
        pools={name: Pool(**pool) for name, pool in data["pools"].items()},
        attributes={name: (how, benefit) for name, (how, benefit) in data["attributes"].items()},
    )
    kinds = [
        Kind(
            department=department["name"],
            category=department["category"],
            brands=department["brands"],
            plural=kind.pop("plural", False),
            **kind,
        )
        for department in data["departments"]
        for kind in department["types"]
    ]
    return words, kinds


def _asin(rng: Random) -> str:
    return "B0" + "".join(rng.choices(ASIN_PAIRS, k=4))


# ------------------------------------------------------------------------------------------------------------ products


def _attributes(words: Words, kind: Kind, rng: Random) -> list[str]:
    """Four attributes that can stand side by side."""
    chosen: list[str] = []
    for attribute in rng.sample(kind.attributes, len(kind.attributes)):
        if len(chosen) < 4 and _fits(words, attribute, chosen):
            chosen.append(attribute)
    return chosen


def _fits(words: Words, attribute: str, others: list[str]) -> bool:
    """Whether a product can have ``attribute`` beside ``others``: not two materials, nor two that conflict."""
    if attribute in others:
        return False
    if words.attributes[attribute][0] == "of" and any(words.attributes[other][0] == "of" for other in others):
        return False
    return not any(attribute in pair and other in pair for pair in words.conflicts for other in others)


def _product(words: Words, kind: Kind, prototypes: list[list[str]], rng: Random) -> Product:
    attributes = list(rng.choice(prototypes))
    if rng.random() < 0.5:
        attributes.pop(rng.randrange(len(attributes)))
    spare = [attribute for attribute in kind.attributes if _fits(words, attribute, attributes)]
    attributes.append(rng.choice(spare))
    rng.shuffle(attributes)
    options: dict[str, list[str]] = {}
    for name in kind.options:
        pool = words.pools[name]
        if rng.random() < 0.9:
            count = min(rng.choice([2, 2, 3]), len(pool.values) - 1)
            if pool.run:
                start = rng.randrange(len(pool.values) - count + 1)
                options[pool.group] = pool.values[start : start + count]
            else:
                options[pool.group] = rng.sample(pool.values, count)
    brand = rng.choice(kind.brands)
    name, visible = _title(words, kind, brand, attributes, rng)
    tier = rng.choices([0, 1, 2], TIER_WEIGHTS)[0]
    return Product(kind, brand, name, attributes, visible, options, tier)


def _title(words: Words, kind: Kind, brand: str, attributes: list[str], rng: Random) -> tuple[str, int]:
    """A title of 7 to 12 words and the number of attributes in it."""
    use = rng.choice(kind.uses)
    line = rng.choice(words.lines)
    for visible in (rng.choice([2, 2, 3]), 2, 1):
        before, after = _sides(words, attributes[:visible])
        if before and rng.random() < 0.3:
            title = f"{brand} {kind.name}" + _with(after) + ", " + " and ".join(before)
        else:
            title = " ".join([brand, *before, kind.name]) + _with(after)
        if len(title.split()) <= TITLE_WORDS:
            break
    else:
        raise ValueError(f"no title of {TITLE_WORDS} words for {brand} {kind.name}")
    if len(f"{title} {use}".split()) <= TITLE_WORDS and (len(title.split()) < 7 or rng.random() < 0.8):
        title = title.replace(kind.name, f"{kind.name} {use}", 1) if "," in title else f"{title} {use}"
    if len(title.split()) < 8 or (len(title.split()) < TITLE_WORDS and rng.random() < 0.2):
        title = title.replace(brand, f"{brand} {line}", 1)
    return title, visible


def _sides(words: Words, attributes: list[str]) -> tuple[list[str], list[str]]:
    """The attributes said before the product (its material last) and those said after it."""
    before = [attribute for attribute in attributes if words.attributes[attribute][0] == "is"]
    material = [attribute for attribute in attributes if words.attributes[attribute][0] == "of"]
    after = [attribute for attribute in attributes if attribute not in before and attribute not in material]
    return before + material, after


def _with(nouns: list[str]) -> str:
    return " with " + " and ".join(nouns) if nouns else ""


def _item(words: Words, asin: str, product: Product, rng: Random) -> dict[str, Any]:
    kind = product.kind
    return {
        "asin": asin,
        "name": product.name,
        "category": kind.category,
        "query": kind.name,
        "product_category": f"{kind.department} › {kind.section} › {kind.name.title()}",
        "full_description": _description(words, product, rng),
        "small_description": _bullets(words, product, rng),
        "pricing": _pricing(product, rng),
        "images": [f"images/{asin}.jpg"],
        "customization_options": {
            group: [{"value": value, "image": None} for value in values] for group, values in product.options.items()
        },
    }


def _pricing(product: Product, rng: Random) -> str:
    low, high = product.kind.price
    steps = [low, low * 1.7, high * 0.78, high]
    price = int(rng.uniform(steps[product.tier], steps[product.tier + 1]))
    pricing = f"${price}.{rng.choice(CENTS)}"
    if rng.random() < 0.07:
        pricing += f"${min(int(price * rng.uniform(1.15, 1.4)) + 1, 299)}.{rng.choice(CENTS)}"
    return pricing


def _bullets(words: Words, product: Product, rng: Random) -> list[str]:
    """One line for every attribute that the title does not show, and if there is room for one that it does."""
    told = (product.attributes[product.visible :] + rng.sample(product.attributes[: product.visible], 1))[:4]
    they, be, have = ("They", "are", "have") if product.kind.plural else ("It", "is", "has")
    return [f"{they} {_clause(words, [attribute], be, have)}: {words.attributes[attribute][1]}" for attribute in told]


def _description(words: Words, product: Product, rng: Random) -> str:
    kind = product.kind
    hidden = product.attributes[product.visible :]
    told = (hidden + product.attributes)[: max(2, len(hidden))]
    this, they, be, have = ("These", "They", "are", "have") if kind.plural else ("This", "It", "is", "has")
    return (
        f"{this} {kind.name} from {product.brand} {be} made {rng.choice(kind.uses)}. "
        f"{they} {_clause(words, told, be, have)}. Out of stock: {', '.join(_out_of_stock(words, product, rng))}."
    )


def _out_of_stock(words: Words, product: Product, rng: Random) -> list[str]:
    """Option values that other products of the family have and this one lacks.

    As in any shop, a search finds these words too: what comes up for "navy" need not be sold in navy.
    """
    absent = []
    for name in product.kind.options:
        pool = words.pools[name]
        others = [value for value in pool.values if value not in product.options.get(pool.group, [])]
        absent += rng.sample(others, min(len(others), 5))
    return absent


# --------------------------------------------------------------------------------------------------------------- goals


def _goals(words: Words, product: Product, rng: Random) -> list[dict[str, Any]]:
    """Goals that this product meets, no two of them in the same words."""
    goals: list[dict[str, Any]] = []
    seen = set()
    while len(goals) < TIER_GOALS[product.tier]:
        count = rng.choices([1, 2, 3], [7, 10, 3])[0]
        shown = product.attributes[: product.visible]
        known = shown if rng.random() < 0.75 and len(shown) >= count else product.attributes
        attributes = rng.sample(known, count)
        groups = list(product.options)
        asked = rng.sample(groups, rng.choices(range(len(groups) + 1), [1, 6, 9, 6][: len(groups) + 1])[0])
        chosen = {group: rng.choice(product.options[group]) for group in groups if group in asked}
        sentence = _sentence(words, product.kind, attributes, chosen, rng)
        if sentence not in seen:
            seen.add(sentence)
            goals.append(
                {
                    "instruction": sentence,
                    "instruction_attributes": attributes,
                    "instruction_options": list(chosen.values()),
                }
            )
    return goals


def _sentence(words: Words, kind: Kind, attributes: list[str], options: dict[str, str], rng: Random) -> str:
    shape = rng.choice(words.shapes)
    shape = re.sub(r"\[(.*)\]", r"\1" if options else "", shape)
    return shape.format(
        thing=_thing(words, kind, attributes),
        item=f"{kind.article} {kind.name}".strip(),
        name=kind.name,
        that=_clause(words, attributes, "are" if kind.plural else "is", "have" if kind.plural else "has"),
        do=_clause(words, attributes, "be", "have"),
        they="they" if kind.plural else "it",
        them="them" if kind.plural else "it",
        options=_options(words, kind, options, rng),
    )


def _thing(words: Words, kind: Kind, attributes: list[str]) -> str:
    """``a pair of waterproof hiking boots with arch support``."""
    before, after = _sides(words, attributes)
    article = kind.article
    if article in ("a", "an"):
        article = "an" if (before or [kind.name])[0][0] in "aeio" else "a"
    return " ".join([article, *before, kind.name]).strip() + _with([_noun(words, noun) for noun in after])


def _noun(words: Words, attribute: str) -> str:
    return f"{words.attributes[attribute][0]} {attribute}".removeprefix("with ")


def _clause(words: Words, attributes: list[str], be: str, have: str) -> str:
    """``is waterproof and has arch support``."""
    parts = []
    qualities = [attribute for attribute in attributes if words.attributes[attribute][0] == "is"]
    materials = [attribute for attribute in attributes if words.attributes[attribute][0] == "of"]
    nouns = [_noun(words, a) for a in attributes if a not in qualities and a not in materials]
    if qualities:
        parts.append(f"{be} " + " and ".join(qualities))
    if materials:
        parts.append(f"{be} made of " + " and ".join(materials))
    if nouns:
        parts.append(f"{have} " + " and ".join(nouns))
    return " and ".join(parts)


def _options(words: Words, kind: Kind, options: dict[str, str], rng: Random) -> str:
    pools = {words.pools[name].group: words.pools[name] for name in kind.options}
    chosen = list(options)
    rng.shuffle(chosen)
    phrases = [
        rng.choice(pools[group].label if place else pools[group].say).format(options[group])
        for place, group in enumerate(chosen)
    ]
    if len(phrases) == 1:
        return phrases[0]
    return ", ".join(phrases[:-1]) + rng.choice([", ", " and "]) + phrases[-1] if phrases else ""
