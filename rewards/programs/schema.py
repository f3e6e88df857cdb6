"""What a reward program may read: the named, typed fields of a turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...trajectory import Trajectory, Turn

Kind = Literal["number", "integer", "boolean", "text"]
_PYTHON = {"number": "float", "integer": "int", "boolean": "bool", "text": "str"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, what it means in words, and the values that it takes.

    ``low`` and ``high`` bound a number or an integer, both included; ``choices`` are the texts that a text is drawn
    from.  ``length`` above 0 makes it a list of that many.
    """

    name: str
    meaning: str
    kind: Kind = "number"
    low: float = -1.0
    high: float = 1.0
    choices: tuple[str, ...] = ("",)
    length: int = 0

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name.startswith("_"):
            raise ValueError(f"a program cannot name the field {self.name!r}")
        if self.kind not in _PYTHON:
            raise ValueError(f"field {self.name}: the kind {self.kind!r} is none of {', '.join(_PYTHON)}")
        if not (np.isfinite([self.low, self.high]).all() and self.low <= self.high and self.choices):
            raise ValueError(f"field {self.name}: needs finite low <= high, and choices")

    def __str__(self) -> str:
        python = f"list[{_PYTHON[self.kind]}]" if self.length else _PYTHON[self.kind]
        span = f", {self.low:g} to {self.high:g}" if self.kind in ("number", "integer") else ""
        many = f", {self.length} of them" if self.length else ""
        return f"{self.name}: {python}  # {self.meaning}{span}{many}"

    def draw(self, rng: np.random.Generator) -> Any:
        """A random value; a number is at one of its bounds one time in four, where programs tend to fail."""
        return [self._one(rng) for _ in range(self.length)] if self.length else self._one(rng)

    def _one(self, rng: np.random.Generator) -> Any:
        if self.kind == "text":
            return self.choices[int(rng.integers(len(self.choices)))]
        if self.kind == "boolean":
            return bool(rng.integers(2))
        if rng.random() < 0.25:
            value = self.low if rng.random() < 0.5 else self.high
            return int(value) if self.kind == "integer" else float(value)
        if self.kind == "integer":
            return int(rng.integers(int(self.low), int(self.high) + 1))
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of an environment's turns, in words and as states: the compact, Pythonic view of Text2Reward.

    The state of a turn is what ``info`` said after it, and besides always ``observation`` (the text that the agent
    saw), ``action`` and ``env_reward``; see :func:`state_of`.
    """

    task: str
    """What counts as solved, in words."""
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a schema needs fields with different names, got {names}")

    @property
    def names(self) -> tuple[str, ...]:
        """The fields' names."""
        return tuple(field.name for field in self.fields)

    def __str__(self) -> str:
        return "class State:\n" + "\n".join(f"    {field}" for field in self.fields)

    def draw(self, rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
        """Random states to try a program on."""
        return [{field.name: field.draw(rng) for field in self.fields} for _ in range(count)]


def state_of(turn: Turn) -> dict[str, Any]:
    """What a program may read of a turn: the ``info`` after it, ``observation``, ``action`` and ``env_reward``."""
    seen = turn.observation.get("text", "") if isinstance(turn.observation, Mapping) else turn.observation
    return {**turn.info, "observation": seen, "action": turn.action, "env_reward": turn.reward}


def states_of(trajectories: Iterable[Trajectory]) -> list[dict[str, Any]]:
    """The states of all turns, one after the other."""
    return [state_of(turn) for trajectory in trajectories for turn in trajectory.turns]


def infer_schema(task: str, trajectories: Sequence[Trajectory], meanings: Mapping[str, str]) -> Schema:
    """A schema of the fields in ``meanings`` (name to words), with kinds and bounds as these trajectories show them.

    A list is one of numbers, always as many.  Raises ValueError for a field that a turn lacks or that is none of
    number, truth value, text and such a list.
    """
    states = states_of(trajectories)
    fields = []
    for name, meaning in meanings.items():
        values = [state[name] for state in states if name in state]
        if not values or len(values) < len(states):
            raise ValueError(f"{len(states) - len(values)} of {len(states)} turns have no {name!r}")
        length = 0
        if isinstance(values[0], (list, tuple, np.ndarray)):
            length = len(values[0])
            if not length or any(np.shape(value) != (length,) for value in values):
                raise ValueError(f"{name!r} is not always a list of as many numbers")
            values = np.concatenate(values).tolist()
        kinds = {_kind(value) for value in values}
        kind = "number" if kinds == {"number", "integer"} else kinds.pop() if len(kinds) == 1 else None
        if kind is None:
            raise ValueError(f"{name!r} is not always a number, a truth value or a text, and of one kind")
        if kind in ("number", "integer"):
            fields.append(Field(name, meaning, kind, float(min(values)), float(max(values)), length=length))  # type: ignore[arg-type]
        else:
            choices = tuple(dict.fromkeys(values)) if kind == "text" else ("",)
            fields.append(Field(name, meaning, kind, choices=choices, length=length))  # type: ignore[arg-type]
    return Schema(task, tuple(fields))


def _kind(value: Any) -> str | None:
    for kind, types in (
        ("boolean", (bool, np.bool_)),
        ("integer", (int, np.integer)),
        ("number", (float, np.floating)),
        ("text", (str,)),
    ):
        if isinstance(value, types):
            return kind
    return None
