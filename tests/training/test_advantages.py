from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, env, score, turns
from palestra.training.advantages import ADVANTAGES, Scored, discounted, estimator, modulated, register_advantage

OF_RETURNS = ["grpo", "dr_grpo", "rloo", "multi_critic"]
"""Those that give every turn of a trajectory what its return is worth."""


def scored(
    rewards: Sequence[Sequence[float] | np.ndarray], observations: Sequence[Sequence[str]] | None = None
) -> Scored:
    """A group that was paid so by its environment; every turn saw something else, unless it is said."""
    names = observations or [[f"{n}-{t}" for t in range(len(values))] for n, values in enumerate(rewards)]
    trajectories = [
        Trajectory(
            "X-v0",
            0,
            0,
            [
                Turn(name, "a", float(value), logprobs=np.array([-1.0], np.float32))
                for name, value in zip(seen, values, strict=True)
            ],
            Status.TERMINATED,
        )
        for seen, values in zip(names, rewards, strict=True)
    ]
    score(env, trajectories)
    return Scored.by(env, trajectories)


def by(reward: Reward, group: Scored) -> Scored:
    trajectories = list(group.trajectories)
    score(reward, trajectories)
    return Scored.by(reward, trajectories)


def groups() -> list[Scored]:
    rng = np.random.default_rng(0)
    return [scored([rng.normal(size=rng.integers(1, 6)) for _ in range(rng.integers(2, 9))]) for _ in range(50)]


def lists(values: Sequence[np.ndarray]) -> list[list[float]]:
    return [pytest.approx(value.tolist()) for value in values]


def reference(name: str, returns: list[float]) -> list[float]:
    """By the formulas, one trajectory at a time."""
    n = len(returns)
    mean = sum(returns) / n
    if name in ("grpo", "multi_critic"):  # which are one where there is one term
        sigma = (sum((value - mean) ** 2 for value in returns) / n) ** 0.5
        return [(value - mean) / sigma for value in returns]
    if name == "rloo":
        return [value - (sum(returns) - value) / (n - 1) for value in returns]
    return [value - mean for value in returns]


@pytest.mark.parametrize("name", OF_RETURNS)
def test_every_turn_gets_what_the_formula_gives_its_trajectory(name: str) -> None:
    for group in groups():
        wanted = reference(name, [float(values.sum()) for values in group.rewards])
        got = ADVANTAGES[name](group)
        for values, value, advantages in zip(group.rewards, wanted, got, strict=True):
            assert advantages.shape == values.shape
            assert np.allclose(advantages, value, atol=1e-10)


@pytest.mark.parametrize("name", OF_RETURNS)
def test_groups_that_teach_nothing_get_zeros(name: str) -> None:
    equal = [np.array([0.1, 0.2]), np.array([0.3]), np.array([0.1, 0.1, 0.1])]
    for rewards in (equal, [np.array([0.7, 0.1])], [np.zeros(3)] * 4):
        group = scored(rewards)
        for values, advantages in zip(group.rewards, ADVANTAGES[name](group), strict=True):
            assert advantages.shape == values.shape
            assert np.abs(advantages).max() < 1e-12


@pytest.mark.parametrize("name", OF_RETURNS)
def test_a_constant_added_to_all_returns_changes_nothing(name: str) -> None:
    for group in groups():
        shifted = scored([values + 5.0 / len(values) for values in group.rewards])
        for one, other in zip(ADVANTAGES[name](group), ADVANTAGES[name](shifted), strict=True):
            assert np.allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("name", OF_RETURNS)
def test_a_groups_advantages_sum_to_zero(name: str) -> None:
    for group in groups():
        assert abs(sum(advantages[0] for advantages in ADVANTAGES[name](group))) < 1e-9


@pytest.mark.parametrize("name", ["returns_to_go", "empg"])
def test_the_advantages_of_all_turns_sum_to_zero(name: str) -> None:
    for group in groups():
        assert abs(np.concatenate(ADVANTAGES[name](group)).sum()) < 1e-9


@pytest.mark.parametrize("name", ADVANTAGES)
def test_the_order_of_a_group_does_not_matter(name: str) -> None:
    rng = np.random.default_rng(1)
    for group in groups()[:10]:
        order = rng.permutation(len(group.trajectories))
        mixed = by(env, scored([group.rewards[index] for index in order]))
        got = estimator(name, {})(mixed)
        for index, advantages in zip(order, got, strict=True):
            assert np.allclose(advantages, estimator(name, {})(group)[index])


