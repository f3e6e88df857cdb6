"""Success as an image classifier sees it, for environments that do not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..trajectory import Trajectory
from .combinator import Operation, combinator
from .reward import Episodes, RewardError, Scope, Values, place

__all__ = ["image_success"]


@combinator(Scope.EPISODE)
def image_success(classifier: Callable[[np.ndarray], float], threshold: float = 0.5) -> Operation:
    """1 on the first turn after which ``classifier(image) >= threshold``, and 0 on every other.

    ``classifier`` gives the probability of success in an image, uint8 [height, width, 3]; a turn is judged by the image
    that its action led to, ``observation["image"]`` of the next turn or of ``final_observation``.  Only the first
    success pays, so that staying there, or one more frame that is misjudged, earns nothing.  Take the threshold from
    :func:`success_threshold` on frames that the classifier was not trained on: a false success is what a policy learns
    to look for.  RewardError where an image is missing or the classifier gives no probability.

    Source: RoboFuME (arXiv:2310.15145), where a fine-tuned vision-language model classifies.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"image_success: threshold {threshold} is not in (0, 1]")

    def operation(episodes: Episodes) -> Values:
        return [_first_success(trajectory, classifier, threshold) for trajectory in episodes]

    return operation


def success_threshold(probabilities: Sequence[float], successes: Sequence[bool], precision: float = 0.95) -> float:
    """The lowest threshold at which at least ``precision`` of the frames that pass it are successes.

    ``probabilities`` [n] are a classifier's on held-out frames, ``successes`` [n] the truth.  ValueError if none
    reaches it, or if the lists differ in length.
    """
    given, truth = np.asarray(probabilities, np.float64), np.asarray(successes, bool)
    if given.shape != truth.shape:
        raise ValueError(f"{len(given)} probabilities for {len(truth)} frames")
    for threshold in np.unique(given):
        if truth[given >= threshold].mean() >= precision:
            return float(threshold)
    raise ValueError(f"no threshold makes {precision:.0%} of the frames above it successes")


def _first_success(trajectory: Trajectory, classifier: Callable[[np.ndarray], float], threshold: float) -> np.ndarray:
    paid = np.zeros(len(trajectory.turns))
    seen = [turn.observation for turn in trajectory.turns[1:]] + [trajectory.final_observation]
    for index, observation in enumerate(seen[: len(paid)]):
        if _probability(observation, classifier, trajectory) >= threshold:
            paid[index] = 1.0
            break
    return paid


def _probability(observation: Any, classifier: Callable[[np.ndarray], float], trajectory: Trajectory) -> float:
    if not isinstance(observation, dict) or "image" not in observation:
        raise RewardError(f"image_success: an observation without an image in {place(trajectory)}")
    probability = float(classifier(observation["image"]))
    if not 0 <= probability <= 1:
        raise RewardError(f"image_success: the classifier gave {probability}, which is no probability")
    return probability
