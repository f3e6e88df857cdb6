"""Every operator on hand-computed numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import (
    Operation,
    Reward,
    RewardError,
    Scope,
    anneal,
    clip,
    combinator,
    cosine,
    delta,
    env,
    exponential,
    gate,
    group_reward,
    harmonic,
    lexicographic,
    linear,
    product,
    route,
    score,
    success,
    trust_weighted,
    turn_reward,
    turns,
    worst_of,
)


@turn_reward
def a(turn: Turn) -> float:
    return turn.info["a"]


@turn_reward
def b(turn: Turn) -> float:
    return turn.info["b"]


@turn_reward
def c(turn: Turn) -> float:
    return turn.info["c"]


def episode(env_id: str = "X-v0", status: Status = Status.TERMINATED, **columns: list[Any]) -> Trajectory:
    """An episode whose infos hold one column of values per name."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return Trajectory(env_id, None, 0, [Turn("o", "a", info=row) for row in rows], status)


def lists(reward: Reward, group: list[Trajectory], step: int = 0) -> list[Any]:
    return [None if value is None else value.tolist() for value in reward(group, step=step)]


def test_gate_keeps_the_steps_of_episodes_that_reach_the_threshold() -> None:
    group = [episode(a=[1, 2], b=[0.5, 0.5]), episode(a=[3, 4], b=[0.5, 0.25]), episode(a=[5, 6], b=[-1, 3])]
    assert lists(gate(a, by=b), group) == [[1, 2], [0, 0], [5, 6]]
    assert lists(gate(a, by=b, threshold=0.75), group) == [[1, 2], [3, 4], [5, 6]]
    farmed = [episode(a=[1] * 50, success=[False] * 50)]
    assert lists(success + gate(a, by=success), farmed) == [[0] * 50]


def test_clip_bounds_each_turn() -> None:
    group = [episode(a=[-3, 0.5, 4])]
    assert lists(clip(a, -1, 1), group) == [[-1, 0.5, 1]]
    assert lists(clip(a, low=0), group) == [[0, 0.5, 4]]
    assert lists(clip(a, high=0), group) == [[-3, 0, 0]]
    with pytest.raises(ValueError, match="low 2 is above high 1"):
        clip(a, 2, 1)
    with pytest.raises(ValueError, match="low, high or both"):
        clip(a)


def test_delta_totals_the_last_value_however_often_a_step_is_repeated() -> None:
    assert lists(delta(a), [episode(a=[0.25, 0.75, 0.5])]) == [[0.25, 0.5, -0.25]]
    for repeats in (1, 10):
        [values] = delta(a)([episode(a=[0.5] * repeats + [0.75])])
        assert values is not None
        assert values.sum() == 0.75


def test_anneal_scales_by_the_step_it_is_given() -> None:
    group = [episode(a=[1, 2])]
    reward = anneal(a, linear(1, 0, steps=4))
    assert [lists(reward, group, step) for step in (0, 1, 4, 99)] == [[[1, 2]], [[0.75, 1.5]], [[0, 0]], [[0, 0]]]
    assert [value.tolist() for value in score(reward, group, step=2) if value is not None] == [[0.5, 1]]
    assert group[0].rewards["a"].tolist() == [1, 2]
    assert lists(anneal(a, lambda step: step**2), group, 3) == [[9, 18]]
    with pytest.raises(TypeError, match="needs a schedule"):
        anneal(a, 0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (linear(0, 1, steps=4), [0, 0.25, 0.5, 0.75, 1, 1]),
        (cosine(1, 0, steps=4), [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0, 0]),
        (exponential(1, 0.0625, steps=4), [1, 0.5, 0.25, 0.125, 0.0625, 0.0625]),
    ],
)
def test_schedules(schedule: Any, values: list[float]) -> None:
    np.testing.assert_allclose([schedule(step) for step in range(6)], values, atol=1e-15)


def test_schedules_check_their_numbers() -> None:
    for build in (
        lambda: linear(1, 0, steps=0),
        lambda: cosine(math.nan, 0, steps=2),
        lambda: exponential(1, 0, steps=2),
    ):
        with pytest.raises(ValueError, match="steps="):
            build()


def test_product_multiplies_turn_by_turn() -> None:
    group = [episode(a=[1, 2], b=[3, 4], c=[-1, 0.5])]
    assert lists(product(a, b), group) == [[3, 8]]
    assert lists(product(a, b, c), group) == [[-3, 4]]
    with pytest.raises(ValueError, match="at least two"):
        product(a)
    with pytest.raises(TypeError, match="product: rewards must be a reward, not 2"):
        product(a, 2)  # type: ignore[arg-type]


