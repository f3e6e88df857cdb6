"""What the environments of this folder share: numbered tasks, episodes that are values, and feedback.

An environment says how a task opens, what an action leads to and how it looks; :class:`TextTask` makes a Gymnasium
environment with every ability of it.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from ..spaces import AnyText
from ..splits import Splits

Task = TypeVar("Task")
State = TypeVar("State")

Key = tuple[str, int]
"""A task's split and its number there."""


def numbered(train: int, validation: int, test: int) -> Splits[Key]:
    """Splits of so many tasks, each of which is its own :data:`Key`."""
    counts = {"train": train, "validation": validation, "test": test}
    return Splits(**{split: [(split, number) for number in range(count)] for split, count in counts.items()})


def task_generator(seed: int, key: Key) -> np.random.Generator:
    """The generator that makes the task ``key``: the same for everyone, and another for each split and number."""
    split, number = key
    return np.random.default_rng([seed, ("train", "validation", "test").index(split), number])


def split_of(text: str) -> str:
    """The split that a task which opens with ``text`` belongs to: eight in ten to training, one to each other.

    A generator that draws again until a task belongs to the split that is asked for shares none between two splits.
    """
    return ("validation", "test", *["train"] * 8)[zlib.crc32(text.encode()) % 10]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[State]):
    """What an action led to.

    ``feedback`` says why an action was not valid; its state must then be the one that it began with, and it pays 0.
    """

    state: State
    reward: float = 0.0
    done: bool = False
    feedback: str | None = None
    info: dict[str, Any] = field(default_factory=dict)


class TextTask(gymnasium.Env[str, str], Generic[Task, State]):
    """A text environment whose episode is a numbered task and a state.

    ``State`` is an immutable value that pickles, so that a snapshot is the state.  An environment whose state is
    elsewhere (in a sandbox) overrides :meth:`pack` and :meth:`unpack`.

    Args:
        splits: the tasks' keys, as :func:`numbered` makes them.
    """

    guide: str

    def __init__(self, splits: Splits[Key]) -> None:
        self.observation_space = AnyText()
        self.action_space = AnyText()
        self._splits = splits
        self._key: Key | None = None
        self._task: Task | None = None
        self._state: State | None = None
        self._done = False

    @abstractmethod
    def make_task(self, key: Key) -> Task:
        """The task of that split and number, always the same; it takes its chances from :func:`task_generator`."""

    @abstractmethod
    def begin(self, task: Task) -> State:
        """The state that an episode of the task begins in."""

    @abstractmethod
    def act(self, task: Task, state: State, action: str) -> Outcome[State]:
        """What ``action``, which is any text, leads to.

        Raises :class:`~palestra.envs.abilities.EnvironmentFault` for what is not the agent's doing, nothing else.
        """

    @abstractmethod
    def show(self, task: Task, state: State) -> str:
        """What the agent sees."""

    @abstractmethod
    def advise(self, task: Task, state: State) -> str:
        """The action of a solver that knows the solution."""

    def about(self, task: Task, state: State) -> dict[str, Any]:
        """What every ``info`` holds, as plain JSON values; for trainers, not for the agent."""
        return {}

    def tasks(self, split: str) -> int:
        """How many tasks ``split`` has.  Raises :class:`ValueError` for an unknown one."""
        return self._splits.count(split)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Open the task that ``options`` name, or draw one.  Raises :class:`ValueError`, see :class:`Splits`."""
        super().reset(seed=seed)
        task = self._open(self._splits.choose(options, self.np_random))
        self._state, self._done = self.begin(task), False
        return self._shown(Outcome(self._state))

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Act.  There is no step limit in here.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the end of an episode.
        """
        task, state = self._playing()
        if isinstance(action, str):
            outcome = self.act(task, state, action)
        else:
            outcome = Outcome(state, feedback=f"An action is text, not {type(action).__name__}.")
        self._state, self._done = outcome.state, outcome.done
        observation, info = self._shown(outcome)
        return observation, float(outcome.reward), outcome.done, False, info

    def oracle(self) -> str:
        """The next action of a solver that knows the solution.  Raises ``ResetNeeded`` where there is none to take."""
        return self.advise(*self._playing())

    def snapshot(self) -> Any:
        """Everything that the future depends on."""
        state = None if self._state is None else self.pack(self._state)
        return self._key, state, self._done, self.np_random.bit_generator.state

    def restore(self, state: Any) -> None:
        """Go back to a :meth:`snapshot` of this environment, or of another one made with the same arguments."""
        key, packed, self._done, self.np_random.bit_generator.state = state
        if key is None:
            self._key = self._task = self._state = None
        else:
            self._open(key)
            self._state = self.unpack(packed)

    def pack(self, state: State) -> Any:
        """The state as a value that pickles and that later steps do not change."""
        return state

    def unpack(self, packed: Any) -> State:
        """The state of :meth:`pack`."""
        return packed

    def _open(self, key: Key) -> Task:
        if self._task is None or key != self._key:
            self._key, self._task = key, self.make_task(key)
        return self._task

    def _current(self) -> tuple[Task, State]:
        if self._task is None or self._state is None:
            raise ResetNeeded("call reset() first")
        return self._task, self._state

    def _playing(self) -> tuple[Task, State]:
        current = self._current()
        if self._done:
            raise ResetNeeded("the episode is over; call reset()")
        return current

    def _shown(self, outcome: Outcome[State]) -> tuple[str, dict[str, Any]]:
        task, state = self._current()
        info = {"valid_action": outcome.feedback is None, **self.about(task, state), **outcome.info}
        if outcome.feedback is not None:
            info["feedback"] = outcome.feedback
        return self.show(task, state), info
