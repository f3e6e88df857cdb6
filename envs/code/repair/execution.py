"""Running an agent's program on test cases in a sandbox, and judging the answers outside of it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from ....sandbox import Limits, Result, RunStatus, Sandbox
from ...abilities import EnvironmentFault
from ..sandboxes import shared_sandbox
from . import runner
from .tasks import Case, RepairTask
from .trusted import Endless, answers

LIMITS = Limits(wall_s=10.0, cpu_s=4.0, memory_bytes=256 << 20, output_bytes=1 << 20, processes=8, disk_bytes=1 << 20)
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program did with a case: ``failure`` is None if it is right, or says what came instead."""

    status: str
    """``"ok"``, ``"error"`` or ``"timeout"``: whether it returned anything."""
    failure: str | None
    steps: int

    @property
    def passed(self) -> bool:
        """Whether the answer was right."""
        return self.failure is None


def judge(sandbox: Sandbox, program: str, name: str, cases: Sequence[Case], steps: int) -> tuple[Answer, ...]:
    """What the function ``name`` of ``program`` does with each of ``cases``, in a fresh sandbox.

    ``steps`` is how many instructions the program may execute for one case.

    Raises :class:`EnvironmentFault` if the sandbox broke.
    """
    job = {
        "program": program,
        "name": name,
        "steps": steps,
        "arguments": [runner.encode(list(case.arguments)) for case in cases],
    }
    result = sandbox.run(_source(), stdin=json.dumps(job), limits=LIMITS)
    if result.status is RunStatus.FAULT:
        raise EnvironmentFault(f"the sandbox broke while a program was tested: {result.reason}")
    # The program could write to the pipe too, but only answers: what is right is not known in there.
    lines = result.stdout.split(b"\n")[: len(cases)]
    rest = Answer(*_ended(result), steps=0)
    found = [_judged(line, case, rest) for line, case in zip(lines, cases, strict=False)]
    return tuple(found + [rest] * (len(cases) - len(found)))


def reference_steps(backend: str, task: RepairTask) -> int:
    """The steps of the reference solution over the hidden tests, counted as those of any other program."""
    arguments = json.dumps([runner.encode(list(case.arguments)) for case in task.hidden])
    return _counted(backend, task.reference, task.name, arguments, task.steps)


@lru_cache(maxsize=10_000)
def _counted(backend: str, program: str, name: str, arguments: str, steps: int) -> int:
    cases = [Case(tuple(runner.decode(each)), expected=None) for each in json.loads(arguments)]
    return total_steps(judge(shared_sandbox(backend), program, name, cases, steps))


def total_steps(judged: Sequence[Answer]) -> int:
    """The steps of all cases together, at least 1: 0 stands for uncounted ones."""
    return max(1, sum(answer.steps for answer in judged))


@cache
def _source() -> str:
    return inspect.getsource(runner)


def _ended(result: Result) -> tuple[str, str]:
    """Why there is no answer."""
    if result.status is RunStatus.TIMEOUT:
        return "timeout", "no answer in time"
    if result.status is RunStatus.MEMORY:
        return "error", "too much memory"
    return "error", "the program ended before it answered"


def _judged(line: bytes, case: Case, rest: Answer) -> Answer:
    try:
        answer = json.loads(line)
        steps = int(answer["steps"])
        if "endless" in answer:
            return Answer("timeout", f"no answer after {steps} steps", steps)
        if "error" in answer:
            return Answer("error", str(answer["error"]), steps)
        value = runner.decode(answer["value"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return rest
    return Answer("ok", None if _equal(value, case.expected) else shorten(value), steps)


def judge_trusted(task: RepairTask) -> tuple[Answer, ...]:
    """What :func:`judge` says of the program that a generated task starts with, but found out without a sandbox.

    Such a program is the package's own, so that this process can run it.
    """
    found = answers(task.start, task.name, [case.arguments for case in task.visible])
    judged = []
    for answer, case in zip(found, task.visible, strict=True):
        if isinstance(answer, Endless):
            judged.append(Answer("timeout", f"no answer after {task.steps} steps", task.steps))
        elif isinstance(answer, Exception):
            judged.append(Answer("error", runner.describe(answer), 0))
        else:
            judged.append(Answer("ok", None if _equal(answer, case.expected) else shorten(answer), 0))
    return tuple(judged)


def _equal(value: Any, expected: Any) -> bool:
    try:
        return bool(value == expected)
    except RecursionError:
        return False


def shorten(value: Any) -> str:
    """The value as Python writes it, cut where it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError) as error:  # too deep, or an integer of too many digits
        text = f"<{type(value).__name__}: {error}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def summary(judged: Sequence[Answer], reference_steps: int) -> dict[str, Any]:
    """What :mod:`palestra.rewards.code` reads as ``info["execution"]``; 0 reference steps stand for uncounted ones."""
    statuses = [answer.status for answer in judged]
    status = next((bad for bad in ("timeout", "error") if bad in statuses), "ok")
    return {
        "status": status,
        "passed": sum(answer.passed for answer in judged),
        "total": len(judged),
        "steps": sum(answer.steps for answer in judged),
        "reference_steps": reference_steps,
    }
