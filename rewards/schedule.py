"""Weights that change with the training step, for :func:`~palestra.rewards.anneal`."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["cosine", "exponential", "linear"]


@dataclass(frozen=True, repr=False)
class Schedule:
    """From ``start`` at step 0 to ``end`` at step ``steps``, and ``end`` from there on."""

    shape: str
    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"{self}: steps must be at least 1")
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"{self}: start and end must be finite")
        if self.shape == "exponential" and not (self.start > 0 and self.end > 0):
            raise ValueError(f"{self}: an exponential schedule needs a positive start and end")

    def __call__(self, step: int) -> float:
        """The weight at a training step."""
        done = min(max(step / self.steps, 0.0), 1.0)
        if self.shape == "exponential":
            return self.start * (self.end / self.start) ** done
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return (1 - done) * self.start + done * self.end

    def __repr__(self) -> str:
        return f"{self.shape}({self.start!r}, {self.end!r}, steps={self.steps!r})"


def linear(start: float, end: float, steps: int) -> Schedule:
    """A straight line from ``start`` to ``end`` over ``steps`` training steps."""
    return Schedule("linear", start, end, steps)


def cosine(start: float, end: float, steps: int) -> Schedule:
    """Half a cosine wave from ``start`` to ``end``: slow at both ends."""
    return Schedule("cosine", start, end, steps)


def exponential(start: float, end: float, steps: int) -> Schedule:
    """The same factor at each step, from ``start`` to ``end``, both above 0."""
    return Schedule("exponential", start, end, steps)
