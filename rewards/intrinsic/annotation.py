"""Annotating beside the training: a thread that asks a slow judge, and never keeps the environments waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)
Label = TypeVar("Label")


class Annotator(Generic[Item, Label]):
    """Asks ``annotate`` about offered items in a thread of its own, the newest first.

    At most ``capacity`` items wait; one more drops the oldest of them.  ``offered``, ``annotated`` and ``dropped``
    count items; one that is offered while it waits counts once and becomes the newest.  Source: the asynchronous
    annotation of ONI (arXiv:2410.23022), whose code also takes the newest first.
    """

    def __init__(self, annotate: Callable[[Item], Label], capacity: int = 1000) -> None:
        if capacity < 1:
            raise ValueError(f"an annotator's capacity must be at least 1, not {capacity}")
        self.capacity = capacity
        self.offered = self.annotated = self.dropped = 0
        self._annotate = annotate
        self._waiting: dict[Item, None] = {}  # in the order in which they were offered
        self._done: list[tuple[Item, Label]] = []
        self._failure: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def offer(self, item: Item) -> None:
        """Let the item be annotated some time, or dropped; returns at once.  RuntimeError after :meth:`close`."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the annotator is closed")
            if item in self._waiting:
                del self._waiting[item]
            else:
                self.offered += 1
            self._waiting[item] = None
            if len(self._waiting) > self.capacity:
                del self._waiting[next(iter(self._waiting))]
                self.dropped += 1
            if self._thread is None:
                # A daemon, so that a judge that hangs does not keep the process from ending.
                self._thread = threading.Thread(target=self._work, name="annotator", daemon=True)
                self._thread.start()
            self._changed.notify()

    def take(self) -> list[tuple[Item, Label]]:
        """The items annotated since the last call, with their labels; returns at once.

        RuntimeError, from what ``annotate`` raised, if it raised; the annotator then has stopped.
        """
        with self._changed:
            if self._failure is not None:
                raise RuntimeError(f"the annotator stopped: {self._failure!r}") from self._failure
            done, self._done = self._done, []
            return done

    def close(self) -> None:
        """Drop what waits and end the thread once it has its present answer."""
        with self._changed:
            self._closed = True
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                item, _ = self._waiting.popitem()
            try:
                label = self._annotate(item)
            except BaseException as error:  # noqa: BLE001 - take() raises it, where somebody listens
                with self._changed:
                    self._failure = error
                return
            with self._changed:
                self._done.append((item, label))
                self.annotated += 1
