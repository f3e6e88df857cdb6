"""Snapshots of what a browser cannot save: the actions so far, to be played again."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from .env import Start, WebEnv
from .seeing import Seen


class ReplayedEnv(WebEnv):
    """A web environment with snapshots.

    A browser's pages cannot be copied, but an episode here is decided by its task and its actions: a snapshot holds
    these, and :meth:`restore` plays them again, which takes as long as it took to play them.  A subclass says by
    :meth:`key` which task is being played, and by :meth:`reopen` how such a task is opened.
    """

    _played: tuple[Any, ...] = ()

    @abstractmethod
    def key(self) -> Any:
        """The task under way as a plain value, None before the first reset."""

    @abstractmethod
    def reopen(self, key: Any) -> Start:
        """Open the task of a :meth:`key` without drawing anything."""

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act, as in :class:`WebEnv`."""
        outcome = super().step(action)
        self._played = (*self._played, action)
        return outcome

    async def astep(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """As :meth:`step`, for coroutines."""
        outcome = await super().astep(action)
        self._played = (*self._played, action)
        return outcome

    async def _open(self, start: Start) -> Seen:
        self._played = ()
        return await super()._open(start)

    def snapshot(self) -> Any:
        """The task, the actions so far, and the random generator."""
        return self.key(), self._played, self.np_random.bit_generator.state

    def restore(self, state: Any) -> None:
        """Play a :meth:`snapshot` of this environment, or of another one made with the same arguments, again."""
        key, played, generator = state
        if key is None:
            self._over = True
        else:
            start = self.reopen(key)
            self.goal = start.goal
            self._opened(self.pool.run(self._guarded(self._open(start))), start)
            for action in played:
                self.step(action)
        self.np_random.bit_generator.state = generator
