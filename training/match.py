"""Two players over many games, in both seats: who wins, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..agents.players import Script, script
from ..agents.table import play_table
from ..envs.abilities import Tasked
from ..envs.multi.registry import make_multi
from .evaluation import wilson
from .opponent import RunPlayer, is_run


@dataclass(frozen=True)
class Match:
    """The first player's results: its scores and the second's [games], and the seats that the first took [games]."""

    own: np.ndarray
    other: np.ndarray
    seats: np.ndarray

    def lines(self) -> list[str]:
        """What there is to say of it: all games, and those from each seat."""
        said = [self._line("all games", np.ones(len(self.own), bool))]
        return said + [self._line(f"as {seat}", self.seats == seat) for seat in dict.fromkeys(self.seats.tolist())]

    def _line(self, which: str, chosen: np.ndarray) -> str:
        own, other = self.own[chosen], self.other[chosen]
        won, lost, games = int((own > other).sum()), int((own < other).sum()), len(own)
        low, high = wilson(won, games)
        difference = own - other
        margin = 1.96 * difference.std(ddof=1) / games**0.5 if games > 1 else float("nan")
        return (
            f"{which}: {games} games, {won} won ({won / games:.1%}, 95% {low:.1%} to {high:.1%}), {games - won - lost} "
            f"drawn, {lost} lost; mean score {own.mean():.4f} against {other.mean():.4f}, difference "
            f"{difference.mean():+.4f} ± {margin:.4f}"
        )


def play_match(
    env_id: str, first: str, second: str, games: int, seed: int = 0, kwargs: Mapping[str, Any] | None = None
) -> Match:
    """Play ``games`` of a game for several agents; the first player sits in each role in turn.

    Players are scripts by name or folders of runs; ``<run>@start`` and ``<run>@step-000100`` are what the run's policy
    was then.  Numbered tasks are those of the test split.

    Raises:
        ValueError: unknown players or games, in a message that names them.
    """
    env = make_multi(env_id, **(kwargs or {}))
    players = [_player(name, env) for name in (first, second)]
    roles = list(env.possible_agents)
    tasks = env.unwrapped.tasks("test") if isinstance(env.unwrapped, Tasked) else 0
    own, other, seats = [], [], []
    for number in range(games):
        np_random = np.random.default_rng((seed, number))
        seat = roles[number % len(roles)]
        # Both seats are tried on each deal before the next.
        deal = number // len(roles)
        options = {"task": deal % tasks, "split": "test"} if tasks else None
        for player in players:
            if isinstance(player, RunPlayer):
                player.forget()
        taken = {role: players[role != seat] for role in roles}
        paid = play_table(env, taken, np_random, seed=2**30 + deal, options=options)
        own.append(paid[seat])
        other.append(np.mean([amount for role, amount in paid.items() if role != seat]))
        seats.append(seat)
    return Match(np.array(own), np.array(other), np.array(seats))


def _player(name: str, env: Any) -> Script:
    return RunPlayer(name, env) if is_run(name) else script(name)
