"""STARC and EPIC: exact on hand-computed numbers, blind to scale and shaping, closer to regret than raw distance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, env, turn_reward, turns
from palestra.rewards.audit.sampled import reward_distance
from palestra.rewards.audit.tabular import (
    epic_distance,
    starc_canonical,
    starc_distance,
    tabular_epic_distance,
    uniform_value,
)


def problem(seed: int, states: int = 5, actions: int = 3) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """A random transition table and reward."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(states), size=(states, actions)), rng.normal(size=(states, actions, states)), rng


def shaped(reward: np.ndarray, potential: np.ndarray, discount: float) -> np.ndarray:
    return reward + discount * potential[None, None, :] - potential[:, None, None]


def test_the_canonical_reward_by_hand() -> None:
    # One state, two actions that stay; action 0 pays 1, action 1 pays 3: V = 2 / (1 - 0.5) = 4, C = r + 0.5 * 4 - 4.
    transition = np.ones((1, 2, 1))
    reward = np.array([[[1.0], [3.0]]])
    assert uniform_value(reward, transition, 0.5).tolist() == [4]
    assert starc_canonical(reward, transition, 0.5).tolist() == [[-1, 1]]


def test_distances_by_hand() -> None:
    # Four actions in one state, so C is r less its mean.
    transition = np.ones((1, 4, 1))
    first, second = np.array([1.0, -1, 0, 0]), np.array([0.0, 0, 5, -5])
    table = lambda row: row.reshape(1, 4, 1)  # noqa: E731
    assert starc_distance(table(first), table(second), transition, 0.9) == pytest.approx(np.sqrt(2) / 2)
    assert starc_distance(table(first), table(first * 7 + 3), transition, 0.9) == pytest.approx(0, abs=1e-12)
    assert starc_distance(table(first), table(-first), transition, 0.9) == pytest.approx(1)
    assert starc_distance(table(first), table(first * 0 + 2), transition, 0.9) == pytest.approx(0.5)
    assert starc_distance(table(first * 0), table(first * 0 + 2), transition, 0.9) == 0
    # EPIC of uncorrelated rewards is sqrt(1 / 2).
    assert tabular_epic_distance(table(first), table(second), 0.9) == pytest.approx(np.sqrt(0.5))


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(0, 0.99), st.floats(-10, 10))
def test_scale_and_shaping_do_not_count(seed: int, scale: float, discount: float, size: float) -> None:
    transition, reward, rng = problem(seed)
    same = scale * shaped(reward, size * rng.normal(size=len(reward)), discount)
    other = rng.normal(size=reward.shape)
    assert starc_distance(reward, same, transition, discount) < 1e-6
    assert tabular_epic_distance(reward, same, discount) < 1e-6
    assert starc_distance(reward, -same, transition, discount) == pytest.approx(1)
    assert tabular_epic_distance(reward, -same, discount) == pytest.approx(1)
    assert starc_distance(other, same, transition, discount) == pytest.approx(
        starc_distance(other, reward, transition, discount), abs=1e-9
    )
    nothing = shaped(0 * reward, 10 * rng.normal(size=len(reward)), discount)
    assert starc_distance(reward, nothing, transition, discount) == pytest.approx(0.5)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_starc_is_a_pseudometric(seed: int) -> None:
    transition, first, rng = problem(seed)
    second, third = rng.normal(size=(2, *first.shape))
    distance = lambda a, b: starc_distance(a, b, transition, 0.9)  # noqa: E731
    assert distance(first, second) == pytest.approx(distance(second, first))
    assert distance(first, third) <= distance(first, second) + distance(second, third) + 1e-12
    assert 0 <= distance(first, second) <= 1


