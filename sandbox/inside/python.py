"""Python programs, run by the interpreter that is already here instead of a new one."""

from __future__ import annotations

import ast
import atexit
import builtins
import json
import linecache
import os
import signal
import site
import socket
import struct
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

_LENGTH = struct.Struct("!I")
_ANSWER = struct.Struct("!IB")


def prepare() -> None:
    """Make this process's main module a new one; nothing of the sandbox's is left to import."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "inside"]:
        del sys.modules[name]
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.argv[:] = [""]
    sys.path.insert(0, "")
    site.setquit()


def run(source: bytes) -> NoReturn:
    """Run source text as the main program, and end this process as Python would."""
    names = sys.modules["__main__"].__dict__
    code = _exit_code(lambda: exec(_compile(source, "<code>"), names))
    _finish(code)


def serve(descriptor: int) -> NoReturn:
    """Run pieces of source text, and call functions that they defined, as asked over a socket, until it ends.

    A request is JSON, ``{"source": text}`` or ``{"function": name, "arguments": list}``, after its length in 4 bytes.
    The answer is its length in 4 bytes, the exit code that Python would have in one, and the function's result as
    JSON.
    """
    os.set_inheritable(descriptor, False)
    handle = socket.socket(fileno=descriptor)
    names = sys.modules["__main__"].__dict__
    number = 0
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (request := _receive(handle)) is not None:
        number += 1
        value = b""

        def work(request: dict[str, Any] = request, number: int = number) -> None:
            nonlocal value
            if "source" in request:
                _run_piece(request["source"].encode("utf-8", "surrogatepass"), f"<code-{number}>", names)
            else:
                result = _function(names, request["function"])(*request["arguments"])
                value = json.dumps(result).encode()

        code = _exit_code(work, persists=True)
        _flush()
        handle.sendall(_ANSWER.pack(len(value), code) + value)
    _finish(0)


def _compile(source: bytes, name: str) -> types.CodeType:
    text = source.decode("utf-8", "replace")
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return compile(source, name, "exec", dont_inherit=True)


def _run_piece(source: bytes, name: str, names: dict[str, Any]) -> None:
    _compile(source, name)  # for its lines, and its errors as Python says them
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec", dont_inherit=True), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), name, "eval", dont_inherit=True), names)
        if value is not None:
            print(repr(value))


def _function(names: dict[str, Any], name: str) -> Any:
    if not callable(names.get(name)):
        raise NameError(f"there is no function {name!r}")
    return names[name]


def _exit_code(call: Callable[[], None], persists: bool = False) -> int:
    """The exit code that Python would have after the call.  Where it persists, ``exit()`` ends it all the same.

    In an interpreter that persists a call can be interrupted, and nothing else.
    """
    try:
        if persists:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        call()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if not isinstance(error.code, int | None):
            print(error.code, file=sys.stderr)
        if persists:
            _finish(code & 0xFF)
        return code & 0xFF
    except BaseException as error:  # noqa: BLE001 (whatever it raises is its outcome)
        if isinstance(error, MemoryError):
            traceback.clear_frames(error.__traceback__)  # what they hold may be what fills the memory
        _show(error)
        return 1
    finally:
        if persists:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    return 0


def _show(error: BaseException) -> None:
    """Print a traceback that begins in the program."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<code"):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def _flush() -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (AttributeError, OSError, ValueError):
        return False  # it has closed or replaced them
    return True


def _finish(code: int) -> NoReturn:
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    os._exit(code if _flush() else code or 120)


def _receive(handle: socket.socket) -> dict[str, Any] | None:
    def exactly(size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = handle.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    try:
        return json.loads(exactly(_LENGTH.unpack(exactly(_LENGTH.size))[0]))
    except EOFError:
        return None
