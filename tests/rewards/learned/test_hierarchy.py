"""Preferences from an order of importance: the comparison by hand, and what is taught by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import turn_reward
from palestra.rewards.learned.data import Pair
from palestra.rewards.learned.encoders import FeatureEncoder
from palestra.rewards.learned.fit import fit, preference_loss
from palestra.rewards.learned.hierarchy import compare, hierarchical_pairs
from palestra.rewards.learned.model import RewardModel

from .bench import episode, generator


@turn_reward
def safety(turn: Turn) -> float:
    return float(turn.info["safety"])


@turn_reward
def speed(turn: Turn) -> float:
    return float(turn.info["speed"])


def drive(safe: float, fast: float, status: Status = Status.TERMINATED) -> Trajectory:
    return episode([[0.0]], status, safety=[safe], speed=[fast])


def levels(pairs: list[Pair]) -> list[tuple[float, ...]]:
    return [
        tuple(one.turns[0].info[name] for one in (pair.preferred, pair.rejected) for name in ("safety", "speed"))
        for pair in pairs
    ]


def test_compare_takes_the_first_factor_that_tells_apart() -> None:
    margins = np.array([0.5, 0.0])
    assert compare(np.array([2.0, 0]), np.array([1.0, 9]), margins) == 1
    assert compare(np.array([1.4, 0]), np.array([1.0, 9]), margins) == -1
    assert compare(np.array([1.5, 0]), np.array([1.0, 9]), margins) == -1  # not more than the margin
    assert compare(np.array([1.0, 3]), np.array([1.2, 3]), margins) == 0


numbers = st.lists(st.integers(-3, 3), min_size=3, max_size=3).map(np.array)


@given(numbers, numbers, st.lists(st.floats(0, 2), min_size=3, max_size=3).map(np.array))
def test_compare_is_antisymmetric(first: np.ndarray, second: np.ndarray, margins: np.ndarray) -> None:
    assert compare(first, second, margins) == -compare(second, first, margins)
    assert compare(first, first, margins) == 0


def test_margins_are_in_standard_deviations() -> None:
    drives = [drive(10, 3), drive(11, 0), drive(0, 5)]  # the deviations are 5.0 and 2.1
    rng = np.random.default_rng(0)
    strict = set(levels(hierarchical_pairs(drives, [safety, speed], 60, rng)))
    assert strict == {(11, 0, 10, 3), (11, 0, 0, 5), (10, 3, 0, 5)}
    loose = set(levels(hierarchical_pairs(drives, [safety, speed], 60, rng, margins=0.5)))
    assert loose == {(10, 3, 11, 0), (11, 0, 0, 5), (10, 3, 0, 5)}
    apart = set(levels(hierarchical_pairs(drives, [safety, speed], 60, rng, margins=(0.5, 9))))
    assert apart == {(11, 0, 0, 5), (10, 3, 0, 5)}  # the pair that ties in both gives no preference


@pytest.mark.parametrize("scale", [(1000.0, 0.01), (0.001, 7.0)])
def test_the_scale_of_a_factor_does_not_matter(scale: tuple[float, float]) -> None:
    values = np.random.default_rng(0).normal(size=(12, 2))
    pairs = []
    for one, other in ((1.0, 1.0), scale):
        drives = [drive(one * safe, other * fast) for safe, fast in values]
        index = {id(made): place for place, made in enumerate(drives)}
        found = hierarchical_pairs(drives, [safety, speed], 50, np.random.default_rng(1), margins=0.7)
        pairs.append([(index[id(pair.preferred)], index[id(pair.rejected)]) for pair in found])
    assert pairs[0] == pairs[1]


def test_what_it_refuses() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="needs a factor"):
        hierarchical_pairs([drive(0, 0)] * 2, [], 1, rng)
    with pytest.raises(ValueError, match="two trajectories with an outcome"):
        hierarchical_pairs([drive(0, 0), drive(1, 1, Status.FAULT)], [safety], 1, rng)
    for margins in (-1.0, (0.1, 0.1), float("nan")):
        with pytest.raises(ValueError, match="margins must be"):
            hierarchical_pairs([drive(0, 0), drive(1, 1)], [safety], 1, rng, margins=margins)


ARMS = np.array([[0.9, 0.0], [0.9, 400.0], [0.2, 1000.0], [0.3, 700.0]])
"""Mean safety and speed of four ways to drive: by the ranking the second is best, by the plain sum the third."""


def pull(arm: int, rng: np.random.Generator) -> Trajectory:
    safe, fast = ARMS[arm] + rng.normal(size=2) * [0.02, 20.0]
    return episode([np.eye(len(ARMS))[arm]], safety=[safe], speed=[fast])


def favourite(paid: np.ndarray) -> int:
    """The arm that a softmax policy favours after following the exact gradient of these rewards [arms]."""
    scaled, logits = (paid - paid.mean()) / paid.std(), np.zeros(len(paid))
    for _ in range(300):
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        logits += 0.5 * chances * (scaled - chances @ scaled)
    return int(logits.argmax())


@pytest.mark.parametrize("seed", range(3))
def test_works_heron(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drives = [pull(arm % len(ARMS), rng) for arm in range(60)]
    pairs = hierarchical_pairs(drives, [safety, speed], 200, rng, margins=0.5)
    model = RewardModel(FeatureEncoder("features", len(ARMS), hidden=()))
    fit(model, pairs, preference_loss, epochs=20, learning_rate=0.05, generator=generator(seed))
    arms = [pull(arm, rng) for arm in range(len(ARMS))]
    assert favourite(np.array([value[-1] for value in model.pay(arms)])) == 1
    summed = (safety + speed)(arms)
    assert favourite(np.array([value[-1] for value in summed if value is not None])) == 2
