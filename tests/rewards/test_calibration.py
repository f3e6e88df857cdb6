"""Calibrated confidence: the Brier score and the ECE by hand, and a policy that learns to say how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, parse_reward, success
from palestra.rewards.calibration import (
    calibration_error,
    expected_calibration_error,
    stated_confidence,
    step_calibration,
)


def episode(*steps: tuple[Any, Any]) -> Trajectory:
    made = [Turn("o", action, info={"correct": correct}) for action, correct in steps]
    return Trajectory("X-v0", None, 0, made, Status.TERMINATED)


def say(confidence: float) -> str:
    return f"It is blue. <confidence>{confidence}</confidence>"


def test_brier_by_hand() -> None:
    steps = episode((say(0.7), True), (say(0.7), False), ("It is blue.", True), (say(1), 0.5))
    [values] = step_calibration([steps])
    assert values is not None
    assert values.tolist() == pytest.approx([0.91 / 4, 0.51 / 4, 0, 0.75 / 4])
    assert str(parse_reward("success + 0.5*step_calibration")) == "success + 0.5*step_calibration"


@pytest.mark.parametrize(
    ("action", "confidence"),
    [
        (say(0.25), 0.25),
        ("<CONFIDENCE> .5 </Confidence>", 0.5),
        ("<confidence>0.1</confidence> no, <confidence>1.</confidence>", 1.0),
        ("<confidence>1.01</confidence>", None),
        ("<confidence>-0.5</confidence>", None),
        ("<confidence>nan</confidence>", None),
        ("<confidence>１</confidence>", None),
        ("<confidence>" + "9" * 5000 + "</confidence>", None),
        ("sure", None),
        (3, None),
    ],
)
def test_what_states_a_confidence(action: Any, confidence: float | None) -> None:
    assert stated_confidence(action) == confidence


def test_correctness_has_to_be_said() -> None:
    for info in ({}, {"correct": 2}, {"correct": float("nan")}):
        with pytest.raises(RewardError, match="correct"):
            step_calibration([Trajectory("X-v0", None, 0, [Turn("o", say(1), info=info)], Status.TERMINATED)])


@settings(max_examples=50)
@given(st.integers(0, 100), st.integers(0, 100), st.floats(0.01, 0.99))
def test_the_expectation_is_largest_at_the_true_probability(percent: int, other: int, weight: float) -> None:
    def expected(stated: float, probability: float) -> float:
        """Of success + weight * step_calibration."""
        right, wrong = ((step_calibration([episode((say(stated), y))])[0]) for y in (True, False))
        assert right is not None
        assert wrong is not None
        return float(probability * (1 + weight * right[0]) + (1 - probability) * weight * wrong[0])

    truth = percent / 100
    assert expected(truth, truth) >= expected(other / 100, truth)
    if other > percent:  # a better answer pays more, each with its own honest confidence
        assert expected(other / 100, other / 100) > expected(truth, truth)


def test_ece_by_hand() -> None:
    # Bins of a half: 0.1 and 0.3 with mean correctness 1/2, 0.5 and 1 with 1.
    assert expected_calibration_error([0.1, 0.3, 0.5, 1], [0, 1, 1, 1], bins=2) == pytest.approx(
        2 / 4 * abs(0.5 - 0.2) + 2 / 4 * abs(1 - 0.75)
    )
    assert expected_calibration_error([0.8] * 5, [1, 1, 1, 1, 0]) == pytest.approx(0)
    assert expected_calibration_error([1, 1], [0, 0]) == 1
    assert calibration_error([episode((say(0.25), True), ("no idea", True)), episode((say(0.25), False))]) == 0.25
    for stated, right in (([], []), ([0.5], [1, 0]), ([1.5], [1]), ([0.5], [-1])):
        with pytest.raises(ValueError, match=r"needs|within"):
            expected_calibration_error(stated, right)
    with pytest.raises(ValueError, match="no step states"):
        calibration_error([episode(("sure", True))])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30), st.integers(1, 20))
def test_ece_is_bounded_and_blind_to_order(steps: list[tuple[float, bool]], bins: int) -> None:
    stated, right = zip(*steps, strict=True)
    error = expected_calibration_error(stated, right, bins)
    assert 0 <= error <= 1
    assert expected_calibration_error(stated[::-1], right[::-1], bins) == pytest.approx(error)


CONFIDENCES = (0.0, 0.25, 0.5, 0.75, 1.0)
CHANCES = np.array([0.5, 0.75, 1.0])
"""For each of three kinds of question, how often the better of two answers is right."""


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def paid(reward: Reward) -> np.ndarray:
    """What the reward pays for each stated confidence where the answer is wrong and right, [confidences, 2]."""

    def total(confidence: float, correct: bool) -> float:
        turn = Turn("o", say(confidence), info={"correct": correct, "success": correct})
        [values] = reward([Trajectory("X-v0", None, 0, [turn], Status.TERMINATED)])
        assert values is not None
        return float(values[0])

    return np.array([[total(confidence, correct) for correct in (False, True)] for confidence in CONFIDENCES])


def trained(reward: Reward, seed: int) -> tuple[float, float]:
    """Accuracy and ECE of a policy with an answer head and a confidence head, after 300 steps of REINFORCE."""
    rng, table = np.random.default_rng(seed), paid(reward)
    answers, confidences = rng.normal(size=(3, 2)), rng.normal(size=(3, 2, 5))
    accuracy = error = 0.0
    for step in range(301):
        n = 20_000 if step == 300 else 256
        kind = rng.integers(3, size=n)
        answer = (rng.random(n) < softmax(answers)[kind, 1]).astype(int)
        cumulated = softmax(confidences)[kind, answer].cumsum(axis=1)
        stated = np.minimum((rng.random(n)[:, None] > cumulated).sum(axis=1), 4)
        correct = np.where(answer == 1, rng.random(n) < CHANCES[kind], rng.random(n) >= CHANCES[kind]).astype(int)
        if step == 300:
            accuracy = float(correct.mean())
            error = expected_calibration_error([CONFIDENCES[s] for s in stated], correct.tolist())
            break
        rewards = table[stated, correct]
        advantage = (rewards - rewards.mean()) / n
        for head, index, choice in ((answers, (kind,), answer), (confidences, (kind, answer), stated)):
            gradient = -softmax(head)[index] * advantage[:, None]
            gradient[np.arange(n), choice] += advantage
            np.add.at(head, index, 20.0 * gradient)
    return accuracy, error


def test_works_mmboundary() -> None:
    calibrated = np.array([trained(success + 0.9 * step_calibration, seed) for seed in range(3)])
    plain = np.array([trained(success, seed) for seed in range(3)])
    assert calibrated[:, 1].mean() < 0.25 * plain[:, 1].mean()
    assert abs(calibrated[:, 0].mean() - plain[:, 0].mean()) < 0.02
