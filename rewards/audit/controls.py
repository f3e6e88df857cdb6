"""Controls: does a reward teach more than noise does, and does its opposite teach the opposite?

Source: RandomCalculation (arXiv:2507.10532): on tasks without contamination only the true reward raises accuracy, a
random or inverted one does not.  A learner for which it does is broken, and a reward that teaches no better than the
random control is no reward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...trajectory import Trajectory
from ..reward import Reward
from .acting import Player, totals

Pay = Callable[[Sequence[Trajectory]], np.ndarray]
"""The trajectories of a group to what each is paid, [n]."""


@dataclass(frozen=True, slots=True)
class Control:
    """The mean true return of the learner's first and last tenth of steps."""

    before: float
    after: float


class Learner:
    """A softmax policy with a table of logits for each observation's text; it begins uniform and knows nothing."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.logits: dict[tuple[str, str], float] = {}

    def probabilities(self, observation: str, legal: Sequence[str]) -> np.ndarray:
        """Of each legal action, [actions]."""
        logits = np.array([self.logits.get((observation, action), 0.0) for action in legal])
        weights = np.exp(logits - logits.max())
        return np.asarray(weights / weights.sum())

    def act(self, observation: str, legal: list[str]) -> str:
        """Draw an action."""
        return legal[int(self.rng.choice(len(legal), p=self.probabilities(observation, legal)))]

    def reinforce(self, observation: str, legal: Sequence[str], action: str, amount: float) -> None:
        """Move the logits by amount * grad log pi(action | observation)."""
        for other, probability in zip(legal, self.probabilities(observation, legal), strict=True):
            key = (observation, other)
            self.logits[key] = self.logits.get(key, 0.0) + amount * (float(other == action) - probability)


def train(
    player: Player,
    pay: Pay,
    true: Reward,
    *,
    steps: int,
    tasks: int | None,
    seed: int = 0,
    groups: int = 4,
    size: int = 8,
    learning_rate: float = 1.0,
) -> Control:
    """Policy gradient with advantages (R - mean) / std in groups of ``size`` episodes of one start, as GRPO has them.

    A step is ``groups`` groups, each of a task below ``tasks`` and a seed drawn from ``seed``'s generator.
    """
    if steps < 1 or groups < 1 or size < 2:
        raise ValueError("a control needs steps, groups and at least two episodes in each")
    rng = np.random.default_rng(seed)
    learner = Learner(rng)
    history = []
    for _ in range(steps):
        scores = []
        for _ in range(groups):
            start, task = int(rng.integers(2**31)), None if tasks is None else int(rng.integers(tasks))
            episodes = [player.play(learner.act, start, task) for _ in range(size)]
            trajectories = [episode.trajectory for episode in episodes]
            paid = pay(trajectories)
            scores.append(totals(true, trajectories).mean())
            deviation = paid.std()
            advantages = (paid - paid.mean()) / deviation if deviation > 1e-8 else np.zeros(size)
            for episode, advantage in zip(episodes, advantages, strict=True):
                for turn, legal in zip(episode.trajectory.turns, episode.legal, strict=True):
                    seen = turn.observation if isinstance(turn.observation, str) else turn.observation["text"]
                    learner.reinforce(seen, legal, turn.action, learning_rate * float(advantage) / (groups * size))
        history.append(float(np.mean(scores)))
    tenth = max(steps // 10, 1)
    return Control(float(np.mean(history[:tenth])), float(np.mean(history[-tenth:])))


def controls(
    player: Player, reward: Reward, true: Reward, *, steps: int, tasks: int | None, seed: int = 0
) -> dict[str, Control]:
    """The learner paid by the true reward, by the one audited, by a coin (1 with p = 0.5), and by minus the true one.

    ``before`` and ``after`` are true returns throughout.
    """
    coin = np.random.default_rng((seed, 1))
    pays: dict[str, Pay] = {
        "true": lambda group: totals(true, group),
        "reward": lambda group: totals(reward, group),
        "random": lambda group: coin.integers(2, size=len(group)).astype(np.float64),
        "inverted": lambda group: -totals(true, group),
    }
    return {name: train(player, pay, true, steps=steps, tasks=tasks, seed=seed) for name, pay in pays.items()}
