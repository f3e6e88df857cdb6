"""Families of problems on lists of numbers and on grids."""

from __future__ import annotations

import numpy as np

from ..problem import Family, Problem, grid, numbers, pick, whole

COMPARISONS = [(">", "greater than"), ("<", "less than"), (">=", "at least"), ("<=", "at most")]


def count_compared(rng: np.random.Generator) -> Problem:
    """How many items compare so with a number."""
    sign, compared = pick(rng, COMPARISONS)
    bound = whole(rng, 0, 9)
    return Problem(
        f"count the items of xs that are {compared} {bound}",
        f"""
        def count(xs):
            total = 0
            for x in xs:
                if x {sign} {bound}:
                    total += 1
            return total
        """,
        lambda g: ([*numbers(g), bound][: whole(g, 1, 8)],),
    )


def sum_divisible(rng: np.random.Generator) -> Problem:
    """The sum of what leaves a remainder."""
    divisor = whole(rng, 2, 6)
    rest = whole(rng, 0, divisor - 1)
    return Problem(
        f"add up the items of xs that leave {rest} when divided by {divisor}",
        f"""
        def add_up(xs):
            total = 0
            for x in xs:
                if x % {divisor} == {rest}:
                    total += x
            return total
        """,
        lambda g: (numbers(g, 0, 20, 8),),
    )


def extreme(rng: np.random.Generator) -> Problem:
    """The largest or smallest item by a key, or a default."""
    sign, which = pick(rng, [(">", "largest"), ("<", "smallest")])
    key, said = pick(rng, [("x", "item"), ("abs(x)", "absolute value of an item"), ("x * x", "square of an item")])
    default = whole(rng, 0, 5)
    return Problem(
        f"the {which} {said} of xs, or {default} if xs is empty",
        f"""
        def extreme(xs):
            if len(xs) == 0:
                return {default}
            best = {key.replace("x", "xs[0]")}
            for x in xs:
                if {key} {sign} best:
                    best = {key}
            return best
        """,
        lambda g: (numbers(g, -9, 9, 6),),
    )


def first_place(rng: np.random.Generator) -> Problem:
    """Where the first or last matching item stands."""
    sign, compared = pick(rng, COMPARISONS)
    bound = whole(rng, 0, 8)
    last = whole(rng, 0, 1)
    places = "range(len(xs) - 1, -1, -1)" if last else "range(len(xs))"
    return Problem(
        f"the index of the {'last' if last else 'first'} item of xs that is {compared} {bound}, or -1 without one",
        f"""
        def place(xs):
            for i in {places}:
                if xs[i] {sign} {bound}:
                    return i
            return -1
        """,
        lambda g: (numbers(g, -2, 10, 7),),
    )


def running(rng: np.random.Generator) -> Problem:
    """The list of running totals, products, maxima."""
    start = whole(rng, 0, 5)
    step, said = pick(
        rng, [("value + x", "sum"), ("max(value, x)", "maximum"), ("min(value, x)", "minimum"), ("value - x", "rest")]
    )
    return Problem(
        f"the running {said} of xs that starts from {start}, after each item",
        f"""
        def running(xs):
            value = {start}
            out = []
            for x in xs:
                value = {step}
                out.append(value)
            return out
        """,
        lambda g: (numbers(g, -6, 9, 6),),
    )


def neighbours(rng: np.random.Generator) -> Problem:
    """Differences or sums of items that stand so far apart."""
    apart = whole(rng, 1, 3)
    sign, said = pick(rng, [("-", "difference"), ("+", "sum")])
    return Problem(
        f"for each item of xs from index {apart} on, its {said} with the item {apart} before it",
        f"""
        def pairs(xs):
            out = []
            for i in range({apart}, len(xs)):
                out.append(xs[i] {sign} xs[i - {apart}])
            return out
        """,
        lambda g: (numbers(g, 0, 9, 7, 1),),
    )


def every_nth(rng: np.random.Generator) -> Problem:
    """Each n-th item, from a start."""
    step, start = whole(rng, 2, 4), whole(rng, 0, 3)
    add = whole(rng, 0, 4)
    return Problem(
        f"the items of xs at index {start}, {start + step}, {start + 2 * step} and so on, each raised by {add}",
        f"""
        def pick_every(xs):
            out = []
            i = {start}
            while i < len(xs):
                out.append(xs[i] + {add})
                i += {step}
            return out
        """,
        lambda g: (numbers(g, 0, 9, 9),),
    )


