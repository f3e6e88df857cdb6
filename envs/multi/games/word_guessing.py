"""Word guessing: one gives clues of a word each, the other guesses what is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..game import Game, IllegalMove, Mover, quote
from ..talk import message
from .things import PROPERTIES, THINGS, TRUE_OF, secrets

ROUNDS = 5


class State(NamedTuple):
    """The secret, the clues, and the guesses."""

    secret: str
    clues: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()


class WordGuessing(Game[State]):
    """A clue giver sees a secret word and gives clues of one word; a guesser guesses after each.

    Both are paid 1 for a right guess after the first clue, 0.2 less for each further clue, and 0 after five.  A clue is
    any word that neither contains the secret nor is contained in it.  The player ``"literal"`` uses and understands
    clues as properties of things.
    """

    name = "WordGuessing"
    roles = ("giver", "guesser")
    default_opponent = "literal"
    default_seat = "guesser"
    lowest = 0.0
    guide = (
        "Word guessing. The giver sees a secret word and gives clues of one word; the guesser guesses after each, up "
        f"to {ROUNDS} times. Both are paid more, the fewer clues were needed. The giver answers: clue <word>. The "
        f"guesser answers: guess <word>. The secret is one of {', '.join(THINGS)}."
    )
    phrases = (*(f"clue {name}" for name in PROPERTIES), *(f"guess {thing}" for thing in THINGS))

    def __init__(self) -> None:
        self.splits = secrets()

    def start(self, task: Any = None) -> State:
        """Before the first clue."""
        return State(task)

    def movers(self, state: State) -> tuple[int, ...]:
        """The giver, then the guesser."""
        return () if self.over(state) else (0,) if len(state.clues) == len(state.guesses) else (1,)

    def over(self, state: State) -> bool:
        """After the right guess, or the last one."""
        return len(state.guesses) >= ROUNDS or state.guesses[-1:] == (state.secret,)

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Clues that are properties, as examples of all words; or every guess."""
        if player == 1:
            return [f"guess {thing}" for thing in THINGS]
        return [f"clue {name}" for name in PROPERTIES if not _tells(name, state.secret)]

    def read(self, state: State, player: int, text: str) -> str:
        """A clue of one word that does not tell the secret, or a guess."""
        verb = "clue" if player == 0 else "guess"
        said = message(text, verb)
        if said is None:
            raise IllegalMove(f"{quote(text)} is not one of the actions; answer {verb} <word>.")
        word = said.casefold().strip(".!?\"'")
        if player == 1:
            if word not in THINGS:
                raise IllegalMove(f"{quote(said)} is not one of the words.")
        elif not word.isalpha():
            raise IllegalMove("A clue is one word of letters.")
        elif _tells(word, state.secret):
            raise IllegalMove("A clue must not tell the secret.")
        return f"{verb} {word}"

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Give a clue, or guess."""
        ((player, move),) = moves.items()
        word = move.partition(" ")[2]
        if player == 0:
            return state._replace(clues=(*state.clues, word))
        return state._replace(guesses=(*state.guesses, word))

    def returns(self, state: State) -> tuple[float, ...]:
        """More for both, the fewer clues were needed."""
        won = state.guesses[-1:] == (state.secret,)
        pay = (ROUNDS + 1 - len(state.guesses)) / ROUNDS if won else 0.0
        return (pay, pay)

    def facts(self, state: State, player: int) -> str:
        """The secret, for the giver."""
        return f"The secret is: {state.secret}." if player == 0 else ""

    def events(self, state: State, player: int) -> Sequence[str]:
        """The clues and guesses."""
        lines = []
        for number, clue in enumerate(state.clues):
            lines.append(f"clue: {clue}")
            if number < len(state.guesses):
                right = state.guesses[number] == state.secret
                lines.append(f"guess: {state.guesses[number]}, {'right' if right else 'wrong'}")
        return lines

    def prompt(self, state: State, player: int) -> str:
        """What to answer."""
        return "Actions: clue <word>" if player == 0 else "Actions: guess <word>"

    def outcome(self, state: State) -> dict[str, Any]:
        """The secret, and how many clues there were."""
        return {"secret": state.secret, "clues": len(state.clues)}

    def scripted(self) -> Mapping[str, Mover]:
        """``literal`` gives and understands properties."""
        return {"literal": self._literal}

    def _literal(self, state: State, player: int, np_random: np.random.Generator) -> str:
        left = [thing for thing in THINGS if thing not in state.guesses and _means(thing, state.clues)]
        if player == 1:
            left = left or [thing for thing in THINGS if thing not in state.guesses]
            return f"guess {left[int(np_random.integers(len(left)))]}"
        true = [
            name
            for name in PROPERTIES
            if state.secret in TRUE_OF[name] and name not in state.clues and not _tells(name, state.secret)
        ]
        return f"clue {min(true, key=lambda name: sum(thing in TRUE_OF[name] for thing in left), default='thing')}"

    def advise(self, state: State, player: int) -> str:
        """Guess the secret, or give the clue that ``literal`` gives."""
        return f"guess {state.secret}" if player == 1 else self._literal(state, 0, np.random.default_rng(0))


def _tells(word: str, secret: str) -> bool:
    return word in secret or secret in word


def _means(thing: str, clues: Sequence[str]) -> bool:
    """Whether all clues that are properties are true of a thing."""
    return all(thing in TRUE_OF[clue] for clue in clues if clue in TRUE_OF)
