"""Which tasks there are in the applications, how they are numbered, and an episode of one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ...splits import Splits
from . import admin, calendar, forum, issues, mail, places, store, table
from .task import LEVELS, SIZES, Step, Task, Template, View

TEMPLATES: dict[str, Template] = {
    template.name: template
    for module in (mail, calendar, issues, forum, table, places, store, admin)
    for template in module.TEMPLATES
}
"""Every kind of task by its name, which begins with the application's: ``"mail-star"``."""
VARIATIONS = {"train": range(40), "validation": range(40, 41), "test": range(41, 43)}
"""The splits differ in the variation: the people, the things, and what is to be done with which of them."""


class TaskBook:
    """The tasks of some templates, levels and sizes, in three splits.

    Tasks are numbered along :meth:`axes`, the last one fastest.

    Args:
        tasks: names of templates, or of applications, to choose tasks from; all by default.
        levels: how much there may be to do.
        sizes: how much there may be in the application besides.

    Raises:
        ValueError: a name is unknown; the message lists those that there are.
    """

    def __init__(
        self, tasks: Collection[str] = (), levels: Sequence[int] = LEVELS, sizes: Sequence[int] = SIZES
    ) -> None:
        self._axes = {
            "size": _known("sizes", sizes, SIZES),
            "level": _known("levels", levels, LEVELS),
            "template": _chosen(tasks),
        }
        self._splits: Splits[dict[str, Any]] = Splits(**{split: _Grid(self.axes(split)) for split in VARIATIONS})

    def axes(self, split: str) -> dict[str, tuple[Any, ...]]:
        """The parameters of the tasks of a split, each with its values."""
        self.count(split)
        return {"variation": tuple(VARIATIONS[split]), **self._axes}

    def count(self, split: str) -> int:
        """How many tasks a split has.  Raises :class:`ValueError` for an unknown one."""
        if split not in VARIATIONS:
            raise ValueError(f"unknown split {split!r}; there are {', '.join(map(repr, VARIATIONS))}")
        return len(_Grid({"variation": VARIATIONS[split], **self._axes}))

    def open(self, options: Mapping[str, Any], np_random: np.random.Generator, tick: float) -> Episode:
        """An episode of the task that the ``options`` of ``reset`` name; raises as :class:`Splits` does."""
        return Episode(self._splits.choose(options, np_random), tick)


class Episode:
    """A task under way.

    Args:
        parameters: of the task: template, level, size, variation.
        tick: seconds that every action takes on the application's clock.
    """

    def __init__(self, parameters: Mapping[str, Any], tick: float) -> None:
        self.parameters = dict(parameters)
        self.actions = 0
        template = TEMPLATES[parameters["template"]]
        self.task: Task = template.task(parameters["level"], parameters["size"], parameters["variation"])
        self.app = self.task.open(lambda: self.actions * tick)
        self.host = f"{template.app.name}.example"
        self.goal = self.task.assignment.goal

    @property
    def start(self) -> str:
        """The address of the first page."""
        return f"http://{self.host}/"

    def judge(self, messages: Sequence[tuple[str, str]]) -> tuple[bool, bool]:
        """Count an action; whether the task is solved, and whether the episode is over.

        ``messages`` are what the agent has said so far, as ``("message", text)`` or ``("infeasible", reason)``.
        """
        self.actions += 1
        said = [text for kind, text in messages if kind == "message"]
        solved = self.task.solved(self.app.state, said[0] if said else None)
        answered = bool(said) and self.task.assignment.answer is not None
        return solved, solved or answered or len(said) < len(messages)

    def step(self, view: View) -> Step:
        """The oracle's next step from a page."""
        return self.task.step(view, self.app.state)


def call(step: Step, name: str | None, start: str) -> str:
    """A step of an oracle as an action; ``name`` is its element's, None where it is not on the page."""
    if step.verb == "tell":
        return f"send_msg_to_user({step.value!r})"
    if name is None:
        return f"goto({start!r})"
    if step.verb == "click":
        return f"click({name!r})"
    return f"{'select_option' if step.verb == 'select' else 'fill'}({name!r}, {step.value!r})"


class _Grid(Sequence[dict[str, Any]]):
    """All combinations of the values of some parameters, numbered with the last parameter fastest."""

    def __init__(self, axes: Mapping[str, Sequence[Any]]) -> None:
        self.axes = axes
        self._shape = tuple(map(len, axes.values()))

    def __len__(self) -> int:
        return int(np.prod(self._shape))

    def __getitem__(self, number: Any) -> Any:
        places = np.unravel_index(number, self._shape)
        return {name: values[int(place)] for (name, values), place in zip(self.axes.items(), places, strict=True)}


def _chosen(names: Collection[str]) -> tuple[str, ...]:
    applications = dict.fromkeys(name.partition("-")[0] for name in TEMPLATES)
    for name in names:
        if name not in TEMPLATES and name not in applications:
            known = ", ".join([*applications, *TEMPLATES])
            raise ValueError(f"there is no task or application {name!r}; there are {known}")
    return tuple(name for name in TEMPLATES if not names or name in names or name.partition("-")[0] in names)


def _known(what: str, values: Sequence[int], known: tuple[int, ...]) -> tuple[int, ...]:
    if not values or not set(values) <= set(known):
        raise ValueError(f"{what} are some of {', '.join(map(str, known))}, not {values!r}")
    return tuple(value for value in known if value in values)
