"""Families of problems on whole numbers: digits, divisors, recurrences, dates and rates."""

from __future__ import annotations

import numpy as np

from ..problem import Family, Problem, pick, whole


def digits(rng: np.random.Generator) -> Problem:
    """A sum over the digits in a base."""
    base = whole(rng, 2, 10)
    part, said = pick(rng, [("n % {b}", "sum"), ("(n % {b}) ** 2", "sum of the squares"), ("1", "number")])
    start = whole(rng, 0, 3)
    return Problem(
        f"{start} plus the {said} of the digits of n in base {base}",
        f"""
        def digits(n):
            total = {start}
            while n > 0:
                total += {part.format(b=base)}
                n //= {base}
            return total
        """,
        lambda g: (whole(g, 0, 300),),
    )


def in_base(rng: np.random.Generator) -> Problem:
    """A number written in a base."""
    base = whole(rng, 2, 9)
    width = whole(rng, 1, 4)
    return Problem(
        f"n in base {base} as text, with zeros in front up to {width} digits",
        f"""
        def write(n):
            out = ''
            while n > 0:
                out = str(n % {base}) + out
                n //= {base}
            while len(out) < {width}:
                out = '0' + out
            return out
        """,
        lambda g: (whole(g, 0, 200),),
    )


def steps_down(rng: np.random.Generator) -> Problem:
    """How many steps a rule takes to bring a number down."""
    divisor = whole(rng, 2, 4)
    minus = whole(rng, 1, 3)
    end = whole(rng, 1, 4)
    return Problem(
        f"how many steps bring n to {end} or less: divide by {divisor} where that leaves nothing over, "
        f"else take off {minus}",
        f"""
        def steps(n):
            count = 0
            while n > {end}:
                if n % {divisor} == 0:
                    n //= {divisor}
                else:
                    n -= {minus}
                count += 1
            return count
        """,
        lambda g: (whole(g, 0, 120),),
    )


def common_divisor(rng: np.random.Generator) -> Problem:
    """Euclid's algorithm, and what is made of its result."""
    form, said = pick(
        rng,
        [
            ("a", "greatest common divisor"),
            ("x * y // a", "least common multiple"),
            ("x // a + y // a", "sum of x and y, each divided by their greatest common divisor,"),
        ],
    )
    extra = whole(rng, 0, 4)
    return Problem(
        f"{said} of x and y, plus {extra}" if extra else f"{said} of x and y",
        f"""
        def common(x, y):
            a = x
            b = y
            while b > 0:
                rest = a % b
                a = b
                b = rest
            return {form}{f" + {extra}" if extra else ""}
        """,
        lambda g: (whole(g, 1, 40), whole(g, 1, 40)),
    )


def primes(rng: np.random.Generator) -> Problem:
    """Primes in a class."""
    divisor, rest = pick(rng, [(2, 1), (3, 1), (3, 2), (4, 1), (4, 3), (5, 2), (5, 3), (6, 1), (6, 5)])
    what, said = pick(rng, [("1", "how many primes are below n"), ("p", "the sum of the primes below n")])
    return Problem(
        f"{said} that leave {rest} when divided by {divisor}",
        f"""
        def primes(n):
            total = 0
            for p in range(2, n):
                is_prime = all(p % d > 0 for d in range(2, p))
                if is_prime and p % {divisor} == {rest}:
                    total += {what}
            return total
        """,
        lambda g: (whole(g, 0, 50),),
    )


def divisors(rng: np.random.Generator) -> Problem:
    """The divisors of a number from a bound on."""
    least = whole(rng, 1, 4)
    what, said = pick(rng, [("d", "the sum of"), ("1", "the number of"), ("n // d", "the sum of n divided by each of")])
    proper = whole(rng, 0, 1)
    return Problem(
        f"{said} the divisors of n that are at least {least}{', without n' if proper else ''}",
        f"""
        def divisors(n):
            total = 0
            for d in range({least}, n{"" if proper else " + 1"}):
                if n % d == 0:
                    total += {what}
            return total
        """,
        lambda g: (whole(g, 1, 48),),
    )


