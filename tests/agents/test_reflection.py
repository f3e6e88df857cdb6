"""Agents of several roles, with roles whose skill is known: what they gain, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palestra.agents.reflection import CoarseToFine, CriticRevision, flips

PROBLEMS = [f"problem {number}" for number in range(300)]


def truth(problem: str) -> str:
    return str(sum(map(ord, problem.split("\n")[0])) % 97)


class Roles:
    """A solver that is right with a chance that depends on the problem, a noisy rating, a refiner that may do harm."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def skill(self, problem: str) -> float:
        return 0.85 if int(problem.split()[-1]) % 2 else 0.25

    def solve(self, prompts: Sequence[str]) -> list[str]:
        problem = prompts[0].split("\n")[1]
        return [truth(problem) if self.rng.random() < self.skill(problem) else self.wrong() for _ in prompts]

    def wrong(self) -> str:
        return f"-{self.rng.integers(3)}"

    def rate(self, problem: str, solution: str) -> list[float]:
        right = solution == truth(problem)
        return [float(np.clip((0.85 if right else 0.3) + 0.15 * self.rng.normal(), 0.01, 1))]

    def refine(self, prompts: Sequence[str]) -> list[str]:
        return [truth(prompt.split("\n")[0]) if self.rng.random() < 0.5 else self.wrong() for prompt in prompts]


def agent(roles: Roles, **settings: float) -> CoarseToFine:
    return CoarseToFine(
        roles.solve,
        lambda prompts: ["check it"] * len(prompts),
        roles.refine,
        roles.rate,
        lambda text: text,
        **settings,
    )


def test_only_hard_problems_are_refined_and_nothing_is_lost_by_it() -> None:
    routed = [agent(Roles(number))(problem) for number, problem in enumerate(PROBLEMS)]
    voted = [agent(Roles(number), rounds=0)(problem) for number, problem in enumerate(PROBLEMS)]
    everything = [agent(Roles(number), sure=1.1)(problem) for number, problem in enumerate(PROBLEMS)]
    right, plain, refined = (
        [outcome.answer == truth(problem) for outcome, problem in zip(each, PROBLEMS, strict=True)]
        for each in (routed, voted, everything)
    )
    hard = [outcome.hard for outcome in routed]
    assert np.mean(hard[1::2]) < 0.1 < 0.2 < np.mean(hard[::2])
    assert np.mean(right) >= np.mean(refined) - 0.01
    assert sum(outcome.calls for outcome in routed) <= 0.6 * sum(outcome.calls for outcome in everything)
    better, worse = flips(plain, right)
    assert better > 3 * worse
    assert worse <= flips(plain, refined)[1]


def test_an_easy_problem_is_one_whose_thresholds_are_met() -> None:
    def rated(*scores: float) -> CoarseToFine:
        left = list(scores)
        return CoarseToFine(
            lambda prompts: ["a", "b"],
            lambda prompts: ["so"] * len(prompts),
            lambda prompts: ["a"] * len(prompts),
            lambda problem, solution: [left.pop(0)],
            lambda text: text,
            samples=2,
            rounds=1,
        )

    assert not rated(0.8, 0.2)("?").hard
    assert rated(0.8, 0.2)("?").calls == 2
    assert rated(0.6, 0.2, 0.9, 0.9)("?").hard  # none is rated well
    assert rated(0.8, 0.9, 0.9, 0.9)("?").calls == 2
    assert rated(0.5, 0.5, 0.9, 0.9)("?").calls == 6


def test_a_critic_raises_accuracy_and_keeps_what_is_right() -> None:
    rng = np.random.default_rng(1)

    def answerer(prompts: Sequence[str]) -> list[str]:
        return [truth(prompt) if rng.random() < 0.6 else "no" for prompt in prompts]

    def critic(question: str, answer: str) -> tuple[float, str]:
        right = answer == truth(question)
        return (0.9 if right else 0.2) if rng.random() < 0.9 else (0.2 if right else 0.9), "look again"

    revising = CriticRevision(answerer, critic)
    outcomes = [revising(problem) for problem in PROBLEMS]
    accuracy = np.mean([outcome.answer == truth(problem) for outcome, problem in zip(outcomes, PROBLEMS, strict=True)])
    assert accuracy > 0.7
    assert np.mean([outcome.calls for outcome in outcomes]) <= 8
    kept = revising.good(0.5)
    assert np.mean([answer == truth(question) for question, answer in kept]) > accuracy
    assert flips([True, False, True], [True, True, False]) == (1, 1)
