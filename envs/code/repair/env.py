"""CodeRepair-v0: mend or write a function in several turns, seeing each time which visible tests fail and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....sandbox import Sandbox
from ..base import Key, Outcome, TextTask
from ..sandboxes import shared_sandbox
from .action import edit_towards, read
from .execution import Answer, judge, judge_trusted, reference_steps, shorten, summary, total_steps
from .families import GROUPS
from .files import FileTasks
from .tasks import LEVELS, Case, GeneratedTasks, RepairTask


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where an episode is: the program so far, and what it did with the visible cases; nothing if it has not run."""

    program: str
    visible: tuple[Answer, ...] = ()
    turn: int = 0


class CodeRepair(TextTask[RepairTask, Attempt]):
    """Mend a function, or write it, from a specification and examples.

    Each turn the agent submits a program or edits the one there is, and may explain what was wrong.  The program is run
    on the visible tests in one fresh sandbox, and on the hidden ones in another.  The episode ends when all visible
    tests pass; then it pays 1 if all hidden ones do too, else 0.  Neither sandbox is told what a test expects.

    ``info`` has ``"success"``, ``"visible"`` (``passed`` of ``total``), after each program ``"execution"`` for the
    rewards of :mod:`palestra.rewards.code`, ``"overfit"`` (all visible tests pass, a hidden one does not), and
    ``"explanation"`` where there was one.

    Args:
        levels: which of the generated tasks: 1 has one bug, 2 has two, 3 starts from the function's first line.
        families: which of their functions: ``"lists"``, ``"texts"`` and so on, or a family such as ``"lists.rotate"``.
        problems: instead of the generated tasks, JSON lines as of HumanEval or MBPP: a file for each split, or one file
            for the training split.
        sandbox: a backend of :func:`palestra.sandbox.open_sandbox`.
        show_failures: tell how the visible tests fail, not only which; without it a second try is a blind one.

    Raises:
        palestra.sandbox.SandboxUnavailable: this machine cannot run that sandbox.
        ValueError: an unknown level, family or backend, or a file that cannot be read.
    """

    guide = (
        "Mend the Python function so that it does what the first line says. You see the program with numbered lines, "
        "and tests with what came of them. To change a line, answer replace[line][new text]; insert[line][text] puts a "
        "line after it, and delete[line] removes it; several edits go on lines of their own. Or answer with the whole "
        "program between two lines of ```. You may explain what was wrong in other lines. Tests that you do not see "
        "decide in the end, so mend the cause and not the example."
    )

    def __init__(
        self,
        levels: Sequence[int] = tuple(LEVELS),
        families: Sequence[str] = GROUPS,
        problems: str | Path | Mapping[str, str | Path] | None = None,
        sandbox: str = "bubblewrap",
        show_failures: bool = True,
    ) -> None:
        self._source = GeneratedTasks(levels, families) if problems is None else FileTasks(problems)
        super().__init__(self._source.splits)
        self._backend = sandbox
        self._show_failures = show_failures
        self._sandbox  # noqa: B018 - what is missing is said when the environment is made

    @property
    def _sandbox(self) -> Sandbox:
        return shared_sandbox(self._backend)

    def make_task(self, key: Key) -> RepairTask:
        """See :class:`TextTask`."""
        return self._source(key)

    def begin(self, task: RepairTask) -> Attempt:
        """The program that the task starts with; what its bugs do is known, and an empty one has not run."""
        return Attempt(task.start, () if task.level == 3 else judge_trusted(task))

    def act(self, task: RepairTask, state: Attempt, action: str) -> Outcome[Attempt]:
        """Run the program that the action makes."""
        read_as = read(action, state.program.splitlines(), task.name)
        if isinstance(read_as, str):
            return Outcome(state, feedback=read_as)
        if read_as.program == state.program and state.visible:
            return Outcome(state, feedback="This changes nothing: it is the program that fails these tests.")
        visible = self._judge(task, read_as.program, task.visible)
        hidden = self._judge(task, read_as.program, task.hidden)
        seen, kept = (all(answer.passed for answer in answers) for answers in (visible, hidden))
        # Only where every test passed do the rewards compare steps.
        reference = self._reference_steps(task, read_as.program, hidden) if kept else 0
        info: dict[str, Any] = {
            "success": seen and kept,
            "overfit": seen and not kept,
            "execution": summary(hidden, reference),
        }
        if read_as.explanation:
            info["explanation"] = read_as.explanation
        return Outcome(Attempt(read_as.program, visible, state.turn + 1), float(seen and kept), seen, info=info)

    def show(self, task: RepairTask, state: Attempt) -> str:
        """The specification, the program with its lines numbered, and the tests with what came of them."""
        program = [f"[{number}] {line}" for number, line in enumerate(state.program.splitlines(), 1)]
        answers = state.visible or [None] * len(task.visible)
        tests = [self._told(task, case, answer) for case, answer in zip(task.visible, answers, strict=True)]
        return "\n".join([task.spec, *program, *tests])

    def _told(self, task: RepairTask, case: Case, answer: Answer | None) -> str:
        test = f"{task.name}({', '.join(map(shorten, case.arguments))}) == {shorten(case.expected)}"
        if answer is None:
            return f"test: {test}"
        if answer.passed:
            return f"right: {test}"
        return f"wrong: {test}, got {answer.failure}" if self._show_failures else f"wrong: {test}"

    def advise(self, task: RepairTask, state: Attempt) -> str:
        """The edits that lead to the reference solution where few are needed, else the whole of it."""
        edits = edit_towards(state.program.splitlines(), task.reference.splitlines())
        return edits or f"```python\n{task.reference}\n```"

    def about(self, task: RepairTask, state: Attempt) -> dict[str, Any]:
        """See :class:`TextTask`."""
        passed = sum(answer.passed for answer in state.visible)
        return {
            "success": False,
            "turn": state.turn,
            "level": task.level,
            "family": task.family,
            "visible": {"passed": passed, "total": len(task.visible)},
        }

    def _reference_steps(self, task: RepairTask, program: str, hidden: Sequence[Answer]) -> int:
        if program == task.reference:
            return total_steps(hidden)
        return reference_steps(self._backend, task)

    def _judge(self, task: RepairTask, program: str, cases: Sequence[Case]) -> tuple[Answer, ...]:
        return judge(self._sandbox, program, task.name, cases, task.steps)
