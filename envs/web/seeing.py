"""Putting together what is observed: asked of the page in one go, and given its form."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from PIL import Image, ImageDraw

from ..spaces import AnyText
from .actor import Actor
from .context import Context
from .dom import dom_text, read_dom
from .observation import Box, Line, Names, prune, read_page, tree_lines

PIECES = {
    "text": ("goal", "url", "title", "tree"),
    "text_image": ("goal", "url", "title", "tree", "screenshot"),
    "dict": ("goal", "url", "title", "tree", "screenshot", "focused", "error"),
}
"""The pieces of an observation by default, by its form."""
ALL_PIECES = ("goal", "url", "title", "focused", "error", "tree", "dom", "screenshot")
"""What an observation may be made of."""
_LABELS = {"goal": "Goal", "url": "URL", "title": "Title", "focused": "Focused", "error": "Error"}
_MARK_COLOURS = ("#d00000", "#0050d0", "#007a20", "#a000a0", "#b06000")


@dataclass(frozen=True, slots=True)
class Look:
    """What to look at and how.

    ``marks`` draws the elements' names on the picture; the tree takes about ``tree_tokens`` tokens at most.
    """

    form: str
    pieces: tuple[str, ...]
    viewport: tuple[int, int]
    marks: bool = False
    tree_tokens: int = 4000

    def __post_init__(self) -> None:
        if self.form not in PIECES:
            raise ValueError(f"observation must be one of {', '.join(map(repr, PIECES))}, not {self.form!r}")
        for piece in self.pieces:
            if piece not in ALL_PIECES or (piece == "screenshot" and self.form == "text"):
                raise ValueError(f"{piece!r} is no piece of {self.form!r} observations; there are {ALL_PIECES}")
        if (self.form == "text_image" or self.marks) and "screenshot" not in self.pieces:
            raise ValueError(f"{'marks' if self.marks else 'text_image observations'} need the piece 'screenshot'")

    @property
    def space(self) -> gymnasium.Space[Any]:
        """The space of these observations."""
        width, height = self.viewport
        picture = spaces.Box(0, 255, (height, width, 3), np.uint8)
        if self.form == "text":
            return AnyText()
        if self.form == "text_image":
            return spaces.Dict({"text": AnyText(), "image": picture})
        return spaces.Dict({piece: picture if piece == "screenshot" else AnyText() for piece in self.pieces})


@dataclass(slots=True)
class Seen:
    """The pieces that were asked for; the others are empty."""

    goal: str = ""
    url: str = ""
    title: str = ""
    lines: list[Line] = field(default_factory=list)
    dom: str = ""
    focused: str = ""
    error: str = ""
    dialogs: list[str] = field(default_factory=list)
    image: bytes | None = None
    marks: dict[str, Box] = field(default_factory=dict)
    """Where the named elements are that can be seen."""

    @property
    def tree(self) -> str:
        """The accessibility tree as text."""
        return "\n".join("\t" * line.depth + line.text for line in self.lines)


async def observe(look: Look, context: Context, actor: Actor, names: Names, goal: str, error: str = "") -> Seen:
    """Look at the page; the elements that are shown become those that ``actor`` can use."""
    tab, pieces = context.active, look.pieces
    seen = Seen(goal=goal, error=error, dialogs=tab.dialogs[:])
    tab.dialogs.clear()
    where = tab.send("Page.getNavigationHistory") if "url" in pieces or "title" in pieces else None
    if {"tree", "dom", "focused"} & set(pieces) or look.marks:
        trees, layout = await read_page(tab)
        lines = tree_lines(trees, layout, names)
        seen.lines = prune(lines, layout, look.viewport, look.tree_tokens)
        actor.elements = {line.name: line.node for line in lines if line.name}
        seen.focused = next((line.text for line in reversed(lines) if " focused" in line.text), "")
        if look.marks:
            boxes = {line.name: layout.boxes[line.node] for line in lines if line.name and line.node in layout.boxes}
            seen.marks = {name: box for name, box in boxes.items() if box.meets(*look.viewport)}
    if "dom" in pieces:
        seen.dom = dom_text(await read_dom(tab), {node: name for name, node in actor.elements.items()})
    if where is not None:
        history = await where
        entry = history["entries"][history["currentIndex"]]
        seen.url, seen.title = entry["url"], entry["title"]
    if "screenshot" in pieces:
        seen.image = await tab.picture()
    return seen


def shown(seen: Seen, look: Look) -> Any:
    """What was seen, in its form."""
    if look.form == "text":
        return as_text(seen, look.pieces)
    if look.form == "text_image":
        return {"text": as_text(seen, look.pieces), "image": pixels(seen)}
    return {piece: pixels(seen) if piece == "screenshot" else getattr(seen, piece) for piece in look.pieces}


def as_text(seen: Seen, pieces: Sequence[str]) -> str:
    """The pieces as one text, in their order: labelled lines, then the tree."""
    parts = [f"The page said: {text}" for text in seen.dialogs]
    for piece in pieces:
        if piece in _LABELS:
            parts.append(f"{_LABELS[piece]}: {getattr(seen, piece)}")
        elif piece != "screenshot":
            parts.append(getattr(seen, piece))
    return "\n".join(parts)


def pixels(seen: Seen) -> np.ndarray:
    """The picture, uint8 [height, width, 3]."""
    assert seen.image is not None
    picture = Image.open(io.BytesIO(seen.image)).convert("RGB")
    if seen.marks:
        draw = ImageDraw.Draw(picture)
        for number, (name, box) in enumerate(seen.marks.items()):
            colour = _MARK_COLOURS[number % len(_MARK_COLOURS)]
            corner = (box.x + 1, box.y + 1)
            draw.rectangle((box.x, box.y, box.x + box.width, box.y + box.height), outline=colour)
            draw.rectangle(draw.textbbox(corner, name), fill="white")
            draw.text(corner, name, fill=colour)
    return np.asarray(picture)