def test_starc_does_not_see_what_is_redistributed_among_next_states() -> None:
    transition, reward, rng = problem(0)
    moved = rng.normal(size=reward.shape)
    moved -= (transition * moved).sum(axis=2, keepdims=True)  # the mean over s' of every (s, a) stays
    assert starc_distance(reward, reward + moved, transition, 0.9) == pytest.approx(0, abs=1e-9)
    assert tabular_epic_distance(reward, reward + moved, 0.9) > 0.1


def test_epic_of_functions_is_epic_of_tables_when_all_transitions_are_given() -> None:
    _, first, rng = problem(1, 3, 2)
    second = rng.normal(size=first.shape)
    indices = [index.ravel() for index in np.indices(first.shape)]
    found = epic_distance(lambda s, a, n: first[s, a, n], lambda s, a, n: second[s, a, n], *indices, discount=0.8)
    assert found == pytest.approx(tabular_epic_distance(first, second, 0.8), abs=1e-12)


def test_epic_on_a_sample_of_a_continuous_problem() -> None:
    rng = np.random.default_rng(0)
    states, next_states = rng.normal(size=(2, 30, 2))
    actions = rng.normal(size=(30, 1))

    def reward(s: np.ndarray, a: np.ndarray, n: np.ndarray) -> np.ndarray:
        return np.asarray(n[:, 0] - a[:, 0] ** 2)

    def potential(s: np.ndarray) -> np.ndarray:
        return np.asarray(np.sin(s[:, 0]) + s[:, 1] ** 2)

    def same(s: np.ndarray, a: np.ndarray, n: np.ndarray) -> np.ndarray:
        return 5 * reward(s, a, n) + 0.9 * potential(n) - potential(s)

    sample = (states, actions, next_states, 0.9)
    assert epic_distance(reward, same, *sample) < 1e-6
    assert epic_distance(reward, lambda *triple: -same(*triple), *sample) == pytest.approx(1)
    assert 0.1 < epic_distance(reward, lambda s, a, n: n[:, 1], *sample) < 0.9
    with pytest.raises(ValueError, match="nothing but a constant"):
        epic_distance(reward, lambda s, a, n: 0.9 * potential(n) - potential(s), *sample)


