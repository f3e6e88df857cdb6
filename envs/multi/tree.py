"""A small game written out as arrays: every history, every information set, and sums over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .game import Game

Strategy = Callable[[str, Sequence[str]], Sequence[float] | np.ndarray]
"""``strategy(observation, legal_actions)``: the probability of each legal action."""
Profile = Strategy | Mapping[str, Strategy]
"""One strategy for everybody, or one for each role."""

LARGEST = 3_000_000
"""The most histories that are written out."""


class TooLarge(ValueError):
    """The game has more histories than can be written out."""


@dataclass(frozen=True, slots=True)
class InformationSet:
    """What a player sees where it has to move, and its actions, at ``slots[start : start + len(actions)]``."""

    player: int
    observation: str
    actions: tuple[str, ...]
    start: int
    last: int
    """The slot of the player's own last action before this, -1 before its first."""
    depth: int
    """How many actions of its own the player has taken before."""


@dataclass(slots=True)
class _Level:
    """All histories of one length: [n] arrays, and the returns of those that are over, [n, players]."""

    parent: np.ndarray
    slot: np.ndarray
    """The slot of the action that led here, -1 for chance."""
    chance: np.ndarray
    mover: np.ndarray
    """Who moves at the parent, -1 for chance."""
    returns: np.ndarray
    inner: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    """The histories that go on, and where the children of each start in the next level."""
    starts: np.ndarray = field(default_factory=lambda: np.zeros(0, int))


