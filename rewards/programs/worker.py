"""What runs inside the sandbox: it compiles reward programs and calls them on states.

The sandbox keeps a program from everything else.  What is bounded here besides is bounded so that the program's author
can be told the line: memory, by a limit that the interpreter raises an error for, and processor time, by a signal that
becomes one.  Only the standard library is imported.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from .language import FILENAME, Rejected, compile_program

# What a program's own code can raise; anything else is an error of the call, which its owner reports.
PROGRAM_ERRORS = (ArithmeticError, LookupError, TypeError, ValueError, NameError, RecursionError, MemoryError)

MOST = 100
"""Of the numbers, the components and the characters of a component's name that one result may have."""


class OutOfTime(Exception):
    """The request used its processor time."""


def prepare(memory: int) -> None:
    """Bound the memory of this process, in bytes, and make the signal of the processor time an error."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGPROF, _out_of_time)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """``{"parameters": ...}``, ``{"outputs": ...}`` or ``{"error": ..., "line": ..., "state": ...}``.

    To be called after :func:`prepare`.  A request holds ``source``, ``function``, ``seconds`` and, to be run,
    ``states``: lists of the parameters' values.
    """
    state: int | None = None
    outputs: list[Any] = []
    signal.setitimer(signal.ITIMER_PROF, request["seconds"])
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
    if isinstance(value, (list, tuple)) and len(value) > MOST:
        raise TypeError(f"the result holds {len(value)} numbers; at most {MOST} are read")
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[1], dict):
        if len(value[1]) > MOST:
            raise TypeError(f"the result has {len(value[1])} components; at most {MOST} are read")
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
    if len(value) > MOST:
        raise TypeError(f"a component's name has {len(value)} characters; at most {MOST} are read")
    return value


def _line(traceback: Any) -> int | None:
    """The program's innermost line in a traceback."""
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
