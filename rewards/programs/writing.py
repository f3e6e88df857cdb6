"""Having a model write a reward program: the request, what is taken from its reply, the critic, another try.

A *proposer* is any callable from text to text.  Nothing here knows what stands behind it.

Source: Text2Reward (arXiv:2309.11489), a program from a goal in words and a compact Pythonic view of the environment,
refined with feedback in words.  The requests are our own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .evaluator import Evaluator, ProgramError
from .schema import Schema

Proposer = Callable[[str], str]
"""A text to a text, such as a model's answer to a prompt."""

ALWAYS = ("observation", "action", "env_reward")
"""What every state has beside the schema's fields."""

_FENCE = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)


class NoProgramError(RuntimeError):
    """No proposal was accepted; the text holds what the critic said of the last one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the critic says of a source: ``errors`` reject it, ``remarks`` do not."""

    source: str
    errors: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether it may be trained on."""
        return not self.errors

    def __str__(self) -> str:
        said = [*(f"error: {text}" for text in self.errors), *(f"remark: {text}" for text in self.remarks)]
        return "\n".join(said) or "no errors"


class Critic:
    """Checks a program as far as a machine can: it is in the language, reads what there is, and gives finite numbers.

    It is run on ``states`` random states of the schema and on ``examples``, states that occurred, and then again in the
    reverse order, which finds programs that remember.  That all states are worth the same is only remarked on.
    """

    def __init__(
        self,
        schema: Schema,
        evaluator: Evaluator,
        *,
        states: int = 100,
        examples: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        if states < 1:
            raise ValueError("the critic needs at least one state to try a program on")
        self.schema = schema
        self.evaluator = evaluator
        extra = {"observation": "", "action": "", "env_reward": 0.0}
        drawn = schema.draw(np.random.default_rng(seed), states)
        self.states = [*({**extra, **state} for state in drawn), *examples]

    def __call__(self, source: str) -> Verdict:
        """The verdict on a source."""
        try:
            parameters = self.evaluator.parameters(source)
        except ProgramError as error:
            return Verdict(source, (str(error),))
        known = [*self.schema.names, *ALWAYS]
        unknown = [name for name in parameters if name not in known]
        if unknown:
            return Verdict(source, tuple(_unknown(name, known) for name in unknown))
        try:
            forwards = self.evaluator.run(source, self.states)
            backwards = self.evaluator.run(source, self.states[::-1])
        except ProgramError as error:
            return Verdict(source, (str(error),))
        if not np.array_equal(forwards.values, backwards.values[::-1]):
            return Verdict(source, ("the same state is worth more or less depending on the states before it",))
        remarks = []
        for name, values in {"the reward": forwards.values, **forwards.components}.items():
            if np.ptp(values) == 0:
                remarks.append(f"{name} is {values[0]:g} in all {len(values)} states that were tried")
        return Verdict(source, (), tuple(remarks))


def _unknown(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
    return f"the parameter {name!r} is no field of the state{meant}"


def extract_source(reply: str) -> str:
    """The program in a model's reply: its last fenced block that defines a function, else the whole reply."""
    blocks = [block for block in _FENCE.findall(reply) if "def " in block]
    return str(blocks[-1] if blocks else reply).strip() + "\n"


def request(schema: Schema, *feedback: str, function: str = "reward") -> str:
    """The request for a program, with whatever feedback there is on an earlier one."""
    gives = {
        "reward": (
            "It returns the reward of a turn as a finite float, or a tuple of that and a dictionary of the named\n"
            "components that it is made of. The reward should be dense: better states get more before the task is done."
        ),
        "latents": (
            "It returns a list of floats, always as many: each judges the turn from another side that matters for the\n"
            "task. They are weighed against each other later, from what whole episodes earned."
        ),
    }[function]
    said = "".join(f"\n{text}\n" for text in feedback)
    return f"""Write a Python function `{function}` that judges one turn of an agent.

The task: {schema.task}

The state after the turn has these fields; take those that you need as parameters, by name:

{schema}

There are also the parameters observation: str, action and env_reward: float.
{gives}

Use arithmetic, comparisons, if, for, local variables, helper functions and `math` only: no attributes but math's, no
while, no other imports, no classes, no f-strings.
{said}
Answer with the code in one ```python block."""


def propose(proposer: Proposer, critic: Critic, *feedback: str, attempts: int = 3) -> Verdict:
    """Ask for a program until the critic accepts one, each time with what it said of the last.

    Raises NoProgramError if none of the ``attempts`` proposals is accepted.
    """
    if attempts < 1:
        raise ValueError("propose needs at least one attempt")
    complaint: tuple[str, ...] = ()
    for _ in range(attempts):
        verdict = critic(extract_source(proposer(request(critic.schema, *feedback, *complaint))))
        if verdict.accepted:
            return verdict
        complaint = (f"Your last program was\n\n{verdict.source}\nand was refused:\n{verdict}",)
    raise NoProgramError(f"none of {attempts} proposals is a program; of the last one the critic says:\n{verdict}")


def refine(proposer: Proposer, critic: Critic, source: str, feedback: str, *, attempts: int = 3) -> Verdict:
    """A better program, from an accepted one and what somebody who saw its policy says; see :func:`propose`."""
    said = f"An agent was trained with this program:\n\n{source}\nWhat was seen of it:\n{feedback}\nWrite a better one."
    return propose(proposer, critic, said, attempts=attempts)
