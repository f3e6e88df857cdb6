"""Graders of mathematical answers, in a process of their own that can be stopped.

Symbolic comparison can take for ever (``9^{9^{9^9}}``), and some graders evaluate what they are given as Python, so
neither runs in the environment's process.  That process has limits on processor time and memory, which do not depend on
how busy the machine is; an answer that makes it exceed them is wrong, and the process is replaced.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from ..abilities import EnvironmentFault

CPU_S = 5.0
"""Seconds of processor time for one answer."""
_PATIENCE = 300.0
"""Seconds after which a silent process is taken for broken."""
_MEMORY = 4 << 30
_OUT_OF_MEMORY = 9
LONGEST = 2000
"""Characters of an answer; a longer one is wrong."""


class Grader:
    """Asks one function of :data:`FUNCTIONS` in a process of its own; for several threads.

    Raises :class:`ModuleNotFoundError`, with what to install, if the library of that function is missing.
    """

    def __init__(self, function: str) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        with self._lock:
            self._start()

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns for JSON arguments; None if it took too much time or memory.

        Raises :class:`EnvironmentFault` if it cannot be asked.
        """
        with self._lock:
            if self._process is None:
                self._start()
            answer = self._ask(arguments)
            if answer is None:
                code = self._stop()
                if code in (-signal.SIGVTALRM, _OUT_OF_MEMORY):
                    return None
                raise EnvironmentFault(f"the grader ended with {code}")
        if "error" in answer:
            raise EnvironmentFault(f"the grader failed: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        self._lines = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "palestra.envs.code.graders", self._function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        threading.Thread(target=_read, args=(self._process, self._lines), daemon=True).start()
        try:
            first = json.loads(self._lines.get(timeout=_PATIENCE) or '"it ended"')
        except queue.Empty:
            first = f"no answer in {_PATIENCE:g} s"
        if first != "ready":
            self._stop()
            if isinstance(first, list):
                raise ModuleNotFoundError(f"{first[0]} is needed to grade answers: pip install 'palestra[code]'")
            raise EnvironmentFault(f"the grader did not start: {first}")

    def _ask(self, arguments: tuple[Any, ...]) -> dict[str, Any] | None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(arguments) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=_PATIENCE)
        except (OSError, queue.Empty):
            return None
        return json.loads(line) if line else None

    def _stop(self) -> int | None:
        """End the process; its exit code."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        if process.stdin is not None:
            process.stdin.close()
        try:
            return process.wait(1.0)  # it may be ending by itself
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            lines.put(line)
    lines.put("")


_lock = threading.Lock()
_started: dict[tuple[int, str], Grader] = {}


def shared_grader(function: str) -> Grader:
    """The grader that the environments of this process share."""
    with _lock:
        owner = (os.getpid(), function)
        if owner not in _started:
            _started[owner] = Grader(function)
            atexit.register(_started[owner].close)
        return _started[owner]


def math_verify() -> Callable[..., Any]:
    """``(gold, answer) -> bool``: whether two LaTeX texts mean the same, by the package math-verify."""
    from math_verify import LatexExtractionConfig, parse, verify

    # Only LaTeX, which is read by a grammar; the other form of that library evaluates text.
    reading = [LatexExtractionConfig()]

    @cache
    def read(text: str) -> Any:
        return parse(f"\\boxed{{{text}}}", reading, parsing_timeout=None)

    def same(gold: str, answer: str) -> bool:
        return bool(verify(read(gold), read(answer), timeout_seconds=None))

    same("x^2+1", "1+x^2")  # the grammar is built at first use
    return same


def reasoning_gym() -> Callable[..., Any]:
    """``(name, seed, number, answer) -> float``: the score of an answer to an entry of a reasoning-gym data set."""
    from .reasoning import entry_of

    def score(name: str, seed: int, number: int, answer: str) -> float:
        dataset, entry = entry_of(name, seed, number)
        return float(dataset.score_answer(answer=answer, entry=entry))

    return score


FUNCTIONS: dict[str, Callable[[], Callable[..., Any]]] = {"math_verify": math_verify, "reasoning_gym": reasoning_gym}
"""What can be asked, by name; called once, which imports what is needed."""


def main(function: str) -> None:
    """Answer the lines of standard input on standard output until it ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    logging.disable()  # math-verify warns that it has no time limit of its own
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer

    def say(value: Any) -> None:
        out.write(json.dumps(value) + "\n")
        out.flush()

    try:
        ask = FUNCTIONS[function]()
    except ModuleNotFoundError as error:
        say([error.name])
        return
    say("ready")
    for line in sys.stdin:
        # The signal's default action ends the process, also while it is inside of one long multiplication.
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
        try:
            value = ask(*json.loads(line))
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            say({"value": value})
        except MemoryError:
            os._exit(_OUT_OF_MEMORY)
        except Exception as error:  # noqa: BLE001 - said to whoever asked
            say({"error": repr(error)[:300]})


if __name__ == "__main__":
    main(sys.argv[1])
