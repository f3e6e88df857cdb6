"""Families of problems that follow something step by step."""

from __future__ import annotations

import numpy as np

from ..problem import Family, Problem, letters, numbers, pick, whole


def walk(rng: np.random.Generator) -> Problem:
    """A walker on a grid with walls around it."""
    size = whole(rng, 2, 4)
    up, down, left, right = pick(rng, [("u", "d", "l", "r"), ("n", "s", "w", "e")])
    stride = whole(rng, 1, 2)
    return Problem(
        f"start at (0, 0); {up} and {down} change y by {stride} and -{stride}, {left} and {right} x by -1 "
        f"and 1; a step that would make "
        f"|x| or |y| greater than {size} is not taken: where the walk ends",
        f"""
        def walk(text):
            x = 0
            y = 0
            for sign in text:
                a = x
                b = y
                if sign == '{up}':
                    b += {stride}
                elif sign == '{down}':
                    b -= {stride}
                elif sign == '{left}':
                    a -= 1
                elif sign == '{right}':
                    a += 1
                if max(abs(a), abs(b)) <= {size}:
                    x = a
                    y = b
            return (x, y)
        """,
        lambda g: (letters(g, pick(g, [up + down + left + right, up + right, down + left, up + left]), 9),),
    )


def account(rng: np.random.Generator) -> Problem:
    """An account with a limit and a fee."""
    limit, fee = whole(rng, 0, 9), whole(rng, 1, 3)
    return Problem(
        f"start with 0 and add each of moves; one that would leave less than -{limit} is refused and costs "
        f"{fee} instead: the balance",
        f"""
        def balance(moves):
            total = 0
            for move in moves:
                if total + move < -{limit}:
                    total -= {fee}
                else:
                    total += move
            return total
        """,
        lambda g: (numbers(g, -9, 6, 8),),
    )


def round_robin(rng: np.random.Generator) -> Problem:
    """Jobs take turns."""
    slice_ = whole(rng, 1, 4)
    pause = whole(rng, 0, 2)
    return Problem(
        f"jobs need so much time each and take turns of {slice_}, with {pause} of pause after every turn: "
        f"the order in which the jobs (by index) finish, and the time at the end",
        f"""
        def schedule(jobs):
            queue = list(range(len(jobs)))
            left = list(jobs)
            order = []
            time = 0
            while len(queue) > 0:
                job = queue.pop(0)
                used = min(left[job], {slice_})
                left[job] -= used
                time += used + {pause}
                if left[job] == 0:
                    order.append(job)
                else:
                    queue.append(job)
            return (order, time)
        """,
        lambda g: (numbers(g, 1, 7, 4),),
    )


def bounce(rng: np.random.Generator) -> Problem:
    """A point between two walls."""
    low, high = whole(rng, -3, 0), whole(rng, 3, 6)
    start = whole(rng, 0, 2)
    return Problem(
        f"a point at {start} moves by 1 each step, up at first, and turns round at {high} and at {low}: "
        f"where it is after n steps",
        f"""
        def bounce(n):
            place = {start}
            step = 1
            for _ in range(n):
                place += step
                if place == {high} or place == {low}:
                    step = -step
            return place
        """,
        lambda g: (whole(g, 0, 40),),
    )


def cells(rng: np.random.Generator) -> Problem:
    """A cellular automaton."""
    rule, said = pick(
        rng,
        [
            ("left + right == 1", "exactly one of its neighbours is 1"),
            ("left + right >= 1", "at least one of its neighbours is 1"),
            ("left + right + row[i] == 2", "two of it and its neighbours are 1"),
            ("left + right + row[i] == 1", "one of it and its neighbours is 1"),
            ("left == row[i]", "it equals its left neighbour"),
            ("right != row[i]", "it differs from its right neighbour"),
        ],
    )
    times = whole(rng, 1, 3)
    edge = whole(rng, 0, 1)
    return Problem(
        f"{times} times in turn: each cell of row becomes 1 if {said}, else 0; beyond the ends all is {edge}",
        f"""
        def evolve(row):
            for _ in range({times}):
                out = []
                for i in range(len(row)):
                    left = row[i - 1] if i > 0 else {edge}
                    right = row[i + 1] if i + 1 < len(row) else {edge}
                    out.append(1 if {rule} else 0)
                row = out
            return row
        """,
        lambda g: (numbers(g, 0, 1, 7),),
    )


def stack_machine(rng: np.random.Generator) -> Problem:
    """Reverse Polish notation."""
    names = pick(rng, [("+", "-"), ("a", "s"), ("p", "m")])
    plus, minus = names
    order, said = pick(rng, [("a - b", "the one below less the top"), ("b - a", "the top less the one below")])
    default = whole(rng, 0, 3)
    return Problem(
        f"text is a program for a stack: a digit is put on it, {plus} replaces the upper two numbers by "
        f"their sum, {minus} by {said}, "
        f"with fewer than two nothing happens: the top at the end, {default} if there is none",
        f"""
        def machine(text):
            stack = []
            for sign in text:
                if sign.isdigit():
                    stack.append(int(sign))
                elif len(stack) >= 2:
                    b = stack.pop()
                    a = stack.pop()
                    if sign == '{plus}':
                        stack.append(a + b)
                    else:
                        stack.append({order})
            if len(stack) == 0:
                return {default}
            return stack[-1]
        """,
        lambda g: (letters(g, "123459" + plus + minus + plus + minus, 8),),
    )


def lift(rng: np.random.Generator) -> Problem:
    """How far a lift travels."""
    start, stop = whole(rng, 0, 5), whole(rng, 1, 4)
    return Problem(
        f"a lift at floor {start} visits the floors of calls in turn: 1 for each floor it passes, and "
        f"{stop} more for each stop "
        f"at another floor than it is at",
        f"""
        def travel(calls):
            floor = {start}
            total = 0
            for call in calls:
                if call != floor:
                    total += abs(call - floor) + {stop}
                floor = call
            return total
        """,
        lambda g: (numbers(g, 0, 6, 6),),
    )


def coins(rng: np.random.Generator) -> Problem:
    """Change by a greedy machine."""
    values = pick(rng, [[10, 4, 1], [25, 10, 1], [12, 5, 2], [9, 6, 1], [20, 8, 3], [7, 3, 2]])
    most = whole(rng, 2, 4)
    return Problem(
        f"pay n with the coins {', '.join(map(str, values))}, the largest first, at most {most} of each: "
        f"the number of coins "
        f"and what is left to pay",
        f"""
        def pay(n):
            count = 0
            for coin in {values}:
                used = min(n // coin, {most})
                count += used
                n -= used * coin
            return (count, n)
        """,
        lambda g: (whole(g, 0, 90),),
    )


def growth(rng: np.random.Generator) -> Problem:
    """A store that grows and is taken from."""
    divisor, take = whole(rng, 2, 5), whole(rng, 1, 6)
    most = whole(rng, 40, 60)
    return Problem(
        f"each year n grows by a whole {divisor}th of itself, rounded down, then {take} is taken, never "
        f"below 0; at {most} or more it "
        f"stops, as it does at 0: n after so many years",
        f"""
        def grow(n, years):
            for _ in range(years):
                if n == 0 or n >= {most}:
                    break
                n += n // {divisor}
                n = max(0, n - {take})
            return n
        """,
        lambda g: (whole(g, 0, 45), whole(g, 0, 7)),
    )


FAMILIES: list[Family] = [walk, account, round_robin, bounce, cells, stack_machine, lift, coins, growth]