def test_harmonic_mean() -> None:
    group = [episode(a=[1, 0, 0.5], b=[3, 5, 0.5])]
    assert lists(harmonic(a, b), group) == [[1.5, 0, 0.5]]
    [[first, *_]] = lists(harmonic(a, b, weights=(3, 1)), group)
    assert first == pytest.approx(4 / (3 / 1 + 1 / 3))
    with pytest.raises(RewardError, match=r"harmonic: a value below 0, -2.0, at turn 1"):
        harmonic(a, b)([episode(a=[1, 1], b=[1, -2])])
    for weights in ((1,), (1, 0), (1, math.nan)):
        with pytest.raises(ValueError, match="a weight above 0 for each of the 2"):
            harmonic(a, b, weights=weights)


@pytest.mark.parametrize("seed", range(5))
def test_the_harmonic_mean_lies_between_the_least_and_the_arithmetic_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.uniform(0, 2, (2, 6))
    weights = tuple(rng.uniform(0.1, 3, 2).tolist())
    [values] = lists(harmonic(a, b, weights=weights), [episode(a=left.tolist(), b=right.tolist())])
    assert (values >= np.minimum(left, right) - 1e-12).all()
    assert (values <= np.average([left, right], axis=0, weights=weights) + 1e-12).all()


def test_lexicographic_ranks_by_the_first_reward_that_differs() -> None:
    group = [
        episode(a=[0, 1], b=[0, 9]),
        episode(a=[2, 0], b=[0, 1]),
        episode(a=[2, 0], b=[0, 2]),
        episode(a=[1, 1], b=[1, 1]),
    ]
    # By a: 1, 2, 2, 2; among the last three by b: 1, 2, 2.
    np.testing.assert_allclose(lists(lexicographic(a, b), group), [[0, 0], [0, 1 / 3], [0, 5 / 6], [0, 5 / 6]])
    assert lists(lexicographic(b, a), group) == [[0, 1], [0, 0], [0, 0.5], [0, 0.5]]


def test_lexicographic_margin_is_in_standard_deviations() -> None:
    # The deviation of a is 5.0, so that 10 and 11 tie and b decides; that of b is 2.1.
    group = [episode(a=[10], b=[3]), episode(a=[11], b=[0]), episode(a=[0], b=[5])]
    assert lists(lexicographic(a, b), group) == [[0.5], [1], [0]]
    assert lists(lexicographic(a, b, margin=0.5), group) == [[1], [0.5], [0]]
    scaled = [
        episode(a=[1000 * x], b=[0.01 * y]) for x, y in [(10, 3), (11, 0), (0, 5)]
    ]  # the scale of a reward does not matter
    assert lists(lexicographic(a, b, margin=0.5), scaled) == [[1], [0.5], [0]]
    with pytest.raises(ValueError, match="margin -1 is below 0"):
        lexicographic(a, b, margin=-1)


def test_lexicographic_alone_is_a_tie_and_a_group_averages_one_half() -> None:
    assert lists(lexicographic(a, b), [episode(a=[3], b=[4])]) == [[0.5]]
    rng = np.random.default_rng(0)
    group = [episode(a=[int(x)], b=[int(y)]) for x, y in rng.integers(0, 3, (7, 2))]
    assert np.mean(lists(lexicographic(a, b), group)) == pytest.approx(0.5)


def test_route_gives_each_kind_its_reward_and_asks_it_of_no_other() -> None:
    group = [
        episode("A-v0", a=[1], kind=["x"]),
        episode("B-v0", b=[2], kind=["y"]),
        episode("A-v0", a=[3], kind=["y"], b=[5]),
    ]
    reward = route({"A-v0": 2 * a, "B-v0": b})  # a would fail on the second episode
    assert lists(reward, group) == [[2], [2], [6]]
    score(reward, group)
    assert group[0].rewards.keys() == {"a", str(reward), "total"}
    assert group[1].rewards.keys() == {"b", str(reward), "total"}
    assert lists(route({"x": a, "y": b}, by="kind"), group) == [[1], [2], [5]]


def test_a_group_reward_inside_a_route_sees_only_its_kind() -> None:
    @group_reward
    def size(group: Group) -> list[int]:
        return [len(group)] * len(group)

    group = [episode("A-v0", a=[1]), episode("B-v0", a=[2]), episode("A-v0", a=[3])]
    assert lists(route({"A-v0": size, "B-v0": size}), group) == [[2], [1], [2]]


def test_route_refuses_what_it_does_not_know() -> None:
    reward = route({"WebShop-v0": a, "Maths-v0": b})
    with pytest.raises(RewardError, match=r"no reward for env_id 'WebShop-v1'.*did you mean 'WebShop-v0'\?"):
        reward([episode("WebShop-v1", a=[1])])
    with pytest.raises(RewardError, match=r"there are rewards for 'x'"):
        route({"x": a}, by="kind")([episode(a=[1], kind=[["unhashable"]])])
    with pytest.raises(RewardError, match=r"no info\['kind'\]"):
        route({"x": a}, by="kind")([episode(a=[1])])
    for routes in ({}, {"x": 1}):
        with pytest.raises(TypeError, match="a reward for each kind"):
            route(routes)  # type: ignore[arg-type]


