"""Waiting until a sandbox is at rest: what it prepares for the next run comes and goes by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 10.0


def at_rest(measure: Callable[[], T], still_s: float = 0.2) -> T:
    """What is measured, once it has not changed for a while."""
    value, since = _once_there(measure), time.monotonic()
    while time.monotonic() < since + still_s:
        time.sleep(0.02)
        if (now := _once_there(measure)) != value:
            value, since = now, time.monotonic()
    return value


def comes_to(measure: Callable[[], T], wanted: T) -> T:
    """What is measured, once it is what is wanted, or in the end."""
    until = time.monotonic() + PATIENCE_S
    while (value := _once_there(measure)) != wanted and time.monotonic() < until:
        time.sleep(0.005)
    return value


def _once_there(measure: Callable[[], T]) -> T:
    """What is measured, once nothing of it vanishes meanwhile: a process of the list may end before it is looked at."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return measure()
        except (FileNotFoundError, ProcessLookupError):
            if time.monotonic() > until:
                raise
        time.sleep(0.005)
