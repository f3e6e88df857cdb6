"""Transforms of values: exact on small numbers, and what they teach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, Scope, clip, parse_reward, score
from palestra.rewards.shaping import (
    LearnedBlend,
    forward_delta,
    krc,
    potential_based,
    preference_over,
    shortfall,
    when_confident,
)

from .shaping_toys import episode, lists, read

a, b, c = (read(key=key) for key in "abc")
finite = st.floats(-5, 5, allow_nan=False)
columns = st.lists(finite, min_size=1, max_size=8)


def test_shortfall_is_the_lack_of_the_threshold() -> None:
    assert lists(shortfall(a, 0.5), [episode(a=[0.25, 0.5, 0.75])]) == [[-0.25, 0, 0]]
    assert shortfall(a, 0.5).scope is Scope.TURN
    with pytest.raises(ValueError, match="not finite"):
        shortfall(a, math.nan)


@given(columns, finite)
def test_shortfall_is_what_clip_makes_of_the_difference(values: list[float], threshold: float) -> None:
    group = [episode(a=values, one=[1.0] * len(values))]
    assert lists(shortfall(a, threshold), group) == [
        pytest.approx(v, abs=1e-12) for v in lists(clip(a - threshold * read(key="one"), high=0), group)
    ]


def test_forward_delta_pays_each_step_its_lead_over_the_next() -> None:
    assert lists(forward_delta(a), [episode(a=[0.25, 1.0, 0.5]), episode(a=[])]) == [[-0.75, 0.5, 0.5], []]


@given(columns)
def test_forward_delta_from_any_turn_on_sums_to_the_turns_value(values: list[float]) -> None:
    [paid] = lists(forward_delta(a), [episode(a=values)])
    np.testing.assert_allclose(np.cumsum(paid[::-1])[::-1], values, atol=1e-9)


def test_preference_over_is_a_sigmoid_of_the_lead_of_the_totals() -> None:
    group = [episode(a=[1, 1], b=[0.5, 1.5], c=[0, 0]), episode(a=[0, 1], b=[3, 0], c=[1, -1])]
    one, two = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2))
    assert lists(preference_over(a, b), group) == [[0, 0.5], [0, pytest.approx(two)]]
    assert lists(preference_over(a, b, c), group) == [
        [0, pytest.approx((0.5 + one) / 2)],
        [0, pytest.approx((two + 1 / (1 + math.exp(-1))) / 2)],
    ]
    assert lists(preference_over(a, b), [episode(a=[5000], b=[0]), episode(a=[-5000], b=[0])]) == [[1], [0]]
    with pytest.raises(ValueError, match="at least one reference"):
        preference_over(a)


@given(finite, finite, finite)
def test_a_preference_is_a_probability_and_grows_with_the_score(low: float, high: float, reference: float) -> None:
    low, high = sorted((low, high))
    [[less], [more]] = lists(preference_over(a, b), [episode(a=[x], b=[reference]) for x in (low, high)])
    assert 0 < less <= more < 1


def test_potential_based_shaping_pays_the_discounted_gain() -> None:
    group = [episode(a=[1, 4, 2]), episode(Status.TRUNCATED, a=[3]), episode(a=[])]
    assert lists(potential_based(a, discount=0.5), group) == [[1, -3, -2], [-3], []]
    with pytest.raises(ValueError, match="discount 2 is not between 0 and 1"):
        potential_based(a, discount=2)


@given(columns, st.floats(0, 1))
def test_the_discounted_sum_of_shaping_is_minus_the_first_potential(values: list[float], discount: float) -> None:
    [paid] = lists(potential_based(a, discount=discount), [episode(a=values)])
    total = sum(discount**t * value for t, value in enumerate(paid))
    assert total == pytest.approx(-values[0], abs=1e-9)


def test_krc_is_a_signed_geometric_mean() -> None:
    group = [episode(a=[4, -4, -4, 0], b=[9, 9, -9, 9])]
    assert lists(krc(a, b), group) == [[pytest.approx(6), pytest.approx(-6), pytest.approx(-6), 0]]
    assert lists(krc(a, b, c), [episode(a=[1e-200], b=[1e-200], c=[1e-200])]) == [[pytest.approx(1e-200, rel=1e-9)]]
    with pytest.raises(ValueError, match="at least two"):
        krc(a)


@given(st.floats(0.01, 5), st.floats(0.01, 5), st.floats(0.01, 5))
def test_krc_of_good_parts_lies_between_the_least_and_the_mean(x: float, y: float, z: float) -> None:
    [[value]] = lists(krc(a, b, c), [episode(a=[x], b=[y], c=[z])])
    assert min(x, y, z) - 1e-9 <= value <= (x + y + z) / 3 + 1e-9


def test_the_rule_counts_where_it_is_confident_and_everything_is_recorded() -> None:
    reward = when_confident(a, confidence=b, otherwise=c, threshold=0.8)
    group = [episode(a=[1, 1], b=[0.5, 0.5], c=[7, 7]), episode(a=[1, 1], b=[0.5, 0], c=[7, 8])]
    assert lists(reward, group) == [[1, 1], [7, 8]]
    score(reward, group)
    assert {"read(key='a')", "read(key='b')", "read(key='c')"} <= group[0].rewards.keys()


def test_a_learned_blend_moves_its_weights_along_agreement() -> None:
    blend = LearnedBlend(a, [b, c], weights=[1.0, 0.5], learning_rate=0.5)
    assert blend.reward == a + b + 0.5 * c
    blend.update(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, -4.0]]))
    assert blend.weights.tolist() == [2.5, 0.0]
    assert lists(blend.reward, [episode(a=[1], b=[2], c=[3])]) == [[6]]
    for gradients in (np.zeros((1, 2)), np.array([[math.nan, 0], [0, 0]])):
        with pytest.raises(ValueError, match="update"):
            blend.update(np.zeros(2), gradients)
    assert blend.weights.tolist() == [2.5, 0.0]
    for weights in ([1.0], [1.0, -1.0]):
        with pytest.raises(ValueError, match="weight of at least 0"):
            LearnedBlend(a, [b, c], weights=weights, learning_rate=0.5)
    with pytest.raises(ValueError, match="learning_rate"):
        LearnedBlend(a, [b], weights=[1], learning_rate=0)


@pytest.mark.parametrize(
    "reward",
    [
        shortfall(a, 0.5),
        forward_delta(a),
        preference_over(a, b),
        potential_based(a, 0.9),
        krc(a, b),
        when_confident(a, confidence=b, otherwise=c),
    ],
    ids=str,
)
def test_order_and_faults_change_nobodys_reward(reward: Reward) -> None:
    rng = np.random.default_rng(0)

    def draw(status: Status = Status.TERMINATED) -> Trajectory:
        turns = int(rng.integers(0, 4))
        return episode(status, **{key: rng.uniform(-1, 1, turns).tolist() for key in "abc"})

    group = [draw() for _ in range(5)]
    want = lists(reward, group)
    assert lists(reward, [draw(Status.FAULT), *group[::-1]]) == [None, *want[::-1]]


@pytest.mark.parametrize(
    "text",
    [
        "shortfall(env, 0.5)",
        "forward_delta(env)",
        "preference_over(env, turns)",
        "potential_based(env, discount=0.9)",
        "krc(env, turns)",
        "when_confident(env, confidence=turns, otherwise=success)",
    ],
)
def test_expressions_read_back(text: str) -> None:
    assert str(parse_reward(text)) == text


# ---- What shaping does to the best policy, solved exactly


def _optimal(
    rewards: np.ndarray, transitions: np.ndarray, discount: float, states: int
) -> tuple[np.ndarray, np.ndarray]:
    """State values and action values of the best policy: rewards and transitions are [states, actions, states + 1]."""
    values = np.zeros(states + 1)  # the last state ends the episode and is worth 0
    for _ in range(400):
        actions = (transitions * (rewards + discount * values)).sum(axis=2)
        values[:states] = actions.max(axis=1)
    return values, actions


def _shaped(rewards: np.ndarray, potential: np.ndarray, reward: Reward) -> np.ndarray:
    """The rewards of the transitions, plus what the shaping reward pays on the first turn of an episode of each."""
    shaped = rewards.copy()
    states = len(potential)
    for start in range(states):
        for end in range(states + 1):
            path = [start] if end == states else [start, end]
            turns = [Turn(str(state), "act", info={"a": potential[state]}) for state in path]
            [values] = reward([Trajectory("X", None, 0, turns, Status.TERMINATED)])
            assert values is not None
            shaped[start, :, end] += values[0]
    return shaped


@pytest.mark.parametrize("seed", range(5))
def test_works_potential_based_shaping_leaves_the_best_policy_of_an_mdp(seed: int) -> None:
    rng, states, discount = np.random.default_rng(seed), 6, 0.9
    transitions = rng.dirichlet(np.ones(states + 1), (states, 3))
    rewards = rng.normal(size=(states, 3, states + 1))
    potential = rng.normal(scale=5, size=states)
    values, actions = _optimal(rewards, transitions, discount, states)
    moved = _shaped(rewards, potential, potential_based(a, discount))
    shaped_values, shaped_actions = _optimal(moved, transitions, discount, states)
    np.testing.assert_allclose(shaped_values[:-1], values[:-1] - potential, atol=1e-9)
    np.testing.assert_allclose(shaped_actions, actions - potential[:, None], atol=1e-9)
    assert (shaped_actions.argmax(axis=1) == actions.argmax(axis=1)).all()


def test_paying_the_potential_itself_changes_the_best_policy() -> None:
    rng, states, discount = np.random.default_rng(0), 6, 0.9
    transitions = rng.dirichlet(np.ones(states + 1), (states, 3))
    rewards = rng.normal(size=(states, 3, states + 1))
    potential = rng.normal(scale=5, size=states)
    _, actions = _optimal(rewards, transitions, discount, states)
    _, moved = _optimal(_shaped(rewards, potential, a), transitions, discount, states)
    assert (moved.argmax(axis=1) != actions.argmax(axis=1)).any()
