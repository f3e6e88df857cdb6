"""A game in which everybody sees everything, as a graph of its states: backward induction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .game import Game
from .tree import LARGEST, Profile, Strategy, Table, TooLarge

Choice = Callable[[Any, int, list[np.ndarray]], np.ndarray]
"""``choice(state, player, values)``: the probability of each action, whose expected returns are in ``values``."""


class Graph:
    """Solves and measures strategies of a game of perfect information where one player moves at a time.

    Raises:
        ValueError: the game is of another kind.
        TooLarge: in use, if there are more than ``largest`` states.
    """

    def __init__(self, game: Game[Any], largest: int = LARGEST) -> None:
        if not game.perfect_information or game.simultaneous:
            raise ValueError(f"{game.name} is not a game of perfect information with one player at a time")
        self.game = game
        self.players = len(game.roles)
        self._largest = largest

    def expected(self, profile: Profile) -> np.ndarray:
        """The expected return of each player, [players]."""
        return self._induce(lambda state, player, values: self._chances(profile, state, player))[self.game.start()]

    def best_response(self, profile: Profile, role: str) -> tuple[float, Strategy]:
        """The most that ``role`` can expect when the others play ``profile``, and a strategy that gets it."""
        own, table = self.game.roles.index(role), dict[str, np.ndarray]()

        def choose(state: Any, player: int, values: list[np.ndarray]) -> np.ndarray:
            if player != own:
                return self._chances(profile, state, player)
            chances = np.zeros(len(values))
            chances[int(np.argmax([value[own] for value in values]))] = 1.0
            table[self.game.observe(state, player)] = chances
            return chances

        value = self._induce(choose)[self.game.start()][own]
        return float(value), Table(table)

    def equilibrium(self) -> dict[str, Strategy]:
        """Perfect play from every state; actions that are equally good are taken equally often."""
        tables: dict[str, dict[str, np.ndarray]] = {role: {} for role in self.game.roles}

        def choose(state: Any, player: int, values: list[np.ndarray]) -> np.ndarray:
            worth = np.array([value[player] for value in values])
            best = worth > worth.max() - 1e-9
            chances = best / best.sum()
            tables[self.game.roles[player]][self.game.observe(state, player)] = chances
            return chances

        self._induce(choose)
        return {role: Table(table) for role, table in tables.items()}

    def _chances(self, profile: Profile, state: Any, player: int) -> np.ndarray:
        strategy = profile if callable(profile) else profile[self.game.roles[player]]
        return np.asarray(strategy(self.game.observe(state, player), self.game.actions(state, player)), float)

    def _induce(self, choose: Choice) -> Mapping[Any, np.ndarray]:
        """The expected returns from every state on."""
        values: dict[Any, np.ndarray] = {}
        path = [self.game.start()]
        while path:
            state = path[-1]
            after, weights = self._after(state)
            unknown = [following for following in after if following not in values]
            if unknown:
                path += unknown
                continue
            path.pop()
            if state in values:
                continue
            if len(values) >= self._largest:
                raise TooLarge(f"{self.game.name} has more than {self._largest} states")
            if not after:
                values[state] = np.array(self.game.returns(state), float)
                continue
            known = [values[following] for following in after]
            chances = choose(state, self.game.movers(state)[0], known) if weights is None else weights
            values[state] = np.asarray(chances) @ np.array(known)
        return values

    def _after(self, state: Any) -> tuple[list[Any], list[float] | None]:
        """The states that can follow, and their probabilities where chance moves."""
        if self.game.over(state):
            return [], None
        movers = self.game.movers(state)
        if not movers:
            outcomes = self.game.chances(state)
            return [outcome for outcome, _ in outcomes], [weight for _, weight in outcomes]
        (player,) = movers
        return [self.game.play(state, {player: action}) for action in self.game.actions(state, player)], None
