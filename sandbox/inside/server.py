"""Answers the requests of one session, one after the other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from typing import Any

from . import wire
from .jail import Jail
from .program import Abandoned, Ending, Program
from .supervisor import Supervisor

_INTERRUPTED_S = 0.5  #: what an interpreter has for coming back after it was interrupted
_NO_END = 1e9
_BEYOND = {
    "wall": "timeout",
    "cpu": "timeout",
    "memory": "memory",
    "output": "output_limit",
    "processes": "killed",
}
_MOST_ANSWER = 64 << 20  #: bytes that a function may return


class Server:
    """The requests come from, and the answers go to, a pair of descriptors.  ``spare`` begins the first program."""

    def __init__(self, jail: Jail, temporary: str, source: int, sink: int, spare: Supervisor | None = None) -> None:
        self._jail = jail
        self._temporary = temporary
        self._source, self._sink = source, sink
        self._interpreters: dict[int, _Interpreter] = {}
        self._count = 0
        self._spare = spare

    def serve(self) -> None:
        """Say that the session is there, and answer until the other end hangs up."""
        try:
            self._send(wire.encode({}))
            while True:
                header, blobs = wire.receive(lambda size: os.read(self._source, size))
                answer, data = self._answer(header, blobs)
                self._send(wire.encode(answer, *data))
                if header["op"] == "run" and self._spare is None and not header["last"]:
                    with contextlib.suppress(OSError):  # for which the next run will say why
                        self._spare = Supervisor(self._jail)
        except (wire.Closed, Abandoned, BrokenPipeError, ConnectionResetError):
            return

    def fill(self, archive: str) -> None:
        """Begin with the files of an archive."""
        with open(archive, "rb") as file:
            self._files({"op": "fill"}, [file.read()])

    def close(self) -> None:
        """End all interpreters, and what waits for an order."""
        for interpreter in self._interpreters.values():
            interpreter.program.end()
        self._interpreters.clear()
        if (supervisor := self._take()) is not None:
            supervisor.end()

    def _take(self) -> Supervisor | None:
        """The supervisor whose program waits, if there is one."""
        supervisor, self._spare = self._spare, None
        if supervisor is not None and not supervisor.waits:
            supervisor.end()
            return None
        return supervisor

    def _send(self, message: bytes) -> None:
        view = memoryview(message)
        while view:
            view = view[os.write(self._sink, view) :]

    def _answer(self, header: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        match header["op"]:
            case "run":
                return self._run(header, *blobs)
            case "python" | "shell":
                self._count += 1
                kind = _Python if header["op"] == "python" else _Shell
                self._interpreters[self._count] = kind(self._jail, self._take())
                return {"id": self._count}, []
            case "ask":
                return self._ask(header, blobs[0])
            case "end":
                interpreter = self._interpreters.pop(header["id"], None)
                if interpreter is not None:
                    interpreter.program.end()
                return {}, []
            case _:
                if header["op"] == "restore":
                    self.close()
                return self._files(header, blobs)

    def _run(self, header: dict[str, Any], stdin: bytes, code: bytes) -> tuple[dict[str, Any], list[bytes]]:
        argv, limits = header["argv"], self._jail.limits
        began = time.monotonic()
        if self._jail.cgroup is not None:
            self._jail.cgroup.forget_peak()
        order = {"op": "code"} if argv is None else {"op": "command", "argv": argv}
        program = Program(self._jail, self._take(), order, code, cpu_s=limits["cpu_s"], last=header["last"])
        ending = self._attend(program, stdin, header["timeout"], limits["cpu_s"], limits["output_bytes"])
        return _result(program, ending, limits, began, program.cpu_s), [bytes(ending.stdout), bytes(ending.stderr)]

    def _ask(self, header: dict[str, Any], request: bytes) -> tuple[dict[str, Any], list[bytes]]:
        interpreter = self._interpreters.get(header["id"])
        if interpreter is None or not interpreter.program.alive:
            return {"status": "killed", "exit_code": None, "reason": "the interpreter has ended"}, [b"", b"", b""]
        limits, program = self._jail.limits, interpreter.program
        began = time.monotonic()
        if self._jail.cgroup is not None:
            self._jail.cgroup.forget_peak()
        before = interpreter.cpu_s
        ending = interpreter.ask(self._source, request, header["timeout"])
        if program.alive:
            interpreter.cpu_s, resident, _ = program.usage()
            program.peak = (self._jail.cgroup.peak() if self._jail.cgroup else 0) or resident
        else:
            program.end()
            interpreter.cpu_s = program.cpu_s
        answer = _result(program, ending, limits, began, interpreter.cpu_s - before, interpreter.code)
        answer["alive"] = program.alive
        return answer, [bytes(ending.stdout), bytes(ending.stderr), interpreter.value]

    def _files(self, header: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        program = Program(self._jail, self._take(), {**header, "temporary": self._temporary})
        ending = self._attend(program, blobs[0] if blobs else b"", _NO_END, _NO_END, wire.MOST)
        data, _, line = bytes(ending.stdout).rpartition(b"\n")
        if program.status != 0:
            reason = program.trouble or ending.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            return {"error": "OSError", "arguments": [5, f"{header['op']} was broken off: {reason}", None]}, []
        return json.loads(line), [data]

    def _attend(self, program: Program, stdin: bytes, wall_s: float, cpu_s: float, most_output: int) -> Ending:
        """See a program through to its end."""
        try:
            return program.attend(self._source, wall_s, cpu_s, most_output, {program.stdin: stdin})
        finally:
            program.end()
            self._spare = program.supervisor


class _Interpreter:
    """A program that answers requests over a control channel of its own."""

    def __init__(
        self, jail: Jail, supervisor: Supervisor | None, kind: str, ours: tuple[int, int], theirs: tuple[int, ...]
    ) -> None:
        self._limits = jail.limits
        self._write, self._read = ours
        self.program = Program(jail, supervisor, {"op": kind}, control=theirs, last=True)
        self.program.own(*ours)
        self.program.close(self.program.stdin)
        self.cpu_s = 0.0
        self.code: int | None = None
        self.value = b""
        self._buffer = bytearray()

    def ask(self, client: int, request: bytes, wall_s: float) -> Ending:
        """Send a request, and wait for the answer; :attr:`code` is None without one."""
        self.code, self.value = None, b""
        del self._buffer[:]
        ending = self._attend(client, wall_s, {self._write: self.encode(request)})
        if ending.why == "replied" and self.code is None:
            ending.why = "output"
        if ending.why in ("wall", "cpu"):
            self.program.interrupt()
            after = self._attend(client, _INTERRUPTED_S, {})
            room = self._limits["output_bytes"] - len(ending.stdout) - len(ending.stderr)
            ending.stdout += after.stdout[:room]
            ending.stderr += after.stderr[: max(0, room - len(after.stdout))]
            if after.why == "replied":
                return ending
        if ending.why != "replied":
            self.program.end()
        return ending

    def _attend(self, client: int, wall_s: float, feed: dict[int, bytes]) -> Ending:
        limits = self._limits
        return self.program.attend(
            client, wall_s, limits["cpu_s"], limits["output_bytes"], feed, self._replied, self._read
        )

    def _replied(self) -> bool:
        try:
            self._buffer += os.read(self._read, 1 << 16)
        except (BlockingIOError, ConnectionResetError):
            return False
        return self.decode(self._buffer) or len(self._buffer) > _MOST_ANSWER

    def encode(self, request: bytes) -> bytes:
        raise NotImplementedError

    def decode(self, answer: bytearray) -> bool:
        raise NotImplementedError


class _Python(_Interpreter):
    def __init__(self, jail: Jail, supervisor: Supervisor | None) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(jail, supervisor, "python", (ours.fileno(), ours.fileno()), (theirs.fileno(),))
        ours.detach()
        theirs.detach()

    def encode(self, request: bytes) -> bytes:
        return len(request).to_bytes(4, "big") + request

    def decode(self, answer: bytearray) -> bool:
        size = int.from_bytes(answer[:4], "big")
        if len(answer) < 5 + size or len(answer) < 5:
            return False
        self.code, self.value = answer[4], bytes(answer[5 : 5 + size])
        return True


class _Shell(_Interpreter):
    def __init__(self, jail: Jail, supervisor: Supervisor | None) -> None:
        their_read, our_write = os.pipe()
        our_read, their_write = os.pipe()
        super().__init__(jail, supervisor, "shell", (our_write, our_read), (their_read, their_write))

    def encode(self, request: bytes) -> bytes:
        return request + b"\0"

    def decode(self, answer: bytearray) -> bool:
        if not answer.endswith(b"\0") or not answer[:-1].isdigit():
            return False
        self.code = int(answer[-4:-1])
        return True


def _result(
    program: Program, ending: Ending, limits: dict[str, Any], began: float, cpu_s: float, replied: int | None = None
) -> dict[str, Any]:
    """Status, exit code and use of a program that has ended, or of an interpreter that has replied with a code."""
    code = replied
    if code is None and program.status is not None:
        code = os.waitstatus_to_exitcode(program.status)
    status, reason = "error", ""
    if ending.why in _BEYOND:
        status, reason = _BEYOND[ending.why], f"its limit of {ending.why}"
    elif code != 0 and program.ran_out_of_memory():
        status = "memory"
    elif code is None and program.exhausted:
        status, reason = "killed", f"other programs have used up what there is: {program.trouble}"
    elif code is None:
        status, reason = "fault", program.trouble or "the program's supervisor was killed"
    elif code == 0:
        status = "success"
    elif code in (-signal.SIGXCPU, -signal.SIGKILL) and cpu_s >= limits["cpu_s"]:
        status = "timeout"
    elif code < 0:
        status = "killed"
    elif bytes(ending.stderr).rstrip().rpartition(b"\n")[2].startswith(b"MemoryError"):
        status = "memory"
    return {
        "status": status,
        "exit_code": code,
        "cpu_s": cpu_s,
        "wall_s": time.monotonic() - began,
        "peak_memory": program.peak,
        "reason": reason,
    }
