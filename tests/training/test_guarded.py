from __future__ import annotations

import threading
from typing import Any

import gymnasium
import pytest
from gymnasium import spaces

from palestra.agents.scripted import ScriptedAgent, play
from palestra.envs.abilities import EnvironmentFault
from palestra.training.guarded import Guarded
from palestra.trajectory import Status


class Door(gymnasium.Env[int, int]):
    """Action 1 raises, 2 raises a TimeoutError of its own, 3 never returns; an episode has three steps."""

    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(4)

    def __init__(self) -> None:
        self.closed = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.count = 0
        return 0, {"drawn": int(self.np_random.integers(1000))}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        if action == 1:
            raise KeyError("lock")
        if action == 2:
            raise TimeoutError("the lock is slow")
        if action == 3:
            threading.Event().wait()
        self.count += 1
        return 1, 0.5, self.count == 3, False, {}

    def close(self) -> None:
        self.closed = True


def test_what_works_is_left_as_it_is() -> None:
    env, plain = Guarded(Door, 60), Door()
    assert env.reset(seed=3) == plain.reset(seed=3)
    for _ in range(3):
        assert env.step(0) == plain.step(0)
    inner = env.unwrapped
    env.reset(seed=4)
    assert env.unwrapped is inner
    env.close()
    assert isinstance(inner, Door)
    assert inner.closed


@pytest.mark.parametrize(
    ("action", "complaint"),
    [(1, "KeyError: 'lock'"), (2, "TimeoutError: the lock is slow"), (3, r"no answer within 0\.2 s")],
)
def test_a_failure_is_a_fault_and_the_next_episode_has_a_fresh_environment(action: int, complaint: str) -> None:
    env = Guarded(Door, 0.2 if action == 3 else 60)
    env.reset(seed=3)
    inner = env.unwrapped
    with pytest.raises(EnvironmentFault, match=complaint):
        env.step(action)
    assert env.reset(seed=3) == Door().reset(seed=3)
    assert env.unwrapped is not inner
    assert env.step(0)[1] == 0.5
    env.close()


def test_an_agent_that_plays_it_goes_on() -> None:
    env = Guarded(Door, 60)
    scripts = ([0, 1], [0, 0, 0], [2], [0, 0, 0])
    statuses = [play(env, ScriptedAgent(script), seed=0).status for script in scripts]
    assert statuses == [Status.FAULT, Status.TERMINATED] * 2
