"""The optional abilities of an environment, and the one exception that means *not the agent's doing*.

A Palestra environment is a plain :class:`gymnasium.Env`.  On top of that it may declare any of the abilities below by
having the attribute or the methods; ``palestra check`` tests each one that is declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable


class EnvironmentFault(RuntimeError):
    """Something outside the task broke (a lost browser, a full disk): the episode has no outcome.

    An invalid action is *not* a fault: ``info["feedback"]`` says what was wrong with it, and whoever shows the next
    observation to the agent puts that before it.
    """


@runtime_checkable
class Guided(Protocol):
    """``guide``: how to act here, in words for a language model."""

    guide: str


@runtime_checkable
class Solvable(Protocol):
    """``oracle()``: the next action of a scripted solver of the current episode.

    Called before each ``step`` with no arguments; following it from any state that it can reach solves the task.
    """

    def oracle(self) -> Any: ...


@runtime_checkable
class Forkable(Protocol):
    """``snapshot()`` / ``restore(state)``: the same actions after ``restore`` give the same future.

    A snapshot is an opaque, picklable value that later steps do not change; it may be restored many times, also in
    another instance that was made with the same arguments.
    """

    def snapshot(self) -> Any: ...

    def restore(self, state: Any) -> None: ...


@runtime_checkable
class Tasked(Protocol):
    """``tasks(split)``: how many numbered tasks a split has, for ``reset(options={"task": i, "split": split})``.

    ``split`` is ``"train"``, ``"validation"`` or ``"test"``.  Without options, ``reset`` draws a training task from
    ``self.np_random``.
    """

    def tasks(self, split: str) -> int: ...


@runtime_checkable
class Parametrised(Protocol):
    """``axes(split)``: the parameters that the tasks of a split are numbered along, each with all its values.

    Task numbers count through the last parameter fastest.  A parameter of numbers is ordered, one of texts holds
    alternatives, and one that is called ``"variation"`` is a seed, which makes a task neither harder nor easier.
    """

    def axes(self, split: str) -> Mapping[str, Sequence[Any]]: ...
