"""Rewards and measures for saying how sure one is, step by step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from ..trajectory import Trajectory, Turn
from .lift import episode_reward
from .reward import RewardError

__all__ = ["step_calibration"]

_CONFIDENCE = re.compile(r"<confidence>\s*(\d+(?:\.\d*)?|\.\d+)\s*</confidence>", re.IGNORECASE | re.ASCII)


@episode_reward
def step_calibration(trajectory: Trajectory) -> np.ndarray:
    """1 - (c - y)^2 for each of the T steps, over T: the Brier score of the confidence that the step states.

    c is what the action says in ``<confidence>0.7</confidence>`` and y, in [0, 1], what the environment says in
    ``info["correct"]``.  A step that states no number in [0, 1] earns nothing, which is never more than stating one.
    The expectation is largest where c is the true probability of being right.  An episode earns at most 1, however
    many steps it has.

    On its own it pays as well for being surely wrong as for being surely right.  In ``success + w*step_calibration``
    with w < 1 a better answer always pays more: with probability p of being right, p + w (1 - p (1 - p)) rises in p.

    Source: MMBoundary (arXiv:2505.23224), which rewards the agreement of stated confidence and correctness at each
    step; the Brier form is ours.  RewardError where the environment does not say ``info["correct"]``.
    """
    paid = [_brier(stated_confidence(turn.action), _correctness(turn)) for turn in trajectory.turns]
    return np.array(paid) / len(paid)


def stated_confidence(action: object) -> float | None:
    """The last ``<confidence>number</confidence>`` in an action, None if there is none or it is not within [0, 1]."""
    found = _CONFIDENCE.findall(action) if isinstance(action, str) else []
    confidence = float(found[-1]) if found else None
    return confidence if confidence is not None and confidence <= 1 else None


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[float], bins: int = 10) -> float:
    """ECE: the sum over equal-width bins b of n_b / n times |mean correctness - mean confidence| in the bin.

    Both [n], within [0, 1]; 0 is best.  Bin b holds the confidences in [b / bins, (b + 1) / bins), the last also 1.
    ValueError for no steps, different lengths or a value outside [0, 1].  Source: Guo et al. (arXiv:1706.04599).
    """
    stated, right = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    if stated.ndim != 1 or stated.shape != right.shape or len(stated) == 0 or bins < 1:
        raise ValueError(f"needs two equally long lists and a bin, got {stated.shape}, {right.shape}, {bins} bins")
    if not ((stated >= 0) & (stated <= 1) & (right >= 0) & (right <= 1)).all():
        raise ValueError("confidences and correctness lie within [0, 1]")
    bin_of = np.minimum((stated * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, weights=right - stated, minlength=bins)  # n_b times the gap of the means
    return float(np.abs(gaps).sum() / len(stated))


def calibration_error(trajectories: Iterable[Trajectory], bins: int = 10) -> float:
    """The ECE of the steps that state a confidence, over trajectories such as those of an evaluation.

    ValueError if no step states one.
    """
    steps = [
        (confidence, _correctness(turn))
        for trajectory in trajectories
        for turn in trajectory.turns
        if (confidence := stated_confidence(turn.action)) is not None
    ]
    if not steps:
        raise ValueError("no step states a confidence")
    confidences, correct = zip(*steps, strict=True)
    return expected_calibration_error(confidences, correct, bins)


def _brier(confidence: float | None, correct: float) -> float:
    return 0.0 if confidence is None else 1 - (confidence - correct) ** 2


def _correctness(turn: Turn) -> float:
    correct = float(turn.info.get("correct", np.nan))
    if not 0 <= correct <= 1:
        raise RewardError(f'the environment must say info["correct"], within [0, 1]; got {turn.info.get("correct")!r}')
    return correct
