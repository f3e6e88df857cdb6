"""Running statistics, and what is normalised by them: observations by their own, rewards by those of the returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

LIMIT = 10.0
"""Where a normalised observation or reward is clipped."""
_EPSILON = 1e-8


class Moments:
    """Mean and variance of all rows so far, merged batch by batch without loss (Chan et al., 1979).

    With no rows so far they are 0 and 1.
    """

    def __init__(self, size: int) -> None:
        self.count = 0.0
        self.mean = np.zeros(size)
        self._squares = np.zeros(size)
        """Sums of the squared distances from the mean."""

    @property
    def variance(self) -> np.ndarray:
        """Per column, [size] float64: of the rows themselves, not an estimate of where they come from."""
        return self._squares / self.count if self.count else np.ones_like(self.mean)

    def update(self, rows: np.ndarray) -> None:
        """Take in rows [rows, size]."""
        if not len(rows):
            return
        rows = rows.astype(np.float64)
        mean = rows.mean(0)
        total = self.count + len(rows)
        delta = mean - self.mean
        self._squares += np.square(rows - mean).sum(0) + delta**2 * self.count * len(rows) / total
        self.mean = self.mean + delta * len(rows) / total
        self.count = total

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        columns = {"mean": torch.from_numpy(self.mean), "squares": torch.from_numpy(self._squares)}
        return {"count": self.count, **columns}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        self.count = state["count"]
        self.mean, self._squares = state["mean"].numpy().copy(), state["squares"].numpy().copy()


class Normaliser:
    """Observations as networks see them: shifted, scaled and clipped, or as they are.

    The statistics move only in :meth:`update`, between an iteration's steps and the next one's, so that a policy
    learns from its actions in the very units in which it chose them; those of the first steps of all are known after
    them.
    """

    def __init__(self, size: int, active: bool) -> None:
        self._moments = Moments(size)
        self._active = active
        self._fix()

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """float32 [..., size]."""
        if not self._active:
            return observations
        return np.clip((observations - self._shift) * self._scale, -LIMIT, LIMIT)

    @property
    def informed(self) -> bool:
        """Whether it has seen observations, or needs none."""
        return not self._active or self._moments.count > 0

    def update(self, rows: np.ndarray) -> None:
        """Take in observations [rows, size]."""
        if self._active:
            self._moments.update(rows)
            self._fix()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return self._moments.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        self._moments.restore(state)
        self._fix()

    def _fix(self) -> None:
        self._shift = self._moments.mean.astype(np.float32)
        self._scale = (1 / np.sqrt(self._moments.variance + _EPSILON)).astype(np.float32)


class ReturnScale:
    """Divides rewards by the standard deviation of the discounted sums of the rewards so far.

    The sums run forwards, R <- gamma R + r, and begin at 0 with each episode (Engstrom et al., arXiv:2005.12729,
    algorithm 1).  Rewards keep their zero.  Each of several ``rewards`` has a deviation of its own.
    """

    def __init__(self, envs: int, gamma: float, active: bool, rewards: int = 1) -> None:
        self._gamma, self._active = gamma, active
        self._moments = Moments(rewards)
        self._sums = np.zeros((envs, rewards))

    def begin(self) -> None:
        """All environments begin new episodes."""
        self._sums[:] = 0

    def __call__(self, rewards: np.ndarray, ended: np.ndarray) -> np.ndarray:
        """Take in rewards, with where episodes ended [steps, envs], and scale them: float32 of their shape.

        They are [steps, envs, rewards]; where there is one, also [steps, envs].
        """
        if not self._active:
            return rewards.astype(np.float32)
        columns = rewards.reshape(*ended.shape, -1)
        sums = np.empty(columns.shape)
        for step, (paid, over) in enumerate(zip(columns, ended, strict=True)):
            sums[step] = self._sums = self._gamma * self._sums + paid
            self._sums = np.where(over[:, None], 0.0, self._sums)
        self._moments.update(sums.reshape(-1, len(self._moments.mean)))
        scaled = columns / np.sqrt(self._moments.variance + _EPSILON)
        return np.clip(scaled, -LIMIT, LIMIT).astype(np.float32).reshape(rewards.shape)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return self._moments.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave."""
        self._moments.restore(state)
