"""The one record that every floor shares: what an agent saw, what it sampled, what it was paid.

A :class:`Trajectory` is one agent's part in one episode, a list of :class:`Turn`.  A :class:`Group` holds the
trajectories of one task that are judged against each other.  Turn boundaries are explicit, and the ids are the ones
that the model consumed and sampled: nothing is ever decoded and encoded again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

Observation = str | dict[str, Any]
"""Text, or ``{"text": str, "image": uint8 array [height, width, 3]}``."""


class Status(StrEnum):
    """How an episode ended.  Only the first two are outcomes; the others neither score nor enter a baseline."""

    TERMINATED = "terminated"
    TRUNCATED = "truncated"
    FAULT = "fault"
    TIMEOUT = "timeout"

    @property
    def scored(self) -> bool:
        """Whether the episode has an outcome that may be rewarded."""
        return self in (Status.TERMINATED, Status.TRUNCATED)


def _ids() -> np.ndarray:
    return np.zeros(0, np.int32)


def _floats() -> np.ndarray:
    return np.zeros(0, np.float32)


@dataclass(slots=True)
class Turn:
    """One observation and the action that answered it.

    ``context_ids`` [c] int32 are the ids appended to the context since the last sampled id; ``action_ids`` [a] int32
    the ids that were sampled, ``logprobs`` [a] float32 their log-probabilities under the distribution they were drawn
    from, by the weights of ``version``.  All three are empty for agents that are not language models.
    """

    observation: Observation
    action: Any
    reward: float = 0.0
    context_ids: np.ndarray = field(default_factory=_ids)
    action_ids: np.ndarray = field(default_factory=_ids)
    logprobs: np.ndarray = field(default_factory=_floats)
    version: int = 0
    info: dict[str, Any] = field(default_factory=dict)
    """What ``step`` returned as ``info`` for this action."""
    choices: tuple[np.ndarray, ...] = ()
    """The replies that ``action_ids`` was drawn from, ids [a] int32 each; none if it could have been any."""
    fresh: bool = False
    """Whether ``context_ids`` begin a context of their own, in which nothing of the turns before is read."""


@dataclass(slots=True)
class Trajectory:
    """One agent's part in one episode.

    ``role`` is the place that it took in the environment, ``policy`` the name of who acted there.  ``rewards`` maps a
    reward part's name to its values [turns] float64; the environment's own reward stays in the turns.
    ``final_observation`` is what the last action led to; ``error`` says what broke when ``status`` is a fault or
    timeout.
    """

    env_id: str
    task: int | None
    seed: int
    turns: list[Turn] = field(default_factory=list)
    status: Status = Status.TRUNCATED
    role: str = "agent"
    policy: str = "policy"
    split: str | None = None
    final_observation: Observation | None = None
    rewards: dict[str, np.ndarray] = field(default_factory=dict)
    error: str | None = None

    @property
    def env_rewards(self) -> np.ndarray:
        """The environment's own reward of each turn, [turns] float64."""
        return np.array([turn.reward for turn in self.turns], np.float64)

    @property
    def score(self) -> float:
        """The sum of the environment's own rewards."""
        return float(sum(turn.reward for turn in self.turns))


@dataclass(slots=True)
class Group(Sequence[Trajectory]):
    """The trajectories of one task that are judged against each other."""

    trajectories: list[Trajectory]

    def __len__(self) -> int:
        return len(self.trajectories)

    def __getitem__(self, index: Any) -> Any:
        return self.trajectories[index]

    def __iter__(self) -> Iterator[Trajectory]:
        return iter(self.trajectories)
