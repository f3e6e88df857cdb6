"""An environment whose failures are contained, for agents that play it step by step in the main thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as Late
from typing import Any

import gymnasium

from ..envs.abilities import EnvironmentFault
from ..sandbox.lane import Lane


class Guarded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Resets and steps in a lane with a deadline.  Whatever raises or hangs there becomes an ``EnvironmentFault``.

    After one the environment is given up, and the next ``reset`` makes a fresh one.

    Args:
        make_env: makes the environment.
        timeout: seconds that a reset or a step may take.
    """

    def __init__(self, make_env: Callable[[], gymnasium.Env[Any, Any]], timeout: float) -> None:
        self._make_env, self._timeout = make_env, timeout
        self._lane = Lane("environment")
        self._broken = False
        super().__init__(make_env())

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As the environment does."""
        if self._broken:
            self._lane.close()
            self._lane, self.env, self._broken = Lane("environment"), self._make_env(), False
        return self._call(lambda: self.env.reset(seed=seed, options=options))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As the environment does."""
        return self._call(lambda: self.env.step(action))

    def close(self) -> None:
        """Close the environment, unless it was given up, and the lane."""
        self._lane.close()
        if not self._broken:
            super().close()

    def _call(self, call: Callable[[], Any]) -> Any:
        answer = self._lane.submit(call)
        try:
            return answer.result(self._timeout)
        except Late as late:
            self._broken = True
            if answer.done():  # the environment itself raised one
                raise EnvironmentFault(f"TimeoutError: {late}") from late
            raise EnvironmentFault(f"no answer within {self._timeout:g} s") from late
        except Exception as error:
            self._broken = True
            raise EnvironmentFault(f"{type(error).__name__}: {error}") from error
