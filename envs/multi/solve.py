"""Exact yardsticks of small games: values, best responses, exploitability, equilibria, and the best of a team.

A strategy is a function of what a player is shown and of its legal actions: a trained policy is measured as it plays.
"""

from __future__ import annotations

import itertools
import pickle
import threading
from functools import lru_cache
from typing import Any

import numpy as np

from .game import Game
from .graph import Graph
from .tree import Profile, Strategy, Table, TooLarge, Tree

__all__ = [
    "Graph",
    "Profile",
    "Strategy",
    "Table",
    "TooLarge",
    "Tree",
    "best_response",
    "equilibrium",
    "exploitability",
    "solution",
    "team_optimum",
    "uniform",
    "values",
    "write_out",
]


def write_out(game: Game[Any]) -> Tree | Graph:
    """The game in the form that the functions here work on; write it out once and measure many strategies."""
    return Graph(game) if game.perfect_information and not game.simultaneous else Tree(game)


def uniform(observation: str, actions: Any) -> np.ndarray:
    """The strategy that takes every action equally often."""
    return np.full(len(actions), 1 / len(actions))


def values(written: Tree | Graph, profile: Profile) -> tuple[float, ...]:
    """The expected return of each player when they play ``profile``."""
    return tuple(written.expected(profile).tolist())


def best_response(written: Tree | Graph, profile: Profile, role: str) -> tuple[float, Strategy]:
    """The most that ``role`` can expect when the others play ``profile``, and a strategy that gets it."""
    return written.best_response(profile, role)


def exploitability(written: Tree | Graph, profile: Profile) -> float:
    """What a player gains on average by turning to a best response: 0 exactly at a Nash equilibrium.

    That is NashConv divided by the number of players (Lanctot et al. 2017, section 2); for a zero-sum game of two,
    half the sum of the best responses' values.
    """
    kept = written.expected(profile)
    gains = [written.best_response(profile, role)[0] - kept[player] for player, role in enumerate(written.game.roles)]
    return float(np.mean(gains))


def equilibrium(written: Tree | Graph, tolerance: float = 1e-3, most: int = 20_000) -> dict[str, Strategy]:
    """An equilibrium: exact where everybody sees everything, else of a zero-sum game of two by CFR+.

    CFR+ (Tammelin 2014) is regret matching with linear averaging, gone on with until exploitability is at most
    ``tolerance``.  Raises :class:`ValueError` for other games, and if ``most`` iterations do not get there.
    """
    if isinstance(written, Graph):
        return written.equilibrium()
    if not written.game.zero_sum or written.players != 2:
        raise ValueError(f"{written.game.name} is not a zero-sum game of two, so no equilibrium is computed")
    regret, total, policy = np.zeros(written.slots), np.zeros(written.slots), written.uniform()
    for iteration in range(1, most + 1):
        for player in range(2):
            own = written.owner == player
            worth = written.action_values(policy, player)
            mean = np.bincount(written.set_of, policy * worth)[written.set_of]
            regret[own] = np.maximum(regret + worth - mean, 0.0)[own]
            policy = np.where(own, _normalised(written, regret), policy)
        total += iteration * written.own_reach(policy)[written.set_of] * policy
        if iteration % 50 == 0:
            average = _normalised(written, total)
            if sum(written.respond(average, player)[1] for player in range(2)) / 2 <= tolerance:
                return written.strategies(average)
    raise ValueError(f"{written.game.name} is not solved to {tolerance} after {most} iterations")


def _normalised(tree: Tree, weights: np.ndarray) -> np.ndarray:
    """Probabilities in proportion to ``weights`` [slots], equal ones where all are 0."""
    sums = np.bincount(tree.set_of, weights)[tree.set_of]
    return np.where(sums > 0, weights / np.where(sums > 0, sums, 1.0), tree.uniform())


def team_optimum(tree: Tree, most: int = 200_000) -> tuple[float, dict[str, Strategy]]:
    """The highest return that a team of two can agree on beforehand, and strategies that get it.

    Every deterministic strategy of the one who has fewer is tried, with the other's best response to it: some pair of
    deterministic strategies is best.  Raises :class:`ValueError` if the players' interests differ, or if there are more
    than ``most`` strategies to try.
    """
    if tree.players != 2 or not tree.common_interest:
        raise ValueError(f"{tree.game.name} is not a game of two with common interest")
    own = [[item for item in tree.sets if item.player == player] for player in range(2)]
    counts = [float(np.prod([len(item.actions) for item in items], dtype=float)) for items in own]
    tried = int(np.argmin(counts))
    if counts[tried] > most:
        raise ValueError(f"{tree.game.name} has {counts[tried]:g} strategies to try, more than {most}")
    best, found = -np.inf, tree.uniform()
    for choice in itertools.product(*(range(len(item.actions)) for item in own[tried])):
        policy = tree.uniform()
        for item, action in zip(own[tried], choice, strict=True):
            policy[item.start : item.start + len(item.actions)] = 0.0
            policy[item.start + action] = 1.0
        policy, value = tree.respond(policy, 1 - tried)
        if value > best + 1e-12:
            best, found = value, policy
    return best, tree.strategies(found)


def solution(game: Game[Any], role: str) -> Strategy:
    """How ``role`` plays in a solution of the game, computed on first use and kept for the process.

    The solution is an :func:`equilibrium`, or the :func:`team_optimum` where all interests are the same.  Raises
    :class:`ValueError` where neither can be computed.
    """
    # Many environments ask at once, each in a thread of its own; one works while the others wait.
    with _SOLVING:
        return _solved(type(game), pickle.dumps(vars(game)))[role]


_SOLVING = threading.Lock()


@lru_cache(maxsize=32)
def _solved(kind: type[Game[Any]], settings: bytes) -> dict[str, Strategy]:
    game = kind.__new__(kind)
    vars(game).update(pickle.loads(settings))
    written = write_out(game)
    if isinstance(written, Tree) and written.common_interest:
        return team_optimum(written)[1]
    return equilibrium(written)
