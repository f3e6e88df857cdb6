"""Running reward programs outside this process, many states at a time."""

from __future__ import annotations

import json
import math
import os
import selectors
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

# The worker is loaded as a package of two modules, without Palestra's own and what they import.
_BOOT = (
    "import sys, types; package = types.ModuleType('programs'); package.__path__ = [sys.argv.pop(1)]; "
    "sys.modules['programs'] = package; from programs.worker import main; main()"
)


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
    """Runs programs in a worker process that has no files, no environment and little memory.

    ``seconds`` bounds the processor time of each call, ``megabytes`` the worker's memory.  A worker that is lost
    (killed by a limit, or crashed) is replaced at the next call.  Needs a POSIX system.
    """

    def __init__(self, seconds: float = 2.0, megabytes: int = 256) -> None:
        if not (seconds > 0 and megabytes >= 32):
            raise ValueError(f"an evaluator needs time and at least 32 megabytes, got {seconds} s and {megabytes} MB")
        self.seconds = seconds
        self.megabytes = megabytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def parameters(self, source: str, function: str = "reward") -> tuple[str, ...]:
        """The names of a program's parameters; ProgramError where it is outside the language or lacks the function."""
        answer = self._ask({"source": source, "function": function, "seconds": self.seconds}, source, 0)
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
        """End the worker; the next call starts another."""
        if self._process is not None and self._owner == os.getpid():
            _end(self._process)
        self._process = None

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
        return self._ask(request, source, len(states), read)["outputs"], read

    def _check_finite(
        self, table: np.ndarray, names: Sequence[str], states: Sequence[Mapping[str, Any]], source: str
    ) -> None:
        for row, column in np.argwhere(~np.isfinite(table)):
            message = f"{names[column]} is {table[row, column]}, not a finite number"
            raise ProgramError(message, source, state=states[row])

    def _ask(
        self, request: dict[str, Any], source: str, count: int, states: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            reply = self._exchange(line, most=100_000 + 4_000 * count)
        if reply is None:
            limits = f"{self.seconds} seconds, {self.megabytes} megabytes"
            message = f"stopped: it went beyond {limits} or what the interpreter bears"
            raise ProgramError(message, source)
        answer: dict[str, Any] = json.loads(reply)
        if "error" in answer:
            index = answer["state"]
            raise ProgramError(answer["error"], source, answer["line"], None if index is None else states[index])
        return answer

    def _exchange(self, line: bytes, most: int) -> bytes | None:
        """Send a line and get one of at most ``most`` bytes back; None, and the worker ended, if none came in time."""
        process = self._worker()
        assert process.stdin is not None
        assert process.stdout is not None
        reply = bytearray()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            # Processor time is what is allowed; a machine may be busy, so the clock is only the last resort.
            deadline = time.monotonic() + 10 * self.seconds + 10
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while not reply.endswith(b"\n"):
                    remaining = deadline - time.monotonic()
                    if remaining <= 0 or len(reply) > most or not selector.select(remaining):
                        break
                    piece = os.read(process.stdout.fileno(), 1 << 16)
                    if not piece:
                        break
                    reply += piece
        except BrokenPipeError:
            pass
        finally:
            if not reply.endswith(b"\n"):
                self.close()
        return bytes(reply) if reply.endswith(b"\n") else None

    def _worker(self) -> subprocess.Popen[bytes]:
        # A forked process shares its parent's pipes and must not use them.
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            folder = str(Path(__file__).parent)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, folder, str(self.megabytes << 20)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                close_fds=True,
                start_new_session=True,
            )
            self._owner = os.getpid()
            weakref.finalize(self, _end, self._process)
        return self._process


@cache
def shared_evaluator(seconds: float = 2.0, megabytes: int = 256) -> Evaluator:
    """One evaluator for everybody in this process who asks for these limits."""
    return Evaluator(seconds, megabytes)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


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
