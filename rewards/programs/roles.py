"""Auto MC-Reward: a designer writes the reward, a critic checks it, an analyser says why the policy failed.

Source: arXiv:2312.09238, whose three roles are one language model under three prompts.  Its reward function has a
sparse and a dense part, of which only the signs count: sgn(sparse) * 1 + sgn(dense) * 0.1, as its figure 1 shows.  The
prompts here are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...trajectory import Trajectory
from ..combinator import Operation, combinator
from ..reward import Episodes, Reward, Values
from .reward import from_source
from .schema import Schema, state_of
from .writing import Critic, Proposer, Verdict, propose

__all__ = ["sign_mix"]


@combinator()
def sign_mix(sparse: Reward, dense: Reward, *, weight: float = 0.1) -> Operation:
    """sgn(sparse) + weight * sgn(dense), turn by turn: however a program scales its parts, the dense one stays small.

    Source: Auto MC-Reward (arXiv:2312.09238), with its weight 0.1.
    """

    def operation(episodes: Episodes) -> Values:
        pairs = zip(episodes.values(sparse), episodes.values(dense), strict=True)
        return [np.sign(first) + weight * np.sign(second) for first, second in pairs]

    return operation


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What training on a reward gave: the task's own measure, and trajectories that did not solve the task."""

    success_rate: float
    failures: Sequence[Trajectory]


@dataclass(frozen=True, slots=True)
class Round:
    """One program of the course, what it trained to, and the analyser's note on the failures."""

    verdict: Verdict
    path: Path
    rollouts: Rollouts
    note: str


def design(
    designer: Proposer,
    critic: Critic,
    analyser: Proposer,
    train: Callable[[Reward], Rollouts],
    folder: Path,
    *,
    reviewer: Proposer | None = None,
    rounds: int = 3,
    attempts: int = 3,
    shown: int = 3,
) -> list[Round]:
    """Write, check, train, analyse, and write again with the analyser's note; stops when there are no failures.

    ``critic`` refuses what cannot be run.  ``reviewer``, a model, then reads what can: a reply that does not begin with
    ``OK`` is a complaint, and sends the program back.  ``analyser`` sees at most ``shown`` failed trajectories.
    Raises NoProgramError if no proposal of a round is accepted within ``attempts``.
    """
    if rounds < 1 or shown < 1:
        raise ValueError("design needs at least one round, and one failure to show")
    checks = critic if reviewer is None else _Reviewed(critic, reviewer)
    course: list[Round] = []
    feedback: tuple[str, ...] = ()
    for number in range(rounds):
        verdict = propose(designer, checks, *feedback, attempts=attempts)
        path = folder / f"{number}.py"
        rollouts = train(from_source(verdict.source, path))
        note = ""
        if rollouts.failures:
            note = analyser(analysis_request(critic.schema, verdict.source, rollouts, shown))
        course.append(Round(verdict, path, rollouts, note))
        if not rollouts.failures:
            break
        feedback = (f"The last program was\n\n{verdict.source}\nWhy its agent failed, and what would help:\n{note}",)
    return course


class _Reviewed(Critic):
    """A critic that also asks a model about what it would accept."""

    def __init__(self, critic: Critic, reviewer: Proposer) -> None:
        self.schema, self.evaluator, self.states = critic.schema, critic.evaluator, critic.states
        self.reviewer = reviewer

    def __call__(self, source: str) -> Verdict:
        verdict = super().__call__(source)
        if not verdict.accepted:
            return verdict
        reply = self.reviewer(
            f"The task: {self.schema.task}\n\nThe state:\n{self.schema}\n\nThis program is to reward a turn:\n\n"
            f"{source}\nTests say: {verdict}\n\nDoes it agree with the task and itself? Begin with OK, or say "
            "what is wrong."
        ).strip()
        if reply.upper().startswith("OK"):
            return verdict
        return Verdict(source, (f"the reviewer says: {reply or 'nothing'}",), verdict.remarks)


def analysis_request(schema: Schema, source: str, rollouts: Rollouts, shown: int) -> str:
    """The analyser's request: the task, the program, and the last states and actions of some failures."""
    told = "\n\n".join(_story(trajectory, schema) for trajectory in rollouts.failures[:shown])
    return (
        f"An agent was trained with a reward program. The task: {schema.task}\n\nThe program:\n\n{source}\n"
        f"It solves {rollouts.success_rate:.0%} of the episodes. How failures ended:\n\n{told}\n\n"
        f"Say in a few sentences why it fails and what the reward should pay or punish."
    )


def _story(trajectory: Trajectory, schema: Schema, turns: int = 5) -> str:
    """The last turns of a trajectory, in the schema's fields."""
    lines = [f"Episode of {len(trajectory.turns)} turns, {trajectory.status}:"]
    for turn in trajectory.turns[-turns:]:
        state = state_of(turn)
        fields = ", ".join(f"{name}={state[name]!r}" for name in schema.names if name in state)
        lines.append(f"  {turn.action!r:.80} -> {fields:.400}")
    return "\n".join(lines)
