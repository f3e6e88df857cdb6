"""Transforms of values: exact on small numbers, and what they teach."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, Scope, clip, env, parse_reward, score, success
from palestra.rewards.shaping import (
    LearnedBlend,
    forward_delta,
    krc,
    potential_based,
    preference_over,
    shortfall,
    when_confident,
)

from .lab import TabularPolicy, learn, play
from .shaping_toys import Arms, Job, Text, episode, expected, lists, mean_info, read

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


# ---- Clip and Delta: a process reward that pays for repeating a right step

PRM = read(key="prm")
LONG_JOB = {"works": 1, "horizon": 8, "idle": {"repeat": {"prm": 0.9}, "err": {"prm": 0.1}}, "prm": 0.8}


@pytest.mark.parametrize("repeats", [0, 1, 20])
def test_works_clip_and_delta_unit(repeats: int) -> None:
    """The return of n more repeats of a right step: as much as one likes, or the same."""
    group = [episode(prm=[0.9] * (repeats + 1) + [0.8])]
    [raw], [clipped], [forward] = (lists(reward, group) for reward in (PRM, shortfall(PRM, 0.8), forward_delta(PRM)))
    assert sum(raw) == pytest.approx(0.9 * (repeats + 1) + 0.8)
    assert sum(clipped) == 0
    assert sum(forward) == pytest.approx(0.9)


@pytest.mark.parametrize("seed", range(2))
def test_works_clip_and_delta(seed: int) -> None:
    """Success after training with each; at the start it is 0.96."""

    def solved(term: Reward) -> float:
        _, history = learn(Job(**LONG_JOB), success + term, steps=25, groups=2, seed=seed, learning_rate=2.0)
        return float(np.mean(history[-5:]))

    assert solved(PRM) < 0.1
    assert solved(shortfall(PRM, 0.7)) > 0.95
    assert solved(forward_delta(PRM)) > 0.85


# ---- PAR: a proxy that keeps rising after the truth has peaked


def _tilted(values: np.ndarray, budget: float) -> np.ndarray:
    """The policy of greatest expected value within ``budget`` nats of the uniform one: proportional to exp(k v)."""
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        policy = np.exp(middle * (values - values.max()))
        policy /= policy.sum()
        divergence = float((policy * np.log(np.maximum(policy * len(values), 1e-300))).sum())
        low, high = (middle, high) if divergence < budget else (low, middle)
    return policy


@pytest.mark.parametrize("budget", [0.2, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("reference", [2.0, 3.0, 4.0])
def test_works_par(budget: float, reference: float) -> None:
    """The proxy score of ten answers is 0 to 9 and the truth peaks at 5; solved exactly, at equal divergence."""
    proxy, truth = np.arange(10.0), -np.abs(np.arange(10.0) - 5)
    group = [episode(proxy=[score], reference=[reference]) for score in proxy]
    preferred = np.concatenate(lists(preference_over(read(key="proxy"), read(key="reference")), group))
    raw, scaled, par = (float(_tilted(v, budget) @ truth) for v in (proxy, proxy / 9, preferred))
    assert raw == pytest.approx(scaled, abs=1e-6)
    assert par > raw + 0.1


# ---- The hybrid reward: a rule that is blind to some answers, a model that one answer fools

ANSWERS = {
    "right": {"true": 1.0, "rule": 1.0, "sure": 1.0, "model": 0.6},
    "flattery": {"true": 0.0, "rule": 0.0, "sure": 1.0, "model": 1.0},
    "essay": {"true": 0.8, "rule": 0.0, "sure": 0.0, "model": 0.7},
    "spam": {"true": 0.1, "rule": 1.2, "sure": 0.0, "model": 0.1},
}


@pytest.mark.parametrize("seed", range(2))
def test_works_hybrid_reward(seed: int) -> None:
    rule, model, sure = read(key="rule"), read(key="model"), read(key="sure")

    def truth(reward: Reward) -> float:
        policy, _ = learn(Arms(ANSWERS), reward, steps=40, groups=2, seed=seed, learning_rate=2.0)
        return expected(Arms(ANSWERS), policy, "true")

    hybrid = truth(when_confident(rule, confidence=sure, otherwise=model))
    assert truth(model) < 0.1
    assert truth(rule) < 0.2
    assert hybrid > 0.9


# ---- KRC: near the ball and facing it


class Chase(Text):
    """A grid with a ball: turn, or go forward.  ``near`` and ``facing`` are in [0, 1]; ``first`` the first touch."""

    HEADINGS = ((0, 1), (1, 0), (0, -1), (-1, 0))
    ACTIONS = ("forward", "back", "left", "right")
    BALL, SIZE, HORIZON = (2, 2), 4, 8

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.x = self.y = self.time = 0
        self.heading = int(np.random.default_rng(seed).integers(4))
        self.first = self.HORIZON
        return f"0 0 {self.heading}", {"legal_actions": self.ACTIONS}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.time += 1
        if action in ("left", "right"):
            self.heading = (self.heading + (1 if action == "right" else -1)) % 4
        ahead = self.HEADINGS[self.heading]
        if action in ("forward", "back"):
            sign = 1 if action == "forward" else -1
            moved = np.clip([self.x + sign * ahead[0], self.y + sign * ahead[1]], 0, self.SIZE - 1)
            x, y = int(moved[0]), int(moved[1])
            if (x, y) != self.BALL:
                self.x, self.y = x, y
        to_ball = (self.BALL[0] - self.x, self.BALL[1] - self.y)
        distance = math.hypot(*to_ball)
        facing = (1 + (to_ball[0] * ahead[0] + to_ball[1] * ahead[1]) / distance) / 2
        if distance == 1 and facing > 0.99:
            self.first = min(self.first, self.time)
        info = {"near": 1 - (distance - 1) / 2, "facing": facing, "first": self.first, "legal_actions": self.ACTIONS}
        return f"{self.x} {self.y} {self.heading}", 0.0, False, self.time == self.HORIZON, info


NEAR, FACING = read(key="near"), read(key="facing")


def test_works_lucy_skg_unit() -> None:
    group = [episode(near=[0.9, 0.9, 0.1], facing=[0.9, 0.01, 0.9])]
    [product], [mean] = lists(krc(NEAR, FACING), group), lists(0.5 * NEAR + 0.5 * FACING, group)
    assert product[0] == pytest.approx(0.9) == mean[0]
    assert product[1] < 0.1 < 0.45 < mean[1]
    assert product[2] == pytest.approx(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_works_lucy_skg(seed: int) -> None:
    """Both find the shortest way to a first touch in a table; that the product is faster is not seen."""
    for reward in (krc(NEAR, FACING), 0.5 * NEAR + 0.5 * FACING):
        _, history = learn(Chase(), reward, steps=80, seed=seed, learning_rate=2.0, measure=mean_info("first"))
        assert np.mean(history[:10]) > 7.5
        assert np.mean(history[-20:]) < 5.8


# ---- BARFI: an auxiliary reward that helps, and one that misleads


class Corridor(Text):
    """The goal is six cells to the right, within ten turns; ``left`` counts steps left, ``gain`` the cells gained."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.cell = self.time = 0
        return "0", {"legal_actions": ["left", "right"]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.time += 1
        before, self.cell = self.cell, max(0, self.cell - 1) if action == "left" else self.cell + 1
        info = {"left": float(action == "left"), "gain": self.cell - before, "legal_actions": ["left", "right"]}
        return str(self.cell), float(self.cell == 6), self.cell == 6, self.time == 10, info


PARAMETERS = [(str(cell), action) for cell in range(6) for action in ("left", "right")]


def _gradient(policy: TabularPolicy, group: Group, reward: Reward) -> np.ndarray:
    """The policy gradient of the reward's return, estimated from the group: [parameters]."""
    totals = np.array([value.sum() for value in reward(group) if value is not None])
    gradient = np.zeros(len(PARAMETERS))
    for trajectory, advantage in zip(group, totals - totals.mean(), strict=True):
        for turn in trajectory.turns:
            place = PARAMETERS.index((turn.observation, "left"))
            gradient[place : place + 2] -= advantage * policy.probabilities(turn.observation, ["left", "right"])
            gradient[PARAMETERS.index((turn.observation, turn.action))] += advantage
    return gradient / len(group)


def _blended(auxiliary: Reward, seed: int, weight: float, learning_rate: float | None) -> tuple[list[float], float]:
    """Success at each step and the auxiliary's last weight, which is learned if there is a learning rate."""
    rng, policy, history = np.random.default_rng(seed), TabularPolicy(), []
    blend = LearnedBlend(env, [auxiliary], weights=[weight], learning_rate=learning_rate or 1.0)
    for _ in range(35):
        group = Group([play(Corridor(), policy, rng) for _ in range(32)])
        history.append(float(np.mean([trajectory.score for trajectory in group])))
        if learning_rate:
            blend.update(_gradient(policy, group, env), _gradient(policy, group, auxiliary)[None])
        for (state, action), change in zip(PARAMETERS, _gradient(policy, group, blend.reward), strict=True):
            policy.probabilities(state, ["left", "right"])  # which makes the state known
            policy.logits[state][action] += change
    return history, float(blend.weights[0])


def _solved_by(history: list[float]) -> int:
    return next((step for step, share in enumerate(history) if share >= 0.9), len(history))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_works_barfi(seed: int) -> None:
    alone, _ = _blended(read(key="left"), seed, 0.0, None)
    summed, _ = _blended(read(key="left"), seed, 0.1, None)
    misled, weight = _blended(read(key="left"), seed, 0.1, 0.5)
    assert weight < 0.01
    assert np.mean(summed[-5:]) < 0.1
    assert np.mean(misled[-5:]) > 0.9 < np.mean(alone[-5:])
    helped, weight = _blended(read(key="gain"), seed, 0.1, 0.5)
    assert weight > 0.5
    assert _solved_by(helped) < _solved_by(alone)
