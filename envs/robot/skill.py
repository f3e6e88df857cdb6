"""What a skill is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np


class Refused(Exception):
    """A skill cannot be done here; the message says why, and nothing has happened."""


class Skill(NamedTuple):
    """``start(*arguments)`` refuses, or gives the actions ``[A]`` that do it; ``told`` says what came of it."""

    usage: str
    start: Callable[..., Iterator[np.ndarray]]
    told: Callable[..., str]


class SkillSet(Protocol):
    """What a language agent can do with the body of one scene."""

    guide: str

    @property
    def skills(self) -> Mapping[str, Skill]:
        """The skills by name."""
        ...

    def describe(self) -> list[str]:
        """The scene in lines of words."""
        ...

    def next(self) -> str:
        """The skill that a script would do now."""
        ...