def rotate(rng: np.random.Generator) -> Problem:
    """The list turned by some places."""
    places = whole(rng, 1, 5)
    left = whole(rng, 0, 1)
    sign = "+" if left else "-"
    return Problem(
        f"xs turned {places} places to the {'left' if left else 'right'}, items that fall off come back at "
        f"the other end",
        f"""
        def rotate(xs):
            out = []
            for i in range(len(xs)):
                out.append(xs[(i {sign} {places}) % len(xs)])
            return out
        """,
        lambda g: (numbers(g, 0, 9, 7),),
    )


def without_repeats(rng: np.random.Generator) -> Problem:
    """At most so many of each item."""
    most = whole(rng, 1, 3)
    backwards = whole(rng, 0, 1)
    order, said = ("reversed(xs)", "last") if backwards else ("xs", "first")
    result = "out[::-1]" if backwards else "out"
    return Problem(
        f"xs with only the {said} {most} of equal items kept, in their order",
        f"""
        def thin(xs):
            out = []
            for x in {order}:
                if out.count(x) < {most}:
                    out.append(x)
            return {result}
        """,
        lambda g: (numbers(g, 0, 3, 10),),
    )


def chunk_sums(rng: np.random.Generator) -> Problem:
    """One value for each chunk."""
    size = whole(rng, 2, 4)
    of, said = pick(rng, [("sum", "sum"), ("max", "largest item"), ("min", "smallest item"), ("len", "length")])
    return Problem(
        f"cut xs into pieces of {size} items, the last may be shorter, and list the {said} of each",
        f"""
        def pieces(xs):
            out = []
            for i in range(0, len(xs), {size}):
                out.append({of}(xs[i:i + {size}]))
            return out
        """,
        lambda g: (numbers(g, 0, 9, 10),),
    )


def window(rng: np.random.Generator) -> Problem:
    """The best window."""
    size = whole(rng, 2, 4)
    of, said = pick(rng, [("max", "largest"), ("min", "smallest")])
    return Problem(
        f"the {said} sum of {size} items of xs next to each other, or 0 if xs has fewer",
        f"""
        def window(xs):
            if len(xs) < {size}:
                return 0
            current = sum(xs[:{size}])
            best = current
            for i in range({size}, len(xs)):
                current += xs[i] - xs[i - {size}]
                best = {of}(best, current)
            return best
        """,
        lambda g: (numbers(g, -5, 9, 8),),
    )


def kth_distinct(rng: np.random.Generator) -> Problem:
    """The k-th largest or smallest distinct item."""
    place = whole(rng, 1, 3)
    down = whole(rng, 0, 1)
    default = whole(rng, -1, 2)
    return Problem(
        f"the number {place} of the different items of xs in {'falling' if down else 'rising'} order, "
        f"or {default} if there are fewer",
        f"""
        def ranked(xs):
            items = sorted(set(xs){", reverse=True" if down else ""})
            if len(items) < {place}:
                return {default}
            return items[{place - 1}]
        """,
        lambda g: (numbers(g, 0, 6, 7),),
    )


def merge(rng: np.random.Generator) -> Problem:
    """Two sorted lists become one."""
    sign, order, down = pick(rng, [("<=", "rising", 0), (">=", "falling", 1)])
    limit = whole(rng, 4, 8)
    return Problem(
        f"the first {limit} items of the sorted lists a and b merged into one list in {order} order",
        f"""
        def merge(a, b):
            i = 0
            j = 0
            out = []
            while i < len(a) and j < len(b):
                if a[i] {sign} b[j]:
                    out.append(a[i])
                    i += 1
                else:
                    out.append(b[j])
                    j += 1
            out += a[i:]
            out += b[j:]
            return out[:{limit}]
        """,
        lambda g: (
            sorted(numbers(g, 0, 9, 5), reverse=bool(down)),
            sorted(numbers(g, 0, 9, 5), reverse=bool(down)),
        ),
    )


def longest_run(rng: np.random.Generator) -> Problem:
    """The longest run of neighbours that compare so."""
    sign, said = pick(
        rng,
        [("==", "equal to"), (">", "greater than"), ("<", "less than"), (">=", "at least"), ("!=", "different from")],
    )
    least = whole(rng, 1, 3)
    return Problem(
        f"the length of the longest run in xs in which each item is {said} the one before, or 0 if it is under {least}",
        f"""
        def longest(xs):
            best = 0
            run = 0
            for i in range(len(xs)):
                if i > 0 and xs[i] {sign} xs[i - 1]:
                    run += 1
                else:
                    run = 1
                best = max(best, run)
            if best < {least}:
                return 0
            return best
        """,
        lambda g: (numbers(g, 0, 3, 12),),
    )


