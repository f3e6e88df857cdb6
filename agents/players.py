"""Who may take a role in an environment for several agents: a language model, a script, a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..trajectory import Observation
from .engine import Engine
from .parser import Parser
from .renderer import Renderer


@dataclass(frozen=True, slots=True)
class Speaker:
    """A player that is a language model: what it is shown becomes tokens, what it samples an action."""

    engine: Engine
    renderer: Renderer
    parser: Parser


Script = Callable[[Any, str, Observation, Mapping[str, Any], np.random.Generator], Any]
"""``script(env, role, observation, info, np_random)``: an action, of whatever a PettingZoo environment shows a role."""


def random_script(
    env: Any, role: str, observation: Observation, info: Mapping[str, Any], np_random: np.random.Generator
) -> Any:
    """Any of ``info["legal_actions"]``, each equally likely; without any, of the action space."""
    legal = list(info.get("legal_actions", ()))
    if legal:
        return legal[int(np_random.integers(len(legal)))]
    space = env.action_space(role)
    space.seed(int(np_random.integers(2**31)))
    return space.sample()


class GameScript:
    """The player of a name that the environment's ``suggest`` knows: ``"optimal"``, or of the game's own.

    Raises:
        ValueError: when asked for an action in an environment that has no such player.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(
        self, env: Any, role: str, observation: Observation, info: Mapping[str, Any], np_random: np.random.Generator
    ) -> Any:
        """The player's action in the state of the game."""
        if not hasattr(env, "suggest"):
            raise ValueError(f"{env} brings no players along, so none called {self.name!r}")
        return env.suggest(self.name, np_random)


def script(name: str) -> Script:
    """The script of a name."""
    return random_script if name == "random" else GameScript(name)


class Person:
    """Somebody who reads and types.  ``EOFError`` (Ctrl-D) and ``KeyboardInterrupt`` end the play."""

    def __init__(self, read: Callable[[str], str] = input, write: Callable[[str], object] = print) -> None:
        self._read = read
        self._write = write

    def __call__(
        self, env: Any, role: str, observation: Observation, info: Mapping[str, Any], np_random: np.random.Generator
    ) -> str:
        """Show the observation and any feedback, and read an action."""
        if info.get("feedback"):
            self._write(str(info["feedback"]))
        self._write(observation if isinstance(observation, str) else observation["text"])
        return self._read("> ")
