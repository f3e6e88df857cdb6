"""Python as a tool: code runs in a sandbox and keeps its variables."""

from __future__ import annotations

from ...sandbox import PythonInterpreter, Result, RunStatus, Session
from ..abilities import EnvironmentFault
from .sandboxes import shared_sandbox
from .tools import Tool

_SECONDS = 10.0


class PythonTool:
    """A persistent Python in a session of its own, which is opened at the first call.

    Raises:
        palestra.sandbox.SandboxUnavailable: this machine cannot run the sandbox of that backend.
    """

    def __init__(self, backend: str = "bubblewrap") -> None:
        self._backend = backend
        shared_sandbox(backend)  # what is missing is said now
        self._session: Session | None = None
        self._interpreter: PythonInterpreter | None = None
        self.tool = Tool.of(self.python)

    def python(self, code: str) -> str:
        """Run Python code; what it prints is returned, and the value of a last expression. Variables are kept."""
        if self._session is None:
            self._session = shared_sandbox(self._backend).open()
        if self._interpreter is None:
            self._interpreter = self._session.python()
        result = self._interpreter.run(code, timeout=_SECONDS)
        if result.status is RunStatus.FAULT:
            self.restart()
            raise EnvironmentFault(f"the sandbox of the tool python broke: {result.reason}")
        if not self._interpreter.alive:
            self._interpreter = None
        return _told(result, self._interpreter is None)

    def restart(self) -> None:
        """Forget the variables and the files."""
        session, self._session, self._interpreter = self._session, None, None
        if session is not None:
            session.close()

    def close(self) -> None:
        """End the session."""
        self.restart()


def _told(result: Result, lost: bool) -> str:
    said = [result.text.rstrip(), result.error_text.rstrip()]
    if result.status is RunStatus.TIMEOUT:
        said.append(f"[stopped after {_SECONDS:g} s]")
    elif result.status not in (RunStatus.SUCCESS, RunStatus.ERROR):
        said.append(f"[stopped: {result.status}]")
    if lost:
        said.append("[the variables are lost]")
    return "\n".join(filter(None, said)) or "[nothing was printed]"
