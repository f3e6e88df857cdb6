"""A learned model as a reward.  This module is light: torch is loaded with the first model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...trajectory import Trajectory
from ..combinator import Operation, combinator
from ..reward import Scope

__all__ = ["learned"]


@runtime_checkable
class Payer(Protocol):
    """What :func:`learned` asks: every model of this package, or anything of yours that judges without learning."""

    def pay(self, trajectories: Sequence[Trajectory]) -> list[np.ndarray]:
        """One finite float64 array [turns] per trajectory."""


@combinator(Scope.EPISODE)
def learned(model: Any, *, features: Any = None) -> Operation:
    """What a learned model pays: on the last turn if it judges outcomes, on every turn if it judges steps.

    ``model`` is the folder of a saved model, or a model in memory (whose reward has no text to be read back from; give
    it a name with ``learned(model).named("helpful")``).  ``features`` is the function [turns, inputs] of a trajectory
    that a saved model on features was trained with, ``my_module:my_features`` in expressions; models on a key of
    ``info``, on frames or on a language model need none.  Nothing is learned here: weights, statistics and random
    generators are as they were after scoring.

    Raises:
        SavedModelError: the folder does not hold a model that can be read (a ValueError).
        TypeError: ``model`` is neither a folder nor a model, or ``features`` is given with a model in memory.
        RewardError: when scoring, if a trajectory lacks what the model reads.
    """
    if isinstance(model, str):
        from .saved import load

        model = load(model, features=features)
    elif features is not None:
        raise TypeError("learned: a model in memory has its features already")
    if not isinstance(model, Payer):
        raise TypeError(f"learned needs the folder of a model, or a model with a method pay, not {model!r}")
    payer = model
    return lambda episodes: payer.pay(list(episodes))