def recurrence(rng: np.random.Generator) -> Problem:
    """The n-th term of a linear recurrence."""
    first, second = whole(rng, 0, 3), whole(rng, 1, 4)
    p, q = whole(rng, 1, 3), whole(rng, 1, 3)
    return Problem(
        f"term n of the row that starts {first}, {second} (terms 0 and 1) and goes on with {p} times the last term "
        f"plus {q} times the one before it",
        f"""
        def term(n):
            a = {first}
            b = {second}
            for _ in range(n):
                a, b = (b, {p} * b + {q} * a)
            return a
        """,
        lambda g: (whole(g, 0, 20),),
    )


def power_rest(rng: np.random.Generator) -> Problem:
    """Powers modulo a number by squaring."""
    modulus = pick(rng, [5, 7, 11, 13, 17])
    factor = whole(rng, 1, 4)
    return Problem(
        f"{factor} times x to the power n, modulo {modulus}",
        f"""
        def power(x, n):
            result = {factor} % {modulus}
            base = x % {modulus}
            while n > 0:
                if n % 2 == 1:
                    result = result * base % {modulus}
                base = base * base % {modulus}
                n //= 2
            return result
        """,
        lambda g: (whole(g, 0, 20), whole(g, 0, 12)),
    )


def root(rng: np.random.Generator) -> Problem:
    """The largest number whose power is small enough."""
    exponent = whole(rng, 2, 3)
    factor = whole(rng, 1, 4)
    sign, said = pick(rng, [("<=", "at most n"), ("<", "less than n")])
    return Problem(
        f"the largest whole number r from 0 on for which {factor} times r to the power {exponent} is {said}, or 0",
        f"""
        def root(n):
            r = 0
            while {factor} * (r + 1) ** {exponent} {sign} n:
                r += 1
            return r
        """,
        lambda g: (whole(g, 0, 200),),
    )


def brackets_of_tax(rng: np.random.Generator) -> Problem:
    """A price with steps."""
    low, high = whole(rng, 3, 9), whole(rng, 12, 20)
    cheap, middle, dear = whole(rng, 1, 2), whole(rng, 3, 4), whole(rng, 5, 7)
    return Problem(
        f"the price of n units: {cheap} each for the first {low}, {middle} each from there up to {high}, "
        f"{dear} each for those beyond",
        f"""
        def price(n):
            total = {cheap} * min(n, {low})
            if n > {low}:
                total += {middle} * (min(n, {high}) - {low})
            if n > {high}:
                total += {dear} * (n - {high})
            return total
        """,
        lambda g: (whole(g, 0, 30),),
    )


def clock(rng: np.random.Generator) -> Problem:
    """Time on a clock that goes round."""
    hours, minutes = pick(rng, [(24, 60), (12, 60), (10, 100), (20, 50)])
    extra = whole(rng, 1, 9)
    sign, said = pick(rng, [("+", "after"), ("-", "before")])
    return Problem(
        f"a day has {hours} hours of {minutes} minutes: the time as (hour, minute) that is wait + {extra} "
        f"minutes {said} h:m",
        f"""
        def move(h, m, wait):
            total = h * {minutes} + m {sign} (wait + {extra})
            total = total % {hours * minutes}
            return (total // {minutes}, total % {minutes})
        """,
        lambda g: (whole(g, 0, hours - 1), whole(g, 0, minutes - 1), whole(g, 0, 3 * minutes)),
    )


def years(rng: np.random.Generator) -> Problem:
    """Leap years by other rules."""
    often, seldom, again = pick(rng, [(4, 100, 400), (4, 20, 60), (3, 12, 36), (5, 25, 100), (2, 10, 30), (6, 18, 54)])
    days = pick(rng, [365, 360, 354, 100])
    return Problem(
        f"a year has {days} days, and one more if it can be divided by {often}, but not if by {seldom}, "
        f"unless by {again}: "
        f"the days of the years from a to b",
        f"""
        def days(a, b):
            total = 0
            for year in range(a, b + 1):
                leap = year % {often} == 0 and (year % {seldom} != 0 or year % {again} == 0)
                total += {days}
                if leap:
                    total += 1
            return total
        """,
        lambda g: (lambda a: (a, a + whole(g, 0, 12)))(pick(g, [1, again - 3, seldom - 2, whole(g, 1, 500)])),
    )


FAMILIES: list[Family] = [
    digits,
    in_base,
    steps_down,
    common_divisor,
    primes,
    divisors,
    recurrence,
    power_rest,
    root,
    brackets_of_tax,
    clock,
    years,
]
