"""How fast games are played: Palestra's beside TextArena's and PettingZoo's own.

    python benchmarks/games.py                # 3 seconds for each game and side
    python benchmarks/games.py --seconds 10

The rules differ in detail, so the episodes do too; the players do not: they take legal moves at random and read every
observation.  Both sides play through their public interface, in one thread, in turns of 50 episodes, and are timed in
CPU seconds, resets included and the drawing of moves not.  A step is one player's move.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import random
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import textarena
from pettingzoo.classic import connect_four_v3, leduc_holdem_v4, tictactoe_v3

import palestra

EPISODES = 50
Player = Callable[[int], tuple[int, float]]
"""Plays the episode of a seed: how many moves it had, and the seconds that the environment took."""


def aec(env: Any, draw: Callable[[Any, str, random.Random], Any]) -> Player:
    """A player of a PettingZoo environment."""

    def play(seed: int) -> tuple[int, float]:
        rng, clock = random.Random(seed), time.process_time
        began = clock()
        env.reset(seed=seed)
        spent, steps, done = clock() - began, 0, False
        while not done and steps < 200:
            began = clock()
            env.last()
            spent += clock() - began
            action = draw(env, env.agent_selection, rng)
            began = clock()
            env.step(action)
            done = all(env.terminations.values()) or all(env.truncations.values())
            spent += clock() - began
            steps += 1
        return steps, spent

    return play


def named(env: Any, agent: str, rng: random.Random) -> str:
    """One of the legal actions that Palestra lists."""
    return rng.choice(env.infos[agent]["legal_actions"])


def masked(env: Any, agent: str, rng: random.Random) -> int:
    """One of the actions that PettingZoo's mask allows."""
    return int(rng.choice(np.flatnonzero(env.observe(agent)["action_mask"])))


def arena(game: str, draw: Callable[[str, random.Random], str]) -> Player:
    """A player of a game of TextArena's."""
    env = textarena.make(game)

    def play(seed: int) -> tuple[int, float]:
        rng, clock = random.Random(seed), time.process_time
        began = clock()
        env.reset(num_players=2, seed=seed)
        spent, steps, done = clock() - began, 0, False
        while not done and steps < 200:
            began = clock()
            _, observation = env.get_observation()
            spent += clock() - began
            action = draw(observation, rng)
            began = clock()
            done, _ = env.step(action)
            spent += clock() - began
            steps += 1
        return steps, spent

    return play


def listed(observation: str, rng: random.Random) -> str:
    """One of the moves in brackets that TextArena's last message lists."""
    return rng.choice(re.findall(r"'(\[[^\]]+\])'", observation[observation.rfind("vailable") :]) or ["[0]"])


def column(observation: str, rng: random.Random) -> str:
    """A column of connect four; a full one is answered as an illegal move."""
    return f"[col {rng.randrange(7)}]"


def pile(observation: str, rng: random.Random) -> str:
    """A small take from a pile of nim; one that is not there is answered as an illegal move."""
    return f"[{rng.randrange(3)} 1]"


def cooperate(observation: str, rng: random.Random) -> str:
    """A message, or a choice in the prisoner's dilemma; either is taken where it is asked for."""
    return rng.choice(["[Cooperate]", "[Defect]"])


def measure(players: dict[str, Player], seconds: float) -> dict[str, float]:
    """Steps per CPU second of each, played in turns."""
    steps, spent, seed = dict.fromkeys(players, 0), dict.fromkeys(players, 0.0), 0
    while min(spent.values()) < seconds:
        for name, play in players.items():
            if spent[name] < seconds:
                for number in range(seed, seed + EPISODES):
                    moves, took = play(number)
                    steps[name] += moves
                    spent[name] += took
        seed += EPISODES
    return {name: steps[name] / spent[name] for name in players}


PAIRS: dict[str, tuple[str, Callable[[], Player]]] = {
    "TicTacToe": ("TextArena", lambda: arena("TicTacToe-v0", listed)),
    "KuhnPoker": ("TextArena", lambda: arena("KuhnPoker-v0", listed)),
    "ConnectFour": ("TextArena", lambda: arena("ConnectFour-v0", column)),
    "Nim": ("TextArena", lambda: arena("Nim-v0", pile)),
    "PrisonersDilemma": ("TextArena", lambda: arena("IteratedPrisonersDilemma-v0", cooperate)),
    "TicTacToe ": ("PettingZoo", lambda: aec(tictactoe_v3.env(), masked)),
    "ConnectFour ": ("PettingZoo", lambda: aec(connect_four_v3.env(), masked)),
    "LeducPoker": ("PettingZoo", lambda: aec(leduc_holdem_v4.env(), masked)),
}
"""The other side of each game."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="CPU seconds for each game and side")
    seconds = parser.parse_args().seconds
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("textarena", "pettingzoo"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; steps per CPU second, one thread\n")
    print(f"{'game':<18}{'beside':<12}{'Palestra':>10}{'other':>10}{'ratio':>8}")
    for label, (other, make) in PAIRS.items():
        name = label.strip()
        kwargs = {"rounds": 10} if name == "PrisonersDilemma" else {}
        own = aec(palestra.make_multi(f"{name}-v0", **kwargs), named)
        speed = measure({"own": own, "other": make()}, seconds)
        print(
            f"{name:<18}{other:<12}{speed['own']:>10.0f}{speed['other']:>10.0f}{speed['own'] / speed['other']:>7.1f}x"
        )


if __name__ == "__main__":
    main()