def sort_by(rng: np.random.Generator) -> Problem:
    """Insertion sort by a key."""
    sign, order = pick(rng, [(">", "rising"), ("<", "falling")])
    divisor = whole(rng, 3, 7)
    return Problem(
        f"sort xs in {order} order of the remainder by {divisor}, equal ones stay in their order",
        f"""
        def sort(xs):
            out = []
            for x in xs:
                i = len(out)
                while i > 0 and out[i - 1] % {divisor} {sign} x % {divisor}:
                    i -= 1
                out.insert(i, x)
            return out
        """,
        lambda g: (numbers(g, 0, 20, 7),),
    )


def search_sorted(rng: np.random.Generator) -> Problem:
    """Binary search."""
    sign, said = pick(rng, [("<", "at least"), ("<=", "greater than")])
    offset = whole(rng, 0, 4)
    return Problem(
        f"the index of the first item of the rising list xs that is {said} target + {offset}, or len(xs) without one",
        f"""
        def search(xs, target):
            low = 0
            high = len(xs)
            while low < high:
                middle = (low + high) // 2
                if xs[middle] {sign} target + {offset}:
                    low = middle + 1
                else:
                    high = middle
            return low
        """,
        lambda g: (sorted(numbers(g, 0, 15, 9)), whole(g, -1, 12)),
    )


def grid_lines(rng: np.random.Generator) -> Problem:
    """One value for each row or column."""
    rows = whole(rng, 0, 1)
    of, said = pick(rng, [("sum", "sum"), ("max", "largest number"), ("min", "smallest number")])
    factor = whole(rng, 1, 4)
    line = "grid[i]" if rows else "[row[i] for row in grid]"
    count = "len(grid)" if rows else "len(grid[0])"
    return Problem(
        f"{factor} times the {said} of each {'row' if rows else 'column'} of the grid",
        f"""
        def lines(grid):
            out = []
            for i in range({count}):
                line = {line}
                out.append({factor} * {of}(line))
            return out
        """,
        lambda g: (grid(g),),
    )


def grid_diagonal(rng: np.random.Generator) -> Problem:
    """Sums over a diagonal or what is on one side of it."""
    sign, said = pick(rng, [("==", "on"), ("<", "above"), (">", "below"), ("<=", "on or above"), (">=", "on or below")])
    least = whole(rng, 0, 3)
    return Problem(
        f"add up the numbers of the square grid {said} the diagonal from the top left that are at least {least}",
        f"""
        def diagonal(grid):
            total = 0
            for i in range(len(grid)):
                for j in range(len(grid)):
                    if i {sign} j and grid[i][j] >= {least}:
                        total += grid[i][j]
            return total
        """,
        lambda g: (grid(g, 0, 5, 4, square=True),),
    )


def grid_neighbours(rng: np.random.Generator) -> Problem:
    """The neighbours of a cell."""
    value = whole(rng, 0, 2)
    corners = whole(rng, 0, 1)
    skipped = "a == r and b == c" if corners else "(a == r) == (b == c)"
    return Problem(
        f"how many of the cells next to row r, column c of the grid, "
        f"{'corners included' if corners else 'without corners'}, hold {value}",
        f"""
        def around(grid, r, c):
            total = 0
            for a in range(r - 1, r + 2):
                for b in range(c - 1, c + 2):
                    if {skipped}:
                        continue
                    if 0 <= a < len(grid) and 0 <= b < len(grid[0]):
                        if grid[a][b] == {value}:
                            total += 1
            return total
        """,
        lambda g: _cell(grid(g, 0, 2, 4), g),
    )


def _cell(cells: list[list[int]], g: np.random.Generator) -> tuple[list[list[int]], int, int]:
    return cells, whole(g, 0, len(cells) - 1), whole(g, 0, len(cells[0]) - 1)


FAMILIES: list[Family] = [
    count_compared,
    sum_divisible,
    extreme,
    first_place,
    running,
    neighbours,
    every_nth,
    rotate,
    without_repeats,
    chunk_sums,
    window,
    kth_distinct,
    merge,
    longest_run,
    sort_by,
    search_sorted,
    grid_lines,
    grid_diagonal,
    grid_neighbours,
]
