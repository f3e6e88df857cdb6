"""Generated problems of school and early university mathematics, with their answers in LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MathProblem:
    """A problem in words and LaTeX, and its answer in LaTeX."""

    kind: str
    text: str
    answer: str

    @property
    def form(self) -> str:
        """``"number"``, ``"numbers"`` (a tuple or a set) or ``"polynomial"``: what the answer is."""
        if self.kind in ("quadratic", "system"):
            return "numbers"
        return "polynomial" if self.kind in ("derivative", "expansion") else "number"


def _whole(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]


def _nonzero(rng: np.random.Generator, size: int) -> int:
    return _whole(rng, 1, size) * _pick(rng, (-1, 1))


def _fraction(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{'-' if value < 0 else ''}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def polynomial(coefficients: Sequence[int]) -> str:
    """The polynomial in x with these coefficients, the constant first, in LaTeX."""
    terms = []
    for power, factor in reversed(list(enumerate(coefficients))):
        if factor:
            size = "" if abs(factor) == 1 and power else str(abs(factor))
            sign = "-" if factor < 0 else "+"
            terms.append((sign, size + ("" if power == 0 else "x" if power == 1 else f"x^{{{power}}}")))
    if not terms:
        return "0"
    first = ("-" if terms[0][0] == "-" else "") + terms[0][1]
    return " ".join([first, *(f"{sign} {term}" for sign, term in terms[1:])])


def arithmetic(rng: np.random.Generator) -> MathProblem:
    """A chain of sums and products."""
    a, b, c, d = (_whole(rng, 2, 40) for _ in range(4))
    text, value = _pick(
        rng,
        [
            (f"{a} + {b} \\cdot {c} - {d}", a + b * c - d),
            (f"({a} - {b}) \\cdot {c} + {d}", (a - b) * c + d),
            (f"{a} \\cdot {b} - {c} \\cdot {d}", a * b - c * d),
        ],
    )
    return MathProblem("arithmetic", f"Compute ${text}$.", str(value))


def fractions(rng: np.random.Generator) -> MathProblem:
    """Two fractions together."""
    p, q = (Fraction(_whole(rng, 1, 12), _whole(rng, 2, 12)) for _ in range(2))
    sign, value = _pick(rng, [("+", p + q), ("-", p - q), ("\\cdot", p * q), (":", p / q)])
    return MathProblem("fractions", f"Compute ${_fraction(p)} {sign} {_fraction(q)}$.", _fraction(value))


def linear_equation(rng: np.random.Generator) -> MathProblem:
    """One unknown."""
    c, gap = _nonzero(rng, 9), _nonzero(rng, 9)
    b, d = _nonzero(rng, 20), _nonzero(rng, 20)
    left, right = polynomial([b, c + gap]), polynomial([d, c])
    return MathProblem("linear_equation", f"Solve ${left} = {right}$ for $x$.", _fraction(Fraction(d - b, gap)))


def quadratic(rng: np.random.Generator) -> MathProblem:
    """The roots of a quadratic equation."""
    roots = sorted({_nonzero(rng, 9), _nonzero(rng, 9)})
    factor = _pick(rng, (1, 1, 2, 3))
    first, second = roots[0], roots[-1]
    text = polynomial([factor * first * second, -factor * (first + second), factor])
    answer = "\\{" + ", ".join(map(str, roots)) + "\\}"
    return MathProblem("quadratic", f"What is the set of all solutions of ${text} = 0$?", answer)


def system(rng: np.random.Generator) -> MathProblem:
    """Two unknowns."""
    x, y = _whole(rng, -9, 9), _whole(rng, -9, 9)
    while True:
        a, b, c, d = (_nonzero(rng, 6) for _ in range(4))
        if a * d != b * c:
            break
    first, second = (f"{p}x {'+' if q > 0 else '-'} {abs(q)}y = {p * x + q * y}" for p, q in ((a, b), (c, d)))
    return MathProblem("system", f"Solve ${first}$ and ${second}$. Give $(x, y)$.", f"({x}, {y})")


def divisor(rng: np.random.Generator) -> MathProblem:
    """Greatest common divisor and least common multiple."""
    shared = _whole(rng, 2, 12)
    a, b = shared * _whole(rng, 2, 15), shared * _whole(rng, 2, 15)
    said, value = _pick(rng, [("greatest common divisor", math.gcd(a, b)), ("least common multiple", math.lcm(a, b))])
    return MathProblem("divisor", f"What is the {said} of {a} and {b}?", str(value))


def remainder(rng: np.random.Generator) -> MathProblem:
    """A power modulo a number."""
    base, exponent, modulus = _whole(rng, 2, 12), _whole(rng, 5, 60), _whole(rng, 3, 19)
    text = f"What is the remainder of ${base}^{{{exponent}}}$ divided by {modulus}?"
    return MathProblem("remainder", text, str(pow(base, exponent, modulus)))


def choices(rng: np.random.Generator) -> MathProblem:
    """How many ways there are."""
    n, k = _whole(rng, 5, 11), _whole(rng, 2, 4)
    text, value = _pick(
        rng,
        [
            (f"In how many ways can {k} of {n} people be chosen?", math.comb(n, k)),
            (f"In how many ways can {k} of {n} books be put in a row?", math.perm(n, k)),
            (f"How many texts of {k} letters can be written with {n} letters?", n**k),
        ],
    )
    return MathProblem("choices", text, str(value))


def chance(rng: np.random.Generator) -> MathProblem:
    """Drawing from an urn."""
    red, blue = _whole(rng, 2, 9), _whole(rng, 2, 9)
    total = red + blue
    both = Fraction(red * (red - 1), total * (total - 1))
    mixed = Fraction(2 * red * blue, total * (total - 1))
    said, value = _pick(rng, [("both are red", both), ("they differ in colour", mixed)])
    text = f"Two balls are drawn at once from {red} red and {blue} blue ones. What is the probability that {said}?"
    return MathProblem("chance", text, _fraction(value))


def derivative(rng: np.random.Generator) -> MathProblem:
    """The derivative of a polynomial."""
    coefficients = [_whole(rng, -9, 9) for _ in range(_whole(rng, 2, 4))] + [_nonzero(rng, 6)]
    answer = polynomial([power * factor for power, factor in enumerate(coefficients)][1:])
    return MathProblem("derivative", f"What is the derivative of ${polynomial(coefficients)}$?", answer)


def integral(rng: np.random.Generator) -> MathProblem:
    """A definite integral of a polynomial."""
    coefficients = [_whole(rng, -6, 6), _whole(rng, -6, 6), _nonzero(rng, 6)]
    low, high = sorted((_whole(rng, -3, 3), _whole(rng, 4, 6)))
    value = sum(
        Fraction(factor * (high ** (power + 1) - low ** (power + 1)), power + 1)
        for power, factor in enumerate(coefficients)
    )
    text = f"Compute $\\int_{{{low}}}^{{{high}}} {polynomial(coefficients)} \\, dx$."
    return MathProblem("integral", text, _fraction(Fraction(value)))


def expansion(rng: np.random.Generator) -> MathProblem:
    """A product of two binomials."""
    a, b, c, d = _nonzero(rng, 6), _nonzero(rng, 9), _nonzero(rng, 6), _nonzero(rng, 9)
    text = f"Expand $({polynomial([b, a])})({polynomial([d, c])})$."
    return MathProblem("expansion", text, polynomial([b * d, a * d + b * c, a * c]))


def series(rng: np.random.Generator) -> MathProblem:
    """The sum of an arithmetic or geometric sequence."""
    start, step, count = _whole(rng, 1, 9), _whole(rng, 2, 5), _whole(rng, 4, 8)
    steps = step * count * (count - 1) // 2
    text, value = _pick(
        rng,
        [
            (f"an arithmetic sequence with first term {start} and difference {step}", start * count + steps),
            (f"a geometric sequence with first term {start} and ratio {step}", start * (step**count - 1) // (step - 1)),
        ],
    )
    return MathProblem("series", f"What is the sum of the first {count} terms of {text}?", str(value))


def percentage(rng: np.random.Generator) -> MathProblem:
    """A price goes up and down."""
    price, up, down = 20 * _whole(rng, 2, 30), 5 * _whole(rng, 1, 10), 5 * _whole(rng, 1, 10)
    value = Fraction(price * (100 + up) * (100 - down), 10_000)
    text = f"A price of {price} rises by {up} percent and then falls by {down} percent. What is it then?"
    return MathProblem("percentage", text, _fraction(value))


def triangle(rng: np.random.Generator) -> MathProblem:
    """The third side of a right triangle."""
    a, b = _whole(rng, 2, 12), _whole(rng, 2, 12)
    text = f"The legs of a right triangle are {a} and {b}. How long is its hypotenuse, exactly?"
    root = math.isqrt(a * a + b * b)
    return MathProblem("triangle", text, str(root) if root * root == a * a + b * b else f"\\sqrt{{{a * a + b * b}}}")


def determinant(rng: np.random.Generator) -> MathProblem:
    """Of a matrix of two or three rows."""
    size = _pick(rng, (2, 3))
    rows = rng.integers(-5, 6, size=(size, size)).tolist()
    matrix = " \\\\ ".join(" & ".join(map(str, row)) for row in rows)
    text = f"What is the determinant of $\\begin{{pmatrix}} {matrix} \\end{{pmatrix}}$?"
    return MathProblem("determinant", text, str(_determinant(rows)))


def _determinant(rows: list[list[int]]) -> int:
    if len(rows) == 1:
        return rows[0][0]
    return sum(
        (-1) ** column * rows[0][column] * _determinant([row[:column] + row[column + 1 :] for row in rows[1:]])
        for column in range(len(rows))
    )


def logarithm(rng: np.random.Generator) -> MathProblem:
    """An exponent that is asked for."""
    base, exponent = _whole(rng, 2, 9), Fraction(_nonzero(rng, 5), _pick(rng, (1, 1, 2, 3)))
    said = f"{base}^{{{_fraction(exponent)}}}"
    factor = _whole(rng, 2, 9)
    text = f"Compute ${factor} \\cdot \\log_{{{base}}} {said}$."
    return MathProblem("logarithm", text, _fraction(factor * exponent))


KINDS: tuple[Callable[[np.random.Generator], MathProblem], ...] = (
    arithmetic,
    fractions,
    linear_equation,
    quadratic,
    system,
    divisor,
    remainder,
    choices,
    chance,
    derivative,
    integral,
    expansion,
    series,
    percentage,
    triangle,
    determinant,
    logarithm,
)
"""Every kind of problem."""