def test_grpo_does_not_see_the_scale() -> None:
    for group in groups():
        scaled = ADVANTAGES["grpo"](scored([3 * values for values in group.rewards]))
        assert all(np.allclose(a, b) for a, b in zip(ADVANTAGES["grpo"](group), scaled, strict=True))


def test_returns_are_discounted_from_the_end() -> None:
    assert lists(discounted([np.array([1.0, 0.0, 4.0]), np.array([2.0])], 0.5)) == [[2.0, 2.0, 4.0], [2.0]]
    assert lists(discounted([np.array([1.0, 0.0, 4.0])], 1.0)) == [[5.0, 4.0, 4.0]]
    for gamma in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="gamma must be between 0 and 1"):
            discounted([np.zeros(1)], gamma)


def test_returns_to_go_credit_a_turn_with_what_came_after_it() -> None:
    # The returns to go are (1, 0) and (2): at turn 0 they differ from their mean by 1/2, at turn 1 there is one.
    got = ADVANTAGES["returns_to_go"](scored([[1.0, 0.0], [2.0]]))
    assert lists(got) == [[-math.sqrt(1.5), 0.0], [math.sqrt(1.5)]]
    # With gamma = 0.5 they are (2, 0), (1, 0) and (3, 2): less their means (0, -2/3), (-1, -2/3), (1, 4/3).
    got = ADVANTAGES["returns_to_go"](scored([[2.0, 0.0], [1.0, 0.0], [2.0, 2.0]]), gamma=0.5)
    std = math.sqrt((1 + 1 + 4 / 9 + 4 / 9 + 16 / 9) / 6)
    assert lists(got) == [[0.0, -2 / 3 / std], [-1 / std, -2 / 3 / std], [1 / std, 4 / 3 / std]]


def test_gigpo_compares_the_turns_that_began_alike() -> None:
    rewards = [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0, 2.0]]
    observations = [["start", "door"], ["start", "wall"], ["start", "door", "room"]]
    # Returns 1, 0, 2 less their mean; with gamma = 0.5 the starts are worth 0.5, 0, 0.5 and the doors 1, 1.
    got = ADVANTAGES["gigpo"](scored(rewards, observations), gamma=0.5)
    assert lists(got) == [[0.0 + 1 / 6, 0.0], [-1.0 - 1 / 3, -1.0], [1.0 + 1 / 6, 1.0, 1.0]]
    got = ADVANTAGES["gigpo"](scored(rewards, observations), gamma=0.5, weight=0.0)
    assert lists(got) == [value.tolist() for value in ADVANTAGES["dr_grpo"](scored(rewards))]
    # Divided: sigma of the returns is sqrt(2/3), that of the starts sqrt(1/18), that of the doors 0.
    got = ADVANTAGES["gigpo"](scored(rewards, observations), gamma=0.5, divide=True)
    whole, start = math.sqrt(1.5), math.sqrt(18)
    assert lists(got) == [[start / 6, 0.0], [-whole - start / 3, -whole], [whole + start / 6, whole, whole]]


def test_gigpo_tells_observations_apart_by_what_is_in_them() -> None:
    def turn(brightness: int, reward: float) -> Trajectory:
        seen = {"text": "room", "image": np.full((2, 2, 3), brightness, np.uint8)}
        return Trajectory("X-v0", 0, 0, [Turn(seen, "a", reward)], Status.TERMINATED)

    trajectories = [turn(0, 1.0), turn(0, 0.0), turn(9, 0.5)]
    score(env, trajectories)
    got = ADVANTAGES["gigpo"](Scored.by(env, trajectories))
    assert lists(got) == [[0.5 + 0.5], [-0.5 - 0.5], [0.0]]


def test_modulation_by_hand() -> None:
    # H is 0, 1, 1/2 of its range, so that g is 1, e^-1, e^-1/2 over their mean.
    g = np.exp([0.0, -1.0, -0.5])
    g /= g.mean()
    got = modulated([np.array([2.0, 2.0]), np.array([-1.0])], [np.array([1.0, 3.0]), np.array([2.0])], 1.0, 1.0, 0.1)
    whole = np.array([2 * g[0] + 0.1 * math.exp(-1), 2 * g[1], -g[2]])
    assert lists(got) == [(whole - whole.mean())[:2].tolist(), (whole - whole.mean())[2:].tolist()]
    # Where all are equally sure, only the bonus of the first turn is left.
    got = modulated([np.array([1.0, 1.0]), np.array([-2.0])], [np.array([3.0, 3.0]), np.array([3.0])], 1.0, 1.0, 0.3)
    assert lists(got) == [[1.0 + 0.2, 1.0 - 0.1], [-2.0 - 0.1]]


