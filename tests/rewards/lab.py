"""A bench for comparing rewards by what they teach: a tabular policy that learns from groups of episodes.

It plays small text environments that name their actions in ``info["legal_actions"]``, is paid by any reward, and
learns by policy gradient with the trainer's own advantages.  Everything is seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, score
from palestra.rewards.intrinsic import learning_in
from palestra.training.advantages import Advantage, Scored, estimator

Env = gymnasium.Env[str, str]


class TabularPolicy:
    """A softmax over the legal actions of each state; the state is the observation's text."""

    def __init__(self) -> None:
        self.logits: dict[str, dict[str, float]] = {}

    def probabilities(self, state: str, actions: list[str]) -> np.ndarray:
        """Of each action, [actions] float64."""
        known = self.logits.setdefault(state, {})
        logits = np.array([known.setdefault(action, 0.0) for action in actions])
        weights = np.exp(logits - logits.max())
        return np.asarray(weights / weights.sum())

    def act(self, state: str, actions: list[str], rng: np.random.Generator) -> str:
        return actions[rng.choice(len(actions), p=self.probabilities(state, actions))]

    def reinforce(self, turn: Turn, advantage: float, learning_rate: float) -> None:
        """One step of ``advantage * grad log pi(action | observation)``."""
        actions = turn.info["chosen_from"]
        probabilities = self.probabilities(turn.observation, actions)
        for action, probability in zip(actions, probabilities, strict=True):
            gradient = float(action == turn.action) - probability
            self.logits[turn.observation][action] += learning_rate * advantage * gradient


def play(
    env: Env, policy: TabularPolicy, rng: np.random.Generator, *, seed: int = 0, task: int | None = None
) -> Trajectory:
    """One episode.

    Each turn's ``info`` also holds ``"chosen_from"``, the legal actions at that turn, and ``"entropy"``, that of the
    policy's choice among them.
    """
    observation, info = env.reset(seed=seed, options=None if task is None else {"task": task})
    trajectory = Trajectory(type(env).__name__, task, seed)
    while True:
        actions = list(info["legal_actions"])
        action = policy.act(observation, actions, rng)
        probabilities = policy.probabilities(observation, actions)
        following, reward, terminated, truncated, info = env.step(action)
        entropy = -float((probabilities * np.log(np.maximum(probabilities, 1e-300))).sum())
        kept = {**info, "chosen_from": actions, "entropy": entropy}
        logprobs = np.log(probabilities[[actions.index(action)]]).astype(np.float32)
        trajectory.turns.append(Turn(observation, action, float(reward), logprobs=logprobs, info=kept))
        if terminated or truncated:
            trajectory.status = Status.TERMINATED if terminated else Status.TRUNCATED
            trajectory.final_observation = following
            return trajectory
        observation = following


def improve(
    policy: TabularPolicy,
    group: Group,
    reward: Reward,
    estimate: Advantage,
    step: int,
    episodes: int,
    learning_rate: float = 0.5,
) -> None:
    """Score a group of a batch of so many ``episodes``, and learn from it."""
    score(reward, group, step)
    for trajectory, advantages in zip(group, estimate(Scored.by(reward, group)), strict=True):
        for turn, amount in zip(trajectory.turns, advantages, strict=True):
            policy.reinforce(turn, float(amount) / episodes, learning_rate)


def learn(
    env: Env,
    reward: Reward,
    *,
    steps: int,
    groups: int = 4,
    size: int = 8,
    learning_rate: float = 0.5,
    advantage: str = "grpo",
    options: Mapping[str, Any] | None = None,
    tasks: int | None = None,
    seed: int = 0,
    policy: TabularPolicy | None = None,
    measure: Callable[[list[Group]], Any] | None = None,
) -> tuple[TabularPolicy, list[Any]]:
    """Train a policy for ``steps`` steps of ``groups`` groups of ``size`` episodes.

    A group shares its seed and task; ``options`` are the advantage's; what learns in the reward is updated after each
    step.  Returns the policy and what ``measure`` said of each step's groups; without it, the mean of the environment's
    own score.
    """
    rng = np.random.default_rng(seed)
    policy = policy or TabularPolicy()
    estimate = estimator(advantage, options or {})
    history: list[Any] = []
    for step in range(steps):
        batch: list[Group] = []
        for _ in range(groups):
            episode_seed, task = int(rng.integers(2**31)), None if tasks is None else int(rng.integers(tasks))
            batch.append(Group([play(env, policy, rng, seed=episode_seed, task=task) for _ in range(size)]))
        for group in batch:
            improve(policy, group, reward, estimate, step, groups * size, learning_rate)
        for each in learning_in(reward):
            for group in batch:
                each.update(group)
        history.append(measure(batch) if measure else float(np.mean([t.score for group in batch for t in group])))
    return policy, history
