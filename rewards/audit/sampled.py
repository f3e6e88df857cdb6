"""STARC between two rewards on trajectories: exact for the decision process that the trajectories show.

States are the observations' texts and actions the actions' texts.  Transition probabilities are the frequencies seen;
actions never taken in a state do not exist there; the end of an episode is a state that pays nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ...trajectory import Observation, Status, Trajectory
from ..reward import Reward
from .tabular import FLAT, distance_of_canonical


@dataclass(frozen=True, slots=True)
class Seen:
    """What trajectories show of their process.

    ``pair`` [n] is the state-action pair of each turn, ``following`` [n] the state after it (-1 where the episode
    ended), ``owner`` [pairs] the state of each pair.
    """

    pair: np.ndarray
    following: np.ndarray
    owner: np.ndarray
    states: int

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> Seen:
        """Number the states and the pairs of the scored trajectories' turns, in order."""
        states: dict[Hashable, int] = {}
        pairs: dict[tuple[int, str], int] = {}
        pair: list[int] = []
        following: list[int] = []
        for trajectory in trajectories:
            if not trajectory.status.scored or not trajectory.turns:
                continue
            numbers = [states.setdefault(_text(turn.observation), len(states)) for turn in trajectory.turns]
            pair += [
                pairs.setdefault((state, str(turn.action)), len(pairs))
                for state, turn in zip(numbers, trajectory.turns, strict=True)
            ]
            # An episode that was cut short goes on from where it stood, if that place was seen at all.
            last = trajectory.final_observation if trajectory.status is Status.TRUNCATED else None
            end = -1 if last is None else states.setdefault(_text(last), len(states))
            following += [*numbers[1:], end]
        owner = np.array([state for state, _ in pairs], np.int64)
        return cls(np.array(pair, np.int64), np.array(following, np.int64), owner, len(states))

    def canonical(self, rewards: np.ndarray, discount: float) -> np.ndarray:
        """C(R) of each pair, [pairs], from the reward of each turn, [n]; see :func:`~.tabular.starc_canonical`.

        The uniform policy takes the actions that were seen in a state equally often; a state in which none was taken
        is worth 0, as is the end.
        """
        pairs = len(self.owner)
        counts = np.bincount(self.pair, minlength=pairs)
        mean = np.bincount(self.pair, rewards, minlength=pairs) / counts
        leads = np.zeros((pairs, self.states))  # the probability of each following state; rows may sum to less than 1
        inside = self.following >= 0
        np.add.at(leads, (self.pair[inside], self.following[inside]), 1 / counts[self.pair[inside]])
        choice = np.zeros((self.states, pairs))
        choice[self.owner, np.arange(pairs)] = 1 / np.bincount(self.owner, minlength=self.states)[self.owner]
        value = np.linalg.solve(np.eye(self.states) - discount * choice @ leads, choice @ mean)
        canonical = mean + discount * leads @ value - value[self.owner]
        small = np.linalg.norm(canonical) <= FLAT * np.linalg.norm(mean)
        return np.zeros(pairs) if small else canonical


def reward_distance(
    first: Reward, second: Reward, trajectories: Sequence[Trajectory], *, discount: float = 0.95
) -> float:
    """The STARC distance of two rewards on the process that the trajectories show, 0 (same) to 1 (opposite).

    A reward that reads more than the turn is averaged over the turns that took the same action in the same state.  It
    is shaping with Phi = 0 at the end that cancels.  A pair that was never tried cannot speak, so a distance near 0
    says only that the two agree on what these trajectories did.  ValueError if nothing was scored, or for a discount
    outside [0, 1).
    """
    if not 0 <= discount < 1:
        raise ValueError(f"discount {discount} is not in [0, 1)")
    seen = Seen.of(trajectories)
    if not len(seen.pair):
        raise ValueError("no trajectory has an outcome and a turn")
    tables = [seen.canonical(turn_values(reward, trajectories), discount) for reward in (first, second)]
    return distance_of_canonical(*tables)


def turn_values(reward: Reward, trajectories: Sequence[Trajectory]) -> np.ndarray:
    """The reward of every turn of the scored trajectories, one after the other, [n]."""
    return np.concatenate([values for values in reward(trajectories) if values is not None] or [np.zeros(0)])


def _text(observation: Observation) -> str:
    return observation if isinstance(observation, str) else str(observation["text"])
