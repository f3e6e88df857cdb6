"""Who beats whom: a payoff matrix of the games that were played, and Elo ratings with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

RATINGS = "ratings.json"
"""The file of a run's ratings: members, their Elo with its half-width, games and mean scores of row against column."""
SCALE = 400 / np.log(10)
"""Elo points of a natural-logarithm unit of odds: 400 points are odds of ten to one (Elo, 1978)."""
PRIOR = 400.0
"""Standard deviation, in points, of a normal prior around the mean, which keeps an unbeaten player's rating finite."""


class Ratings:
    """The results of games between members, of whom each game has two sides."""

    def __init__(self) -> None:
        self.members: list[str] = []
        self._results: dict[tuple[str, str], list[float]] = {}

    def join(self, member: str) -> None:
        """Put a member, if it is new, behind the others."""
        if member not in self.members:
            self.members.append(member)

    def add(self, first: str, second: str, first_score: float, second_score: float) -> None:
        """Record a game: the scores that its sides, which differ, were paid."""
        if first == second:
            raise ValueError(f"{first} played against itself, which says nothing")
        won = 0.5 * (1 + np.sign(first_score - second_score))
        for one, other, score, points in ((first, second, first_score, won), (second, first, second_score, 1 - won)):
            self.join(one)
            cell = self._results.setdefault((one, other), [0.0, 0.0, 0.0])
            cell[0] += 1
            cell[1] += float(points)
            cell[2] += float(score)

    @property
    def games(self) -> np.ndarray:
        """How many games each played against each, [members, members]."""
        return self._matrix(0)

    @property
    def points(self) -> np.ndarray:
        """Wins plus half the draws of the row's member against the column's, [members, members]."""
        return self._matrix(1)

    @property
    def payoff(self) -> np.ndarray:
        """The mean score of the row's member against the column's, [members, members]; NaN where they never met."""
        games = self.games
        return np.divide(self._matrix(2), games, out=np.full_like(games, np.nan), where=games > 0)

    def elo(self) -> list[tuple[float, float]]:
        """Each member's rating and the half-width of its 95% interval; the mean rating is 0.

        The ratings are the most likely ones (Bradley and Terry, 1952, draws as half a win, with a weak prior), found by
        Newton's method; intervals are from the curvature there.
        """
        size = len(self.members)
        if not size:
            return []
        games, points = self.games, self.points
        prior = np.eye(size) * (SCALE / PRIOR) ** 2
        ratings = np.zeros(size)  # in natural-logarithm units
        for _ in range(100):
            expected = 1 / (1 + np.exp(ratings[None] - ratings[:, None]))
            gradient = (points - games * expected).sum(1) - prior @ ratings
            weight = games * expected * (1 - expected)
            curvature = np.diag(weight.sum(1)) - weight + prior
            step = np.linalg.solve(curvature, gradient)
            ratings += step / max(1.0, np.abs(step).max())
            if np.abs(step).max() < 1e-9:
                break
        centre = np.eye(size) - 1 / size
        deviation = np.sqrt(np.diag(centre @ np.linalg.inv(curvature) @ centre).clip(0))
        ratings = centre @ ratings
        return [(float(SCALE * r), float(1.96 * SCALE * d)) for r, d in zip(ratings, deviation, strict=True)]

    def snapshot(self) -> dict[str, Any]:
        """Everything, as values for JSON."""
        return {"members": list(self.members), "results": [[*pair, *cell] for pair, cell in self._results.items()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a :meth:`snapshot`."""
        self.members = list(state["members"])
        self._results = {(first, second): list(cell) for first, second, *cell in state["results"]}

    def _matrix(self, place: int) -> np.ndarray:
        matrix = np.zeros((len(self.members),) * 2)
        at = {member: number for number, member in enumerate(self.members)}
        for (one, other), cell in self._results.items():
            matrix[at[one], at[other]] = cell[place]
        return matrix


def prioritised(win_rates: Sequence[float], power: float = 2.0) -> np.ndarray:
    """How often to meet each opponent: in proportion to (1 - p)^power, where p is how often it is beaten.

    That is prioritised fictitious self-play with the weighting f_hard (Vinyals et al. 2019, "Grandmaster level in
    StarCraft II", Methods).  Opponents that are always beaten are met as rarely as 0.01 says, but not never.
    """
    weights = (1 - np.asarray(win_rates, float)) ** power + 0.01
    return weights / weights.sum()
