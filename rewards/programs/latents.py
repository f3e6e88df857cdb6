"""Latent rewards as code: a program that judges each turn from several sides, for a return decomposition to weigh.

Source: LaRe (arXiv:2412.11120): a model writes phi(s, a) -> R^d and the code is verified before use; a decoder fitted
to whole episodes' returns then makes one reward of the d numbers.  The decoder is a matter of credit assignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...trajectory import Trajectory
from .evaluator import Evaluator, ProgramError, shared_evaluator
from .schema import states_of
from .writing import ALWAYS, Critic, NoProgramError, Proposer, Verdict, extract_source, request


class CodeLatents:
    """The function ``latents`` of a program: each trajectory to an array [turns, size] float64.

    ProgramError where the program fails, gives something else than finite numbers, or another many than before.
    """

    def __init__(self, source: str, evaluator: Evaluator | None = None) -> None:
        self.source = source
        self.evaluator = evaluator or shared_evaluator()
        self.evaluator.parameters(source, "latents")

    @classmethod
    def read(cls, path: Path | str) -> CodeLatents:
        """The latents of the program in a file."""
        return cls(Path(path).read_text(encoding="utf-8"))

    def __call__(self, trajectories: Sequence[Trajectory]) -> list[np.ndarray]:
        """One array [turns, size] for each trajectory."""
        table = self.evaluator.run_vectors(self.source, states_of(trajectories), "latents")
        return np.split(table, np.cumsum([len(trajectory.turns) for trajectory in trajectories])[:-1])


class LatentCritic(Critic):
    """LaRe's self-verification: the code runs, its numbers are finite, as many each time, and not all constant."""

    def __call__(self, source: str) -> Verdict:
        """The verdict on a source."""
        try:
            parameters = self.evaluator.parameters(source, "latents")
            unknown = [name for name in parameters if name not in (*self.schema.names, *ALWAYS)]
            if unknown:
                return Verdict(source, (f"no field of the state: {', '.join(unknown)}",))
            table = self.evaluator.run_vectors(source, self.states, "latents")
        except ProgramError as error:
            return Verdict(source, (str(error),))
        still = [index for index in range(table.shape[1]) if np.ptp(table[:, index]) == 0]
        if len(still) == table.shape[1]:
            return Verdict(source, ("every number is the same in all states, so they tell nothing apart",))
        return Verdict(source, (), tuple(f"number {index} is the same in all states" for index in still))


def write_latents(proposer: Proposer, critic: LatentCritic, *, samples: int = 3, attempts: int = 3) -> CodeLatents:
    """Ask for latents: ``samples`` first drafts, then one program that sums them up, verified until it is accepted.

    The drafts need not run: the request for the summary shows all of them.  Raises NoProgramError after ``attempts``.
    """
    if samples < 1 or attempts < 1:
        raise ValueError("write_latents needs at least one sample and one attempt")
    drafts = [extract_source(proposer(request(critic.schema, function="latents"))) for _ in range(samples)]
    told = "Others proposed the following. Take what is best in each.\n\n" + "\n".join(drafts)
    complaint: tuple[str, ...] = ()
    for _ in range(attempts):
        reply = proposer(request(critic.schema, told, *complaint, function="latents"))
        verdict = critic(extract_source(reply))
        if verdict.accepted:
            return CodeLatents(verdict.source, critic.evaluator)
        complaint = (f"Your last program was\n\n{verdict.source}\nand was refused:\n{verdict}",)
    raise NoProgramError(f"none of {attempts} proposals gives latents; of the last one the critic says:\n{verdict}")
