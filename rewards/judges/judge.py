"""Judges: what answers cases with verdicts.  A decorator wraps a judge and is one itself."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..text import call_text
from .prompt import Case, Item, parse, render
from .verdict import Verdict, compare

Ask = Callable[[Sequence[str]], list[str]]
"""Text generation: one reply per prompt, each drawn on its own, so that equal prompts may get different replies.

Prompts with screenshots are :class:`~palestra.rewards.judges.prompt.Prompt` and go only to an ``Ask`` whose attribute
``images`` is true.
"""


class JudgeError(ValueError):
    """What stands behind a judge did not answer in the form that it promised."""


class Judge(ABC):
    """Answers cases with verdicts, and abstains rather than guess.

    Printed as the expression that makes it, which :func:`~palestra.rewards.parse_reward` reads back where its parts
    are judges of this package, constants and functions of modules.
    """

    @abstractmethod
    def judge_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict per case, in one go where there is a model behind it."""

    def judge(self, items: Sequence[Item | str], criteria: str, reference: str | None = None) -> Verdict:
        """A score for one item, a preference for two, a ranking for more."""
        held = tuple(Item(item) if isinstance(item, str) else item for item in items)
        [verdict] = self.judge_all([Case(held, criteria, reference)])
        return verdict

    def check_criteria(self, criteria: str) -> None:
        """Raise ValueError if the judge cannot read these criteria."""
        if not criteria.strip():
            raise ValueError(f"{self}: the criteria are empty")

    def __repr__(self) -> str:
        signature = inspect.signature(type(self))
        arguments = {name: getattr(self, name) for name in signature.parameters}
        return f"{type(self).__name__}({call_text(signature, arguments)})"


class PointwiseJudge(Judge):
    """A judge that scores one item at a time; pairs and lists follow from the scores."""

    @abstractmethod
    def score_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """A score for each case, which has one item."""

    def judge_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict per case; see :func:`~palestra.rewards.judges.verdict.compare`."""
        verdicts = iter(self.score_all([replace(case, items=(item,)) for case in cases for item in case.items]))
        return [compare([next(verdicts) for _ in case.items]) for case in cases]


@dataclass(frozen=True, repr=False)
class TextJudge(Judge):
    """A generative judge: the model reasons, then gives its verdict in one form for one, two or more items.

    The same form serves text and screenshots, a score from 0 to ``scale``, a preference and a ranking, as in
    Flex-Judge (arXiv:2505.18601).  A reply in any other form abstains.

    Raises ValueError for an item with a screenshot if ``ask`` does not say ``images``, and JudgeError if it gives
    another number of replies than there are prompts.
    """

    ask: Ask
    scale: float = 10

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"TextJudge: scale {self.scale} is not above 0")

    def judge_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict per case; all prompts go to the model at once."""
        if not cases:
            return []
        rendered = {case: render(case, self.scale) for case in dict.fromkeys(cases)}  # a vote repeats its cases
        prompts = [rendered[case] for case in cases]
        if any(prompt.images for prompt in prompts) and not getattr(self.ask, "images", False):
            raise ValueError(f"{self}: the items have screenshots, and the model behind it reads text only")
        return [parse(reply, case, self.scale) for reply, case in zip(answers(self.ask, prompts), cases, strict=True)]


def answers(ask: Ask, prompts: Sequence[str]) -> list[str]:
    """The replies to some prompts; JudgeError if their number is not that of the prompts."""
    replies = ask(prompts)
    if len(replies) != len(prompts):
        raise JudgeError(f"{ask!r} gave {len(replies)} replies to {len(prompts)} prompts")
    return replies
