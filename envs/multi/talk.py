"""What games of words share: a log of what was said to whom, and messages that cannot be mistaken for anything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .game import IllegalMove

LONGEST = 300
"""Characters of a message."""


class Line(NamedTuple):
    """Something that was said; ``to`` are the players who heard it beside the speaker, everybody if ``None``."""

    player: int
    text: str
    to: tuple[int, ...] | None = None


def heard(log: Sequence[Line], player: int, roles: Sequence[str]) -> list[str]:
    """What a player has heard and said, a line each."""
    shown = []
    for line in log:
        if line.player == player:
            shown.append(f"You: {line.text}")
        elif line.to is None or player in line.to:
            shown.append(f"{roles[line.player]}: {line.text}")
    return shown


def message(text: str, verb: str) -> str | None:
    """What follows ``verb`` in ``text``, on one line; ``None`` if it begins otherwise.

    Line breaks and control characters become spaces, so that nobody can write a line that looks like another's.
    Raises :class:`IllegalMove` for nothing said, and for more than :data:`LONGEST` characters.
    """
    begun = re.match(rf"\s*{verb}\b\s*", text[:50], re.IGNORECASE)
    if begun is None:
        return None
    rest = text[begun.end() :]
    if len(rest) > 4 * LONGEST:
        raise IllegalMove(f"A message has at most {LONGEST} characters.")
    said = " ".join("".join(char if char.isprintable() else " " for char in rest).split())
    if not said:
        raise IllegalMove(f"After {verb} there must be words.")
    if len(said) > LONGEST:
        raise IllegalMove(f"A message has at most {LONGEST} characters.")
    return said
