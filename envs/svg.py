"""A safe renderer for a small part of SVG, for drawings that a model wrote.

What is drawn: ``rect circle ellipse line polyline polygon path`` inside ``svg`` and ``g``, with the attributes (or
``style`` declarations) ``fill stroke stroke-width opacity fill-opacity stroke-opacity``; colours by name, ``#rgb``,
``#rrggbb``, ``rgb(r, g, b)`` or ``none``; numbers without a unit or with ``px``; path commands ``M L H V C Q Z`` and
their small forms.  Fills follow the nonzero rule, lines end flat and meet round, a group's opacity is that of each of
its shapes, and the canvas is white.  Elements and attributes that would change the drawing in ways not listed
(``text``, ``transform``, ``use``, gradients, ...) make the program invalid rather than silently wrong; others, such as
``id``, are ignored.

Nothing outside the text is ever read.  Document types, and with them entities, are refused, and so is a text that is
too long, too deep or has too many elements or points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.parsers import expat

import numpy as np
from PIL import Image, ImageColor

MAX_CHARACTERS = 50_000
MAX_ELEMENTS = 200
MAX_DEPTH = 20
MAX_POINTS = 2_000
_LARGEST = 1e6
_SMALLEST_SIDE = 1e-3
_FINE = 4
"""Samples per pixel and axis."""
_CURVE = 16
"""Lines per Bézier curve."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_PATH_TOKEN = re.compile(rf"([MLHVCQZmlhvcqz])|({_NUMBER.pattern})|([\s,]+)|(.)", re.ASCII | re.DOTALL)
_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "Q": 4, "Z": 0}
_UNDRAWN = {"title", "desc", "metadata"}
_UNSUPPORTED = {"transform", "clip-path", "mask", "filter", "display", "visibility", "fill-rule", "stroke-dasharray"}

Points = np.ndarray
"""float64 [n, 2]"""
_ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_DISC = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


class SvgError(ValueError):
    """The text is not a drawing in the part of SVG that is understood; the message says why."""


@dataclass(frozen=True, slots=True)
class _Style:
    fill: tuple[int, int, int] | None = (0, 0, 0)
    stroke: tuple[int, int, int] | None = None
    stroke_width: float = 1.0
    fill_opacity: float = 1.0
    stroke_opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class _Shape:
    lines: list[tuple[Points, bool]]
    """Subpaths, and whether each is closed."""
    style: _Style


def render_svg(text: str, width: int, height: int) -> np.ndarray:
    """The drawing on a white canvas, uint8 [height, width, 3], stretched from its ``viewBox`` to the canvas.

    Without a ``viewBox`` the drawing's own ``width`` and ``height`` take its place, and without those the canvas's.
    Raises SvgError for anything but a drawing in the part of SVG that this module's text lists.
    """
    reader = _Reader((width, height))
    reader.read(text)
    left, top, wide, high = reader.box
    scale = np.array([width / wide, height / high]) * _FINE
    canvas = Image.new("RGB", (width * _FINE, height * _FINE), "white")
    for shape in reader.shapes:
        lines = [((points - (left, top)) * scale, closed) for points, closed in shape.lines]
        _paint(canvas, [points for points, _ in lines], shape.style.fill, shape.style.fill_opacity)
        thick = shape.style.stroke_width * math.sqrt(scale[0] * scale[1])
        if shape.style.stroke is not None and thick > 0:
            outline = [piece for points, closed in lines for piece in _outline(points, closed, thick)]
            _paint(canvas, outline, shape.style.stroke, shape.style.stroke_opacity)
    return np.asarray(canvas.resize((width, height), Image.Resampling.BOX))


def _paint(canvas: Image.Image, polygons: list[Points], colour: tuple[int, int, int] | None, opacity: float) -> None:
    """Blend the colour into the canvas where the polygons' winding number is not 0."""
    if colour is not None and opacity > 0 and polygons:
        inside = _winding(polygons, canvas.height, canvas.width) != 0
        canvas.paste(colour, mask=Image.fromarray(inside * np.uint8(round(255 * opacity))))


