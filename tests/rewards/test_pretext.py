"""Tasks with answers that we made ourselves: their rewards by hand, and what learning on them is good for."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import RewardError, env, parse_reward
from palestra.rewards.pretext import (
    masked_step,
    pair_order,
    patch_position,
    pretext_match,
    rotation,
    shuffled_steps,
    step_order,
)

from .lab import TabularPolicy, learn


def value(reward: Any, action: Any, **info: Any) -> float:
    [values] = reward([Trajectory("X-v0", None, 0, [Turn("o", action, info=info)], Status.TERMINATED)])
    return float(values[0])


def test_matches_by_hand() -> None:
    assert value(pretext_match, " 270 ", answer="270") == 1
    assert value(pretext_match, "Turn  LEFT", answer="turn left") == 1
    assert value(pretext_match, 3, answer="3") == 1
    assert value(pretext_match, "90 or 270", answer="270") == value(pretext_match, "", answer="0") == 0
    with pytest.raises(RewardError, match="answer"):
        value(pretext_match, "1")
    assert str(parse_reward("pretext_match + step_order")) == "pretext_match + step_order"


def test_a_turned_image_turns_back() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(6, 10, 3), dtype=np.uint8)
    answers = set()
    for _ in range(50):
        task = rotation(image, rng)
        [turned] = task.images
        np.testing.assert_array_equal(np.rot90(turned, -int(task.answer) // 90), image[:, 2:8])
        answers.add(task.answer)
        assert value(pretext_match, task.answer, **task.info()) == 1
    assert answers == {"0", "90", "180", "270"}


def test_a_patch_comes_from_its_cell() -> None:
    rng = np.random.default_rng(0)
    image = np.arange(7 * 9).reshape(7, 9)
    for _ in range(30):
        task = patch_position(image, rng, grid=3)
        row, column = divmod(int(task.answer), 3)
        np.testing.assert_array_equal(task.images[1], image[2 * row : 2 * row + 2, 3 * column : 3 * column + 3])
    for grid in (1, 8):
        with pytest.raises(ValueError, match="no grid"):
            patch_position(image, rng, grid)


def test_a_masked_step_is_not_shown() -> None:
    steps = ["go north", "take the key", "open the door"]
    for seed in range(10):
        task = masked_step(steps, np.random.default_rng(seed))
        shown = task.question.splitlines()[1:]
        assert [task.answer if step == "[MASK]" else step for step in shown] == steps
    with pytest.raises(ValueError, match="without steps"):
        masked_step([], np.random.default_rng(0))


@settings(max_examples=50)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_orders(count: int, seed: int) -> None:
    steps = [f"step {index}" for index in range(count)]
    task = shuffled_steps(steps, np.random.default_rng(seed))
    shown = [line.split(": ")[1] for line in task.question.splitlines()[1:]]
    named = task.answer.split()
    assert [shown[int(index)] for index in named] == steps
    assert value(step_order, task.answer, **task.info()) == 1
    assert value(step_order, ", ".join(named[::-1]), **task.info()) == 0
    assert value(step_order, " ".join(named[:-1]), **task.info()) == 0
    swapped = [named[1], named[0], *named[2:]]
    assert value(step_order, " ".join(swapped), **task.info()) == pytest.approx(1 - 2 / (count * (count - 1)))


def test_orders_by_hand() -> None:
    assert pair_order([0, 1, 2]) == 1
    assert pair_order([2, 1, 0]) == 0
    assert pair_order([1, 0, 2]) == pytest.approx(2 / 3)
    info = {"order": (2, 0, 1)}
    assert value(step_order, "1, 2, 0", **info) == 1
    for action in ("0 0 1", "0 1", "0 1 2 3", "", None, "9" * 10_000, "１ ２ ０"):
        assert value(step_order, action, **info) == 0
    with pytest.raises(RewardError, match="order"):
        value(step_order, "0 1")
    with pytest.raises(ValueError, match="no pair"):
        pair_order([0])
    with pytest.raises(ValueError, match="one order"):
        shuffled_steps(["a"], np.random.default_rng(0))


KEYS = ("push", "pull", "turn", "lift")
EXPERT = ["turn", "push", "lift", "lift", "pull"]
"""What opens five doors, one after the other."""


class Doors(gymnasium.Env[str, str]):
    """A wrong action at any door ends the episode; only the last door pays."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        self.door = 0
        return "door 0", {"legal_actions": KEYS}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        right = action == EXPERT[self.door]
        self.door += right
        done = self.door == len(EXPERT)
        return f"door {self.door}", float(done), done or not right, False, {"legal_actions": KEYS}