class Tree:
    """All histories of ``game``; players who move at the same time do so one after the other, unseen.

    A policy is an array with a probability for each slot, that is for each action of each information set.

    Raises:
        TooLarge: there are more than ``largest`` histories.
        ValueError: a player's observation leaves out what it has seen or done before (imperfect recall), or two
            situations that read the same have different actions.
    """

    def __init__(self, game: Game[Any], largest: int = LARGEST) -> None:
        self.game = game
        self.players = len(game.roles)
        self.sets: list[InformationSet] = []
        self._index: dict[tuple[int, str], InformationSet] = {}
        self._levels: list[_Level] = []
        self.histories = 0
        self._write_out(largest)
        self.slots = sum(len(item.actions) for item in self.sets)
        self.owner = np.repeat([item.player for item in self.sets], [len(item.actions) for item in self.sets])
        self.set_of = np.repeat(np.arange(len(self.sets)), [len(item.actions) for item in self.sets])

    def _write_out(self, largest: int) -> None:
        # One open history: its state, this round's answers, and each player's own last slot and number of actions.
        nobody = ((-1, 0),) * self.players
        front: list[tuple[Any, tuple[str, ...], tuple[tuple[int, int], ...]]] = [(self.game.start(), (), nobody)]
        edges: list[tuple[int, int, float, int]] = [(-1, -1, 1.0, -1)]
        while front:
            self.histories += len(front)
            if self.histories > largest:
                raise TooLarge(f"{self.game.name} has more than {largest} histories")
            parent, slot, chance, mover = map(np.array, zip(*edges, strict=True))
            level = _Level(parent, slot, chance, mover, np.zeros((len(front), self.players)))
            self._levels.append(level)
            children: list[Any] = []
            edges, inner, starts = [], [], []
            for number, (state, answers, own) in enumerate(front):
                if not answers and self.game.over(state):
                    level.returns[number] = self.game.returns(state)
                    continue
                inner.append(number)
                starts.append(len(children))
                movers = self.game.movers(state)
                if not movers:
                    for outcome, weight in self.game.chances(state):
                        children.append((outcome, (), own))
                        edges.append((number, -1, weight, -1))
                    continue
                player = movers[len(answers)]
                here = self._information_set(state, player, own[player])
                for offset, action in enumerate(here.actions):
                    done = (here.start + offset, here.depth + 1)
                    after = (*own[:player], done, *own[player + 1 :])
                    given = (*answers, action)
                    if len(given) == len(movers):
                        moved = self.game.play(state, dict(zip(movers, given, strict=True)))
                        children.append((moved, (), after))
                    else:
                        children.append((state, given, after))
                    edges.append((number, here.start + offset, 1.0, player))
            level.inner, level.starts = np.array(inner, int), np.array(starts, int)
            front = children

    def _information_set(self, state: Any, player: int, own: tuple[int, int]) -> InformationSet:
        observation = self.game.observe(state, player)
        actions = tuple(self.game.actions(state, player))
        found = self._index.get((player, observation))
        if found is None:
            start = self.sets[-1].start + len(self.sets[-1].actions) if self.sets else 0
            found = InformationSet(player, observation, actions, start, *own)
            self._index[player, observation] = found
            self.sets.append(found)
        elif found.actions != actions:
            raise ValueError(f"{self.game.name}: {observation!r} is shown with the actions {found.actions}, {actions}")
        elif found.last != own[0]:
            raise ValueError(f"{self.game.name}: {observation!r} leaves out what the player has done before")
        return found

    @property
    def common_interest(self) -> bool:
        """Whether all players are always paid the same."""
        return all(float(np.ptp(level.returns, axis=1).max()) < 1e-12 for level in self._levels)

    def uniform(self) -> np.ndarray:
        """The policy that takes every action equally often, [slots]."""
        return 1.0 / np.bincount(self.set_of)[self.set_of]

    def policy(self, profile: Profile) -> np.ndarray:
        """The policy of strategies, [slots].  Raises :class:`ValueError` for what are not probabilities."""
        policy = np.empty(self.slots)
        for item in self.sets:
            strategy = profile if callable(profile) else profile[self.game.roles[item.player]]
            chances = np.asarray(strategy(item.observation, item.actions), float)
            if chances.shape != (len(item.actions),) or chances.min() < 0 or abs(chances.sum() - 1) > 1e-6:
                raise ValueError(f"{chances} are not the probabilities of {item.actions} at {item.observation!r}")
            policy[item.start : item.start + len(item.actions)] = chances
        return policy

    def strategies(self, policy: np.ndarray) -> dict[str, Strategy]:
        """The strategy of each role that ``policy`` stands for."""
        tables: dict[str, dict[str, np.ndarray]] = {role: {} for role in self.game.roles}
        for item in self.sets:
            tables[self.game.roles[item.player]][item.observation] = policy[item.start : item.start + len(item.actions)]
        return {role: Table(table) for role, table in tables.items()}

    def expected(self, profile: Profile) -> np.ndarray:
        """The expected return of each player, [players]."""
        return self.values(self.policy(profile))[0][0]

    def best_response(self, profile: Profile, role: str) -> tuple[float, Strategy]:
        """The most that ``role`` can expect when the others play ``profile``, and a strategy that gets it."""
        policy, value = self.respond(self.policy(profile), self.game.roles.index(role))
        return value, self.strategies(policy)[role]

    def respond(self, policy: np.ndarray, player: int) -> tuple[np.ndarray, float]:
        """``policy`` with the player's part replaced by a best response, and what that is worth to the player."""
        policy, reached = policy.copy(), self.reach(policy)
        depths = {item.depth for item in self.sets if item.player == player}
        # What the player's later choices are worth depends on nothing earlier of its own, so the last are made first.
        for depth in sorted(depths, reverse=True):
            worth = self.action_values(policy, player, reached)
            for item in self.sets:
                if item.player == player and item.depth == depth:
                    policy[item.start : item.start + len(item.actions)] = 0.0
                    policy[item.start + int(np.argmax(worth[item.start : item.start + len(item.actions)]))] = 1.0
        return policy, float(self.values(policy)[0][0, player])

    def reach(self, policy: np.ndarray) -> list[np.ndarray]:
        """How likely each history is as far as each player, and last chance, decides: [n, players + 1] by level."""
        reached = [np.ones((1, self.players + 1))]
        for level in self._levels[1:]:
            here = reached[-1][level.parent]
            chance = level.slot < 0
            here[chance, -1] *= level.chance[chance]
            rows = np.flatnonzero(~chance)
            here[rows, level.mover[rows]] *= policy[level.slot[rows]]
            reached.append(here)
        return reached

    def values(self, policy: np.ndarray) -> list[np.ndarray]:
        """The expected returns from each history on: [n, players] by level; ``values(policy)[0][0]`` are the game's."""
        values = [level.returns.copy() for level in self._levels]
        for number in range(len(self._levels) - 2, -1, -1):
            level, below = self._levels[number], self._levels[number + 1]
            weight = np.where(below.slot < 0, below.chance, policy[below.slot])
            if len(level.inner):
                values[number][level.inner] = np.add.reduceat(values[number + 1] * weight[:, None], level.starts)
        return values

    def action_values(self, policy: np.ndarray, player: int, reached: list[np.ndarray] | None = None) -> np.ndarray:
        """The counterfactual value of each of the player's actions, [slots]; 0 for others' slots.

        That is its expected return after the action, weighted by how likely chance and the others make it to get there
        (Zinkevich et al. 2007, equation 5).
        """
        reached = self.reach(policy) if reached is None else reached
        values = self.values(policy)
        total = np.zeros(self.slots)
        others = [column for column in range(self.players + 1) if column != player]
        for number, level in enumerate(self._levels[1:], 1):
            rows = np.flatnonzero(level.mover == player)
            weight = reached[number - 1][level.parent[rows]][:, others].prod(1)
            total += np.bincount(level.slot[rows], weight * values[number][rows, player], self.slots)
        return total

    def own_reach(self, policy: np.ndarray) -> np.ndarray:
        """How likely each information set is as far as its own player decides, [sets]."""
        reached = np.ones(len(self.sets))
        for number, item in enumerate(self.sets):  # in the order of histories, so a player's earlier sets come first
            if item.last >= 0:
                reached[number] = reached[self.set_of[item.last]] * policy[item.last]
        return reached


@dataclass(frozen=True, slots=True)
class Table:
    """A strategy that looks probabilities up by observation; where there are none, all actions are equally likely."""

    chances: Mapping[str, np.ndarray]

    def __call__(self, observation: str, actions: Sequence[str]) -> np.ndarray:
        """The probabilities of the actions."""
        found = self.chances.get(observation)
        return np.full(len(actions), 1 / len(actions)) if found is None else found