def test_what_is_no_problem_is_refused() -> None:
    transition, reward, _ = problem(0)
    for arguments, message in (
        ((reward[:2], reward, transition, 0.9), "one shape"),
        ((reward, reward, transition * 2, 0.9), "do not sum to 1"),
        ((reward, reward, transition, 1.0), r"not in \[0, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            starc_distance(*arguments)


# --- on trajectories --------------------------------------------------------------------------------------------------

PHI = {"s0": 0.0, "s1": 3.0, "s2": -2.0, "end": 0.0}
MOVES = {
    ("s0", "a"): "s1",
    ("s0", "b"): "s2",
    ("s1", "a"): "s2",
    ("s1", "b"): "end",
    ("s2", "a"): "end",
    ("s2", "b"): "s0",
}
PAYS = {("s0", "a"): 1.0, ("s0", "b"): 0.0, ("s1", "a"): -1.0, ("s1", "b"): 2.0, ("s2", "a"): 1.0, ("s2", "b"): 0.5}


@turn_reward
def shaping(turn: Turn) -> float:
    return turn.info["shaping"]


def walk(rng: np.random.Generator) -> Trajectory:
    state, trajectory = "s0", Trajectory("W-v0", None, 0, [], Status.TERMINATED)
    while state != "end":
        action = str(rng.choice(["a", "b"]))
        following = MOVES[state, action]
        info = {"shaping": 0.9 * PHI[following] - PHI[state]}
        trajectory.turns.append(Turn(state, action, PAYS[state, action], info=info))
        state = following
    return trajectory


def walks() -> list[Trajectory]:
    rng = np.random.default_rng(0)
    return [walk(rng) for _ in range(30)]


def test_on_trajectories_it_is_the_table_s_distance() -> None:
    names = list(PHI)
    transition, reward = np.zeros((2, 4, 2, 4))
    for (state, action), following in MOVES.items():
        place = names.index(state), "ab".index(action)
        transition[(*place, names.index(following))] = 1
        reward[place] = PAYS[state, action]
    transition[3, :, 3] = 1
    count = np.zeros_like(reward)
    count[:3] = 1  # turns pays in every state but the end
    found = reward_distance(env, turns, walks(), discount=0.9)
    assert found == pytest.approx(starc_distance(reward, count, transition, 0.9), abs=1e-12)
    assert 0.1 < found < 0.9


@pytest.mark.parametrize(
    ("other", "distance"),
    [(3 * env, 0), (env + shaping, 0), (0.5 * env - 7 * shaping, 0), (-env, 1), (-env + shaping, 1), (shaping, 0.5)],
    ids=str,
)
def test_on_trajectories_scale_and_shaping_do_not_count(other: Reward, distance: float) -> None:
    assert reward_distance(env, other, walks(), discount=0.9) == pytest.approx(distance, abs=1e-9)


def test_faults_and_order_do_not_matter_on_trajectories() -> None:
    seen = walks()
    fault = Trajectory("W-v0", None, 0, [Turn("s9", "z", 99.0)], Status.FAULT)
    expected = reward_distance(env, turns, seen)
    assert reward_distance(env, turns, [fault, *seen[::-1]]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no trajectory has an outcome"):
        reward_distance(env, turns, [fault])
    cut = [Trajectory("W-v0", None, 0, [Turn("s0", "b", 1.0)], Status.TRUNCATED, final_observation="s8")]
    assert 0 <= reward_distance(env, turns, seen + cut) <= 1


# --- works when -------------------------------------------------------------------------------------------------------


def returns_of_all_policies(reward: np.ndarray, transition: np.ndarray, discount: float) -> np.ndarray:
    """The mean value over states of every deterministic policy."""
    states, actions, _ = reward.shape
    expected = (transition * reward).sum(axis=2)
    rows = np.arange(states)
    values = []
    for policy in itertools.product(range(actions), repeat=states):
        following = transition[rows, policy]
        values.append(np.linalg.solve(np.eye(states) - discount * following, expected[rows, policy]).mean())
    return np.array(values)


def worst_regret(true: np.ndarray, proxy: np.ndarray) -> float:
    """The most that is lost, in parts of the range, by going to a policy that the proxy does not think worse."""
    not_worse = proxy[:, None] >= proxy[None, :]
    return float(((true[None, :] - true[:, None]) * not_worse).max() / np.ptp(true))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rescaled", [False, True])
def test_works_starc(seed: int, rescaled: bool) -> None:
    """STARC(R, c R + shaping) = 0, STARC(R, -R) is maximal, and it follows worst-case regret closer than raw L2."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(25):
        transition = rng.dirichlet(np.ones(4), size=(4, 2))
        true, other = rng.normal(size=(2, 4, 2, 4))
        potential = rng.normal(size=4)
        assert starc_distance(true, 3 * shaped(true, potential, 0.9), transition, 0.9) < 1e-6
        assert starc_distance(true, -true, transition, 0.9) == pytest.approx(1)
        good = returns_of_all_policies(true, transition, 0.9)
        for weight in rng.random(4):
            proxy = (1 - weight) * true + weight * other
            if rescaled:
                proxy = np.exp(rng.normal()) * shaped(proxy, potential, 0.9)
            regret = worst_regret(good, returns_of_all_policies(proxy, transition, 0.9))
            raw = np.linalg.norm(true - proxy)
            epic = tabular_epic_distance(true, proxy, 0.9)
            found.append([regret, starc_distance(true, proxy, transition, 0.9), epic, raw])
    _, starc, epic, raw = np.corrcoef(np.array(found).T)[0]
    assert starc > 0.9
    assert starc > epic > 0.6
    assert starc > raw + 0.05
    assert not rescaled or abs(raw) < 0.3
