"""Success by an image classifier: paid once, by the image that an action led to, and good enough to learn from."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError
from palestra.rewards.image_success import image_success, success_threshold

from .lab import TabularPolicy


def seen(*brightness: float | None) -> Trajectory:
    """An episode of images, each of one brightness in [0, 1]; the first is seen before any action."""
    pictures = [{} if b is None else {"image": np.full((2, 2, 3), round(255 * b), np.uint8)} for b in brightness]
    made = [Turn({"text": "", **picture}, "a") for picture in pictures[:-1]]
    return Trajectory("Robot-v0", None, 0, made, Status.TERMINATED, final_observation={"text": "", **pictures[-1]})


def bright(image: np.ndarray) -> float:
    return float(image.mean() / 255)


def paid(reward: Reward, trajectory: Trajectory) -> list[float]:
    [values] = reward([trajectory])
    assert values is not None
    return list(values)


def test_the_first_success_is_paid_where_it_was_reached() -> None:
    assert paid(image_success(bright), seen(1, 0, 0.6, 0, 1)) == [0, 1, 0, 0]
    assert paid(image_success(bright, threshold=0.8), seen(0, 0.6, 1)) == [0, 1]
    assert paid(image_success(bright), seen(1, 0)) == [0]


def test_what_it_refuses() -> None:
    with pytest.raises(RewardError, match="without an image"):
        paid(image_success(bright), seen(1, None, 1))
    textual = Trajectory("Robot-v0", None, 0, [Turn("o", "a")], Status.TERMINATED)
    with pytest.raises(RewardError, match="without an image"):
        paid(image_success(bright), textual)
    with pytest.raises(RewardError, match="no probability"):
        paid(image_success(lambda image: float("nan")), seen(1, 1))
    with pytest.raises(ValueError, match="threshold"):
        image_success(bright, threshold=0)


def test_the_threshold_by_hand() -> None:
    probabilities, truth = [0.9, 0.8, 0.7, 0.6, 0.2], [True, True, False, True, False]
    assert success_threshold(probabilities, truth) == 0.8
    assert success_threshold(probabilities, truth, precision=0.75) == 0.6
    assert success_threshold(probabilities, truth, precision=0.5) == 0.2
    with pytest.raises(ValueError, match="no threshold"):
        success_threshold([0.9, 0.1], [False, True])
    with pytest.raises(ValueError, match="2 probabilities for 1 frames"):
        success_threshold([0.9, 0.1], [True])


LENGTH = 5


class Table(gymnasium.Env[Any, str]):
    """A gripper and a block on a table of five places; grasp, carry and release.  It is never reset.

    Forward episodes bring the block from the left end to the right, backward ones bring it back; each goes on from
    where the last one stopped, and what is done already is not asked for.  The true
    success is the environment's own reward, which training does not read.
    """

    def __init__(self) -> None:
        self.gripper, self.block, self.held, self.forward = 0, 0, False, False
        self.noise = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.forward = not self.forward
        self.forward ^= self.solved()
        self.turn = 0
        return self.observation(), self.info()

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        if action in ("left", "right"):
            self.gripper = min(max(self.gripper + (1 if action == "right" else -1), 0), LENGTH - 1)
            self.block = self.gripper if self.held else self.block
        elif self.gripper == self.block:
            self.held = action == "grasp"
        done = self.solved()
        return self.observation(), float(done), done, self.turn == 14, self.info()

    def solved(self) -> bool:
        return not self.held and self.block == (LENGTH - 1 if self.forward else 0)

    def info(self) -> dict[str, Any]:
        return {"legal_actions": ["left", "right", "grasp", "release"]}

    def observation(self) -> dict[str, Any]:
        text = f"{self.forward} {self.gripper} {self.block} {self.held}"
        return {"text": text, "image": picture(self.gripper, self.block, self.held, self.forward, self.noise)}


def picture(gripper: int, block: int, held: bool, forward: bool, noise: np.random.Generator) -> np.ndarray:
    """The table from the side, uint8 [6, 10, 3]: the block in red, the gripper in blue, a held block higher up."""
    image = noise.integers(0, 30, size=(6, 2 * LENGTH, 3))
    goal = LENGTH - 1 if forward else 0
    image[5, 2 * goal : 2 * goal + 2, 1] += 150
    image[2 if held else 4, 2 * block : 2 * block + 2, 0] += 190
    image[1, 2 * gripper : 2 * gripper + 2, 2] += 190
    return np.asarray(image, np.uint8)


class Classifier:
    """Pixels to 16 hidden units to the probability of success, trained on labelled frames by gradient descent."""

    def __init__(self, frames: np.ndarray, successes: np.ndarray, rng: np.random.Generator) -> None:
        features = self.features(frames)
        self.first = rng.normal(scale=features.shape[1] ** -0.5, size=(features.shape[1], 16))
        self.second = rng.normal(scale=0.25, size=16)
        for _ in range(800):
            hidden = np.tanh(features @ self.first)
            error = (successes - 1 / (1 + np.exp(-hidden @ self.second))) / len(frames)
            back = np.outer(error, self.second) * (1 - hidden**2)
            self.second += 0.3 * hidden.T @ error
            self.first += 0.3 * features.T @ back

    @staticmethod
    def features(frames: np.ndarray) -> np.ndarray:
        flat = frames.reshape(len(frames), -1) / 128.0
        return np.c_[flat - 0.12, np.ones(len(frames))]

    def __call__(self, image: np.ndarray) -> float:
        return float(1 / (1 + np.exp(-np.tanh(self.features(image[None]) @ self.first) @ self.second))[0])


def labelled(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames [n, 6, 10, 3] of random situations, half of them successes [n]."""
    frames, successes = [], []
    while len(frames) < n:
        wanted = len(frames) % 2 == 0
        held, forward = (bool(flag) for flag in rng.integers(2, size=2))
        gripper, block = (int(place) for place in rng.integers(LENGTH, size=2))
        gripper = block if held else gripper
        success = not held and block == (LENGTH - 1 if forward else 0)
        if success == wanted:
            frames.append(picture(gripper, block, held, forward, rng))
            successes.append(success)
    return np.array(frames), np.array(successes)


