"""Curricula: which training tasks are played next, by how the earlier ones went."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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


class Difficulty:
    """How often tasks of each cell have been solved lately: an exponential mean with weight ``rate`` on the newest."""

    def __init__(self, space: TaskSpace, rate: float) -> None:
        self._space = space
        self._rate = rate
        self.success: dict[Cell, float] = {}

    def report(self, task: int, success: float) -> None:
        """Take the newest success into account."""
        cell = self._space.cell(task)
        before = self.success.get(cell, success)
        self.success[cell] = before + self._rate * (success - before)

    def of(self, cell: Cell) -> float | None:
        """The success in a cell; where it was never tried that of its neighbours, None where nothing is known."""
        if cell in self.success:
            return self.success[cell]
        near = [self.success[other] for other in self._space.neighbours(cell) if other in self.success]
        return float(np.mean(near)) if near else None

    def snapshot(self) -> list[Any]:
        """As values for JSON."""
        return [[list(cell), value] for cell, value in self.success.items()]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        self.success = {tuple(cell): value for cell, value in state}


class Evolving(Uniform):
    """New tasks from failed ones, of a difficulty that teaches.

    A task that failed is the seed of new ones.  If tasks of its parameters are solved now and then, with a success
    between ``low`` and ``high`` as lately seen, another variation is drawn.  If they are hardly ever solved, one of the
    ordered parameters after the other goes a step down until they are, or are the easiest; if they are nearly always
    solved, a step up.  Larger numbers have to mean harder tasks.  This is WebRL's self-evolving curriculum
    (arXiv:2411.02337, section 2.1) with parameters in place of instructions that a language model rewrites, and success
    in place of its critic, whose scores it keeps between 0.05 and 0.75.

    Args:
        space: of the tasks.
        rng: for all draws.
        low, high: the band of success.
        explore: share of tasks drawn from all.
        rate: weight of the newest success in a cell's mean.
        remembered: how many failed tasks are kept as seeds.
    """

    def __init__(
        self,
        space: TaskSpace,
        rng: np.random.Generator,
        *,
        low: float = 0.05,
        high: float = 0.75,
        explore: float = 0.15,
        rate: float = 0.3,
        remembered: int = 256,
    ) -> None:
        if not 0 <= low < high <= 1 or not 0 <= explore <= 1 or not 0 < rate <= 1 or remembered < 1:
            raise ValueError("0 <= low < high <= 1, 0 <= explore <= 1, 0 < rate <= 1 and remembered >= 1 are needed")
        super().__init__(space, rng)
        self.low, self.high, self.explore = low, high, explore
        self.difficulty = Difficulty(space, rate)
        self.failed: deque[int] = deque(maxlen=remembered)

    def sample(self, count: int) -> list[int]:
        """Descendants of failed tasks, and some of all."""
        return [self._sample() for _ in range(count)]

    def report(self, task: int, success: float) -> None:
        """Remember a failure as a seed."""
        self.difficulty.report(task, success)
        if success < 1:
            self.failed.append(task)

    def _sample(self) -> int:
        if not self.failed or self.rng.random() < self.explore:
            return self.space.draw(self.rng)
        cell = self.space.cell(self.failed[int(self.rng.integers(len(self.failed)))])
        return self.space.draw_in(self._evolved(cell), self.rng)

    def _evolved(self, cell: Cell) -> Cell:
        """The cell reached by easier steps while tasks are never solved, or by harder ones while they always are."""
        success = self.difficulty.of(cell)
        step = 0 if success is None or self.low <= success <= self.high else -1 if success < self.low else 1
        while step:
            near = [other for other in self.space.neighbours(cell) if sum(other) - sum(cell) == step]
            if not near:
                break
            cell = near[int(self.rng.integers(len(near)))]
            success = self.difficulty.of(cell)
            if success is None or (success >= self.low if step < 0 else success <= self.high):
                break
        return cell

    def snapshot(self) -> dict[str, Any]:
        """The generator, the difficulties and the seeds."""
        return {**super().snapshot(), "difficulty": self.difficulty.snapshot(), "failed": list(self.failed)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        super().restore(state)
        self.difficulty.restore(state["difficulty"])
        self.failed.clear()
        self.failed.extend(state["failed"])


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
        self._last: deque[tuple[int, float]] = deque(maxlen=shown)

    def report(self, task: int, success: float) -> None:
        """Remember it for the next prompt, too."""
        super().report(task, success)
        self._last.append((task, success))

    def prompt(self) -> str:
        """What the model is told."""
        axes = {name: values for name, values in self.space.axes.items() if name != VARIATION}
        lines = ["Tasks for an agent have these parameters:"]
        lines += [f"{name}: {', '.join(map(str, values))}" for name, values in axes.items()]
        if self._last:
            lines += ["The agent's last tasks, and how often it solved them:"]
            lines += [f"{self._written(task)} solved {success:.0%}" for task, success in self._last]
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
        kept = {"queue": list(self._queue), "last": [list(pair) for pair in self._last]}
        return {**super().snapshot(), **kept, "counts": [self.proposed, self.refused]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        super().restore(state)
        self._queue = deque(state["queue"])
        self._last.clear()
        self._last.extend((task, success) for task, success in state["last"])
        self.proposed, self.refused = state["counts"]


SOURCES: dict[str, Callable[..., TaskSource]] = {
    "uniform": Uniform,
    "evolving": Evolving,
    "learning_progress": LearningProgress,
    "proposed": Proposed,
}
"""The curricula by the names that recipes use."""
