"""Answers by several roles of a model that work on each other's words: solver, reviewer, refiner, critic.

A role is an ``Ask`` as judges have it: prompts to replies, in their order (:class:`palestra.agents.ask.EngineAsk` is
one).  One model may take all of them.  Nothing here learns; what the critic rewards may be learned from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Ask = Callable[[Sequence[str]], list[str]]
Rate = Callable[[str, str], Sequence[float]]
"""``rate(problem, solution)``: how good each step is, in [0, 1]; the last one is of the whole."""
Answer = Callable[[str], str | None]
"""``answer(solution)``: the final answer that a solution comes to, if any."""


@dataclass(frozen=True)
class Outcome:
    """What an agent of several roles came to, at what cost."""

    answer: str | None
    calls: int
    """Prompts that were answered."""
    hard: bool = False
    """Whether it was worth refining."""
    reward: float = float("nan")
    """The critic's of the final answer, for filtering what is to be learned from."""


@dataclass
class CoarseToFine:
    """Vote where a problem is easy, review and refine where it is hard (MAgICoRe, arXiv:2409.12147).

    ``samples`` solutions are drawn and rated.  A problem is easy if the answer that wins the vote, weighted by the
    ratings, has a share of at least ``sure`` of the weight, and its best solution is rated at least ``good``.
    Otherwise, for at most ``rounds`` rounds, a reviewer is shown every solution with the ratings of its steps, a
    refiner writes it anew from the review, and a solution gives way only to one that is rated no lower.
    """

    solver: Ask
    reviewer: Ask
    refiner: Ask
    rate: Rate
    answer: Answer
    samples: int = 8
    sure: float = 0.5
    good: float = 0.7
    rounds: int = 2

    def __call__(self, problem: str) -> Outcome:
        """Solve a problem."""
        solutions = self.solver([f"Solve step by step.\n{problem}"] * self.samples)
        rated = [(solution, self.rate(problem, solution)) for solution in solutions]
        calls = self.samples
        best, easy = self._vote(rated)
        hard = not easy
        for _ in range(self.rounds):
            if easy:
                break
            reviews = self.reviewer([_review_prompt(problem, solution, steps) for solution, steps in rated])
            prompts = [
                f"{problem}\nA solution:\n{solution}\nA review of it:\n{review}\nWrite a better solution."
                for (solution, _), review in zip(rated, reviews, strict=True)
            ]
            refined = [(solution, self.rate(problem, solution)) for solution in self.refiner(prompts)]
            calls += 2 * self.samples
            rated = [new if new[1][-1] >= old[1][-1] else old for old, new in zip(rated, refined, strict=True)]
            best, easy = self._vote(rated)
        return Outcome(best, calls, hard)

    def _vote(self, rated: Sequence[tuple[str, Sequence[float]]]) -> tuple[str | None, bool]:
        """The answer with the most weight, and whether it is good enough."""
        weights: dict[str, float] = defaultdict(float)
        quality: dict[str, float] = defaultdict(float)
        for solution, steps in rated:
            answer = self.answer(solution)
            if answer is not None:
                weights[answer] += float(steps[-1])
                quality[answer] = max(quality[answer], float(steps[-1]))
        if not weights:
            return None, False
        best = max(weights, key=lambda answer: (weights[answer], answer))
        total = sum(weights.values())
        return best, total > 0 and weights[best] / total >= self.sure and quality[best] >= self.good


def _review_prompt(problem: str, solution: str, steps: Sequence[float]) -> str:
    scores = ", ".join(f"{score:.2f}" for score in steps)
    return f"{problem}\nA solution:\n{solution}\nIts steps are rated {scores}.\nSay which steps are wrong, and why."


VIEWPOINTS = {
    "conservative": "Change the answer only where the critique proves it wrong.",
    "neutral": "Weigh the answer and the critique alike.",
    "aggressive": "Doubt everything, and answer anew.",
}


@dataclass
class CriticRevision:
    """Answer, have a critic reward the answer, and revise what it finds wanting from three viewpoints (ReAgent-V,
    arXiv:2506.01300).

    ``critic`` rewards an answer with a number in [0, 1] and says why.  Below ``accept`` the answer is revised from each
    of :data:`VIEWPOINTS`, each revision is rewarded, and the answer that most revisions agree on is taken, the better
    rewarded one if they do not, unless the first was rewarded higher than any.
    """

    answerer: Ask
    critic: Callable[[str, str], tuple[float, str]]
    accept: float = 0.7
    kept: list[tuple[str, Outcome]] = field(default_factory=list)
    """Questions and outcomes so far; see :meth:`good`."""

    def __call__(self, question: str) -> Outcome:
        """Answer a question."""
        (first,) = self.answerer([question])
        reward, critique = self.critic(question, first)
        outcome = Outcome(first, 2, False, reward)
        if reward < self.accept:
            prompts = [
                f"{question}\nAn answer: {first}\nA critique: {critique}\n{manner}" for manner in VIEWPOINTS.values()
            ]
            revised = self.answerer(prompts)
            rewards = [self.critic(question, answer)[0] for answer in revised]
            best = max(zip(revised, rewards, strict=True), key=lambda pair: (revised.count(pair[0]), pair[1]))
            answer, score = best if max(rewards) >= reward else (first, reward)
            outcome = Outcome(answer, 2 + 2 * len(prompts), True, score)
        self.kept.append((question, outcome))
        return outcome

    def good(self, least: float) -> list[tuple[str, str]]:
        """Questions with answers that the critic rewarded with at least ``least``: what is worth imitating."""
        return [(question, str(outcome.answer)) for question, outcome in self.kept if outcome.reward >= least]


def flips(before: Sequence[bool], after: Sequence[bool]) -> tuple[int, int]:
    """How many answers went from wrong to right, and from right to wrong."""
    was, now = np.asarray(before, bool), np.asarray(after, bool)
    return int((~was & now).sum()), int((was & ~now).sum())
