"""Small episodes to learn rewards from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from palestra import Status, Trajectory, Turn


def episode(features: Any, status: Status = Status.TERMINATED, **info: Sequence[Any]) -> Trajectory:
    """An episode with a row of ``features`` per turn in ``info["features"]``, and further columns of ``info``."""
    rows = [np.asarray(row, np.float64) for row in features]
    turns = [
        Turn("o", "a", info={"features": row, **{name: column[index] for name, column in info.items()}})
        for index, row in enumerate(rows)
    ]
    return Trajectory("Toy-v0", None, 0, turns, status)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """The chance that a positive has the higher score, ties counting one half."""
    values, truth = np.asarray(scores), np.asarray(labels, bool)
    difference = values[truth][:, None] - values[~truth][None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())
