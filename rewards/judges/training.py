"""What a judge is paid while it is trained itself, and which of its samples go into which stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .prompt import Case, parse


def preference_reward(reply: str, case: Case, gold: float) -> float:
    """1 if the verdict of a judge's reply to ``render(case, scale)`` is the gold preference, else -1.

    ``gold`` is above 0 if the first of the case's two items is better and below 0 if the second is.  A reply without a
    verdict and a tie are wrong: a judge in training must not gain by abstaining.  Only the verdict counts, not the
    form of the reasoning.  Raises ValueError for a gold preference of 0 or a case that is no pair.

    Source: RM-R1 (arXiv:2505.02387), correctness as the only reward; the values are our reading.
    """
    if not gold or len(case.items) != 2:
        raise ValueError(f"preference_reward needs a pair and a gold preference, got {len(case.items)} and {gold}")
    verdict = parse(reply, case, scale=1)
    return 1.0 if verdict.pair is not None and verdict.pair * gold > 0 else -1.0


@dataclass(frozen=True, slots=True)
class Stages:
    """Indices of samples: those to fine-tune on as they are, and those whose cases go on to GRPO."""

    rejection: tuple[int, ...]
    grpo: tuple[int, ...]


def split_by_verdict(replies: Sequence[str], cases: Sequence[Case], golds: Sequence[float]) -> Stages:
    """Right verdicts to the rejection-sampling set, wrong and malformed ones to the GRPO set.

    The second and third of the three stages of UnifiedReward-Think (arXiv:2505.03318), after a cold start on distilled
    reasoning: what the judge can do is reinforced as it is, what it cannot is left to exploration.
    """
    rewards = [preference_reward(*sample) for sample in zip(replies, cases, golds, strict=True)]
    right = tuple(index for index, reward in enumerate(rewards) if reward > 0)
    return Stages(right, tuple(index for index, reward in enumerate(rewards) if reward <= 0))
