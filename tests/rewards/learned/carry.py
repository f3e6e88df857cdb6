"""Two agents who carry a table over a grid: a general-sum game with known rewards, and its soft equilibrium."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from pettingzoo import ParallelEnv

SIDE, HORIZON = 5, 25
MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
GOALS = np.array([0, SIDE * SIDE - 1])
STATES, ACTIONS = SIDE * SIDE * 2, len(MOVES)
"""A state is the table's square and which corner is wanted."""
TEMPERATURE, DISCOUNT = 0.04, 0.9


def _shifted(square: int, move: tuple[int, int]) -> int:
    row, column = square // SIDE + move[0], square % SIDE + move[1]
    return row * SIDE + column if 0 <= row < SIDE and 0 <= column < SIDE else square


def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each joint action leads, whether it arrives, [states, actions, actions], and what it pays [.., 2]."""
    square, wanted = np.divmod(np.arange(STATES), 2)
    shifted = np.array([[_shifted(place, move) for move in MOVES] for place in range(SIDE * SIDE)])
    following = np.zeros((STATES, ACTIONS, ACTIONS), int)
    arrives = np.zeros((STATES, ACTIONS, ACTIONS), bool)
    pays = np.zeros((STATES, ACTIONS, ACTIONS, 2))
    # Each prefers another corner, and a pull in two directions strains them unequally.
    worth, strain = np.array([[1.0, 0.4], [0.4, 1.0]]), np.array([0.02, 0.05])
    for first in range(ACTIONS):
        for second in range(ACTIONS):
            after = shifted[square, first] if first == second else square
            there = after == GOALS[wanted]
            following[:, first, second], arrives[:, first, second] = after * 2 + wanted, there
            pays[:, first, second] = there[:, None] * worth[wanted]
            if first and second and first != second:
                pays[:, first, second] -= strain
    return following, arrives, pays


FOLLOWING, ARRIVES, PAYS = _tables()


def ahead(values: np.ndarray) -> np.ndarray:
    """The mean of ``values`` [states] where each joint action leads; after an arrival that is anywhere."""
    return np.where(ARRIVES, values.mean(), values[FOLLOWING])


class Carry(ParallelEnv[str, Any, Any]):
    """The table moves only when both pull in the same direction; at the wanted corner it is put anywhere else."""

    metadata = {"name": "carry"}  # noqa: RUF012 - PettingZoo's form

    def __init__(self) -> None:
        self.possible_agents = ["first", "second"]

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(STATES)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(ACTIONS)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        self.np_random = np.random.default_rng(seed)
        self.agents, self.steps = list(self.possible_agents), 0
        self.state_number = int(self.np_random.integers(STATES))
        return self._told(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        place = (self.state_number, actions["first"], actions["second"])
        self.state_number = int(self.np_random.integers(STATES) if ARRIVES[place] else FOLLOWING[place])
        self.steps += 1
        told, ended = self._told(), self.steps == HORIZON
        pays = dict(zip(self.agents, PAYS[place].tolist(), strict=True))
        never, truncated = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, ended)
        infos: dict[str, Any] = {agent: {} for agent in self.agents}
        self.agents = [] if ended else self.agents
        return told, pays, never, truncated, infos

    def _told(self) -> dict[str, int]:
        return dict.fromkeys(self.possible_agents, self.state_number)


def encode(observations: Any) -> np.ndarray:
    """The state as one of many."""
    return np.eye(STATES, dtype=np.float32)[observations["first"]]


EVERY = torch.eye(STATES)


def over_others(values: np.ndarray, policies: list[np.ndarray], agent: int) -> np.ndarray:
    """The mean of ``values`` [states, actions, actions] over what the other does, [states, actions]."""
    return np.einsum("sab,sb->sa" if agent == 0 else "sab,sa->sb", values, policies[1 - agent])


def equilibrium() -> list[np.ndarray]:
    """Boltzmann policies [states, actions] that answer each other; it is begun from what is best for both together."""
    total, values = PAYS.sum(3), np.zeros(STATES)
    for _ in range(200):
        values = (total + DISCOUNT * ahead(values)).reshape(STATES, -1).max(1)
    best = (total + DISCOUNT * ahead(values)).reshape(STATES, -1).argmax(1)
    policies = [np.eye(ACTIONS)[choice] * 0.9 + 0.02 for choice in (best // ACTIONS, best % ACTIONS)]
    worth = [np.zeros(STATES), np.zeros(STATES)]
    for _ in range(300):
        critics = [over_others(PAYS[..., i] + DISCOUNT * ahead(worth[i]), policies, i) for i in range(2)]
        tops = [critic.max(1, keepdims=True) for critic in critics]
        odds = [np.exp((critic - top) / TEMPERATURE) for critic, top in zip(critics, tops, strict=True)]
        worth = [top[:, 0] + TEMPERATURE * np.log(each.sum(1)) for top, each in zip(tops, odds, strict=True)]
        policies = [(old + each / each.sum(1, keepdims=True)) / 2 for old, each in zip(policies, odds, strict=True)]
    return policies


def expected_return(policies: list[np.ndarray]) -> float:
    """The exact mean of both agents' undiscounted returns over an episode."""
    both, values = np.einsum("sa,sb->sab", *policies), np.zeros(STATES)
    for _ in range(HORIZON):
        values = (both * (PAYS.mean(3) + ahead(values))).sum((1, 2))
    return float(values.mean())


def canonical(reward: np.ndarray, policies: list[np.ndarray], agent: int) -> np.ndarray:
    """A marginal reward [states, actions] without what changes no policy (Gleave et al., arXiv:2006.13900)."""
    mean = reward.mean(1)
    return reward + DISCOUNT * over_others(ahead(mean), policies, agent) - mean[:, None]
