"""What fills the applications: people, places and sentences of ``content.toml``, drawn from a generator."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

_CONTENT: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "content.toml").read_text())
FIRST, LAST = _CONTENT["first"], _CONTENT["last"]
THINGS, QUALITIES, DOINGS = _CONTENT["things"], _CONTENT["qualities"], _CONTENT["doings"]
STREETS, TOWNS, ROOMS = _CONTENT["streets"], _CONTENT["towns"], _CONTENT["rooms"]
SENTENCES, ANSWERS = _CONTENT["sentences"], _CONTENT["answers"]


def draw(rng: np.random.Generator, items: Any) -> Any:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def people(rng: np.random.Generator, count: int) -> list[str]:
    """Different full names, no two of which share a first or a last name, up to 25."""
    firsts = rng.permutation(len(FIRST))[:count]
    lasts = rng.permutation(len(LAST))[:count]
    return [f"{FIRST[i]} {LAST[j]}" for i, j in zip(firsts, lasts, strict=True)]


def address(name: str) -> str:
    """The mail address of a person."""
    return f"{name.lower().replace(' ', '.')}@palestra.example"


def titles(rng: np.random.Generator, count: int) -> list[str]:
    """Different titles such as ``"Broken printer repair"``; up to a few hundred."""
    found: dict[str, None] = {}
    while len(found) < count:
        words = draw(rng, QUALITIES), draw(rng, THINGS), draw(rng, DOINGS)
        found[" ".join(words).capitalize()] = None
    return list(found)


def paragraph(rng: np.random.Generator, sentences: int = 2) -> str:
    """Different sentences one after the other."""
    return " ".join(SENTENCES[place] for place in rng.permutation(len(SENTENCES))[:sentences])
