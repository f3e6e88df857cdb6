"""Running reward programs in a sandbox, many states at a time."""

from __future__ import annotations

import json
import math
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...sandbox import Limits, PythonInterpreter, RunStatus, Sandbox, SandboxFault, Session, open_sandbox

_BOOT = "import sys; sys.path.insert(0, ''); from programs.worker import answer, prepare"


class ProgramError(ValueError):
    """A reward program was refused or failed.

    The text is feedback for whoever wrote it: what is wrong, the line, its number from 1, and the state it failed on.
    """

    def __init__(self, message: str, source: str, line: int | None = None, state: Mapping[str, Any] | None = None):
        lines = source.splitlines()
        where = f"line {line}: {lines[line - 1].strip()!r}: " if line and line <= len(lines) else ""
        on = f", in the state {json.dumps(dict(state), default=repr)[:500]}" if state is not None else ""
        super().__init__(f"{where}{message}{on}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a program gave for n states: ``values`` [n] float64, and its components, each [n], by name."""

    values: np.ndarray
    components: dict[str, np.ndarray]


class Evaluator:
    """Runs programs in a sandbox, where they have no files but the evaluator's own, no network and little memory.

    ``seconds`` bounds the processor time of each call, ``megabytes`` the memory.  ``sandbox`` is what to run them in,
    by default one of bubblewrap's own that is opened with the first call.  An interpreter that is lost to a limit is
    replaced at the next call.

    Raises, when first asked, SandboxUnavailable where there is no such sandbox, and says what to install; and at any
    time SandboxFault where the sandbox itself broke, which is no program's fault.
    """

    def __init__(self, seconds: float = 2.0, megabytes: int = 256, sandbox: Sandbox | None = None) -> None:
        if not (seconds > 0 and megabytes >= 32):
            raise ValueError(f"an evaluator needs time and at least 32 megabytes, got {seconds} s and {megabytes} MB")
        self.seconds = seconds
        self.megabytes = megabytes
        self._lock = threading.Lock()
        self._given = sandbox
        self._sandbox: Sandbox | None = None
        self._session: Session | None = None
        self._python: PythonInterpreter | None = None
        self._owner = 0

    def parameters(self, source: str, function: str = "reward") -> tuple[str, ...]:
        """The names of a program's parameters; ProgramError where it is outside the language or lacks the function."""
        answer = self._ask({"source": source, "function": function, "seconds": self.seconds}, source)
        return tuple(answer["parameters"])

    def run(self, source: str, states: Sequence[Mapping[str, Any]], function: str = "reward") -> Outputs:
        """Call ``function`` on each state, a mapping that has at least the parameters' names.

        Raises ProgramError, with the line and the state, where the program fails, gives something that is not a finite
        number, or names other components in some states than in others.
        """
        rows, states = self._rows(source, states, function)
        if any(len(row) != 2 or not isinstance(row[1], dict) for row in rows):
            raise ProgramError(f"{function} must give a number, or a number and a dictionary of components", source)
        names = list(rows[0][1]) if rows else []
        for row, state in zip(rows, states, strict=True):
            if set(row[1]) != set(names):
                message = f"the components are {sorted(row[1])} here and {sorted(names)} before"
                raise ProgramError(message, source, state=state)
        table = np.array([[row[0], *(row[1][name] for name in names)] for row in rows], np.float64)
        table = table.reshape(len(rows), 1 + len(names))
        self._check_finite(table, ["the result", *map(repr, names)], states, source)
        return Outputs(table[:, 0], {name: table[:, 1 + column] for column, name in enumerate(names)})

    def run_vectors(self, source: str, states: Sequence[Mapping[str, Any]], function: str = "latents") -> np.ndarray:
        """As :meth:`run`, for a function that gives a list of numbers, always as many; [n, size] float64."""
        rows, states = self._rows(source, states, function)
        if any(isinstance(item, dict) for row in rows for item in row) or len({len(row) for row in rows}) > 1:
            raise ProgramError(f"{function} must give a list of numbers, always as many", source)
        table = np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if rows else 0)
        self._check_finite(table, [f"number {index}" for index in range(table.shape[1])], states, source)
        return table

    def close(self) -> None:
        """End what runs; the next call starts anew."""
        if self._session is not None and self._owner == os.getpid():
            self._session.close()
        self._session = self._python = None

    def _rows(
        self, source: str, states: Sequence[Mapping[str, Any]], function: str
    ) -> tuple[list[list[Any]], list[dict[str, Any]]]:
        """What the worker gave for each state, and the states with only what the program reads."""
        parameters = self.parameters(source, function)
        read: list[dict[str, Any]] = []
        for state in states:
            missing = [name for name in parameters if name not in state]
            if missing:
                raise ProgramError(f"a state has no {', '.join(missing)}; it has {', '.join(sorted(state))}", source)
            read.append({name: _jsonable(state[name], name) for name in parameters})
        request = {
            "source": source,
            "function": function,
            "seconds": self.seconds,
            "states": [list(state.values()) for state in read],
        }
        return self._ask(request, source, read)["outputs"], read

    def _check_finite(
        self, table: np.ndarray, names: Sequence[str], states: Sequence[Mapping[str, Any]], source: str
    ) -> None:
        for row, column in np.argwhere(~np.isfinite(table)):
            message = f"{names[column]} is {table[row, column]}, not a finite number"
            raise ProgramError(message, source, state=states[row])

    def _ask(self, request: dict[str, Any], source: str, states: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        with self._lock:
            result = self._interpreter().call("answer", request)
            if not result.ok:
                self.close()
        if result.status is RunStatus.FAULT:
            raise SandboxFault(f"the sandbox of reward programs broke: {result.reason}")
        if not result.ok:
            limits = f"{self.seconds} seconds, {self.megabytes} megabytes"
            raise ProgramError(f"stopped: it went beyond {limits} or what the interpreter bears", source)
        answer: dict[str, Any] = result.value
        if "error" in answer:
            index = answer["state"]
            raise ProgramError(answer["error"], source, answer["line"], None if index is None else states[index])
        return answer

    def _interpreter(self) -> PythonInterpreter:
        # A forked process has no part in its parent's sandbox.
        if self._python is None or self._owner != os.getpid():
            if self._sandbox is None or self._owner != os.getpid():
                self._sandbox = self._given or open_sandbox("bubblewrap")
                if self._given is None:
                    weakref.finalize(self, self._sandbox.close)
            self._owner = os.getpid()
            self._session = self._sandbox.open(_sources(), limits=self._limits())
            self._python = self._session.python()
            begun = self._python.run(_BOOT)
            begun = self._python.call("prepare", self.megabytes << 20) if begun.ok else begun
            if not begun.ok:
                self.close()
                raise SandboxFault(f"the sandbox of reward programs did not begin: {begun.reason}{begun.error_text}")
        return self._python

    def _limits(self) -> Limits:
        # Beyond what the worker itself bounds, and with which lines and states are named.  Processor time is what is
        # allowed; a machine may be busy, so the clock is only the last resort.
        return Limits(
            wall_s=10 * self.seconds + 10,
            cpu_s=self.seconds + 1,
            memory_bytes=(self.megabytes + 64) << 20,
            output_bytes=1 << 16,
            processes=8,
            disk_bytes=1 << 20,
            open_files=64,
        )


@cache
def shared_evaluator(seconds: float = 2.0, megabytes: int = 256) -> Evaluator:
    """One evaluator for everybody in this process who asks for these limits."""
    return Evaluator(seconds, megabytes)


@cache
def _sources() -> dict[str, str]:
    """The files of the worker: a package of its own, without Palestra's and what that imports."""
    folder = Path(__file__).parent
    sources = {f"programs/{name}.py": (folder / f"{name}.py").read_text("utf-8") for name in ("language", "worker")}
    return {"programs/__init__.py": "", **sources}


def _jsonable(value: Any, name: str) -> Any:
    """A state's value as JSON has it: numbers, texts, truth values, lists and dictionaries of them."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"the state's {name!r} is {value}")
        return value
    if isinstance(value, (list, tuple)):
        return [_jsonable(item, name) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item, name) for key, item in value.items()}
    raise TypeError(f"a program cannot be given the state's {name!r}, a {type(value).__name__}")
