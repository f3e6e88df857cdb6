"""Families of problems on dictionaries and records."""

from __future__ import annotations

import numpy as np

from ..problem import Family, Problem, numbers, pick, table, whole, words


def histogram(rng: np.random.Generator) -> Problem:
    """How often each item occurs."""
    sign, said = pick(rng, [(">=", "at least"), ("<=", "at most"), ("==", "exactly")])
    bound = whole(rng, 1, 3)
    step = whole(rng, 1, 3)
    return Problem(
        f"{step} for each time that a word of items occurs, by word, of those words that come to {said} {bound * step}",
        f"""
        def tally(items):
            counts = {{}}
            for item in items:
                counts[item] = counts.get(item, 0) + {step}
            out = {{}}
            for item in counts:
                if counts[item] {sign} {bound * step}:
                    out[item] = counts[item]
            return out
        """,
        lambda g: (words(g, 7),),
    )


def group(rng: np.random.Generator) -> Problem:
    """Items by a key."""
    key, said = pick(
        rng,
        [
            ("len(word)", "length"),
            ("word[0]", "first letter"),
            ("word[-1]", "last letter"),
            ("word.count('o')", "number of o"),
        ],
    )
    once = whole(rng, 0, 1)
    add = "groups[key].append(word)"
    if once:
        add = f"if word not in groups[key]:\n                    {add}"
    return Problem(
        f"the words by their {said}, in lists, equal words {'only once' if once else 'each time'}",
        f"""
        def group(words):
            groups = {{}}
            for word in words:
                key = {key}
                if key not in groups:
                    groups[key] = []
                {add}
            return groups
        """,
        lambda g: (words(g, 7),),
    )


def invert(rng: np.random.Generator) -> Problem:
    """Names by their number."""
    sign, said = pick(rng, [("<", "first in the alphabet"), (">", "last in the alphabet")])
    add = whole(rng, 0, 4)
    return Problem(
        f"turn table round: each number plus {add} leads to its name, of several names to the one that is {said}",
        f"""
        def invert(table):
            out = {{}}
            for name in table:
                number = table[name] + {add}
                if number not in out or name {sign} out[number]:
                    out[number] = name
            return out
        """,
        lambda g: (table(g, 5, 0, 3),),
    )


def join(rng: np.random.Generator) -> Problem:
    """Two tables become one."""
    both, said = pick(
        rng,
        [
            ("a[name] + b[name]", "the sum"),
            ("max(a[name], b[name])", "the larger"),
            ("min(a[name], b[name])", "the smaller"),
            ("a[name] - b[name]", "the first less the second"),
        ],
    )
    factor = whole(rng, 1, 4)
    return Problem(
        f"the names of a and b with their numbers, {said} where a name is in both; {factor} times the "
        f"number of a name "
        f"that is only in b",
        f"""
        def join(a, b):
            out = dict(a)
            for name in b:
                if name in a:
                    out[name] = {both}
                else:
                    out[name] = {factor} * b[name]
            return out
        """,
        lambda g: (table(g), table(g)),
    )


def ranking(rng: np.random.Generator) -> Problem:
    """The best names."""
    count = whole(rng, 1, 3)
    sign, said = pick(rng, [("-", "highest"), ("", "lowest")])
    least = whole(rng, 0, 3)
    return Problem(
        f"the names with the {count} {said} numbers that are at least {least}, best first, equal ones by the alphabet",
        f"""
        def ranking(table):
            names = [name for name in table if table[name] >= {least}]
            names.sort(key=lambda name: ({sign}table[name], name))
            return names[:{count}]
        """,
        lambda g: (table(g, 6, 0, 5),),
    )


def bill(rng: np.random.Generator) -> Problem:
    """What a basket costs."""
    missing = whole(rng, 0, 9)
    many, off = whole(rng, 2, 4), whole(rng, 1, 3)
    return Problem(
        f"what the items of basket cost by prices; one without a price costs {missing}; from {many} of an item on, "
        f"{off} is taken off for that item",
        f"""
        def bill(basket, prices):
            total = 0
            for item in basket:
                total += basket[item] * prices.get(item, {missing})
                if basket[item] >= {many}:
                    total -= {off}
            return total
        """,
        lambda g: (table(g, 4, 0, 5), table(g, 6, 1, 9)),
    )


def stock(rng: np.random.Generator) -> Problem:
    """Orders are taken from a store."""
    partly = whole(rng, 0, 1)
    keep = whole(rng, 0, 2)
    rule = (
        "taken = min(amount, max(0, left - {k}))" if partly else "taken = amount if amount <= left - {k} else 0"
    ).format(k=keep)
    return Problem(
        f"serve the orders (name, amount) from store in turn, "
        f"{'as far as there is enough' if partly else 'whole or not at all'}, leaving at least {keep} of "
        f"each: how much was given out",
        f"""
        def serve(store, orders):
            store = dict(store)
            given = 0
            for name, amount in orders:
                left = store.get(name, 0)
                {rule}
                if taken > 0:
                    store[name] = left - taken
                    given += taken
            return given
        """,
        lambda g: (
            lambda names: (
                {name: whole(g, 0, 9) for name in names},
                [(pick(g, names), whole(g, 1, 6)) for _ in range(whole(g, 0, 5))],
            )
        )(["sun", "moon", "star"]),
    )


def mean_by(rng: np.random.Generator) -> Problem:
    """The records of each name are summed up."""
    of, said = pick(
        rng,
        [
            ("sum(values) // len(values)", "mean, rounded down,"),
            ("max(values) - min(values)", "range"),
            ("values[-1] - values[0]", "last less the first"),
            ("len(values)", "number"),
        ],
    )
    least = whole(rng, -2, 3)
    return Problem(
        f"rows are (name, value): for each name the {said} of its values that are at least {least}",
        f"""
        def summary(rows):
            found = {{}}
            for name, value in rows:
                if value >= {least}:
                    found.setdefault(name, []).append(value)
            out = {{}}
            for name in found:
                values = found[name]
                out[name] = {of}
            return out
        """,
        lambda g: ([(pick(g, "abc"), value) for value in numbers(g, -4, 9, 7)],),
    )


FAMILIES: list[Family] = [histogram, group, invert, join, ranking, bill, stock, mean_by]
