"""Rewards of robot tasks, from what ``info`` says of every step: ``success``, ``stage`` and ``progress``.

The environments pay only success.  These are parts like any others; ``delta(progress)`` and ``delta(stage)`` are
potential-based (Ng et al. 1999), so that going back and forth earns nothing.  :class:`Batched` gives the same for the
arrays of a vector environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ..trajectory import Turn
from .builtin import progress
from .combine import delta
from .lift import turn_reward
from .reward import RewardError

__all__ = ["Batched", "dense", "sparse", "stage", "staged"]


@turn_reward
def sparse(turn: Turn) -> float:
    """1 on each turn that completes the task."""
    return float(_told(turn, "success"))


@turn_reward
def stage(turn: Turn) -> float:
    """How many stages are behind after the turn; ``delta(stage)`` pays each one once."""
    return float(_told(turn, "stage"))


staged = delta(stage)
"""1 for each stage that a turn completes, -1 for each that it undoes."""

dense = delta(progress) + sparse
"""What the turn adds to ``progress``, which is in [0, 1], and 1 for completing the task."""


class Batched:
    """One of these rewards over the arrays of a vector environment, step after step.

    >>> reward = Batched("staged", num_envs=2)
    >>> acted = np.array([True, True])
    >>> reward({"stage": np.array([1, 0])}, acted), reward({"stage": np.array([1, 2])}, acted)
    (array([1., 0.]), array([0., 2.]))

    Args:
        kind: ``"sparse"``, ``"staged"`` or ``"dense"``.
        num_envs: how many environments the vector has, all of them just reset.

    Raises :class:`ValueError` for another kind.
    """

    def __init__(self, kind: Literal["sparse", "staged", "dense"], num_envs: int) -> None:
        if kind not in ("sparse", "staged", "dense"):
            raise ValueError(f"kind must be 'sparse', 'staged' or 'dense', not {kind!r}")
        self._potential = {"staged": "stage", "dense": "progress"}.get(kind)
        self._pays_success = kind != "staged"
        self._before = np.zeros(num_envs)

    def __call__(self, infos: Mapping[str, Any], acted: np.ndarray) -> np.ndarray:
        """The rewards ``[N]`` of a step with these ``infos``.

        ``acted`` ``[N]`` is false where this step opened an episode instead, as it does with ``NEXT_STEP``; that pays
        nothing.  With ``SAME_STEP`` the end of an episode is judged by ``infos["final_info"]``.
        """
        ended = np.asarray(infos.get("_final_info", np.zeros(len(acted), dtype=bool)))

        def at_end(name: str) -> np.ndarray:
            values = infos[name].astype(np.float64)
            return np.where(ended, infos["final_info"][name], values) if ended.any() else values

        rewards = at_end("success") if self._pays_success else np.zeros(len(acted))
        if self._potential is not None:
            values = at_end(self._potential)
            rewards = rewards + values - self._before
            self._before = np.where(acted & ~ended, values, 0.0)
        return np.where(acted, rewards, 0.0)


def _told(turn: Turn, name: str) -> Any:
    if name not in turn.info:
        raise RewardError(f'the environment does not say info["{name}"]; the robot environments do')
    return turn.info[name]
