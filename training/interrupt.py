"""Ctrl-C between steps instead of within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C into an event, so that the step under way ends whole; a second one stops at once."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def on_signal(number: int, frame: Any) -> None:
        interrupted.set()
        # A shell's background jobs begin with SIGINT ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler if before is signal.SIG_IGN else before)
        print("\nStopping after this step; press Ctrl-C again to stop at once, without saving.", flush=True)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
