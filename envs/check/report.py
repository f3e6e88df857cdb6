"""What a check found, for a person to read and for a program to test."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from enum import StrEnum

NAME_WIDTH = 36


class Verdict(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Failed(Exception):
    """Raised by a check: the environment breaks the contract, and the message says what to fix."""


class Skipped(Exception):
    """Raised by a check that does not apply; the message says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict of one check, and one sentence about it."""

    name: str
    verdict: Verdict
    message: str = ""

    def __str__(self) -> str:
        """A row of the report's table, on several lines if the message is long."""
        head = f"{self.verdict:<8}{self.name:<{NAME_WIDTH}} "
        # Messages quote what an environment returned, which may hold lone surrogates that no terminal can print.
        message = " ".join(self.message.encode("utf-8", "backslashreplace").decode("utf-8").split())
        lines = textwrap.wrap(message, 120 - len(head)) or [""]
        return (head + ("\n" + " " * len(head)).join(lines)).rstrip()


@dataclass(slots=True)
class Report:
    """The outcomes of all checks of one environment, in the order in which they ran."""

    env_id: str
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> list[Outcome]:
        """The checks that failed."""
        return [outcome for outcome in self.outcomes if outcome.verdict is Verdict.FAILED]

    def __getitem__(self, name: str) -> Outcome:
        """The outcome of the check called ``name``; raises ``KeyError`` if it did not run."""
        for outcome in self.outcomes:
            if outcome.name == name:
                return outcome
        raise KeyError(name)

    @property
    def summary(self) -> str:
        """One line that counts the verdicts."""
        counts = ", ".join(f"{sum(o.verdict is verdict for o in self.outcomes)} {verdict}" for verdict in Verdict)
        return f"{self.env_id}: {counts}"

    def __str__(self) -> str:
        """A table with a row for each check, and a last line that counts them."""
        return "\n".join([*map(str, self.outcomes), self.summary])
