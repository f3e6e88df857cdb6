"""Small web pages of many layouts, drawn from a generator."""

from __future__ import annotations

import numpy as np

from .apps.content import draw, people, titles
from .apps.html import Html, h

_PAPERS = ("#ffffff", "#f4f1ea", "#eef3f8", "#f6f6f6", "#fff8e7", "#20252b")
_INKS = ("#2f6fb3", "#a5492b", "#1f7a5c", "#5a4fa3", "#8a3d62", "#c9771e", "#37474f", "#b23a48")


def draw_page(rng: np.random.Generator) -> str:
    """The source of a page: perhaps a bar, a heading, and one of four kinds of body."""
    paper, ink = draw(rng, _PAPERS), draw(rng, _INKS)
    text = "#e8e8e8" if paper == "#20252b" else "#222222"
    style = f"margin:0; background:{paper}; color:{text}; font:{int(rng.integers(11, 15))}px sans-serif"
    pad = int(rng.integers(6, 14))
    bar = h.div(titles(rng, 1), style=f"background:{ink}; color:#fff; padding:{pad}px 12px")
    heading = h.div(titles(rng, 1), style=f"font-size:{int(rng.integers(16, 23))}px; margin:10px 12px")
    body = draw(rng, (_cards, _rows, _sidebar, _form))(rng, ink)
    parts = [bar if rng.random() < 0.7 else None, heading if rng.random() < 0.6 else None, body]
    return f"<!DOCTYPE html>\n{h.html(h.body(parts, style=style))}"


def _cards(rng: np.random.Generator, ink: str) -> Html:
    """Boxes beside each other."""
    count, radius, height = int(rng.integers(2, 5)), int(rng.integers(0, 12)), int(rng.integers(50, 100))
    fills = [draw(rng, _INKS) for _ in range(count)]
    common = f"flex:1; color:#fff; padding:8px; height:{height}px; border-radius:{radius}px"
    boxes = [
        h.div(title, style=f"{common}; background:{fill}")
        for fill, title in zip(fills, titles(rng, count), strict=True)
    ]
    return h.div(boxes, style=f"display:flex; gap:{int(rng.integers(4, 14))}px; margin:12px")


def _rows(rng: np.random.Generator, ink: str) -> Html:
    """A list with lines between."""
    names = people(rng, int(rng.integers(3, 6)))
    pad = int(rng.integers(4, 9))
    rows = [h.div(name, style=f"padding:{pad}px; border-bottom:1px solid {ink}") for name in names]
    return h.div(rows, style=f"margin:12px; border-left:{int(rng.integers(2, 8))}px solid {ink}")


def _sidebar(rng: np.random.Generator, ink: str) -> Html:
    """A narrow column beside a wide one."""
    width = int(rng.integers(60, 120))
    links = [h.div(name.split()[0], style="margin:6px 0") for name in people(rng, int(rng.integers(2, 5)))]
    narrow = h.div(links, style=f"width:{width}px; height:150px; background:{ink}; color:#fff; padding:6px 10px")
    wide = h.div([h.p(title) for title in titles(rng, 2)], style="padding:0 12px")
    sides = [narrow, wide] if rng.random() < 0.5 else [h.div(wide, style="flex:1"), narrow]
    return h.div(sides, style="display:flex; margin-top:8px")


def _form(rng: np.random.Generator, ink: str) -> Html:
    """Fields and a button."""
    edge = f"border:1px solid {ink}; height:{int(rng.integers(16, 26))}px; width:{int(rng.integers(140, 260))}px"
    fields = [
        h.div(h.div(label), h.div(style=f"{edge}; background:#fff"), style="margin:8px 0")
        for label in ("Name", "Street", "Email")[: int(rng.integers(1, 4))]
    ]
    radius = int(rng.integers(0, 10))
    button = h.span("Send", style=f"background:{ink}; color:#fff; padding:5px 14px; border-radius:{radius}px")
    return h.div(fields, button, style="margin:12px")
