"""Discussion among peers: solutions, critiques, scores, and an answer from everybody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from ..game import Game, IllegalMove, Mover, quote
from ..talk import Line, heard, message
from .arithmetic import compute, problems

Pay = Literal["truth", "interaction"]
BEST_SCORE = 3


class State(NamedTuple):
    """The problem, what was said, the scores given, and the final answers."""

    task: str
    log: tuple[Line, ...] = ()
    scores: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()


class Discussion(Game[State]):
    """The interaction of CoMAS (https://arxiv.org/abs/2510.08529): agents solve, evaluate and score by turns.

    In each round one agent answers the problem, the next criticises the answer, and the next scores it from 1 (wrong)
    to 3 (right).  Then all give their final answer at the same time.

    ``pay="truth"`` pays each agent 1 for a right final answer.  ``pay="interaction"`` pays nothing for truth: a score
    s gives (s - 1) / 2 to the one who answered and the rest of 1 to the one who criticised.  ``outcome`` always
    holds both.
    """

    name = "Discussion"
    default_opponent = "careful"
    default_seat = "agent_0"
    lowest = 0.0

    def __init__(self, agents: int = 3, rounds: int = 2, pay: Pay = "truth") -> None:
        if not 3 <= agents <= 8:
            raise ValueError(f"there must be 3 to 8 agents, not {agents}")
        if rounds < 1:
            raise ValueError(f"rounds must be at least 1, not {rounds}")
        if pay not in get_args(Pay):
            raise ValueError(f"pay must be one of {', '.join(get_args(Pay))}, not {pay!r}")
        self.rounds = rounds
        self.pay = pay
        self.roles = tuple(f"agent_{number}" for number in range(agents))
        self.splits = problems(3, 20)
        self.guide = (
            "A discussion of a problem among peers. When you are asked to, answer: answer <number>: <reasons>; or "
            "criticise the last answer: critique <words>; or score it from 1, wrong, to 3, right: score 3. At the end "
            "everybody gives a final answer: answer <number>."
        )
        self.phrases = (
            "answer 12",
            "answer 12: I computed it",
            "critique it is right",
            "score 1",
            "score 2",
            "score 3",
        )

    def start(self, task: Any = None) -> State:
        """Before the first answer."""
        return State(task)

    def movers(self, state: State) -> tuple[int, ...]:
        """Who answers, criticises or scores; in the end all."""
        if self.over(state):
            return ()
        round_, part = divmod(len(state.log), 3)
        return tuple(range(len(self.roles))) if round_ >= self.rounds else ((round_ + part) % len(self.roles),)

    def over(self, state: State) -> bool:
        """After the final answers."""
        return bool(state.answers)

    def _verb(self, state: State) -> str:
        round_, part = divmod(len(state.log), 3)
        return "answer" if round_ >= self.rounds else ("answer", "critique", "score")[part]

    def actions(self, state: State, player: int) -> Sequence[str]:
        """The scores, or examples of what can be said."""
        verb = self._verb(state)
        if verb == "score":
            return self.phrases[3:]
        return ("critique it is right", "critique it is wrong") if verb == "critique" else ("answer 0", "answer 12")

    def read(self, state: State, player: int, text: str) -> str:
        """``answer <number>: <reasons>``, ``critique <words>`` or ``score <1 to 3>``, whichever is asked for."""
        verb = self._verb(state)
        said = message(text, verb)
        if said is None:
            raise IllegalMove(f"{quote(text)} does not begin with {verb}.")
        number = re.match(r"-?\d{1,9}(?=\s*(:|$))", said)
        if verb == "answer" and number is None:
            raise IllegalMove(f"{quote(said)} is no whole number; answer for example: answer 12: <reasons>")
        if verb == "score" and said not in ("1", "2", "3"):
            raise IllegalMove("A score is 1, 2 or 3.")
        return f"{verb} {said}"

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Say it, note a score, or close with the final answers."""
        if len(state.log) >= 3 * self.rounds:
            return state._replace(answers=tuple(_number(moves[player]) for player in range(len(self.roles))))
        ((player, move),) = moves.items()
        scores = (*state.scores, int(move[-1])) if self._verb(state) == "score" else state.scores
        return state._replace(log=(*state.log, Line(player, move)), scores=scores)

    def returns(self, state: State) -> tuple[float, ...]:
        """What ``pay`` says."""
        return tuple(self._interaction(state) if self.pay == "interaction" else self._truth(state))

    def _truth(self, state: State) -> list[float]:
        if not state.answers:
            return [0.0] * len(self.roles)
        return [float(answer == compute(state.task)) for answer in state.answers]

    def _interaction(self, state: State) -> list[float]:
        paid = [0.0] * len(self.roles)
        for round_, score in enumerate(state.scores):
            solution = (score - 1) / (BEST_SCORE - 1)
            paid[round_ % len(self.roles)] += solution
            paid[(round_ + 1) % len(self.roles)] += 1 - solution
        return paid

    def facts(self, state: State, player: int) -> str:
        """The problem."""
        return f"You are {self.roles[player]}. Problem: {state.task}"

    def events(self, state: State, player: int) -> Sequence[str]:
        """The discussion and the final answers."""
        lines = heard(state.log, player, self.roles)
        return [*lines, *(f"{role}: answer {a}" for role, a in zip(self.roles, state.answers, strict=False))]

    def prompt(self, state: State, player: int) -> str:
        """What is asked for."""
        asked = {"answer": "answer <number>: <reasons>", "critique": "critique <words>", "score": "score <1 to 3>"}
        return f"Actions: {asked[self._verb(state)]}"

    def outcome(self, state: State) -> dict[str, Any]:
        """The right answer, who gave it, the scores, and what each agent is paid by interaction."""
        return {
            "answer": compute(state.task),
            "right": [right > 0 for right in self._truth(state)],
            "scores": list(state.scores),
            "interaction": self._interaction(state),
        }

    def scripted(self) -> Mapping[str, Mover]:
        """``careful`` computes; ``careless`` errs by one half of the time, and finds everything right."""
        return {"careful": self._careful, "careless": self._careless}

    def _careful(self, state: State, player: int, np_random: np.random.Generator) -> str:
        verb, truth = self._verb(state), compute(state.task)
        if verb == "answer":
            return f"answer {truth}"
        answered = next(_number(line.text) for line in reversed(state.log) if line.text.startswith("answer"))
        right = answered == truth
        return (
            ("critique it is right" if right else "critique it is wrong")
            if verb == "critique"
            else (f"score {BEST_SCORE if right else 1}")
        )

    def _careless(self, state: State, player: int, np_random: np.random.Generator) -> str:
        verb = self._verb(state)
        if verb == "answer":
            return f"answer {compute(state.task) + int(np_random.integers(2))}"
        return "critique it is right" if verb == "critique" else f"score {BEST_SCORE}"

    def advise(self, state: State, player: int) -> str:
        """What ``careful`` does."""
        return self._careful(state, player, np.random.default_rng(0))


def _number(move: str) -> int:
    match = re.match(r"answer (-?\d+)", move)
    assert match is not None
    return int(match[1])
