"""What is to be done in an application: templates with parameters, and how to see that it is done, and do it.

A task is a list of changes to the application's state, or a question.  It is solved when the state says what it would
say after exactly these changes, so that anything done beside them has to be undone; what pages looked like on the way
does not matter.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import numpy as np

from .app import App

LEVELS = (1, 2, 3, 4)
"""How much there is to do: most templates ask for as many things."""
SIZES = (1, 2, 3)
"""How much there is in the application beside what the task is about."""


class View(NamedTuple):
    """What an oracle knows of the page: its address, the ids on it, and what its controls hold now.

    ``fields`` maps the ids of controls to their values; a box or radio button has ``"on"`` or ``""``.
    """

    path: str
    query: Mapping[str, str]
    ids: frozenset[str]
    fields: Mapping[str, str]


class Step(NamedTuple):
    """One action: ``verb`` is ``click``, ``fill``, ``select`` or ``tell`` (the user)."""

    verb: str
    target: str = ""
    value: str = ""


class Change(Protocol):
    """One thing to do."""

    def apply(self, state: Any) -> None:
        """Do it to the state at once."""
        ...

    def done(self, state: Any) -> bool:
        """Whether it has been done."""
        ...

    def step(self, view: View, state: Any) -> Step:
        """The next action towards it, from any page."""
        ...


@dataclass(frozen=True)
class Assignment:
    """What a template asks for: ``changes``, or the ``answer`` to a question.

    ``look(view)`` is the next action towards the page where the answer can be read, None on that page.
    """

    goal: str
    changes: tuple[Change, ...] = ()
    answer: str | None = None
    look: Callable[[View], Step | None] = lambda view: None


Draw = Callable[[Any, np.random.Generator, int], Assignment]
"""``draw(state, rng, level)``: what to ask for in this state."""


@dataclass(frozen=True)
class Template:
    """A kind of task."""

    name: str
    app: type[App[Any]]
    populate: Callable[[np.random.Generator, int, datetime], Any]
    """``populate(rng, size, now)``: a state full of things."""
    draw: Draw

    def task(self, level: int, size: int, variation: int) -> Task:
        """The task of these parameters, always the same one."""
        rng = np.random.default_rng([*self.name.encode(), level, size, variation])
        now = datetime(2031, 3, 3, 9) + timedelta(days=int(rng.integers(200)), minutes=int(rng.integers(480)))
        state = self.populate(rng, size, now)
        return Task(self, now, state, self.draw(state, rng, level))


@dataclass
class Task:
    """One task: the application as it opens, what is wanted of it, and whether that has been reached."""

    template: Template
    now: datetime
    state: Any
    assignment: Assignment
    wanted: Any = field(init=False)

    def __post_init__(self) -> None:
        state = copy.deepcopy(self.state)
        for change in self.assignment.changes:
            change.apply(state)
        self.wanted = state.facts()

    def open(self, clock: Callable[[], float]) -> App[Any]:
        """The application, opened for an episode."""
        return self.template.app(copy.deepcopy(self.state), self.now, clock)

    def solved(self, state: Any, answer: str | None = None) -> bool:
        """Whether the state is as wanted, and the ``answer`` that the user was told, where one was asked for."""
        if self.assignment.answer is not None and (answer is None or _plain(answer) != _plain(self.assignment.answer)):
            return False
        done = all(change.done(state) for change in self.assignment.changes)
        return done and bool(state.facts() == self.wanted)

    def step(self, view: View, state: Any) -> Step:
        """The oracle's next action, from any page."""
        for change in self.assignment.changes:
            if not change.done(state):
                return change.step(view, state)
        return self.assignment.look(view) or Step("tell", value=self.assignment.answer or "Done.")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def towards(view: View, *ids: str) -> Step:
    """A click on the first of ``ids`` that is on the page; the last ones are on every page."""
    return Step("click", next((id_ for id_ in ids if id_ in view.ids), ids[-1]))


def seen(*ids: str) -> Callable[[View], Step | None]:
    """What leads to the page with the first of ``ids``, by way of the others as in :func:`towards`."""
    return lambda view: None if ids[0] in view.ids else towards(view, *ids[1:])


def complete(view: View, values: Mapping[str, str], submit: str = "submit") -> Step:
    """The next action in a form of this page: the first control that does not hold its value, then the button.

    The value of a box or radio button is ``"on"`` or ``""``; a value that starts with ``option:`` is one of a list.
    """
    for name, value in values.items():
        if value in ("on", "") and view.fields.get(name) in ("on", ""):
            if view.fields[name] != value:
                return Step("click", name)
        elif value.startswith("option:"):
            if view.fields.get(name) != value[7:]:
                return Step("select", name, value[7:])
        elif view.fields.get(name) != value:
            return Step("fill", name, value)
    return Step("click", submit)


def page_of(place: int, per_page: int) -> str:
    """The id of the link to the page of a long list that shows the item at ``place``, counted from 0."""
    return f"page-{place // per_page + 1}"


def listing(items: Iterable[str], last: str = "and") -> str:
    """``["a", "b", "c"]`` -> ``"a, b and c"``."""
    *start, end = items
    return f"{', '.join(start)} {last} {end}" if start else end


def quoted(text: str) -> str:
    """The text in quotation marks."""
    return f'"{text}"'


def some(rng: np.random.Generator, items: Iterable[Any], count: int) -> list[Any]:
    """Up to ``count`` different items, in the order of ``items``."""
    items = list(items)
    places = sorted(rng.permutation(len(items))[:count].tolist())
    return [items[place] for place in places]


def one(rng: np.random.Generator, items: Iterable[Any]) -> Any:
    """One of the items."""
    items = list(items)
    return items[int(rng.integers(len(items)))]
