"""Solver and verifier: one solves step by step, the other checks each step, both with a calculator."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from ..game import Game, IllegalMove, Mover, quote
from ..talk import Line, heard, message
from .arithmetic import compute, problems

Pay = Literal["truth", "verdict"]
MOST_STEPS = 8
MOST_COMPUTED = 3
"""Times that a player may use the calculator before it has to speak."""


class Step(NamedTuple):
    """What the solver claims: that an expression has a value, which may be the final answer."""

    expression: str
    value: int
    final: bool
    verdict: str | None = None


class State(NamedTuple):
    """The problem, the steps with their verdicts, everything said, and how often the calculator was used in a row."""

    task: str
    steps: tuple[Step, ...] = ()
    log: tuple[Line, ...] = ()
    computed: int = 0


class SolverVerifier(Game[State]):
    """The two roles of Agent0-VL (https://arxiv.org/abs/2511.19900) on arithmetic.

    The solver claims steps and in the end an answer; after each the verifier says whether it is right.  A step that is
    found wrong is to be repaired; an answer that is found right ends the episode, as do eight steps.  Both may compute
    before they speak, unless ``tools=False``, which leaves the text alone.

    ``pay="truth"`` pays both 1 if the episode ends with the right answer.  ``pay="verdict"`` is the self-reward: the
    solver is paid the share of its steps that were found right, the verifier nothing.  ``outcome`` holds each step's
    truth and verdict.
    """

    name = "SolverVerifier"
    roles = ("solver", "verifier")
    default_opponent = "careful"
    default_seat = "solver"
    lowest = 0.0

    def __init__(self, tools: bool = True, pay: Pay = "truth") -> None:
        if pay not in get_args(Pay):
            raise ValueError(f"pay must be one of {', '.join(get_args(Pay))}, not {pay!r}")
        self.tools = tools
        self.pay = pay
        self.splits = problems(4, 12)
        computing = " Before that either may use the calculator: compute 3 + 4." if tools else ""
        self.guide = (
            "A solver works a problem out, and a verifier checks each step. The solver answers a step: step 3 + 4 = 7, "
            "or the result: answer 21. The verifier answers: verdict right, or: verdict wrong: <reasons>. A wrong step "
            f"is to be repaired by another.{computing}"
        )
        self.phrases = ("step 3 + 4 = 7", "answer 21", "verdict right", "verdict wrong", "compute 3 + 4")

    def start(self, task: Any = None) -> State:
        """Before the first step."""
        return State(task)

    def movers(self, state: State) -> tuple[int, ...]:
        """The solver, and the verifier after each of its steps."""
        if self.over(state):
            return ()
        return (1,) if state.steps and state.steps[-1].verdict is None else (0,)

    def over(self, state: State) -> bool:
        """After an answer that was found right, or the verdict on the last step."""
        if not state.steps or state.steps[-1].verdict is None:
            return False
        return len(state.steps) >= MOST_STEPS or (state.steps[-1].final and state.steps[-1].verdict == "right")

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Verdicts, or examples of steps; and an example of a computation."""
        tool = ["compute 3 + 4"] if self._may_compute(state) else []
        return ["verdict right", "verdict wrong", *tool] if player == 1 else ["step 3 + 4 = 7", "answer 21", *tool]

    def _may_compute(self, state: State) -> bool:
        return self.tools and state.computed < MOST_COMPUTED

    def read(self, state: State, player: int, text: str) -> str:
        """A step, an answer, a verdict, or a computation, in its own words."""
        if self._may_compute(state) and (said := message(text, "compute")) is not None:
            return f"compute {said} = {compute(said)}"
        if player == 1:
            said = message(text, "verdict")
            if said is None or not re.match(r"(right|wrong)\b", said, re.IGNORECASE):
                raise IllegalMove(f"{quote(text)} is no verdict; answer: verdict right, or: verdict wrong: <reasons>")
            return f"verdict {said[:5].lower()}{said[5:]}"
        if (said := message(text, "answer")) is not None:
            if not re.fullmatch(r"-?\d{1,9}", said):
                raise IllegalMove(f"{quote(said)} is no whole number.")
            return f"answer {int(said)}"
        if (said := message(text, "step")) is not None:
            expression, equals, value = said.rpartition("=")
            if not equals or not re.fullmatch(r"\s*-?\d{1,9}\s*", value):
                raise IllegalMove(f"{quote(said)} is no step; write for example: step 3 + 4 = 7")
            compute(expression)
            return f"step {expression.strip()} = {int(value)}"
        raise IllegalMove(f"{quote(text)} is not one of the actions.")

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Claim a step, judge it, or compute for oneself."""
        ((player, move),) = moves.items()
        verb, _, rest = move.partition(" ")
        if verb == "compute":
            return state._replace(log=(*state.log, Line(player, move, ())), computed=state.computed + 1)
        after = state._replace(log=(*state.log, Line(player, move)), computed=0)
        if verb == "verdict":
            return after._replace(steps=(*state.steps[:-1], state.steps[-1]._replace(verdict=rest[:5])))
        expression, _, value = rest.rpartition(" = ")
        final = verb == "answer"
        return after._replace(steps=(*state.steps, Step(state.task if final else expression, int(value), final)))

    def returns(self, state: State) -> tuple[float, ...]:
        """What ``pay`` says, at the end."""
        if not self.over(state):
            return (0.0, 0.0)
        if self.pay == "verdict":
            return (sum(step.verdict == "right" for step in state.steps) / len(state.steps), 0.0)
        solved = float(state.steps[-1].final and _true(state.steps[-1]))
        return (solved, solved)

    def facts(self, state: State, player: int) -> str:
        """The problem."""
        return f"You are the {self.roles[player]}. Problem: {state.task}"

    def events(self, state: State, player: int) -> Sequence[str]:
        """The steps and verdicts, and one's own computations."""
        return heard(state.log, player, self.roles)

    def prompt(self, state: State, player: int) -> str:
        """What to answer."""
        tool = ", compute <expression>" if self._may_compute(state) else ""
        moves = "verdict right, verdict wrong" if player == 1 else "step <expression> = <number>, answer <number>"
        return f"Actions: {moves}{tool}"

    def outcome(self, state: State) -> dict[str, Any]:
        """The right answer, and of each step whether it is true and whether it was found right."""
        return {
            "answer": compute(state.task),
            "steps": [{"true": _true(step), "verdict": step.verdict == "right"} for step in state.steps],
        }

    def scripted(self) -> Mapping[str, Mover]:
        """``careful`` is right about everything; ``trusting`` errs by one half of the time, and finds all right."""
        return {"careful": self._careful, "trusting": self._trusting}

    def _careful(self, state: State, player: int, np_random: np.random.Generator) -> str:
        if player == 1:
            return f"verdict {'right' if _true(state.steps[-1]) else 'wrong'}"
        return f"answer {compute(state.task)}"

    def _trusting(self, state: State, player: int, np_random: np.random.Generator) -> str:
        return "verdict right" if player == 1 else f"answer {compute(state.task) + int(np_random.integers(2))}"

    def advise(self, state: State, player: int) -> str:
        """What ``careful`` does."""
        return self._careful(state, player, np.random.default_rng(0))


def _true(step: Step) -> bool:
    return compute(step.expression) == step.value
