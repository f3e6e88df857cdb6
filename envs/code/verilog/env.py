"""``Verilog-v0``: write the hardware module that a specification asks for."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gymnasium.error import DependencyNotInstalled

from ....sandbox import Sandbox
from ..base import Key, Outcome, TextTask, numbered, split_of, task_generator
from ..sandboxes import shared_sandbox
from .bench import Row, Trace, Vector, draw_vectors, simulate
from .design import NAME, Design
from .families import make_design

VISIBLE, HIDDEN = 16, 150
"""How many tests the agent sees the results of, and how many decide."""
_SHOWN_TESTS = 3
_MOST_CHARACTERS = 20_000
_FENCE = re.compile(r"```[a-z]*\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Task:
    """A module to write, and what it is tested with."""

    design: Design
    visible: tuple[Vector, ...]
    hidden: tuple[Vector, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What the agent sees, and how many modules it has tried."""

    page: str
    turn: int = 0


class Verilog(TextTask[Task, State]):
    """Specifications of modules, to be written in Verilog over several turns.

    Every module is compiled and simulated by Icarus Verilog with a visible test bench in one fresh sandbox, and with a
    hidden one in another.  The agent reads the compiler's errors, or which visible tests went wrong and how.  The
    episode ends when all visible tests are right; then it pays 1 if all hidden ones are too, else 0.  Neither sandbox
    is told what the outputs should be: they are compared with those of a solution, outside.

    ``info`` has ``"success"``, ``"overfit"`` (all visible tests are right, a hidden one is not), ``"execution"`` for
    the rewards of :mod:`palestra.rewards.code`, and ``"path"``, which is the same for modules that differ only in
    spaces and comments.  Source: VeriRL (arXiv:2508.18462), which rewards by test benches.

    Args:
        train, validation, test: how many tasks each split has.
        seed: another seed gives other tasks.
        sandbox: a backend of :func:`palestra.sandbox.open_sandbox`.

    Raises:
        gymnasium.error.DependencyNotInstalled: there is no Icarus Verilog.
        palestra.sandbox.SandboxUnavailable: this machine cannot run that sandbox.
    """

    guide = (
        "Write the Verilog module that is specified, with exactly the given name and ports; the outputs may be "
        "declared "
        "as reg or logic. Answer with the whole module. It is compiled and simulated; you read the errors, or which "
        "tests go wrong, and can send a better one. The episode ends when all visible tests are right; tests that you "
        "do not see decide whether the module is."
    )

    def __init__(
        self,
        train: int = 2000,
        validation: int = 200,
        test: int = 200,
        seed: int = 0,
        sandbox: str = "bubblewrap",
    ) -> None:
        super().__init__(numbered(train, validation, test))
        self._seed, self._backend = seed, sandbox
        self._wanted: dict[tuple[Key, bool], tuple[Row, ...]] = {}
        if sandbox != "docker" and shutil.which("iverilog") is None:
            raise DependencyNotInstalled("Verilog-v0 needs Icarus Verilog: apt install iverilog")
        self._sandbox  # noqa: B018 - what is missing is said when the environment is made

    @property
    def _sandbox(self) -> Sandbox:
        return shared_sandbox(self._backend)

    def make_task(self, key: Key) -> Task:
        """Draw a design that belongs to the split, and its tests."""
        rng = task_generator(self._seed, key)
        design = make_design(rng)
        while split_of(design.text + design.header) != key[0]:
            design = make_design(rng)
        self._wanted.clear()
        return Task(design, *(tuple(draw_vectors(design, count, rng)) for count in (VISIBLE, HIDDEN)))

    def begin(self, task: Task) -> State:
        """The specification and the module's first line."""
        return State(f"{task.design.text}\n{task.design.header}")

    def act(self, task: Task, state: State, action: str) -> Outcome[State]:
        """Simulate a module."""
        fenced = _FENCE.search(action)
        source = (fenced[1] if fenced else action).strip() + "\n"
        if len(source) > _MOST_CHARACTERS:
            return Outcome(state, feedback=f"A module has at most {_MOST_CHARACTERS:,} characters.")
        if not re.search(rf"\bmodule\s+{NAME}\b", _COMMENT.sub(" ", source)):
            return Outcome(state, feedback=f"Write the whole module, from 'module {NAME}' to 'endmodule'.")
        if "\0" in source or any("\ud800" <= character <= "\udfff" for character in source):
            return Outcome(state, feedback="The module is no text.")
        seen = self._tested(task, source, hidden=False)
        kept = self._tested(task, source, hidden=True) if seen.status == "ok" else None
        finished = seen.right == len(task.visible)
        success = finished and kept is not None and kept.right == len(task.hidden)
        info = {
            "success": success,
            "overfit": finished and not success,
            "execution": {
                "status": seen.status if kept is None else kept.status,
                "passed": 0 if kept is None else kept.right,
                "total": len(task.hidden),
            },
            "path": hashlib.sha256(" ".join(_COMMENT.sub(" ", source).split()).encode()).hexdigest()[:16],
        }
        return Outcome(State(seen.words, state.turn + 1), float(success), finished, info=info)

    def _tested(self, task: Task, source: str, hidden: bool) -> Verdict:
        vectors = task.hidden if hidden else task.visible
        wanted = self._outputs(task, vectors, hidden)
        trace = simulate(self._sandbox, task.design, source, vectors)
        wrong = [i for i, row in enumerate(trace.rows) if row != wanted[i]]
        return Verdict(trace.status, len(trace.rows) - len(wrong), _words(task.design, vectors, wanted, trace, wrong))

    def _outputs(self, task: Task, vectors: Sequence[Vector], hidden: bool) -> tuple[Row, ...]:
        """What the solution puts out."""
        assert self._key is not None
        place = (self._key, hidden)
        if place not in self._wanted:
            self._wanted[place] = simulate(self._sandbox, task.design, task.design.solution, vectors).rows
        return self._wanted[place]

    def show(self, task: Task, state: State) -> str:
        """The specification, or what came of the last module."""
        return state.page

    def advise(self, task: Task, state: State) -> str:
        """The solution."""
        return f"```verilog\n{task.design.solution}\n```"

    def about(self, task: Task, state: State) -> dict[str, Any]:
        """See :class:`TextTask`."""
        return {"success": False, "family": task.design.family, "turn": state.turn}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a test bench: how many tests are right, and what to tell of it."""

    status: str
    right: int
    words: str


def _words(design: Design, vectors: Sequence[Vector], wanted: Sequence[Row], trace: Trace, wrong: Sequence[int]) -> str:
    lines = [trace.problem] if trace.problem else []
    if trace.rows or not trace.problem:
        lines.append(f"{len(trace.rows) - len(wrong)} of {len(vectors)} tests are right.")
    when = "clock edge" if design.clocked else "test"
    for number in wrong[:_SHOWN_TESTS]:
        inputs = ", ".join(f"{name} = {value:0{design.inputs[name]}b}" for name, value in vectors[number].items())
        outputs = [
            f"{name} is {found}, should be {right}"
            for name, found, right in zip(design.outputs, trace.rows[number], wanted[number], strict=False)
            if found != right
        ]
        lines.append(f"{when} {number + 1}: with {inputs}, {'; '.join(outputs)}.")
    return "\n".join(lines)
