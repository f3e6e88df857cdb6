"""An episode for several agents, played in one process by scripts and people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .players import Script


def play_table(
    env: Any,
    players: Mapping[str, Script],
    np_random: np.random.Generator,
    seed: int | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, float]:
    """Play one episode of a PettingZoo (AEC) environment; what each agent was paid.

    ``players`` has one for each agent; what they draw comes from ``np_random``.
    """
    env.reset(seed=seed, options=options)
    paid = dict.fromkeys(env.agents, 0.0)
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, info = env.last()
        paid[agent] += float(reward)
        done = terminated or truncated
        env.step(None if done else players[agent](env, agent, observation, info, np_random))
    return paid