def _winding(polygons: list[Points], rows: int, columns: int) -> np.ndarray:
    """How often the closed polygons wind around the middle of each sample, float64 [rows, columns]."""
    tails = np.concatenate(polygons)
    heads = np.concatenate([part for points in polygons for part in (points[1:], points[:1])])
    # An edge crosses the rows whose middles lie between its ends, the upper end included.
    ends = np.clip(np.ceil(np.stack([tails[:, 1], heads[:, 1]]) - 0.5), 0, rows).astype(int)
    first, count = ends.min(axis=0), np.abs(ends[1] - ends[0])
    edge = np.repeat(np.arange(len(tails)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    step = heads[edge] - tails[edge]
    x = tails[edge, 0] + step[:, 0] * (row + 0.5 - tails[edge, 1]) / step[:, 1]
    column = np.clip(np.ceil(x - 0.5), 0, columns).astype(int)
    direction = np.sign(ends[0] - ends[1])[edge]
    crossings = np.bincount(row * (columns + 1) + column, direction, rows * (columns + 1)).reshape(rows, columns + 1)
    return np.asarray(crossings.cumsum(axis=1)[:, :columns])


def _outline(points: Points, closed: bool, thick: float) -> list[Points]:
    """A stroke as polygons that all wind the same way: a bar per line and a disc where two meet."""
    ring = np.concatenate([points, points[:1]]) if closed else points
    along = np.diff(ring, axis=0)
    length = np.hypot(along[:, 0], along[:, 1])
    kept = length > 0
    side = along[kept] / length[kept, None] @ np.array([[0, 1], [-1, 0]]) * thick / 2
    tails, heads = ring[:-1][kept], ring[1:][kept]
    bars = np.stack([tails + side, tails - side, heads - side, heads + side], axis=1)
    joints = heads if closed else heads[:-1]
    return [*bars, *(joints[:, None] + _DISC * thick / 2)]


class _Reader:
    """Collects the shapes of a drawing while expat reads it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.box = (0.0, 0.0, float(size[0]), float(size[1]))
        self.shapes: list[_Shape] = []
        self.styles: list[_Style] = []
        self.elements = 0
        self.points = 0

    def read(self, text: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise SvgError(f"the text has {len(text)} characters, more than {MAX_CHARACTERS}")
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self.start
        parser.EndElementHandler = lambda name: self.styles.pop()
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            parser.Parse(text.encode("utf-8", "surrogatepass"), True)
        except expat.ExpatError as error:
            raise SvgError(f"not well-formed: {error}") from error

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS or len(self.styles) >= MAX_DEPTH:
            raise SvgError(f"more than {MAX_ELEMENTS} elements, or nested deeper than {MAX_DEPTH}")
        if (name == "svg") != (not self.styles):
            raise SvgError(f"<{name}> where <svg> begins a drawing" if not self.styles else "<svg> inside <svg>")
        declared = _declarations(attributes)
        style = _styled(self.styles[-1] if self.styles else _Style(), declared)
        self.styles.append(style)
        if name == "svg":
            self.box = _box(declared, self.box)
        elif name in _SHAPES:
            lines = _SHAPES[name](declared)
            self.points += sum(len(points) for points, _ in lines)
            if self.points > MAX_POINTS:
                raise SvgError(f"more than {MAX_POINTS} points")
            self.shapes.append(_Shape(lines, style))
        elif name != "g" and name not in _UNDRAWN:
            raise SvgError(f"<{name}> is not supported")


def _refuse_doctype(*_: Any) -> None:
    raise SvgError("a document type is not allowed")


def _declarations(attributes: dict[str, str]) -> dict[str, str]:
    """The attributes, with what ``style`` declares in their place."""
    declared = dict(attributes)
    for declaration in declared.pop("style", "").split(";"):
        if declaration.strip():
            key, colon, value = declaration.partition(":")
            if not colon:
                raise SvgError(f"cannot read the style {declaration!r:.40}")
            declared[key.strip()] = value.strip()
    if unsupported := _UNSUPPORTED & declared.keys():
        raise SvgError(f"{', '.join(sorted(unsupported))} is not supported")
    return declared


def _styled(outer: _Style, declared: dict[str, str]) -> _Style:
    group = _share(declared, "opacity")
    return _Style(
        fill=_colour(declared["fill"]) if "fill" in declared else outer.fill,
        stroke=_colour(declared["stroke"]) if "stroke" in declared else outer.stroke,
        stroke_width=_size(declared, "stroke-width") if "stroke-width" in declared else outer.stroke_width,
        fill_opacity=outer.fill_opacity * group * _share(declared, "fill-opacity"),
        stroke_opacity=outer.stroke_opacity * group * _share(declared, "stroke-opacity"),
    )


def _share(declared: dict[str, str], key: str) -> float:
    return min(1.0, max(0.0, _number(declared.get(key, "1"))))


def _colour(text: str) -> tuple[int, int, int] | None:
    text = text.strip().lower()
    if text in ("none", "transparent"):
        return None
    if len(text) > 40:
        raise SvgError("a colour's text is too long")
    try:
        red, green, blue, *alpha = (min(255, channel) for channel in ImageColor.getrgb(text))
    except ValueError as error:
        raise SvgError(f"unknown colour {text!r}") from error
    if alpha:
        raise SvgError(f"the colour {text!r} has an alpha channel; use opacity")
    return red, green, blue


def _number(text: str) -> float:
    text = text.strip().removesuffix("px")
    if not _NUMBER.fullmatch(text) or not abs(value := float(text)) <= _LARGEST:
        raise SvgError(f"not a number up to {_LARGEST:.0e}: {text!r:.40}")
    return value


def _numbers(text: str) -> list[float]:
    return [_number(piece) for piece in re.split(r"[\s,]+", text.strip()) if piece]


def _box(declared: dict[str, str], canvas: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    if "viewBox" in declared:
        box = _numbers(declared["viewBox"])
    else:
        sides = [declared.get(key, "100%") for key in ("width", "height")]
        box = [0.0, 0.0, *(canvas[2 + i] if side == "100%" else _number(side) for i, side in enumerate(sides))]
    if len(box) != 4 or min(box[2:]) < _SMALLEST_SIDE:
        raise SvgError(f"not a box whose sides are at least {_SMALLEST_SIDE}: {box}")
    return box[0], box[1], box[2], box[3]


def _length(declared: dict[str, str], key: str) -> float:
    return _number(declared.get(key, "0"))


def _size(declared: dict[str, str], key: str) -> float:
    if (size := _length(declared, key)) < 0:
        raise SvgError(f"{key} is negative")
    return size


def _rect(declared: dict[str, str]) -> list[tuple[Points, bool]]:
    if declared.get("rx", "0") != "0" or declared.get("ry", "0") != "0":
        raise SvgError("round corners are not supported")
    x, y = _length(declared, "x"), _length(declared, "y")
    wide, high = _size(declared, "width"), _size(declared, "height")
    corners = np.array([(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)])
    return [(corners, True)] if wide and high else []


def _circle(declared: dict[str, str]) -> list[tuple[Points, bool]]:
    radius = _size(declared, "r")
    return _oval(declared, radius, radius)


def _ellipse(declared: dict[str, str]) -> list[tuple[Points, bool]]:
    return _oval(declared, _size(declared, "rx"), _size(declared, "ry"))


def _oval(declared: dict[str, str], rx: float, ry: float) -> list[tuple[Points, bool]]:
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    centre = np.array([_length(declared, "cx"), _length(declared, "cy")])
    return [(centre + np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1), True)] if rx and ry else []


def _line(declared: dict[str, str]) -> list[tuple[Points, bool]]:
    return [(np.array([[_length(declared, f"{axis}{end}") for axis in "xy"] for end in "12"]), False)]


def _poly(closed: bool) -> Callable[[dict[str, str]], list[tuple[Points, bool]]]:
    def read(declared: dict[str, str]) -> list[tuple[Points, bool]]:
        numbers = _numbers(declared.get("points", ""))
        if len(numbers) % 2:
            raise SvgError("an odd number of coordinates")
        return [(np.array(numbers).reshape(-1, 2), closed)] if numbers else []

    return read


def _path(declared: dict[str, str]) -> list[tuple[Points, bool]]:
    lines: list[tuple[Points, bool]] = []
    pen: list[np.ndarray] = []  # the subpath so far
    start = at = np.zeros(2)
    for command, values in _path_commands(declared.get("d", "")):
        kind, origin = command.upper(), at if command.islower() else np.zeros(2)
        if kind in "MZ":
            if pen:
                lines.append((np.array(pen), kind == "Z"))
            start = origin + values if kind == "M" else start
            at, pen = start, [start] if kind == "M" else []
        else:
            pen = [*(pen or [at]), *_segment(kind, values, at, origin)]
            at = pen[-1]
    return [*lines, (np.array(pen), False)] if pen else lines


def _path_commands(text: str) -> list[tuple[str, list[float]]]:
    """Each command with its arguments; one that is repeated without its letter gets it back."""
    commands: list[tuple[str, list[float]]] = []
    letter, arguments = "", list[float]()
    for match in _PATH_TOKEN.finditer(text):
        command, number, _, unknown = match.groups()
        if unknown or (number and _ARGUMENTS.get(letter.upper(), 0) == 0) or (command and arguments):
            raise SvgError(f"cannot read the path at {text[match.start() : match.start() + 20]!r}")
        if command:
            if not commands and command not in "Mm":
                raise SvgError("a path begins with M")
            letter = command
            if command in "Zz":
                commands.append((command, []))
        elif number:
            arguments.append(_number(number))
            if len(arguments) == _ARGUMENTS[letter.upper()]:
                commands.append((letter, arguments))
                arguments = []
                letter = {"M": "L", "m": "l"}.get(letter, letter)
    if arguments:
        raise SvgError(f"a path's {letter} lacks arguments")
    return commands


def _segment(kind: str, values: list[float], at: np.ndarray, origin: np.ndarray) -> list[np.ndarray]:
    """The points that a command adds after ``at``; its coordinates count from ``origin``."""
    if kind == "H":
        return [np.array([origin[0] + values[0], at[1]])]
    if kind == "V":
        return [np.array([at[0], origin[1] + values[0]])]
    controls = origin + np.array(values).reshape(-1, 2)
    return [controls[0]] if kind == "L" else _bezier([at, *controls])


def _bezier(controls: list[np.ndarray]) -> list[np.ndarray]:
    """Points on the curve after its first control point, by de Casteljau's construction."""
    t = np.linspace(0, 1, _CURVE + 1)[1:, None]
    layers = [np.broadcast_to(control, (_CURVE, 2)) for control in controls]
    while len(layers) > 1:
        layers = [(1 - t) * a + t * b for a, b in pairwise(layers)]
    return list(layers[0])


_SHAPES: dict[str, Callable[[dict[str, str]], list[tuple[Points, bool]]]] = {
    "rect": _rect,
    "circle": _circle,
    "ellipse": _ellipse,
    "line": _line,
    "polyline": _poly(closed=False),
    "polygon": _poly(closed=True),
    "path": _path,
}