def test_worst_of_takes_the_least_of_each_turn() -> None:
    group = [episode(a=[1, 5], b=[3, 1], c=[2, 0])]
    assert lists(worst_of(a, b, c), group) == [[1, 0]]
    assert lists(worst_of(a, b, c, nominal=1), group) == [[2, 2]]
    assert lists(worst_of(a, b, c, nominal=0.25), group) == [[1.25, 0.5]]
    with pytest.raises(ValueError, match="between 0 and 1"):
        worst_of(a, b, nominal=2)


def test_worst_of_is_not_fooled_by_one_head_that_overrates_a_bad_arm() -> None:
    good, bad = episode(a=[1], b=[1], c=[1]), episode(a=[9], b=[0], c=[0])
    mean = lists((a + b + c) / 3, [good, bad])
    assert mean[1] > mean[0]
    worst = lists(worst_of(a, b, c, nominal=0.25), [good, bad])
    assert worst[0] > worst[1]


def test_trust_follows_the_outcomes() -> None:
    right_is_better = [episode(a=[0.5, 0.5], b=[0, 1]), episode(a=[0.25, 0.25], b=[0, 0])]
    assert lists(trust_weighted(a, by=b), right_is_better) == [[0.5, 0.5], [0.25, 0.25]]
    wrong_is_better = [episode(a=[0.25, 0.25], b=[0, 1]), episode(a=[0.5, 1], b=[0, 0]), episode(a=[0, 0.5], b=[0, 0])]
    trust = math.exp(0.5 - 1.0)
    np.testing.assert_allclose(
        lists(trust_weighted(a, by=b), wrong_is_better), [[0.25 * trust] * 2, [0.5 * trust, trust], [0, 0.5 * trust]]
    )
    for outcome in (0, 1):
        nothing_to_check = [episode(a=[0.5], b=[outcome]), episode(a=[1], b=[outcome])]
        assert lists(trust_weighted(a, by=b), nothing_to_check) == [[0], [0]]
    assert lists(trust_weighted(a, by=b, threshold=0), wrong_is_better) == [[0, 0]] * 3


@pytest.mark.parametrize(
    "reward",
    [
        gate(a, by=b),
        clip(a, 0, 1),
        delta(a),
        product(a, b),
        harmonic(a, b),
        lexicographic(a, b),
        route({"X-v0": a}),
        worst_of(a, b),
        trust_weighted(a, by=b),
        trust_weighted(a, by=b) + lexicographic(a, b, margin=0.1) - 0.1 * turns,
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", range(3))
def test_faults_change_nobodys_reward_and_order_does_not_matter(reward: Reward, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def draw(status: Status = Status.TERMINATED) -> Trajectory:
        size = int(rng.integers(0, 4))
        return episode(status=status, a=rng.uniform(0, 1, size).tolist(), b=rng.uniform(0, 1, size).tolist())

    group = [draw() for _ in range(6)]
    expected = reward(group)
    mixed: list[Trajectory] = [draw(Status.FAULT), *group[:3], draw(Status.TIMEOUT), *group[3:]]
    order = rng.permutation(len(mixed))
    values = reward([mixed[index] for index in order])
    for index, value in zip(order, values, strict=True):
        if mixed[index].status.scored:
            [want] = [e for e, trajectory in zip(expected, group, strict=True) if trajectory is mixed[index]]
            assert value is not None
            np.testing.assert_allclose(value, want, rtol=1e-12)
        else:
            assert value is None


@pytest.mark.parametrize(
    ("reward", "scope"),
    [
        (clip(a, 0, 1), Scope.TURN),
        (delta(a), Scope.PAST),
        (clip(delta(a), 0, 1), Scope.PAST),
        (gate(a, by=b), Scope.EPISODE),
        (lexicographic(a, b), Scope.GROUP),
        (env + trust_weighted(a, by=b), Scope.GROUP),
    ],
    ids=str,
)
def test_scopes(reward: Reward, scope: Scope) -> None:
    assert reward.scope is scope


def test_an_operator_that_overflows_is_named() -> None:
    with pytest.raises(RewardError, match=r"reward product\(.*:a, .*:b\) is inf at turn 0"), np.errstate(over="ignore"):
        product(a, b)([episode(a=[1e200], b=[1e200])])


def test_an_operator_of_ones_own() -> None:
    @combinator()
    def shifted(reward: Reward, by: float = 1.0) -> Operation:
        if by == 0:
            raise ValueError("by 0")
        return lambda episodes: [values + by for values in episodes.values(reward)]

    assert lists(shifted(a), [episode(a=[1, 2])]) == [[2, 3]]
    assert shifted(a) == shifted(a, 1) == shifted(reward=a, by=1.0)
    assert shifted(a) != shifted(a, 2)
    with pytest.raises(ValueError, match="by 0"):
        shifted(a, 0)

    @combinator()
    def short(reward: Reward) -> Operation:
        return lambda episodes: [values[1:] for values in episodes.values(reward)]

    with pytest.raises(RewardError, match=r"gave shape \(1,\), not \(2,\)"):
        short(a)([episode(a=[1, 2])])
