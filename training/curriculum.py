"""Curricula: which training tasks are played next, by how the earlier ones went."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from .learning_progress import LearningProgress
from .task_space import VARIATION, Cell, TaskSpace

Propose = Callable[[str], str]
"""Answers a prompt by a text, as a language model does."""


class TaskSource(Protocol):
    """Draws training tasks, and is told how they went."""

    def sample(self, count: int) -> list[int]:
        """The numbers of the next ``count`` tasks."""
        ...

    def report(self, task: int, success: float) -> None:
        """Learn how often a task was solved, as a share within [0, 1]."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """What is to be kept, as values for JSON."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        ...


class Uniform:
    """Every task is as likely as any other."""

    def __init__(self, space: TaskSpace, rng: np.random.Generator) -> None:
        self.space = space
        self.rng = rng

    def sample(self, count: int) -> list[int]:
        """Any tasks."""
        return [self.space.draw(self.rng) for _ in range(count)]

    def report(self, task: int, success: float) -> None:
        """Nothing is learned."""

    def snapshot(self) -> dict[str, Any]:
        """The generator."""
        return {"rng": self.rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        self.rng.bit_generator.state = state["rng"]


class Evolving(Uniform):
    """New tasks from failed ones that are within reach.

    A task that failed is the seed of new ones if it is within reach: it was solved by others of its group, or the last
    task of its parameters was.  A new task is another variation of a seed, or has one ordered parameter a step up or
    down.  Seeds are few, so that they move on with the learner: what is always solved, or never, gives no new ones.

    This is WebRL's self-evolving curriculum (arXiv:2411.02337, section 2.1) with parameters in place of instructions
    that a language model rewrites, and mixed outcomes in place of its critic, which keeps tasks that are neither
    hopeless nor mastered.

    Args:
        space: of the tasks.
        rng: for all draws.
        explore: share of tasks drawn from all.
        stay: share of the others that keep the seed's parameters.
        remembered: how many seeds are kept.
    """

    def __init__(
        self,
        space: TaskSpace,
        rng: np.random.Generator,
        *,
        explore: float = 0.3,
        stay: float = 0.5,
        remembered: int = 8,
    ) -> None:
        if not 0 <= explore <= 1 or not 0 <= stay <= 1 or remembered < 1:
            raise ValueError("0 <= explore <= 1, 0 <= stay <= 1 and remembered >= 1 are needed")
        super().__init__(space, rng)
        self.explore, self.stay = explore, stay
        self.seeds: deque[int] = deque(maxlen=remembered)
        self._last: dict[Cell, float] = {}

    def sample(self, count: int) -> list[int]:
        """Descendants of seeds, and some of all."""
        return [self._sample() for _ in range(count)]

    def report(self, task: int, success: float) -> None:
        """Keep a failed task that is within reach."""
        cell = self.space.cell(task)
        if 0 < success < 1 or (success == 0 and self._last.get(cell, 0.0) > 0):
            self.seeds.append(task)
        self._last[cell] = success

    def _sample(self) -> int:
        if not self.seeds or self.rng.random() < self.explore:
            return self.space.draw(self.rng)
        cell = self.space.cell(self.seeds[int(self.rng.integers(len(self.seeds)))])
        near = self.space.neighbours(cell)
        if near and self.rng.random() >= self.stay:
            cell = near[int(self.rng.integers(len(near)))]
        return self.space.draw_in(cell, self.rng)

    def snapshot(self) -> dict[str, Any]:
        """The generator, the seeds, and the last success of each cell."""
        last = [[list(cell), success] for cell, success in self._last.items()]
        return {**super().snapshot(), "seeds": list(self.seeds), "outcomes": last}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        super().restore(state)
        self.seeds.clear()
        self.seeds.extend(state["seeds"])
        self._last = {tuple(cell): success for cell, success in state["outcomes"]}


class Proposed(Evolving):
    """Tasks that a language model proposes, who is told what there is and how the last tasks went.

    This is the proposer of PAE (arXiv:2412.13194), whose context there is a web site's name or a demonstration; here it
    is the names and values of the parameters.  A proposal is a line such as ``level=2 kind=star``; a variation is drawn
    for it.  Lines that name no task are dropped and counted in ``refused``; where an answer has no line of use, tasks
    come from :class:`Evolving`.

    Args:
        space: of the tasks.
        rng: for all draws.
        propose: asks the model.
        batch: proposals to ask for at once.
        shown: how many of the last tasks the model is told of.
        **evolving: arguments of :class:`Evolving`.
    """

    def __init__(
        self,
        space: TaskSpace,
        rng: np.random.Generator,
        propose: Propose,
        *,
        batch: int = 8,
        shown: int = 12,
        **evolving: Any,
    ) -> None:
        super().__init__(space, rng, **evolving)
        self.batch = batch
        self.proposed = self.refused = 0
        self._propose = propose
        self._queue: deque[int] = deque()
        self._told: deque[tuple[int, float]] = deque(maxlen=shown)

    def report(self, task: int, success: float) -> None:
        """Remember it for the next prompt, too."""
        super().report(task, success)
        self._told.append((task, success))

    def prompt(self) -> str:
        """What the model is told."""
        axes = {name: values for name, values in self.space.axes.items() if name != VARIATION}
        lines = ["Tasks for an agent have these parameters:"]
        lines += [f"{name}: {', '.join(map(str, values))}" for name, values in axes.items()]
        if self._told:
            lines += ["The agent's last tasks, and how often it solved them:"]
            lines += [f"{self._written(task)} solved {success:.0%}" for task, success in self._told]
        lines.append(
            f"Propose {self.batch} tasks that it can nearly solve, each on a line such as: "
            f"{self._written(self.space.draw_in(tuple(0 for _ in axes), self.rng))}"
        )
        return "\n".join(lines)

    def _sample(self) -> int:
        if not self._queue and self.rng.random() >= self.explore:
            self._queue.extend(self._read(self._propose(self.prompt())))
        return self._queue.popleft() if self._queue else super()._sample()

    def _read(self, answer: str) -> list[int]:
        tasks = []
        for text in filter(str.strip, answer.splitlines()[: 4 * self.batch]):
            try:
                tasks.append(self._task(text))
            except ValueError:
                self.refused += 1
        self.proposed += len(tasks)
        return tasks[: self.batch]

    def _task(self, text: str) -> int:
        known = {name: {str(value): value for value in values} for name, values in self.space.axes.items()}
        pairs = dict(re.findall(r"(\w+)\s*=\s*([^\s,;]+)", text))
        if VARIATION in known:
            pairs[VARIATION] = str(self.space.axes[VARIATION][int(self.rng.integers(len(known[VARIATION])))])
        if set(pairs) != set(known) or any(pairs[name] not in values for name, values in known.items()):
            raise ValueError(f"{text!r} names no task")
        return self.space.number(**{name: known[name][value] for name, value in pairs.items()})

    def _written(self, task: int) -> str:
        return " ".join(f"{k}={v}" for k, v in self.space.parameters(task).items() if k != VARIATION)

    def snapshot(self) -> dict[str, Any]:
        """What :class:`Evolving` keeps, the proposals not yet played, and what the next prompt tells."""
        kept = {"queue": list(self._queue), "told": [list(pair) for pair in self._told]}
        return {**super().snapshot(), **kept, "counts": [self.proposed, self.refused]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        super().restore(state)
        self._queue = deque(state["queue"])
        self._told.clear()
        self._told.extend((task, success) for task, success in state["told"])
        self.proposed, self.refused = state["counts"]


SOURCES: dict[str, Callable[..., TaskSource]] = {
    "uniform": Uniform,
    "evolving": Evolving,
    "learning_progress": LearningProgress,
    "proposed": Proposed,
}
"""The curricula by the names that recipes use."""
