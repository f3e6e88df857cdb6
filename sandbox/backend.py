"""What the backends share: a session is opened, filled, and closed by whoever opened it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, Self, TypeVar

from .protocol import DEFAULT_LIMITS, Limits, Result, RunStatus, SandboxFault
from .session import RemoteSession

SessionT = TypeVar("SessionT", bound=RemoteSession)


class Backend(ABC, Generic[SessionT]):
    """A :class:`palestra.sandbox.protocol.Sandbox` of which a subclass says how an empty session begins."""

    @abstractmethod
    def _begin(self, image: str | None, limits: Limits) -> SessionT:
        """A session without files."""

    @abstractmethod
    def close(self) -> None:
        """See :meth:`palestra.sandbox.protocol.Sandbox.close`."""

    def open(
        self,
        files: Mapping[str, bytes | str] | bytes | None = None,
        image: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> SessionT:
        """See :meth:`palestra.sandbox.protocol.Sandbox.open`."""
        session = self._begin(image, limits)
        try:
            session.fill(files)
        except BaseException:
            session.close()
            raise
        return session

    def run(
        self,
        command: str | Sequence[str],
        stdin: bytes | str = b"",
        timeout: float | None = None,
        files: Mapping[str, bytes | str] | bytes | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Result:
        """See :meth:`palestra.sandbox.protocol.Sandbox.run`.  For many programs, keep a session."""
        try:
            session = self.open(files, limits=limits)
        except SandboxFault as fault:
            return Result(RunStatus.FAULT, None, reason=str(fault))
        with session:
            return session.run_last(command, stdin, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