class Fill(gymnasium.Env[str, str]):
    """One masked step of the expert's trace; the policy reads which door is meant from the place of the mask."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.task = masked_step(EXPERT, self.np_random)
        return f"door {self.task.question.splitlines()[1:].index('[MASK]')}", {"legal_actions": KEYS}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "", 0.0, True, False, {"legal_actions": (), **self.task.info()}


def updates(policy: TabularPolicy, seed: int, limit: int = 100) -> int:
    """How many updates on the outcome alone it takes until half of the episodes succeed."""

    def solved(groups: list[Group]) -> float:
        return float(np.mean([trajectory.score for group in groups for trajectory in group]))

    for done in range(limit):
        _, [share] = learn(
            Doors(), env, steps=1, seed=1000 * seed + done, policy=policy, learning_rate=2.0, measure=solved
        )
        if share >= 0.5:
            return done
    return limit


def test_works_mr_rlvr() -> None:
    assert value(step_order, "0 1 2", order=(0, 1, 2)) == 1
    assert value(step_order, "2 1 0", order=(0, 1, 2)) == 0
    for seed in range(2):
        pretrained, _ = learn(Fill(), pretext_match, steps=40, learning_rate=2.0, seed=seed)
        prepared, from_scratch = updates(pretrained, seed), updates(TabularPolicy(), seed)
        assert prepared < 0.5 * from_scratch


SIDE = 12


def frames(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Screens [n, 12, 12, 3] in 0..255 and the quarter of the screen, from 0 to 3, in which the button is.

    A dark bar at the top, a bright one at the bottom, windows in random greys, and one red button.
    """
    screens = rng.integers(90, 170, size=(n, 1, 1, 1)) + rng.integers(-25, 26, size=(n, SIDE, SIDE, 3))
    for screen in screens:
        top, left, high, wide = rng.integers(0, 7, 2).tolist() + rng.integers(3, 7, 2).tolist()
        screen[top : top + high, left : left + wide] = rng.integers(40, 220)
    screens[:, 0] = 30
    screens[:, -1] = 210
    quarter = rng.integers(4, size=n)
    rows = np.where(quarter >= 2, 6, 1) + rng.integers(0, 4, n)
    columns = np.where(quarter % 2 == 1, 6, 0) + rng.integers(0, 5, n)
    for screen, row, column in zip(screens, rows, columns, strict=True):
        screen[row : row + 2, column : column + 2] = (230, 40, 40)
    return screens.astype(np.uint8), quarter


def pixels(screens: np.ndarray) -> np.ndarray:
    return (screens.reshape(len(screens), -1) - 128.0) / 128.0


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


class Policy:
    """Pixels to 48 hidden units to 4 answers."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.encoder = rng.normal(scale=(3 * SIDE * SIDE) ** -0.5, size=(3 * SIDE * SIDE, 48))
        self.head = np.zeros((48, 4))

    def encode(self, screens: np.ndarray) -> np.ndarray:
        return np.tanh(pixels(screens) @ self.encoder)

    def reinforce(self, screens: np.ndarray, chosen: np.ndarray, advantage: np.ndarray, rate: float) -> None:
        hidden = self.encode(screens)
        gradient = (np.eye(4)[chosen] - softmax(hidden @ self.head)) * advantage[:, None] / len(chosen)
        back = gradient @ self.head.T * (1 - hidden**2)
        self.head += rate * hidden.T @ gradient
        self.encoder += rate * pixels(screens).T @ back


def learnt_rotations(rng: np.random.Generator, steps: int = 200, size: int = 128) -> Policy:
    """REINFORCE on :data:`pretext_match` over freshly rendered and turned frames."""
    policy = Policy(rng)
    for _ in range(steps):
        tasks = [rotation(frame, rng) for frame in frames(rng, size)[0]]
        turned = np.stack([task.images[0] for task in tasks])
        chances = softmax(policy.encode(turned) @ policy.head)
        chosen = (rng.random(size)[:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(max=3)
        group = [
            Trajectory("Screen-v0", 0, 0, [Turn("o", str(90 * choice), info=task.info())], Status.TERMINATED)
            for choice, task in zip(chosen, tasks, strict=True)
        ]
        rewards = np.concatenate([values for values in pretext_match(group) if values is not None])
        policy.reinforce(turned, chosen, rewards - rewards.mean(), rate=1.0)
    return policy


def clicks(policy: Policy, rng: np.random.Generator) -> float:
    """Held-out accuracy of a ridge regression from the frozen encoder to the button's quarter, learnt on 300 frames."""
    (seen, where), (held_out, truth) = frames(rng, 300), frames(rng, 2000)
    hidden = np.c_[policy.encode(seen), np.ones(len(seen))]
    probe = np.linalg.solve(hidden.T @ hidden + np.eye(49), hidden.T @ np.eye(4)[where])
    return float(((np.c_[policy.encode(held_out), np.ones(2000)] @ probe).argmax(axis=1) == truth).mean())


@pytest.mark.slow
def test_works_ssl4rl() -> None:
    """Rotation is learnt; here it teaches the encoder to look at the bars, and the button is found less well."""
    accuracy, clicking, random = [], [], []
    for seed in range(3):
        policy = learnt_rotations(np.random.default_rng(seed))
        rng = np.random.default_rng(100 + seed)
        tasks = [rotation(frame, rng) for frame in frames(rng, 1000)[0]]
        answers = 90 * (policy.encode(np.stack([task.images[0] for task in tasks])) @ policy.head).argmax(axis=1)
        accuracy.append(np.mean([str(a) == task.answer for a, task in zip(answers, tasks, strict=True)]))
        clicking.append(clicks(policy, np.random.default_rng(seed)))
        random.append(clicks(Policy(np.random.default_rng(seed)), np.random.default_rng(seed)))
    assert min(accuracy) > 0.9
    assert np.mean(clicking) < np.mean(random)
