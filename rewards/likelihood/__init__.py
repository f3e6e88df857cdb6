"""Rewards that a language model's likelihoods pay: one scorer, and members that differ in contexts and weights.

:mod:`.scorer` holds the protocol and what is asked of it.  :mod:`.contrast` compares the likelihoods of what the agent
wrote under two contexts or two models; :mod:`.reference` asks how likely a known text becomes after the agent's
reasoning.
"""

from __future__ import annotations

from .contrast import CertaintyScorer as CertaintyScorer
from .contrast import (
    contrastive_likelihood,
    density_ratio,
    follow_up_likelihood,
    self_aligned,
    self_certainty,
    self_likelihood,
    yes_probability,
)
from .contrast import regulariser_weight as regulariser_weight
from .contrast import token_contrast as token_contrast
from .contrast import token_regulariser as token_regulariser
from .reference import (
    consistency_bonus,
    reasoning_reflection,
    reference_probability,
    spread_gate,
    thought_gain,
)
from .reference import reflection_weights as reflection_weights
from .scorer import Pair as Pair
from .scorer import Scorer as Scorer
from .scorer import ema_update as ema_update

__all__ = [
    "consistency_bonus",
    "contrastive_likelihood",
    "density_ratio",
    "follow_up_likelihood",
    "reasoning_reflection",
    "reference_probability",
    "self_aligned",
    "self_certainty",
    "self_likelihood",
    "spread_gate",
    "thought_gain",
    "yes_probability",
]
