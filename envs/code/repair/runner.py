"""What runs inside a sandbox: an agent's program, on arguments that it is given, with its steps counted.

The sandbox never learns what a test expects.  It is sent a program, the name of a function and arguments, and says what
the function answered; comparing is done outside, so nothing that the program does in there can pass a test for it.

Steps are executed instructions of Python's virtual machine, so that the same program costs the same on any machine with
that version of Python, and one without end is stopped at the same place.  This module's text is sent to the sandbox: it
imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import re
import sys
from functools import partial
from typing import Any

PROGRAM = "<program>"
FORBIDDEN = ("sys.setprofile", "_thread.start_new_thread", "os.fork", "os.posix_spawn")
"""Audited events by which a program could escape the count of its steps."""
FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")


def encode(value: Any) -> Any:
    """A plain value as JSON; the type's name of anything else, which equals nothing."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [encode(item) for item in value]
    if kind in (tuple, set, frozenset):
        return {kind.__name__: [encode(item) for item in value]}
    if kind is dict:
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    return {"other": kind.__name__}


def decode(coded: Any) -> Any:
    """The value of :func:`encode`.  Raises ValueError or TypeError for what is not its form."""
    if isinstance(coded, list):
        return [decode(item) for item in coded]
    if not isinstance(coded, dict):
        return coded
    [(kind, content)] = coded.items()
    if kind == "other":
        return Other(str(content))
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    return {"tuple": tuple, "set": set, "frozenset": frozenset}[kind](decode(item) for item in content)


class Other:
    """A value of some other type, which equals nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


class OutOfSteps(BaseException):
    """The program has used its steps; no ``except Exception`` of its catches this."""


class Steps:
    """Counts the instructions that a program executes, and ends it after ``limit``."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def start(self) -> None:
        self.used = 0
        sys.settrace(self._enter)

    def stop(self) -> None:
        sys.settrace(None)

    def _enter(self, frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != PROGRAM:
            return None
        # Not lines: a loop on one line would be one.
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._instruction

    def _instruction(self, frame: Any, event: str, argument: Any) -> Any:
        self.used += event == "opcode"
        if self.used > self.limit:
            raise OutOfSteps
        return self._instruction


class Guard:
    """Refuses, while ``closed``, what would escape the count of steps, and notices when the count was switched off.

    That is not refused: Python itself does it where there is no stack left for the counting.
    """

    closed = False
    escaped = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.closed and event == "sys.settrace":
            self.escaped = True
        if self.closed and (
            event in FORBIDDEN
            or event.startswith(("ctypes.", "subprocess.", "sys.monitoring"))
            or (event == "object.__getattr__" and arguments[1] in FRAMES)
        ):
            raise PermissionError(f"a program may not do this: {event}")


def describe(error: BaseException) -> str:
    """An exception in one line, with the line of the program that raised it, and without addresses in memory."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == PROGRAM:
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, RecursionError):
        return "RecursionError: maximum recursion depth exceeded"  # where it happened is chance
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    text = re.sub(r"0x[0-9a-f]+", "0x", message.partition("\n")[0])[:120]
    where = "" if line is None else f" (line {line})"
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def main() -> None:
    """Read a job from standard input, and write a line of JSON for each of its arguments to standard output."""
    job = json.load(sys.stdin)
    answers = os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # what the program prints is nobody's answer
        os.dup2(silence, number)
    steps, guard = Steps(job["steps"]), Guard()
    space: dict[str, Any] = {"__name__": "program"}
    sys.addaudithook(guard)

    def attempt(call: Any) -> dict[str, Any]:
        """What came of a call: ``value``, ``error`` or ``endless``, and the ``steps``."""
        try:
            steps.start()
            guard.closed, guard.escaped = True, False
            try:
                value = call()
            finally:
                guard.closed = False
                steps.stop()
            if guard.escaped:
                raise PermissionError("a program may not switch the count of its steps off")
            found = {"value": encode(value)}
            json.dumps(found)
        except OutOfSteps:
            found = {"endless": True}
        except BaseException as error:  # noqa: BLE001 - whatever a program raises is its answer
            found = {"error": describe(error)}
        if steps.used > steps.limit:
            found = {"endless": True}
        return {**found, "steps": min(steps.used, steps.limit)}

    def load() -> None:
        exec(compile(job["program"], PROGRAM, "exec"), space)
        if not callable(space.get(job["name"])):
            raise NameError(f"there is no function {job['name']}")

    loaded = attempt(load)
    for coded in job["arguments"]:
        if "value" in loaded:
            arguments = decode(coded)
            answer = attempt(partial(space[job["name"]], *arguments))
        else:
            answer = loaded
        os.write(answers, json.dumps(answer).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
