"""Drawings and the words for them: families of scenes, each with its description and its SVG program.

Everything lies on a canvas of :data:`SIZE` by :data:`SIZE` units with the origin at the top left.  A family draws its
sizes, places and colours and gives one description of several and the elements, the lowest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")

SIZE = 100
COLOURS = ("red", "green", "blue", "orange", "purple", "black", "gray", "gold", "teal", "brown", "pink", "navy")


@dataclass(frozen=True, slots=True)
class Scene:
    """What to draw: in words, and as a program."""

    family: str
    text: str
    svg: str


Family = Callable[[np.random.Generator], tuple[str, list[str]]]
"""``family(rng)``: the description and the elements."""


def _one_of(rng: np.random.Generator, things: Sequence[T]) -> T:
    return things[int(rng.integers(len(things)))]


def _colours(rng: np.random.Generator, count: int) -> list[str]:
    """Different colours."""
    return [COLOURS[int(i)] for i in rng.choice(len(COLOURS), size=count, replace=False)]


def _between(rng: np.random.Generator, low: int, high: int, step: int = 1) -> int:
    """A multiple of ``step`` from ``low`` to ``high``."""
    return int(rng.integers(-(-low // step), high // step + 1)) * step


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"/>'


def _circle(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>'


def _polygon(points: Sequence[tuple[float, float]], colour: str) -> str:
    return f'<polygon points="{" ".join(f"{x:g},{y:g}" for x, y in points)}" fill="{colour}"/>'


def _shape(rng: np.random.Generator, colour: str) -> tuple[str, str]:
    """One shape somewhere: its words and its element."""
    kind = _one_of(rng, ["circle", "rectangle", "ellipse", "triangle", "line", "ring"])
    x, y = _between(rng, 25, 75, 5), _between(rng, 25, 75, 5)
    if kind == "circle":
        radius = _between(rng, 6, 24)
        return f"a {colour} circle of radius {radius} centred at ({x}, {y})", _circle(x, y, radius, colour)
    if kind == "rectangle":
        left, top, wide, high = x - 20, y - 20, _between(rng, 10, 40, 2), _between(rng, 10, 40, 2)
        words = f"a {colour} rectangle {wide} wide and {high} high with its top left corner at ({left}, {top})"
        return words, _rect(left, top, wide, high, colour)
    if kind == "ellipse":
        across, down = _between(rng, 6, 24), _between(rng, 6, 24)
        words = f"a {colour} ellipse centred at ({x}, {y}), {2 * across} wide and {2 * down} high"
        return words, f'<ellipse cx="{x}" cy="{y}" rx="{across}" ry="{down}" fill="{colour}"/>'
    if kind == "triangle":
        reach = _between(rng, 10, 24)
        points = [(x, y - reach), (x + reach, y + reach), (x - reach, y + reach)]
        places = ", ".join(f"({a}, {b})" for a, b in points)
        return f"a {colour} triangle with corners at {places}", _polygon(points, colour)
    if kind == "line":
        x2, y2, thick = _between(rng, 5, 95, 5), _between(rng, 5, 20, 5), _between(rng, 2, 6)
        words = f"a {colour} line of width {thick} from ({x}, {y}) to ({x2}, {y2})"
        return words, f'<line x1="{x}" y1="{y}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="{thick}"/>'
    radius, thick = _between(rng, 8, 22), _between(rng, 2, 6)
    words = f"a {colour} circle line of width {thick} and radius {radius} around ({x}, {y}), not filled"
    element = f'<circle cx="{x}" cy="{y}" r="{radius}" fill="none" stroke="{colour}" stroke-width="{thick}"/>'
    return words, element


def single(rng: np.random.Generator) -> tuple[str, list[str]]:
    """One shape."""
    words, element = _shape(rng, _one_of(rng, COLOURS))
    return _one_of(rng, ["Draw {}.", "The picture shows {}, and nothing else.", "Make a picture of {}."]).format(
        words
    ), [element]


def layered(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Several shapes, the later over the earlier."""
    shapes = [_shape(rng, colour) for colour in _colours(rng, _between(rng, 2, 4))]
    words = "; ".join(words for words, _ in shapes)
    opening = _one_of(
        rng,
        ["Draw, each over the ones before:", "From back to front, the picture shows:", "Paint one after the other:"],
    )
    return f"{opening} {words}.", [element for _, element in shapes]


