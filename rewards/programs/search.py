"""Searches over reward programs: by fitness (Eureka) and by preference (ICPL).

Both keep every program as a file in a folder, train on each, and show the proposer what became of the best.

    evolve:   Eureka, arXiv:2310.12931
    prefer:   ICPL, arXiv:2410.17233
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...trajectory import Trajectory
from ..reward import Reward, RewardError
from .evaluator import Evaluator, ProgramError
from .reward import from_source
from .schema import states_of
from .writing import Critic, Proposer, Verdict, extract_source, request


@dataclass(frozen=True, slots=True)
class Trained:
    """What training on a reward gave: how good the policy is at the task, and what it did on the way.

    ``fitness`` is the task's own measure, such as the success rate, never the reward that was trained on.
    ``checkpoints`` are trajectories from the start, the course and the end of the training, in that order; a search by
    preference shows the last to the ranker.
    """

    fitness: float
    checkpoints: Sequence[Sequence[Trajectory]] = ()


Train = Callable[[Reward], Trained]
Rank = Callable[[Sequence[Sequence[Trajectory]]], Sequence[int]]
"""The last trajectories of several policies to their indices, best first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program and what became of it; ``fitness`` is minus infinity for one that was refused or failed in training."""

    verdict: Verdict
    path: Path
    trained: Trained | None = None
    error: str | None = None

    @property
    def fitness(self) -> float:
        """The fitness of the policy that it trained."""
        return self.trained.fitness if self.trained else -math.inf


@dataclass(slots=True)
class Search:
    """The course of a search: the candidates of each round, and the best so far after each."""

    rounds: list[list[Candidate]] = field(default_factory=list)
    best: list[Candidate | None] = field(default_factory=list)
    comparisons: int = 0
    """How many policies the ranker was shown beside another, summed over the rounds."""

    @property
    def winner(self) -> Candidate:
        """The best candidate; ValueError if none could be trained on."""
        if not self.best or self.best[-1] is None:
            raise ValueError("no program of the search could be trained on")
        return self.best[-1]


def evolve(
    proposer: Proposer, critic: Critic, train: Train, folder: Path, *, generations: int = 5, samples: int = 16
) -> Search:
    """Eureka: sample programs, train on each, reflect on the best, sample again with that in the request.

    Each generation asks ``samples`` times with one request.  That of the next says what became of the best candidate of
    this one (:func:`reflection`), or, where none could be trained on, of the best so far and of the first refusal.  A
    refused program costs no training and never ends the search.  ``search.best`` does not fall between generations.
    """
    if generations < 1 or samples < 1:
        raise ValueError("evolve needs at least one generation of one sample")
    search = Search()
    feedback: tuple[str, ...] = ()
    for generation in range(generations):
        tried = [_try(proposer, critic, train, folder / f"{generation}_{n}.py", feedback) for n in range(samples)]
        search.rounds.append(tried)
        here = max(tried, key=lambda candidate: candidate.fitness)
        best = search.best[-1] if search.best else None
        if here.trained and (best is None or here.fitness > best.fitness):
            best = here
        search.best.append(best)
        # As in Eureka the next generation starts from the best of this one, not of all; that keeps it moving.
        told = [here] if here.trained else [candidate for candidate in (best, here) if candidate]
        feedback = tuple(reflection(candidate, critic.evaluator) for candidate in told)
    return search


def prefer(
    proposer: Proposer, critic: Critic, train: Train, rank: Rank, folder: Path, *, rounds: int = 5, samples: int = 6
) -> Search:
    """ICPL: train on some programs, let somebody rank what their policies do, ask again with the best and the worst.

    The best so far is ranked again with the new ones, so by the ranker's judgement ``search.best`` never gets worse.
    Nothing but ``rank`` decides; ``train``'s fitness is only kept.  ``search.comparisons`` counts the policies ranked
    after the first of each round.
    """
    if rounds < 1 or samples < 1:
        raise ValueError("prefer needs at least one round of one sample")
    search = Search()
    feedback: tuple[str, ...] = ()
    best: Candidate | None = None
    for number in range(rounds):
        tried = [_try(proposer, critic, train, folder / f"{number}_{n}.py", feedback) for n in range(samples)]
        search.rounds.append(tried)
        shown = [candidate for candidate in [best, *tried] if candidate is not None and candidate.trained]
        if shown:
            order = _ranked(rank, shown)
            search.comparisons += len(shown) - 1
            best = shown[order[0]]
            feedback = (_preference(best, shown[order[-1]], critic.evaluator),)
        else:
            feedback = (reflection(tried[0], critic.evaluator),)  # nothing could be trained on: say what is wrong
        search.best.append(best)
    return search


def component_course(
    source: str, checkpoints: Sequence[Sequence[Trajectory]], evaluator: Evaluator
) -> dict[str, np.ndarray]:
    """The mean per turn of the reward and of each component at each checkpoint, [checkpoints], by name."""
    outputs = [evaluator.run(source, states_of(trajectories)) for trajectories in checkpoints]
    course = {"reward": np.array([one.values.mean() for one in outputs])}
    for name in outputs[0].components if outputs else ():
        course[f"component {name}"] = np.array([one.components[name].mean() for one in outputs])
    return course


def reflection(candidate: Candidate, evaluator: Evaluator) -> str:
    """Eureka's reward reflection: the program, its policy's fitness, and how each component went during training.

    For a candidate that could not be trained on, what was wrong with it.
    """
    if candidate.trained is None:
        wrong = candidate.error or str(candidate.verdict)
        return f"An earlier program was\n\n{candidate.verdict.source}\nand could not be used:\n{wrong}"
    source = candidate.verdict.source
    lines = [f"An agent was trained with this program:\n\n{source}\nIts score at the task: {candidate.fitness:.4g}."]
    if candidate.trained.checkpoints:
        lines.append("Means per turn in the course of the training:")
        for name, values in component_course(source, candidate.trained.checkpoints, evaluator).items():
            course = ", ".join(f"{value:.3g}" for value in values)
            still = "; it hardly changes, so as it is it teaches nothing" if np.ptp(values) < 1e-6 else ""
            lines.append(f"- {name}: {course} (least {values.min():.3g}, most {values.max():.3g}){still}")
    lines.append(
        "Write a better program. If the score stays near its lowest, write an entirely new one. Change, rescale or\n"
        "drop a component that hardly changes, and rescale one that is far larger than the others."
    )
    return "\n".join(lines)


def _try(proposer: Proposer, critic: Critic, train: Train, path: Path, feedback: tuple[str, ...]) -> Candidate:
    verdict = critic(extract_source(proposer(request(critic.schema, *feedback))))
    path.write_text(verdict.source, encoding="utf-8")
    if not verdict.accepted:
        return Candidate(verdict, path)
    try:
        trained = train(from_source(verdict.source, path))
    except RewardError as error:
        if not isinstance(error.__cause__, ProgramError):
            raise
        return Candidate(verdict, path, error=str(error))
    if math.isnan(trained.fitness):
        raise ValueError(f"the fitness of {path} is nan")
    return Candidate(verdict, path, trained)


def _ranked(rank: Rank, shown: Sequence[Candidate]) -> list[int]:
    """The ranker's order, checked; one candidate needs no ranker."""
    if len(shown) == 1:
        return [0]
    behaviours = [candidate.trained.checkpoints[-1] if candidate.trained else [] for candidate in shown]
    order = list(rank(behaviours))
    if sorted(order) != list(range(len(shown))):
        raise ValueError(f"the ranker must give each of {len(shown)} indices once, not {order}")
    return order


def _preference(best: Candidate, worst: Candidate, evaluator: Evaluator) -> str:
    """What ICPL shows: the preferred and the rejected program, and how the components of each went."""

    def shown(candidate: Candidate) -> str:
        checkpoints = candidate.trained.checkpoints if candidate.trained else ()
        course = component_course(candidate.verdict.source, checkpoints, evaluator)
        traces = "".join(f"- {name}: {', '.join(f'{x:.3g}' for x in values)}\n" for name, values in course.items())
        return f"{candidate.verdict.source}\n{traces}"

    rejected = f"\nThe behaviour that was liked least came from\n\n{shown(worst)}" if worst is not best else ""
    return (
        f"Agents were trained with several programs, and their behaviour was compared. Liked best was that of\n\n"
        f"{shown(best)}{rejected}\nSay what the first does better, keep it, and write a program that does more of it."
    )