def test_works_empg_fixture() -> None:
    advantages = [np.array([1.0]), np.array([1.0]), np.array([-1.0]), np.array([-1.0])]
    sure_right, unsure_right, sure_wrong, unsure_wrong = (
        float(value[0]) for value in modulated(advantages, [np.array([h]) for h in (0.1, 0.9, 0.1, 0.9)], 1.0, 1.0, 0.1)
    )
    assert sure_right > unsure_right > 0
    assert sure_wrong < unsure_wrong < 0
    assert (sure_right + unsure_right) / 2 == pytest.approx(1.0)  # g averages 1


def test_empg_takes_the_mean_surprisal_of_a_turn() -> None:
    group = scored([[0.0, 1.0], [0.0]])
    for trajectory, values in zip(group.trajectories, [[(-1.0, -3.0), (-1.0,)], [(-3.0,)]], strict=True):
        for turn, logprobs in zip(trajectory.turns, values, strict=True):
            turn.logprobs = np.array(logprobs, np.float32)
    wanted = modulated([np.array([1.0, 1.0]), np.array([-1.0])], [np.array([2.0, 1.0]), np.array([3.0])], 2.0, 3.0, 0.5)
    assert lists(ADVANTAGES["empg"](group, k=2.0, k_future=3.0, zeta=0.5)) == [value.tolist() for value in wanted]
    with pytest.raises(ValueError, match=r"needs info\['entropy'\]; a turn has none"):
        ADVANTAGES["empg"](group, key="entropy")
    for trajectory, levels in zip(group.trajectories, [(2.0, 1.0), (3.0,)], strict=True):
        for turn, level in zip(trajectory.turns, levels, strict=True):
            turn.info["entropy"], turn.logprobs = level, np.zeros(0, np.float32)
    assert lists(ADVANTAGES["empg"](group, 2.0, 3.0, 0.5, key="entropy")) == [value.tolist() for value in wanted]
    with pytest.raises(ValueError, match="log-probabilities of what was sampled; a turn has none"):
        ADVANTAGES["empg"](group)


def test_many_critics_weigh_terms_by_their_weights_and_not_by_their_scale() -> None:
    group = scored([[0.0], [1.0], [2.0]])
    for trajectory, length in zip(group.trajectories, (3, 1, 2), strict=True):
        trajectory.turns.extend(Turn("", "", 0.0) for _ in range(length - 1))
    third = math.sqrt(1.5)
    for scale in (1.0, 1000.0):
        got = ADVANTAGES["multi_critic"](by(scale * env - 0.5 * turns, group))
        # Unweighted terms have their own scale: only the weights, here scale and 0.5, are left.
        assert lists(got) == [[scale * -third - 0.5 * third] * 3, [0.5 * third], [scale * third] * 2]
    for episode in group.trajectories:
        for turn in episode.turns:
            turn.reward *= 1000.0
    got = ADVANTAGES["multi_critic"](by(env - 0.5 * turns, group))
    assert lists(got) == [[-third - 0.5 * third] * 3, [0.5 * third], [third] * 2]


def test_what_is_scored_is_what_the_reward_recorded() -> None:
    group = by(env + 2 * turns, scored([[1.0, 0.5], [0.25]]))
    assert lists(group.rewards) == [[3.0, 2.5], [2.25]]
    assert [terms.tolist() for terms in group.terms] == [[[1.0, 1.0], [0.5, 1.0]], [[0.25, 1.0]]]
    assert group.weights.tolist() == [1.0, 2.0]
    assert group.returns.tolist() == [5.5, 2.25]
    with pytest.raises(RewardError, match="call score first"):
        Scored.by(env, [Trajectory("X-v0", 0, 0, [Turn("", "")], Status.TERMINATED)])


def test_options_are_those_of_the_estimator() -> None:
    group = scored([[1.0, 1.0], [2.0]])
    got = estimator("returns_to_go", {"gamma": 0.5})(group)
    assert lists(got) == [value.tolist() for value in ADVANTAGES["returns_to_go"](group, gamma=0.5)]
    with pytest.raises(ValueError, match="gigpo has no option gama; it has gamma, weight, divide"):
        estimator("gigpo", {"gama": 0.9})
    with pytest.raises(ValueError, match="rloo has no option gamma; it has none"):
        estimator("rloo", {"gamma": 0.9})


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'grpo' is registered already"):
        register_advantage("grpo")(ADVANTAGES["grpo"])
