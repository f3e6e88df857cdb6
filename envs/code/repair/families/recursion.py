"""Families of problems on nested things and on ways to choose, by recursion or by a table of smaller answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..problem import Family, Problem, letters, numbers, pick, whole


def _nested(g: np.random.Generator, depth: int = 3) -> list[Any]:
    return [
        _nested(g, depth - 1) if depth > 1 and whole(g, 0, 2) == 0 else whole(g, 0, 9) for _ in range(whole(g, 0, 4))
    ]


def flatten(rng: np.random.Generator) -> Problem:
    """Lists in lists become one list."""
    sign, said = pick(rng, [(">", "greater than"), ("<", "less than"), ("!=", "not")])
    bound = whole(rng, 1, 8)
    back = whole(rng, 0, 1)
    return Problem(
        f"all numbers of the nested list that are {said} {bound}, in one "
        f"list{', from the end to the start' if back else ''}",
        f"""
        def flatten(nested):
            out = []
            for item in {"reversed(nested)" if back else "nested"}:
                if isinstance(item, list):
                    out += flatten(item)
                elif item {sign} {bound}:
                    out.append(item)
            return out
        """,
        lambda g: (_nested(g),),
    )


def weigh(rng: np.random.Generator) -> Problem:
    """A sum in which depth counts."""
    factor = whole(rng, 2, 4)
    extra = whole(rng, 0, 3)
    return Problem(
        f"the sum of the nested list: a number counts as it is, a list in it {factor} times its own sum plus {extra}",
        f"""
        def weigh(nested):
            total = 0
            for item in nested:
                if isinstance(item, list):
                    total += {factor} * weigh(item) + {extra}
                else:
                    total += item
            return total
        """,
        lambda g: (_nested(g),),
    )


def tree_depth(rng: np.random.Generator) -> Problem:
    """Depths of a tree of pairs."""
    of, said = pick(rng, [("max", "longest"), ("min", "shortest")])
    leaf = whole(rng, 0, 2)
    edge = whole(rng, 1, 3)
    return Problem(
        f"a tree is a list of trees, a leaf is an empty list worth {leaf}: the {said} way down, at {edge} "
        f"for each step",
        f"""
        def depth(tree):
            if len(tree) == 0:
                return {leaf}
            return {edge} + {of}((depth(child) for child in tree))
        """,
        lambda g: (_tree(g),),
    )


def _tree(g: np.random.Generator, depth: int = 4) -> list[Any]:
    return [_tree(g, depth - 1) for _ in range(whole(g, 0, 3))] if depth > 1 else []


def paths(rng: np.random.Generator) -> Problem:
    """Ways through a grid."""
    moves = pick(rng, [((1, 0), (0, 1)), ((1, 0), (0, 2)), ((2, 0), (0, 1)), ((1, 1), (0, 1)), ((1, 1), (1, 0))])
    (a, b), (c, d) = moves
    modulus = whole(rng, 5, 9)
    return Problem(
        f"in how many ways one comes from (x, y) to (0, 0) by steps that take ({a}, {b}) or ({c}, {d}) off, "
        f"modulo {modulus}",
        f"""
        def paths(x, y):
            if x < 0 or y < 0:
                return 0
            if x == 0 and y == 0:
                return 1
            ways = paths(x - {a}, y - {b}) + paths(x - {c}, y - {d})
            return ways % {modulus}
        """,
        lambda g: (whole(g, 0, 5), whole(g, 0, 5)),
    )


def subsets(rng: np.random.Generator) -> Problem:
    """How many choices of items come to a sum."""
    sign, said = pick(rng, [("==", "exactly"), ("<=", "at most"), (">=", "at least")])
    offset = whole(rng, 0, 3)
    return Problem(
        f"in how many ways items of xs can be chosen whose sum is {said} target + {offset}",
        f"""
        def choose(xs, target):
            if len(xs) == 0:
                return 1 if 0 {sign} target + {offset} else 0
            without = choose(xs[1:], target)
            return without + choose(xs[1:], target - xs[0])
        """,
        lambda g: (numbers(g, 0, 5, 5), whole(g, 0, 9)),
    )


def change_ways(rng: np.random.Generator) -> Problem:
    """How many ways there are to pay, by a table."""
    coins = sorted({int(coin) for coin in rng.integers(1, 8, size=3)})
    fewest = whole(rng, 0, 1)
    if fewest:
        return Problem(
            f"the fewest coins of {', '.join(map(str, coins))} that make n, or -1 if none do",
            f"""
            def pay(n):
                best = [0] + [1000] * n
                for total in range(1, n + 1):
                    for coin in {coins}:
                        if coin <= total:
                            best[total] = min(best[total], best[total - coin] + 1)
                return best[n] if best[n] < 1000 else -1
            """,
            lambda g: (whole(g, 0, 25),),
        )
    return Problem(
        f"in how many ways coins of {', '.join(map(str, coins))} make n, whatever their order",
        f"""
        def pay(n):
            ways = [1] + [0] * n
            for coin in {coins}:
                for total in range(coin, n + 1):
                    ways[total] += ways[total - coin]
            return ways[n]
        """,
        lambda g: (whole(g, 0, 25),),
    )


def edits(rng: np.random.Generator) -> Problem:
    """The distance of two texts, with prices."""
    drop, add, change = whole(rng, 1, 3), whole(rng, 1, 3), whole(rng, 1, 4)
    return Problem(
        f"the least cost to turn text a into b: {drop} to drop a letter, {add} to add one, {change} to change one",
        f"""
        def cost(a, b):
            row = [{add} * j for j in range(len(b) + 1)]
            for i in range(len(a)):
                last = row
                row = [{drop} * (i + 1)]
                for j in range(len(b)):
                    best = min(last[j + 1] + {drop}, row[j] + {add})
                    same = 0 if a[i] == b[j] else {change}
                    row.append(min(best, last[j] + same))
            return row[-1]
        """,
        lambda g: (letters(g, "abc", 5), letters(g, "abc", 5)),
    )


def knapsack(rng: np.random.Generator) -> Problem:
    """The best choice within a weight."""
    extra = whole(rng, 0, 3)
    repeat = whole(rng, 0, 1)
    rest = "things" if repeat else "things[1:]"
    return Problem(
        f"things are (weight, value): the greatest value that can be carried within limit + {extra}, "
        f"each thing {'as often as one likes' if repeat else 'at most once'}",
        f"""
        def carry(things, limit, extra={extra}):
            if len(things) == 0:
                return 0
            best = carry(things[1:], limit, extra)
            weight, value = things[0]
            if weight <= limit + extra:
                best = max(best, value + carry({rest}, limit - weight, extra))
            return best
        """,
        lambda g: ([(whole(g, 1, 5), whole(g, 1, 9)) for _ in range(whole(g, 0, 4))], whole(g, 0, 8)),
    )


def climb(rng: np.random.Generator) -> Problem:
    """The cheapest way up stairs."""
    jump = whole(rng, 2, 3)
    toll = whole(rng, 1, 4)
    of, said = pick(rng, [("min", "least"), ("max", "greatest")])
    return Problem(
        f"stairs are climbed from below by steps of 1, or of {jump} for {toll} more; a stair that is "
        f"stepped on costs its number of costs: "
        f"the {said} cost to stand on the last, 0 if there is none",
        f"""
        def climb(costs):
            if len(costs) == 0:
                return 0
            total = [0]
            for i in range(1, len(costs) + 1):
                best = total[i - 1] + costs[i - 1]
                if i >= {jump}:
                    best = {of}(best, total[i - {jump}] + costs[i - 1] + {toll})
                total.append(best)
            return total[-1]
        """,
        lambda g: (numbers(g, 0, 6, 6),),
    )


FAMILIES: list[Family] = [flatten, weigh, tree_depth, paths, subsets, change_ways, edits, knapsack, climb]
