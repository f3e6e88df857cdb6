"""A classifier of pictures of the arm's tasks, as a reward and as an encoder of goals in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from palestra import Status, Trajectory, Turn
from palestra.agents.scripted import OracleAgent, RandomAgent, play
from palestra.rewards import score
from palestra.rewards.image_success import image_success
from palestra.rewards.learned.data import Labelled
from palestra.rewards.learned.encoders import FrameEncoder
from palestra.rewards.learned.fit import fit, label_loss
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.learned.reward import learned
from palestra.rewards.semantic import goal_similarity

SIZE = 48
TASK = "OpenDrawer-v0"


def episodes(agent: Any, split: str, tasks: range) -> list[Trajectory]:
    """Episodes seen from the front in small pictures."""
    env: Any = gymnasium.make(TASK, observation="rgb", camera="front", size=(SIZE, SIZE), disable_env_checker=True)
    there = env.unwrapped.tasks(split)
    played = [play(env, agent, seed=task, options={"task": 211 * task % there, "split": split}) for task in tasks]
    env.close()
    return played


def frames(played: Sequence[Trajectory], rng: np.random.Generator) -> list[tuple[np.ndarray, bool]]:
    """The last picture of each episode, which shows success, and one from before it."""
    found = []
    for episode in played:
        final: Any = episode.final_observation
        found.append((final["image"], episode.score > 0))
        turn = episode.turns[int(rng.integers(len(episode.turns) - 5))]
        found.append((turn.observation["image"], False))
    return found


def shown(image: np.ndarray) -> Trajectory:
    """An episode of one action that led to this picture."""
    blank = {"text": "", "image": np.zeros((SIZE, SIZE, 3), np.uint8)}
    return Trajectory(TASK, None, 0, [Turn(blank, None)], Status.TERMINATED, final_observation={"image": image})


@pytest.mark.slow
def test_a_classifier_of_pictures_knows_success_in_combinations_that_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    labelled = frames(episodes(OracleAgent(), "train", range(50)), rng)
    # By the script's pictures alone it takes some of what random play looks like for success.
    failed = [
        (turn.observation["image"], False)
        for episode in episodes(RandomAgent(), "train", range(50, 170))
        if episode.score <= 0
        for turn in rng.choice(np.array(episode.turns), 10, replace=False)
    ]
    pictures = labelled * (len(failed) // len(labelled) // 2) + failed
    model = RewardModel(FrameEncoder(SIZE, SIZE), "outcome", "logistic")
    # In a mirror image the drawers are where they may be as well.
    known = [Labelled(shown(view), float(done)) for image, done in pictures for view in (image, image[:, ::-1].copy())]
    generator = torch.Generator().manual_seed(0)
    fit(model, known, label_loss, epochs=10, learning_rate=2e-3, weight_decay=0.01, generator=generator)

    def classify(image: np.ndarray) -> float:
        (values,) = learned(model)([shown(image)])
        assert values is not None
        return float(values[-1])

    solved = episodes(OracleAgent(), "test", range(25))
    held_out = frames(solved, rng)
    agreement = np.mean([(classify(image) > 0.5) == done for image, done in held_out])
    print(f"agreement {agreement:.3f} on {len(held_out)} pictures")
    assert agreement >= 0.9

    def late(episode: Trajectory) -> float:
        """When the reward says that the task is done, as a share of the episode; 2 for never."""
        paid = score(image_success(classify, 0.9), [episode])[0]
        assert paid is not None
        return float(np.argmax(paid) + 1) / len(paid) if paid.any() else 2.0

    times = [late(episode) for episode in solved[:20]]
    chance = [late(episode) for episode in episodes(RandomAgent(), "test", range(20))]
    print("paid at", np.round(times, 2), "of an episode; random", np.round(chance, 2))
    assert np.mean([0.7 < time <= 1 for time in times]) >= 0.8
    assert np.mean([time == 2.0 for time in chance]) >= 0.8

    def encode(observations: Sequence[Any]) -> np.ndarray:
        sure = np.array([classify(observation["image"]) for observation in observations])
        return np.stack([sure, 1 - sure], axis=1)

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if text == "an open drawer" else [0.0, 1.0] for text in texts])

    reward = goal_similarity(encode, embed, "an open drawer", "closed drawers", alpha=1.0)
    values = score(reward, solved[:5])
    rising = [float(value[-3:].mean() - value[:3].mean()) for value in values if value is not None]
    print("goal similarity rises by", np.round(rising, 2))
    assert min(rising) > 0
