"""Reward for a drawing that a program makes: does it render, and how near is it to what was asked for?"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..envs.svg import SvgError, render_svg
from ..trajectory import Turn
from .combinator import Operation, combinator
from .reward import Episodes, RewardError, Values

__all__ = ["pixel_similarity", "render_svg", "svg_match"]

Similarity = Callable[[np.ndarray, Any], float]
"""``similarity(image, target)`` within [0, 1]; ``image`` is uint8 [height, width, 3]."""
Renderer = Callable[[str, int, int], np.ndarray]
"""``render(svg, width, height)``: uint8 [height, width, 3], or SvgError for what is not a drawing."""

_SVG = re.compile(r"<svg\b.*?</svg\s*>|<svg\b[^>]*/>", re.DOTALL)


def pixel_similarity(image: np.ndarray, target: np.ndarray) -> float:
    """1 - mean |image - target| / 255 over all pixels and channels: 1 for equal images, 0 for black against white.

    Both uint8 [height, width, 3]; RewardError for different shapes.  A blank canvas is near to any sparse target, so
    compare its values within a group rather than with a threshold.
    """
    if np.shape(target) != image.shape:
        raise RewardError(f"pixel_similarity: the target has shape {np.shape(target)}, the drawing {image.shape}")
    return float(1 - np.abs(image.astype(np.float64) - np.asarray(target, np.float64)).mean() / 255)


@combinator()
def svg_match(
    similarity: Similarity = pixel_similarity, render: Renderer = render_svg, width: int = 64, height: int = 64
) -> Operation:
    """How near the SVG program in the action comes to ``info["target"]``, on each turn that has one.

        0 if there is no <svg> element or it does not render, else similarity(render(program), target)

    The target is whatever ``similarity`` compares a rendering with: an image of ``height`` by ``width`` pixels for
    :func:`pixel_similarity`, a text for a text-image model of yours (``svg_match(my_module:siglip)``).  The first
    ``<svg>`` element of the action counts.  RewardError for a similarity outside [0, 1].

    Source: SGP (arXiv:2509.05208), whose gate is 0 for what does not render and whose similarities are SigLIP's of text
    and image and DINO's of two images.
    """
    if width < 1 or height < 1:
        raise ValueError(f"svg_match: a canvas of {width} by {height} pixels")

    def judge(turn: Turn) -> float:
        if "target" not in turn.info:
            return 0.0
        program = _SVG.search(turn.action) if isinstance(turn.action, str) else None
        if program is None:
            return 0.0
        try:
            image = render(program[0], width, height)
        except SvgError:
            return 0.0
        value = similarity(image, turn.info["target"])
        if not 0 <= value <= 1:
            raise RewardError(f"svg_match: the similarity is {value}, not within [0, 1]")
        return value

    def operation(episodes: Episodes) -> Values:
        return [np.array([judge(turn) for turn in episode.turns], np.float64) for episode in episodes]

    return operation
