"""Preferences that compare decisions: how far a segment is from optimal play, in a tabular MDP with exact values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...trajectory import Trajectory, Turn
from .encoders import FeatureEncoder, Features
from .fit import bradley_terry
from .model import RewardModel

Segment = np.ndarray
"""(state, action) of each step, [steps, 2] int."""
SegmentPair = tuple[Segment, Segment]
"""Two segments of which the first was preferred."""
Locate = Callable[[Turn], tuple[int, int]]
"""The (state, action) of a turn."""


@dataclass(frozen=True)
class TabularMDP:
    """What is known of the task besides its reward.

    ``transitions`` [states, actions, states] are probabilities, of which a row of zeros ends the episode; ``start``
    [states] is where episodes begin.  Raises ValueError where these are no probabilities, or ``discount`` is not in
    [0, 1).
    """

    transitions: np.ndarray
    start: np.ndarray
    discount: float

    def __post_init__(self) -> None:
        states, _, following = self.transitions.shape
        sums = self.transitions.sum(axis=2)
        ends = (self.transitions == 0).all(axis=2)
        if states != following or (self.transitions < 0).any() or not (ends | np.isclose(sums, 1)).all():
            raise ValueError("transitions must be [states, actions, states] probabilities, or zeros where it ends")
        if self.start.shape != (states,) or not np.isclose(self.start.sum(), 1) or (self.start < 0).any():
            raise ValueError("start must be a probability of each state")
        if not 0 <= self.discount < 1:
            raise ValueError(f"discount {self.discount} is not in [0, 1)")

    @property
    def shape(self) -> tuple[int, int]:
        """(states, actions)."""
        return self.transitions.shape[0], self.transitions.shape[1]

    def values(self, policy: np.ndarray, reward: Tensor) -> Tensor:
        """V of a deterministic policy [states] for a reward [states, actions], exact and differentiable: [states]."""
        states = np.arange(len(policy))
        moves = torch.from_numpy(self.transitions[states, policy])
        system = torch.eye(len(policy), dtype=torch.float64) - self.discount * moves
        return torch.linalg.solve(system, reward[states, policy])

    def action_values(self, values: Tensor, reward: Tensor) -> Tensor:
        """Q = r + discount * E[V(next)], [states, actions]."""
        return reward + self.discount * torch.from_numpy(self.transitions) @ values

    def optimal(self, reward: np.ndarray) -> np.ndarray:
        """An optimal policy [states] for a reward [states, actions], by policy iteration."""
        table = torch.from_numpy(np.asarray(reward, np.float64))
        policy = np.asarray(reward).argmax(axis=1)
        while True:
            q = self.action_values(self.values(policy, table), table).numpy()
            # Only what is truly better changes the policy, so that ties cannot make it turn in circles.
            better = q.max(axis=1) > q[np.arange(len(policy)), policy] + 1e-10
            if not better.any():
                return policy
            policy = np.where(better, q.argmax(axis=1), policy)

    def expected_return(self, policy: np.ndarray, reward: np.ndarray) -> float:
        """The discounted return of a deterministic policy [states] from the start."""
        return float(self.start @ self.values(policy, torch.from_numpy(np.asarray(reward, np.float64))).numpy())


class RewardTable(nn.Module):
    """A reward [states, actions] that is learned from preferences between segments; it begins at zero."""

    def __init__(self, mdp: TabularMDP) -> None:
        super().__init__()
        self.mdp = mdp
        self.reward = nn.Parameter(torch.zeros(mdp.shape, dtype=torch.float64))

    def regrets(self, segments: Sequence[Segment]) -> Tensor:
        """sum_t V*(s_t) - Q*(s_t, a_t) of each segment under the present reward, [segments], at least 0.

        The gradient is exact wherever the optimal policy is unique: V* changes with the reward as that policy's V does.
        """
        policy = self.mdp.optimal(self.reward.detach().numpy())
        values = self.mdp.values(policy, self.reward)
        losses = values[:, None] - self.mdp.action_values(values, self.reward)
        return torch.stack([losses[segment[:, 0], segment[:, 1]].sum() for segment in segments])

    def partial_returns(self, segments: Sequence[Segment]) -> Tensor:
        """sum_t r(s_t, a_t) of each segment, [segments]."""
        return torch.stack([self.reward[segment[:, 0], segment[:, 1]].sum() for segment in segments])

    def as_model(self, locate: Locate) -> RewardModel:
        """A process model that pays each turn the table's entry; its features are :func:`one_hot`."""
        states, actions = self.mdp.shape
        model = RewardModel(FeatureEncoder(one_hot(locate, self.mdp.shape), states * actions, hidden=()), "process")
        model.head.weight.data = self.reward.detach().reshape(1, -1).float()
        model.head.bias.data.zero_()
        return model


def one_hot(locate: Locate, shape: tuple[int, int]) -> Features:
    """The features [turns, states * actions] of a table's model, needed again to load one; IndexError outside it."""

    def features(trajectory: Trajectory) -> np.ndarray:
        rows = np.zeros((len(trajectory.turns), *shape), np.float32)
        for row, turn in zip(rows, trajectory.turns, strict=True):
            row[locate(turn)] = 1
        return rows.reshape(len(rows), -1)

    return features


def regret_loss(table: RewardTable, pairs: Sequence[SegmentPair]) -> Tensor:
    """Preferences by regret: P(first preferred) = logistic(regret(second) - regret(first)).

    Source: Models of human preference for learning reward functions (arXiv:2206.02231), whose learner approximates V*
    with successor features; here it is exact.
    """
    return _pair_loss(lambda segments: -table.regrets(segments), pairs)


def partial_return_loss(table: RewardTable, pairs: Sequence[SegmentPair]) -> Tensor:
    """Preferences by the segments' own rewards: P(first preferred) = logistic(return(first) - return(second)).

    The usual assumption (Christiano et al., arXiv:1706.03741), to compare with.
    """
    return _pair_loss(table.partial_returns, pairs)


def _pair_loss(worth: Callable[[Sequence[Segment]], Tensor], pairs: Sequence[SegmentPair]) -> Tensor:
    values = worth([first for first, _ in pairs] + [second for _, second in pairs])
    return bradley_terry(values[: len(pairs)], values[len(pairs) :]).mean()
