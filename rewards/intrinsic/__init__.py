"""Intrinsic rewards: for what is new, for what a judge likes, for subgoals, for skills that can be told apart.

What they learn from experience is kept in objects beside the reward; see :mod:`.state`.
"""

from __future__ import annotations

from .annotation import Annotator as Annotator
from .counts import PseudoCounts, VisitCounts
from .distillation import RandomNetwork
from .features import HashedWords, SimHash
from .feedback import LabelClassifier, LabelTable, PairRanking
from .skills import SkillDiscriminator
from .state import Learning as Learning
from .state import Source as Source
from .state import intrinsic
from .state import learning_in as learning_in
from .subgoals import AskedJudge, AskedPlanner, subgoals

__all__ = [
    "AskedJudge",
    "AskedPlanner",
    "HashedWords",
    "LabelClassifier",
    "LabelTable",
    "PairRanking",
    "PseudoCounts",
    "RandomNetwork",
    "SimHash",
    "SkillDiscriminator",
    "VisitCounts",
    "intrinsic",
    "subgoals",
]
