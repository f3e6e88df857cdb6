"""Judges: models that say how good an episode is, and the decorators that make them more reliable.

A :class:`Judge` answers a case (one item, two, or a list) with a :class:`Verdict`, over any text generation
(:data:`Ask`); :func:`judged` makes a reward of it.  A judge that answers nonsense abstains, and an episode that nobody
could judge is neutral in its group.
"""

from __future__ import annotations

from .evolving import Evolving, TextRefiner
from .head import QualityHead
from .judge import Ask, Judge, JudgeError, PointwiseJudge, TextJudge
from .principles import Principled, SelfJudge
from .prompt import Case, Item, Prompt, transcript
from .reference import PolicyDiscriminator
from .reward import judged
from .rubric import Rubric
from .verdict import Verdict
from .voting import Vote

__all__ = [
    "Ask",
    "Case",
    "Evolving",
    "Item",
    "Judge",
    "JudgeError",
    "PointwiseJudge",
    "PolicyDiscriminator",
    "Principled",
    "Prompt",
    "QualityHead",
    "Rubric",
    "SelfJudge",
    "TextJudge",
    "TextRefiner",
    "Verdict",
    "Vote",
    "judged",
    "transcript",
]
