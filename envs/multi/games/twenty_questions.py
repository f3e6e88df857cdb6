"""Twenty questions: guess a thing by asking what is true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..game import Game, IllegalMove, Mover, quote
from ..talk import message
from .things import PROPERTIES, THINGS, TRUE_OF, fits, secrets

QUESTIONS = 20


class State(NamedTuple):
    """The secret, the questions and guesses with their answers, and a question that waits for one."""

    secret: str
    asked: tuple[tuple[str, str], ...] = ()
    question: str | None = None


class TwentyQuestions(Game[State]):
    """A guesser asks about properties, an answerer who knows the secret says yes or no; both are paid 1 for the guess.

    A guess takes one of the 20 questions.  The player ``"honest"`` asks what halves the things that are left, and
    answers by the truth.
    """

    name = "TwentyQuestions"
    roles = ("guesser", "answerer")
    default_opponent = "honest"
    default_seat = "guesser"
    lowest = 0.0
    guide = (
        f"Twenty questions. The answerer knows a secret thing, and the guesser finds it out with {QUESTIONS} questions "
        "or guesses; both win if it is guessed. The guesser answers: ask <property>, or: guess <thing>. The answerer "
        f"answers: yes, or: no. The properties are {', '.join(PROPERTIES)}. The things are {', '.join(THINGS)}."
    )
    phrases = ("yes", "no", *(f"ask {name}" for name in PROPERTIES), *(f"guess {thing}" for thing in THINGS))

    def __init__(self) -> None:
        self.splits = secrets()

    def start(self, task: Any = None) -> State:
        """Before the first question."""
        return State(task)

    def movers(self, state: State) -> tuple[int, ...]:
        """Who has to ask or answer."""
        return () if self.over(state) else (0,) if state.question is None else (1,)

    def over(self, state: State) -> bool:
        """After the right guess, or the last question."""
        if state.question is not None:
            return False
        return len(state.asked) >= QUESTIONS or state.asked[-1:] == ((f"guess {state.secret}", "yes"),)

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Every question and guess, or both answers."""
        return self.phrases[2:] if player == 0 else ("yes", "no")

    def read(self, state: State, player: int, text: str) -> str:
        """A question in its own words."""
        if player == 1:
            return super().read(state, player, text)
        for verb, names in (("ask", PROPERTIES), ("guess", THINGS)):
            said = message(text, verb)
            if said is not None:
                name = said.casefold().rstrip("?.!")
                if name in names:
                    return f"{verb} {name}"
                raise IllegalMove(f"{quote(said)} is not one of the {'properties' if verb == 'ask' else 'things'}.")
        raise IllegalMove(f"{quote(text)} is no question; answer ask <property> or guess <thing>.")

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Ask, answer, or guess."""
        ((player, move),) = moves.items()
        if player == 1:
            assert state.question is not None
            return state._replace(asked=(*state.asked, (state.question, move)), question=None)
        if move.startswith("guess "):
            answer = "yes" if move == f"guess {state.secret}" else "no"
            return state._replace(asked=(*state.asked, (move, answer)))
        return state._replace(question=move)

    def returns(self, state: State) -> tuple[float, ...]:
        """1 for both after the right guess."""
        won = state.asked[-1:] == ((f"guess {state.secret}", "yes"),)
        return (float(won), float(won))

    def facts(self, state: State, player: int) -> str:
        """The secret, for the answerer."""
        return "" if player == 0 else f"The secret is: {state.secret}."

    def events(self, state: State, player: int) -> Sequence[str]:
        """The questions and answers."""
        lines = [f"{question}? {answer}" for question, answer in state.asked]
        return [*lines, f"{state.question}?"] if state.question else lines

    def prompt(self, state: State, player: int) -> str:
        """How many questions are left, or the answers."""
        if player == 1:
            return "Actions: yes, no"
        return f"{QUESTIONS - len(state.asked)} questions left. Actions: ask <property>, guess <thing>"

    def outcome(self, state: State) -> dict[str, Any]:
        """The secret, how many questions there were, and how many answers were false."""
        lies = sum((answer == "yes") != self._true(state, question) for question, answer in state.asked)
        return {"secret": state.secret, "questions": len(state.asked), "lies": lies}

    def _true(self, state: State, question: str) -> bool:
        verb, _, name = question.partition(" ")
        return name == state.secret if verb == "guess" else state.secret in TRUE_OF[name]

    def scripted(self) -> Mapping[str, Mover]:
        """``honest`` asks well and answers by the truth."""
        return {"honest": self._honest}

    def _honest(self, state: State, player: int, np_random: np.random.Generator) -> str:
        if player == 1:
            assert state.question is not None
            return "yes" if self._true(state, state.question) else "no"
        facts = {q.removeprefix("ask "): answer == "yes" for q, answer in state.asked if q.startswith("ask ")}
        wrong = {question.removeprefix("guess ") for question, _ in state.asked if question.startswith("guess ")}
        left = [thing for thing in THINGS if thing not in wrong and fits(thing, facts)]
        splits = {name: sum(thing in TRUE_OF[name] for thing in left) for name in PROPERTIES if name not in facts}
        best = min(splits, key=lambda name: abs(2 * splits[name] - len(left)), default=None)
        if best is None or len(left) <= 2 or not 0 < splits[best] < len(left):
            return f"guess {left[0] if left else THINGS[0]}"
        return f"ask {best}"

    def advise(self, state: State, player: int) -> str:
        """What ``honest`` does."""
        return self._honest(state, player, np.random.default_rng(0))
