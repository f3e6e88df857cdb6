"""What contains untrusted things: the lowest floor of the package."""

from __future__ import annotations

from typing import Any

from .protocol import (
    FileInfo,
    Interpreter,
    Limits,
    PythonInterpreter,
    Result,
    RunStatus,
    Sandbox,
    SandboxFault,
    SandboxUnavailable,
    Session,
)

__all__ = [
    "FileInfo",
    "Interpreter",
    "Limits",
    "PythonInterpreter",
    "Result",
    "RunStatus",
    "Sandbox",
    "SandboxFault",
    "SandboxUnavailable",
    "Session",
    "open_sandbox",
]


def open_sandbox(backend: str = "bubblewrap", **options: Any) -> Sandbox:
    """A sandbox of a backend, with that backend's options.

    ``"bubblewrap"`` isolates by Linux namespaces and needs no privileges; ``"docker"`` isolates by containers of any
    engine that speaks Docker's API; ``"process"`` does **not** isolate, and is for code that you trust.

    Raises SandboxUnavailable, with what to install, if the machine lacks what the backend needs.
    """
    if backend == "bubblewrap":
        from .bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox(**options)
    if backend == "docker":
        from .docker import DockerSandbox

        return DockerSandbox(**options)
    if backend == "process":
        from .process import ProcessSandbox

        return ProcessSandbox(**options)
    raise ValueError(f"there is no sandbox backend {backend!r}; there are bubblewrap, docker and process")
