"""A game as pure functions of immutable states: the one core that every form of it is made from.

A :class:`Game` knows its rules and nothing else.  It holds no episode, draws from the generator that it is handed, and
says in words what each player may know.  From it follow the PettingZoo and Gymnasium environments, snapshots, and the
exact solver of :mod:`~palestra.envs.multi.solve`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ..splits import Splits

S = TypeVar("S")

Player = Callable[[str, Mapping[str, Any], np.random.Generator], str]
"""``player(observation, info, np_random)``: an opponent's action; ``info`` holds ``role`` and ``legal_actions``."""


Mover = Callable[[Any, int, np.random.Generator], str]
"""``mover(state, player, np_random)``: the move of a player that a game brings along."""


class IllegalMove(ValueError):
    """A text that is no move here; the message is the feedback to whoever wrote it."""


class Game(ABC, Generic[S]):
    """The rules of a game for the players ``0 .. len(roles) - 1``.

    States are immutable, hashable and picklable.  At a state either some players move, all at the same time, or chance
    does, or the game is over.
    """

    name: str
    """The name that it is registered under, without version."""
    roles: tuple[str, ...]
    """The players' names, in the order of their numbers."""
    guide: str
    """How to act here, in words for a language model."""
    phrases: tuple[str, ...]
    """Texts that are moves somewhere: what action spaces draw samples from."""
    splits: Splits[Any] | None = None
    """The numbered tasks, where the game has any; ``start`` is given one of them."""
    zero_sum: bool = False
    """Whether the returns of two players always sum to zero."""
    simultaneous: bool = False
    """Whether all players move in every round."""
    perfect_information: bool = False
    """Whether everybody sees everything."""
    default_opponent: str = "random"
    """Who plays the other seats of the single-agent form, if nobody is named."""
    default_seat: str = "any"
    """The role of the agent in the single-agent form; ``"any"`` is drawn in each episode."""
    lowest: float = -1.0
    """The lowest return, which a player who forfeits is paid."""

    @abstractmethod
    def start(self, task: Any = None) -> S:
        """The state that an episode begins with: of a task, where the game has tasks."""

    @abstractmethod
    def movers(self, state: S) -> tuple[int, ...]:
        """Who moves now; nobody when chance does or the game is over."""

    @abstractmethod
    def over(self, state: S) -> bool:
        """Whether the game is over."""

    @abstractmethod
    def actions(self, state: S, player: int) -> Sequence[str]:
        """The legal moves of a player who moves now: all of them, or examples where :meth:`read` takes free text."""

    @abstractmethod
    def play(self, state: S, moves: Mapping[int, str]) -> S:
        """The state after the moves, one for each of :meth:`movers`, as :meth:`read` returned them."""

    @abstractmethod
    def returns(self, state: S) -> tuple[float, ...]:
        """What each player has been paid so far."""

    @abstractmethod
    def facts(self, state: S, player: int) -> str:
        """What the player knows besides what has happened: its cards, the board, its private wishes."""

    def events(self, state: S, player: int) -> Sequence[str]:
        """What the player has seen happen, oldest first; a later state of the episode only ever adds to it."""
        return ()

    def chances(self, state: S) -> Sequence[tuple[S, float]]:
        """Every state that chance may lead to, with its probability."""
        raise NotImplementedError(f"{self.name} does not list the outcomes of chance")

    def draw(self, state: S, np_random: np.random.Generator) -> S:
        """One state that chance leads to."""
        outcomes = self.chances(state)
        point = np_random.random()
        for outcome, weight in outcomes:
            point -= weight
            if point < 0:
                return outcome
        return outcomes[-1][0]

    def read(self, state: S, player: int, text: str) -> str:
        """The move that a player's text means.  Raises :class:`IllegalMove` with the feedback."""
        legal = self.actions(state, player)
        if text in legal:
            return text
        meant = " ".join(text[:200].split()).casefold()
        for action in legal:
            if action.casefold() == meant:
                return action
        raise IllegalMove(f"{quote(text)} is not one of the actions.")

    def observe(self, state: S, player: int) -> str:
        """Everything that the player may know, in words: two states that it cannot tell apart read the same."""
        parts = [self.facts(state, player), *self.events(state, player)]
        if player in self.movers(state):
            parts.append(self.prompt(state, player))
        return "\n".join(part for part in parts if part)

    def prompt(self, state: S, player: int) -> str:
        """What a player who moves now is asked."""
        return f"Actions: {', '.join(self.actions(state, player))}"

    def outcome(self, state: S) -> dict[str, Any]:
        """What there is to say about a game that is over beside the returns, as plain values for ``info``."""
        return {}

    def forfeit(self, state: S, player: int) -> tuple[float, ...]:
        """The returns when a player loses by breaking the rules: the others gain what it loses if the sum is zero."""
        others = -self.lowest / (len(self.roles) - 1) if self.zero_sum else 0.0
        return tuple(self.lowest if other == player else others for other in range(len(self.roles)))

    def render(self, state: S) -> str:
        """The whole state for somebody who may see everything."""
        shown = [f"{role}: {self.observe(state, player)}" for player, role in enumerate(self.roles)]
        return "\n\n".join(shown)

    def scripted(self) -> Mapping[str, Mover]:
        """Players that the game brings along, by name, beside ``"random"`` and ``"optimal"``.

        They are given the state, and look only at what their player may know.
        """
        return {}

    def advise(self, state: S, player: int) -> str:
        """The move of a solver that may see everything: what the single-agent form's ``oracle`` answers.

        Only for games where following it reaches the registered ``reward_threshold``.
        """
        raise NotImplementedError(f"{self.name} has no solver")


def quote(text: object, limit: int = 60) -> str:
    """What somebody wrote, to be quoted in feedback."""
    if not isinstance(text, str):
        return f"a {type(text).__name__}"
    return repr(text if len(text) <= limit else f"{text[:limit]}...")
