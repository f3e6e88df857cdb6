"""Small sparse environments in words, and a tabular Q-learner that is paid by any reward."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward
from palestra.rewards.intrinsic import Annotator, learning_in


class KeyDoor(gymnasium.Env[str, str]):
    """A corridor: the key lies at its left end, a locked door stands in it, the goal is at its right end.

    The reward is 1 at the goal, and 0 everywhere else.
    """

    LENGTH, START, DOOR = 11, 4, 7

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.key, self.opened = self.START, False, False
        return self.text(), self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "left":
            self.place = max(0, self.place - 1)
        elif action == "right" and (self.opened or self.place != self.DOOR):
            self.place += 1
        elif action == "take" and self.place == 0:
            self.key = True
        elif action == "unlock" and self.place == self.DOOR and self.key:
            self.opened = True
        done = self.place == self.LENGTH - 1
        return self.text(), float(done), done, False, self.info()

    def text(self) -> str:
        return f"place {self.place} {'with' if self.key else 'without'} key door {'open' if self.opened else 'shut'}"

    def info(self) -> dict[str, Any]:
        return {"legal_actions": ["left", "right", "take", "unlock"], "success": self.place == self.LENGTH - 1}


class QLearner:
    """Tabular Q-learning from whole episodes, replayed from their end; ties are broken at random."""

    def __init__(self, rng: np.random.Generator, epsilon: float = 0.1, gamma: float = 0.97, rate: float = 0.3) -> None:
        self.rng, self.epsilon, self.gamma, self.rate = rng, epsilon, gamma, rate
        self.values: dict[tuple[str, str], float] = defaultdict(float)

    def act(self, state: str, actions: list[str]) -> str:
        if self.rng.random() < self.epsilon:
            return str(self.rng.choice(actions))
        values = np.array([self.values[state, action] for action in actions])
        return str(self.rng.choice(np.array(actions)[values == values.max()]))

    def learn(self, trajectory: Trajectory, rewards: np.ndarray) -> None:
        after = [turn.observation for turn in trajectory.turns[1:]] + [trajectory.final_observation]
        for number in reversed(range(len(trajectory.turns))):
            turn = trajectory.turns[number]
            last = number == len(trajectory.turns) - 1 and trajectory.status is Status.TERMINATED
            best = 0.0 if last else max(self.values[str(after[number]), a] for a in turn.info["legal_actions"])
            target = rewards[number] + self.gamma * best
            key = str(turn.observation), str(turn.action)
            self.values[key] += self.rate * (target - self.values[key])


def play(env: gymnasium.Env[str, str], act: Callable[[str, list[str]], str], most: int) -> Trajectory:
    """One episode of at most ``most`` turns."""
    observation, info = env.reset(seed=0)
    trajectory = Trajectory(type(env).__name__, 0, 0)
    for _ in range(most):
        action = act(observation, info["legal_actions"])
        following, reward, terminated, _, info = env.step(action)
        trajectory.turns.append(Turn(observation, action, float(reward), info=info))
        observation = following
        if terminated:
            trajectory.status = Status.TERMINATED
            break
    trajectory.final_observation = observation
    return trajectory


def episodes_needed(
    env: gymnasium.Env[str, str], reward: Reward, seed: int, *, limit: int, turns: int = 60, window: int = 20
) -> int:
    """Episodes of Q-learning until 90% of the last ``window`` succeed; ``limit`` if they never do."""
    learner = QLearner(np.random.default_rng(seed))
    won: list[bool] = []
    while len(won) < limit:
        trajectory = play(env, learner.act, turns)
        [rewards] = reward([trajectory])
        assert rewards is not None
        learner.learn(trajectory, rewards)
        for each in learning_in(reward):
            each.update([trajectory])
            annotator = getattr(each, "annotator", None)
            if annotator is not None:
                wait_for(annotator)
        won.append(trajectory.status is Status.TERMINATED)
        if len(won) >= window and np.mean(won[-window:]) >= 0.9:
            break
    return len(won)


def wait_for(annotator: Annotator[Any, Any]) -> None:
    """Until all that was offered is annotated or dropped, so that a test does not depend on how fast it is."""
    until = time.monotonic() + 30
    while annotator.annotated + annotator.dropped < annotator.offered:
        assert time.monotonic() < until, "the annotator hangs"
        time.sleep(0.0002)


class Push(gymnasium.Env[str, str]):
    """A point on a grid of 4 by 4 that pushes an object before it; the task is the skill that it is to follow.

    ``info["object"]`` says where the object is, ``info["distance"]`` how far the point is from it.
    """

    SIZE, TURNS = 4, 8
    MOVES = {"left": (-1, 0), "right": (1, 0), "down": (0, -1), "up": (0, 1)}  # noqa: RUF012

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.skill, self.turn = (options or {})["task"], 0
        self.point, self.object = (0, 0), (1, 1)
        return self.text(), self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        (dx, dy), (x, y) = self.MOVES[action], self.point
        there = (x + dx, y + dy)
        beyond = (there[0] + dx, there[1] + dy)
        if self.inside(there) and (there != self.object or self.inside(beyond)):
            if there == self.object:
                self.object = beyond
            self.point = there
        self.turn += 1
        return self.text(), 0.0, self.turn == self.TURNS, False, self.info()

    def inside(self, place: tuple[int, int]) -> bool:
        return all(0 <= value < self.SIZE for value in place)

    def text(self) -> str:
        return f"skill {self.skill} point {self.point} object {self.object}"

    def info(self) -> dict[str, Any]:
        distance = abs(self.point[0] - self.object[0]) + abs(self.point[1] - self.object[1])
        return {"legal_actions": list(self.MOVES), "object": self.object, "distance": distance}
