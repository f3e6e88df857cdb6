"""A lane: one worker thread with deadlines, for code that may raise or hang.

A call that misses its deadline cannot be stopped inside this process, so its lane is abandoned (the thread is a daemon)
and the caller takes a fresh one.  What must really be killed belongs in a process of its own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Lane:
    """Runs calls one after the other in a thread of its own."""

    def __init__(self, name: str = "lane") -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Queue ``call(*args)``; the future carries its result or its exception."""
        future: Future[Any] = Future()
        self._calls.put((future, call, args))
        return future

    def close(self) -> None:
        """End the thread once the calls that are queued have returned; does not wait."""
        self._calls.put(None)

    def join(self, timeout: float) -> bool:
        """After ``close``, wait for the thread to end; False if it has not within ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call, args = item
            try:
                future.set_result(call(*args))
            except BaseException as error:  # noqa: BLE001 (the future carries it to whoever asks)
                future.set_exception(error)
            # An idle lane must not keep alive what it was called with: a thread that ends while the interpreter shuts
            # down, and is then the last to hold a tensor, aborts the process.
            del item, future, call, args
