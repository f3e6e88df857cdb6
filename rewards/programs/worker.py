"""The process in which reward programs run.

It gets requests as lines of JSON on its standard input and answers each with a line on its standard output.  Before it
reads the first one it gives up what a program could misuse: it has no environment variables, no files but these two
pipes and may open none, start no process, and use no more memory than it is told.  Processor time is bounded for each
request, by a signal that becomes an error with a line number, and by a kill where the interpreter does not come round
to signals.  Only the standard library is imported, without ``site``.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from .language import FILENAME, Rejected, compile_program

# What a program's own code can raise; anything else ends the worker, which its owner reports.
PROGRAM_ERRORS = (ArithmeticError, LookupError, TypeError, ValueError, NameError, RecursionError, MemoryError)


class OutOfTime(Exception):
    """The request used its processor time."""


def main() -> None:
    """Answer requests until the input ends.  ``sys.argv[1]`` is the memory limit in bytes."""
    _give_up(int(sys.argv[1]))
    signal.signal(signal.SIGPROF, _out_of_time)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """``{"parameters": ...}``, ``{"outputs": ...}`` or ``{"error": ..., "line": ..., "state": ...}``.

    A request holds ``source``, ``function``, ``seconds`` and, to be run, ``states``: lists of the parameters' values.
    """
    state: int | None = None
    outputs: list[Any] = []
    _allow(request["seconds"])
    try:
        function = _function(compile_program(request["source"]), request["function"])
        if "states" not in request:
            return {"parameters": list(_parameters(function))}
        for state, values in enumerate(request["states"]):  # noqa: B007 (the errors below name the state)
            outputs.append(_plain(function(*values)))
    except Rejected as error:
        return {"error": str(error), "line": error.line, "state": None}
    except OutOfTime:
        message = f"used more than {request['seconds']} seconds of processor time"
        return {"error": message, "line": _line(sys.exc_info()[2]), "state": state}
    except PROGRAM_ERRORS as error:
        line = _line(error.__traceback__)
        outputs.clear()  # what filled the memory, if that is the trouble
        said = f": {str(error)[:500]}" if str(error) else ""
        return {"error": type(error).__name__ + said, "line": line, "state": state}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"outputs": outputs}


def _give_up(memory: int) -> None:
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def _allow(seconds: float) -> None:
    """A signal after ``seconds`` of processor time from now, and the kernel's kill a second or two later."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    last = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (last, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _out_of_time(*_: object) -> None:
    raise OutOfTime


def _function(functions: dict[str, Callable[..., Any]], name: str) -> Callable[..., Any]:
    if name not in functions:
        raise Rejected(None, f"there is no function {name!r}")
    return functions[name]


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    code = function.__code__
    if code.co_kwonlyargcount or function.__defaults__:
        raise Rejected(code.co_firstlineno, f"the parameters of {function.__name__!r} take no defaults and no *")
    return tuple(code.co_varnames[: code.co_argcount])


def _plain(value: Any) -> Any:
    """A result as ``[total, {component: number}]`` or ``[numbers]``; TypeError for anything else."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[1], dict):
        return [_number(value[0]), {_name(name): _number(item) for name, item in value[1].items()}]
    if isinstance(value, (list, tuple)):
        return [_number(item) for item in value]
    return [_number(value), {}]


def _number(value: Any) -> float:
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"the result must be a number, not {type(value).__name__}")
    return float(value)


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a component is named by a text, not by {type(value).__name__}")
    return value


def _line(traceback: Any) -> int | None:
    """The program's innermost line in a traceback."""
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
