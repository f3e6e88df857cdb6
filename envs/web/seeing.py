"""Putting together what is observed: asked of the page in one go, and given its form."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from PIL import Image

from ..spaces import AnyText
from .actor import Actor
from .context import Context
from .observation import Line, Names, read_trees, tree_lines
from .protocol import ProtocolError

_TEXTS = ("goal", "url", "title", "tree", "dom", "focused", "error")
PIECES = {
    "text": ("goal", "url", "title", "tree"),
    "text_image": ("goal", "url", "title", "tree", "screenshot"),
    "dict": ("goal", "url", "title", "tree", "screenshot", "focused", "error"),
}
"""The pieces of an observation by default, by its form."""
ALL_PIECES = (*_TEXTS, "screenshot")
_CHARACTERS_PER_TOKEN = 4


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

    @property
    def tree(self) -> str:
        """The accessibility tree as text."""
        return "\n".join("\t" * line.depth + line.text for line in self.lines)


def observation_space(form: str, pieces: Sequence[str], viewport: tuple[int, int]) -> gymnasium.Space[Any]:
    """The space of observations of that form.  Raises :class:`ValueError` for an unknown form or piece."""
    if form not in PIECES:
        raise ValueError(f"observation must be one of {', '.join(map(repr, PIECES))}, not {form!r}")
    for piece in pieces:
        if piece not in ALL_PIECES or (piece == "screenshot" and form == "text"):
            raise ValueError(f"{piece!r} is no piece of {form!r} observations; there are {', '.join(ALL_PIECES)}")
    if form == "text":
        return AnyText()
    width, height = viewport
    picture = spaces.Box(0, 255, (height, width, 3), np.uint8)
    if form == "text_image":
        if "screenshot" not in pieces:
            raise ValueError("'text_image' observations need the piece 'screenshot'")
        return spaces.Dict({"text": AnyText(), "image": picture})
    return spaces.Dict({piece: picture if piece == "screenshot" else AnyText() for piece in pieces})


async def observe(
    context: Context,
    actor: Actor,
    goal: str,
    pieces: Sequence[str],
    names: Names,
    tree_tokens: int = 4000,
    marks: bool = False,
    error: str = "",
) -> Seen:
    """Look at the page for ``pieces``; the elements that are shown become those that ``actor`` can use."""
    tab, seen = context.active, Seen(goal=goal, error=error, dialogs=context.active.dialogs[:])
    tab.dialogs.clear()
    trees = await read_trees(tab) if "tree" in pieces else []
    if trees:
        seen.lines = tree_lines(trees, names)
        present = {line.node for line in seen.lines}
        actor.elements = {name: node for node, name in names.by_node.items() if node in present}
    if "url" in pieces or "title" in pieces:
        try:
            seen.url, seen.title = await tab.evaluate("[location.href, document.title]")
        except ProtocolError:
            seen.url = "about:blank"
    if "screenshot" in pieces:
        seen.image = await tab.draw(image=True)
    return seen


def shown(seen: Seen, form: str, pieces: Sequence[str]) -> Any:
    """What was seen, in its form."""
    if form == "text":
        return _as_text(seen, pieces)
    if form == "text_image":
        return {"text": _as_text(seen, pieces), "image": _pixels(seen)}
    return {piece: _pixels(seen) if piece == "screenshot" else getattr(seen, piece) for piece in pieces}


def _as_text(seen: Seen, pieces: Sequence[str]) -> str:
    labels = {"goal": "Goal", "url": "URL", "title": "Title", "focused": "Focused"}
    parts = [f"{labels[piece]}: {getattr(seen, piece)}" for piece in pieces if piece in labels]
    parts += [f"The page said: {text}" for text in seen.dialogs]
    parts += [text for piece, text in (("tree", seen.tree), ("dom", seen.dom)) if piece in pieces]
    return "\n".join(parts)


def _pixels(seen: Seen) -> np.ndarray:
    assert seen.image is not None
    return np.asarray(Image.open(io.BytesIO(seen.image)).convert("RGB"))