def beside(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A shape placed by where another one is."""
    first, second = _colours(rng, 2)
    radius, side, gap = _between(rng, 8, 16), _between(rng, 8, 18, 2), _between(rng, 0, 8, 2)
    x, y = 50, 50
    direction = _one_of(rng, ["left", "right", "above", "below"])
    reach = radius + gap + side / 2
    dx, dy = {"left": (-reach, 0), "right": (reach, 0), "above": (0, -reach), "below": (0, reach)}[direction]
    where = direction if direction in ("above", "below") else f"to the {direction} of"
    touch = "touching it" if gap == 0 else f"with a gap of {gap} between them"
    text = (
        f"In the middle of the canvas is a {first} circle of radius {radius}. A {second} square of side {side} is "
        f"{where} it, centred on it, {touch}."
    )
    square = _rect(x + dx - side / 2, y + dy - side / 2, side, side, second)
    return text, [_circle(x, y, radius, first), square]


def row(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Equal shapes at equal distances."""
    count, radius, colour = _between(rng, 3, 6), _between(rng, 3, 7), _one_of(rng, COLOURS)
    gap, fixed, horizontal = _between(rng, 14, 16), _between(rng, 20, 80, 10), bool(rng.integers(2))
    places = [10 + gap * i for i in range(count)]
    centres = [(place, fixed) if horizontal else (fixed, place) for place in places]
    axis, direction = ("x", "right") if horizontal else ("y", "down")
    text = _one_of(
        rng,
        [
            f"Draw {count} {colour} circles of radius {radius}: the first is centred at ({centres[0][0]}, "
            f"{centres[0][1]}), and each next one is {gap} further {direction}.",
            f"There are {count} equal {colour} circles of radius {radius}. Their centres begin at ({centres[0][0]}, "
            f"{centres[0][1]}) and their {axis} grows by {gap} each time.",
        ],
    )
    return text, [_circle(cx, cy, radius, colour) for cx, cy in centres]


def stripes(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A flag that fills the canvas."""
    count = _one_of(rng, [2, 4, 5])
    colours, vertical, wide = _colours(rng, count), bool(rng.integers(2)), SIZE / count
    order, direction = ("left to right", "vertical") if vertical else ("top to bottom", "horizontal")
    text = _one_of(
        rng,
        [
            f"A flag fills the canvas: {count} {direction} stripes of equal width, from {order} {', '.join(colours)}.",
            f"Divide the whole canvas into {count} equal {direction} stripes coloured, from {order}, "
            f"{', '.join(colours)}.",
        ],
    )
    elements = [
        _rect(wide * i, 0, wide, SIZE, colour) if vertical else _rect(0, wide * i, SIZE, wide, colour)
        for i, colour in enumerate(colours)
    ]
    return text, elements


def house(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A house with a roof and a door."""
    wall, roof, door = _colours(rng, 3)
    wide, high, peak = _between(rng, 30, 60, 4), _between(rng, 20, 40, 2), _between(rng, 10, 25)
    left, ground, gate = 50 - wide / 2, 90, _between(rng, 6, 12, 2)
    text = (
        f"Draw a house. Its {wall} wall is a rectangle {wide} wide and {high} high, centred between left and right, "
        f"with its lower edge at y = {ground}. Its {roof} roof is a triangle that sits on the wall, as wide as it and "
        f"{peak} high, with the peak in the middle. Its {door} door is a rectangle {gate} wide and {high // 2} high in "
        f"the middle of the wall's lower edge."
    )
    top = ground - high
    return text, [
        _rect(left, top, wide, high, wall),
        _polygon([(left, top), (left + wide, top), (50, top - peak)], roof),
        _rect(50 - gate / 2, ground - high // 2, gate, high // 2, door),
    ]


def rings(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A target of discs with one centre."""
    count, step = _between(rng, 2, 4), _between(rng, 5, 10)
    colours, x, y = _colours(rng, count), _between(rng, 40, 60, 5), _between(rng, 40, 60, 5)
    sizes = [step * (count - i) for i in range(count)]
    discs = ", ".join(f"{colour} with radius {size}" for colour, size in zip(colours, sizes, strict=True))
    text = f"Draw a target: filled discs around ({x}, {y}), the largest at the back: {discs}."
    return text, [_circle(x, y, size, colour) for colour, size in zip(colours, sizes, strict=True)]


def board(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A chequered board."""
    count, side, colour = _between(rng, 3, 5), _between(rng, 8, 16, 2), _one_of(rng, COLOURS)
    left, top = _between(rng, 5, 15, 5), _between(rng, 5, 15, 5)
    text = (
        f"Draw a chequered board of {count} by {count} squares of side {side} with its top left corner at ({left}, "
        f"{top}). The top left square is {colour}, its neighbours are left white, and so on in turn."
    )
    cells = [(i, j) for j in range(count) for i in range(count) if (i + j) % 2 == 0]
    return text, [_rect(left + side * i, top + side * j, side, side, colour) for i, j in cells]


def chart(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A bar chart."""
    count, wide, colour = _between(rng, 3, 5), _between(rng, 8, 12, 2), _one_of(rng, COLOURS)
    values = [_between(rng, 10, 80, 5) for _ in range(count)]
    gap, base = wide // 2, 95
    text = (
        f"Draw a bar chart with {colour} bars that stand on the line y = {base}. The bars are {wide} wide and "
        f"{', '.join(map(str, values[:-1]))} and {values[-1]} high, from left to right. The first begins at x = 5, and "
        f"there is a gap of {gap} between a bar and the next."
    )
    return text, [_rect(5 + (wide + gap) * i, base - v, wide, v, colour) for i, v in enumerate(values)]


def lights(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A traffic light."""
    radius, gap = _between(rng, 7, 12), _between(rng, 2, 5)
    frame, *lamps = _colours(rng, 4)
    wide, high = 2 * (radius + gap), 6 * radius + 4 * gap
    left, top = 50 - wide / 2, 50 - high / 2
    text = (
        f"Draw a traffic light in the middle of the canvas: a {frame} box {wide} wide and {high} high, with three "
        f"lamps of radius {radius} one below the other, {gap} apart from each other and from the edges of the box. "
        f"From the "
        f"top they are {lamps[0]}, {lamps[1]} and {lamps[2]}."
    )
    circles = [_circle(50, top + gap + radius + (2 * radius + gap) * i, radius, lamp) for i, lamp in enumerate(lamps)]
    return text, [_rect(left, top, wide, high, frame), *circles]


FAMILIES: tuple[Family, ...] = (
    single, layered, beside, row, stripes, house, rings, board, chart, lights,
)  # fmt: skip


def make_scene(rng: np.random.Generator) -> Scene:
    """A scene of a family that is drawn."""
    family = _one_of(rng, FAMILIES)
    text, elements = family(rng)
    svg = "\n".join([f'<svg viewBox="0 0 {SIZE} {SIZE}">', *elements, "</svg>"])
    return Scene(family.__name__, text, svg)