def one_episode(table: Table, policy: TabularPolicy, rng: np.random.Generator) -> tuple[Trajectory, list[Turn]]:
    """An episode as images, and its turns as the texts that the policy reads."""
    observation, info = table.reset()
    trajectory, texts = Trajectory("Table-v0", None, 0), []
    over = False
    while not over:
        action = policy.act(observation["text"], info["legal_actions"], rng)
        texts.append(Turn(observation["text"], action, info={"chosen_from": info["legal_actions"]}))
        following, reward, terminated, truncated, info = table.step(action)
        trajectory.turns.append(Turn(observation, action, reward))
        observation, over = following, terminated or truncated
        trajectory.status = Status.TERMINATED if terminated else Status.TRUNCATED
    trajectory.final_observation = observation
    return trajectory, texts


def offline_policy(rng: np.random.Generator) -> TabularPolicy:
    """Cloned from 40 demonstrations in which half of the actions are random."""
    table, policy = Table(), TabularPolicy()
    actions = table.info()["legal_actions"]
    for _ in range(40):
        table.reset()
        for _ in range(14):
            goal = LENGTH - 1 if table.forward else 0
            towards = goal if table.held else table.block
            arrived = "release" if table.held else "grasp"
            best = arrived if table.gripper == towards else ("right" if table.gripper < towards else "left")
            action = str(rng.choice(actions)) if rng.random() < 0.5 else best
            counts = policy.logits.setdefault(table.observation()["text"], dict.fromkeys(actions, 0.0))
            counts[action] += 1.0
            if table.step(action)[2]:
                break
    for counts in policy.logits.values():
        counts.update({action: float(np.log(count + 0.5)) for action, count in counts.items()})
    return policy


def success_rate(policy: TabularPolicy) -> float:
    """The share of true successes in 300 episodes without a reset."""
    table, rng = Table(), np.random.default_rng(7)
    return float(np.mean([one_episode(table, policy, rng)[0].score for _ in range(300)]))


@pytest.mark.slow
def test_works_robofume() -> None:
    offline, online, agreement = [], [], []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        classifier = Classifier(*labelled(rng, 100), rng)
        frames, truth = labelled(rng, 200)
        threshold = success_threshold([classifier(frame) for frame in frames], truth.tolist(), precision=0.9)
        frames, truth = labelled(rng, 1000)
        agreement.append(
            np.mean([(classifier(frame) >= threshold) == label for frame, label in zip(frames, truth, strict=True)])
        )

        policy, table = offline_policy(rng), Table()
        offline.append(success_rate(policy))
        reward = image_success(classifier, threshold=threshold)
        usual = {True: 0.5, False: 0.5}  # the mean reward of each direction so far
        for _ in range(2000):
            trajectory, texts = one_episode(table, policy, rng)
            total = sum(paid(reward, trajectory))
            for turn in texts:
                policy.reinforce(turn, total - usual[table.forward], learning_rate=0.5)
            usual[table.forward] += 0.05 * (total - usual[table.forward])
        online.append(success_rate(policy))
    assert min(agreement) >= 0.9
    assert np.mean(online) > np.mean(offline) + 0.1
