"""Rewards as values: lifting, arithmetic, scoring and recording."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import (
    RewardError,
    Scope,
    env,
    episode_reward,
    group_reward,
    invalid_action,
    named,
    objectives,
    product,
    response_length,
    score,
    solved,
    success,
    truncated,
    turn_reward,
    turns,
    valid_action,
)


def episode(
    rewards: list[float], success: bool | None = None, status: Status = Status.TERMINATED, **info: Any
) -> Trajectory:
    """An episode with these environment rewards, one a turn; every other action, the first included, is valid."""
    made = [
        Turn(f"o{index}", f"a{index}", reward, action_ids=np.arange(index, dtype=np.int32))
        for index, reward in enumerate(rewards)
    ]
    for index, turn in enumerate(made):
        turn.info = {"valid_action": index % 2 == 0, **info}
    if success is not None and made:
        made[-1].info["success"] = success
    return Trajectory("Shop-v0", 3, 11, made, status)


def lists(values: list[np.ndarray | None]) -> list[list[float] | None]:
    return [None if value is None else value.tolist() for value in values]


@turn_reward
def doubled(turn: Turn, factor: float = 2.0) -> float:
    return factor * turn.reward


@episode_reward
def running_count(trajectory: Trajectory) -> list[int]:
    return list(range(len(trajectory.turns)))


@group_reward
def above_mean(group: Group) -> list[float]:
    return [trajectory.score - float(np.mean([other.score for other in group])) for trajectory in group]


# ---- lifting


def test_a_turn_reward_is_asked_for_each_turn() -> None:
    assert lists(doubled(Group([episode([1, 2]), episode([3])]))) == [[2, 4], [6]]


def test_an_episode_reward_is_paid_on_the_last_turn_or_turn_by_turn() -> None:
    group = Group([episode([0, 0, 0.5, 0.5]), episode([0.2])])
    assert lists(solved(group)) == [[0, 0, 0, 1], [0]]
    assert lists(running_count(group)) == [[0, 1, 2, 3], [0]]


def test_a_group_reward_sees_the_group() -> None:
    assert lists(above_mean(Group([episode([1, 1]), episode([4])]))) == [[0, -1], [1]]


def test_a_list_of_trajectories_will_do() -> None:
    assert lists(env([episode([1, 2])])) == [[1, 2]]


def test_parameters_are_bound_by_name() -> None:
    group = Group([episode([1, 2])])
    assert lists(doubled(factor=3)(group)) == [[3, 6]]
    assert doubled(factor=3) != doubled
    assert doubled(factor=3) == doubled(factor=np.float64(3))
    assert doubled(factor=3)(factor=2) == doubled
    assert doubled(factor=3).name == "doubled(factor=3)"
    with pytest.raises(TypeError, match="doubled has no parameter 'limit'; it has factor"):
        doubled(limit=3)


def test_a_function_without_a_subject_or_with_an_open_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match="must take the turn"):

        @turn_reward
        def nothing() -> float:
            return 0.0

    with pytest.raises(TypeError, match="'limit' needs a default"):

        @episode_reward
        def limited(trajectory: Trajectory, limit: int) -> float:
            return limit


@pytest.mark.parametrize("result", [None, "1", [1.0, 2.0, 3.0], [[1.0], [2.0, 3.0]], 1j, {}])
def test_a_result_that_is_not_one_number_per_turn_is_refused(result: Any) -> None:
    @episode_reward
    def odd(trajectory: Trajectory) -> Any:
        return result

    with pytest.raises(RewardError, match=r"reward odd must give a number, or one for each of the 2 turns.*Shop-v0"):
        odd([episode([0, 0])])


def test_a_group_reward_answers_for_every_member() -> None:
    @group_reward
    def short(group: Group) -> list[float]:
        return [0.0]

    with pytest.raises(RewardError, match="short gave 1 results for 2 trajectories"):
        short([episode([0]), episode([0])])


def test_an_exception_says_which_reward_and_turn() -> None:
    @turn_reward
    def fragile(turn: Turn) -> float:
        return 1 / turn.reward

    with pytest.raises(ZeroDivisionError) as caught:
        fragile([episode([1, 2, 0])])
    assert any("fragile" in note and "turn 2" in note and "seed 11" in note for note in caught.value.__notes__)


# ---- arithmetic


def test_the_values_of_a_sum_are_the_sum_of_the_values() -> None:
    group = Group([episode([1, 2, 3], success=True), episode([1, 0], success=False)])
    reward = success + 0.5 * env - 0.25 * turns
    assert lists(reward(group)) == [[0.25, 0.75, 2.25], [0.25, -0.25]]


@pytest.mark.parametrize("seed", range(10))
def test_the_laws_of_a_vector_space(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = [episode(rng.standard_normal(rng.integers(0, 6)).tolist(), success=True) for _ in range(4)]
    a, b, c = env, doubled, product(running_count, env)
    x, y = rng.standard_normal(2)

    def same(left: Any, right: Any) -> None:
        for mine, other in zip(left(group), right(group), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-12)

    same(a + b, b + a)
    same((a + b) + c, a + (b + c))
    same(x * (a + b), x * a + x * b)
    same((x + y) * a, x * a + y * a)
    same(x * (y * a), (x * y) * a)
    same(a - b, a + (-1) * b)
    same(-(a - b), b - a)
    same(a / 4, 0.25 * a)
    same(a - a, 0 * a)
    assert (a + b) + c == a + (b + c)
    assert 1 * a == a
    assert +a is a
    assert np.float64(2.0) * a == 2 * a


def test_a_bare_number_is_refused_with_the_reason() -> None:
    for build in (lambda: success + 1, lambda: 1 + success, lambda: 1 - success, lambda: sum([success, env])):
        with pytest.raises(TypeError, match=r"each turn or each episode; write \d\*turns"):
            build()


def test_rewards_do_not_multiply_or_divide_by_accident() -> None:
    with pytest.raises(TypeError, match=r"product\(success, env\)"):
        success * env  # type: ignore[operator]
    with pytest.raises(TypeError, match="divides by numbers only"):
        success / env  # type: ignore[operator]
    with pytest.raises(TypeError):
        success * "2"  # type: ignore[operator]
    with pytest.raises(ValueError, match="the weight of success is inf"):
        float("inf") * success


# ---- values


def test_rewards_are_immutable_values() -> None:
    reward = success + 0.2 * valid_action
    with pytest.raises(AttributeError, match="immutable"):
        reward.scope = Scope.TURN
    with pytest.raises(AttributeError, match="immutable"):
        success.name = "other"
    with pytest.raises(TypeError):
        success.parts["x"] = env  # type: ignore[index]
    assert reward == success + 0.2 * valid_action
    assert hash(reward) == hash(success + 0.2 * valid_action)
    assert len({reward, success + 0.2 * valid_action, env}) == 2
    assert reward != success + 0.3 * valid_action
    assert success != "success"


def test_rewards_with_one_text_and_different_functions_differ() -> None:
    def make(weight: float) -> Any:
        @turn_reward
        def local(turn: Turn) -> float:
            return weight

        return local

    one, two = make(1), make(2)
    assert repr(one) == repr(two)
    assert one != two
    assert lists(product(one, one)([episode([0])])) == [[1]]
    with pytest.raises(ValueError, match="two different parts are named 'local'"):
        one + two


def test_rewards_pickle_and_copy() -> None:
    reward = success + 0.2 * named(product(valid_action, env), "effort")
    assert pickle.loads(pickle.dumps(reward)) == reward
    assert copy.deepcopy(reward) is reward


def test_repr_reads_like_the_formula() -> None:
    assert repr(success + 0.2 * valid_action - 0.01 * turns) == "success + 0.2*valid_action - 0.01*turns"
    assert repr(-env - (success - 2 * turns)) == "-env - success + 2*turns"
    assert repr(product(env, 3 * success + turns)) == "product(env, 3*success + turns)"
    assert repr(doubled(factor=3)) == f"{__name__}:doubled(factor=3)"


def test_scope_is_the_widest_of_the_parts() -> None:
    assert (env - turns).scope is Scope.TURN
    assert (env + success).scope is Scope.EPISODE
    assert product(env, above_mean).scope is Scope.GROUP


# ---- scoring


def test_score_records_each_part_beside_the_environments_own_reward() -> None:
    item = episode([1, 2], success=True)
    reward = success + 0.5 * product(env, turns) - 0.25 * named(env + turns, "both")
    [total] = score(reward, [item])
    assert total is not None
    assert {name: values.tolist() for name, values in item.rewards.items()} == {
        "success": [0, 1],
        "env": [1, 2],
        "turns": [1, 1],
        "product(env, turns)": [1, 2],
        "both": [2, 3],
        "total": [0, 1.25],
    }
    assert total.tolist() == [0, 1.25]
    assert total.dtype == np.float64
    assert [turn.reward for turn in item.turns] == [1, 2]


def test_the_answer_and_the_records_are_separate_arrays() -> None:
    item = episode([1, 2])
    [total] = score(env, [item])
    assert total is not None
    total[:] = 9
    item.rewards["total"][0] = 7
    assert item.rewards["env"].tolist() == [1, 2]
    assert item.rewards["total"].tolist() == [7, 2]


def test_objectives_are_the_terms_and_their_weights() -> None:
    item = episode([1, 2], success=True)
    reward = success + 0.5 * product(env, turns) - 0.25 * turns
    with pytest.raises(RewardError, match="call score first"):
        objectives(reward, item)
    [total] = score(reward, [item])
    vectors, weights = objectives(reward, item)
    assert vectors.tolist() == [[0, 1, 1], [1, 2, 1]]
    assert weights.tolist() == [1, 0.5, -0.25]
    np.testing.assert_array_equal(vectors @ weights, total)


@pytest.mark.parametrize("status", [Status.FAULT, Status.TIMEOUT])
def test_a_trajectory_without_an_outcome_is_no_part_of_the_group(status: Status) -> None:
    good = [episode([1, 1]), episode([4])]
    bad = episode([float("nan")], status=status)
    reward = above_mean + env
    alone = lists(score(reward, Group(good)))
    assert lists(score(reward, Group([good[0], bad, good[1]]))) == [alone[0], None, alone[1]]
    assert bad.rewards == {}
    assert score(reward, Group([bad])) == [None]
    assert score(reward, Group([])) == []


def test_a_permutation_of_the_group_permutes_the_answer() -> None:
    group = [episode([float(i), 1.0], success=i % 2 == 0) for i in range(5)]
    reward = above_mean + success - 0.1 * turns
    expected = lists(reward(group))
    order = [3, 0, 4, 2, 1]
    assert lists(reward([group[i] for i in order])) == [expected[i] for i in order]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_not_finite_names_the_part_and_the_turn_and_records_nothing(bad: float) -> None:
    group = [episode([1, 2]), episode([1, bad, 3])]
    with pytest.raises(RewardError, match=rf"reward env is {bad} at turn 1 of the agent's episode of Shop-v0 \(task 3"):
        score(turns + env, group)
    assert group[0].rewards == {}


def test_an_overflow_in_a_sum_is_an_error_too() -> None:
    with pytest.raises(RewardError, match="inf at turn 0"), np.errstate(over="ignore"):
        score(1e308 * env + 1e308 * doubled, [episode([10])])


def test_each_part_is_asked_once() -> None:
    asked = []

    @episode_reward
    def costly(trajectory: Trajectory) -> float:
        asked.append(trajectory.score)
        return 1.0

    score(costly + product(costly, env) + 2 * costly, [episode([1, 2]), episode([5])])
    assert asked == [3, 5]


def test_an_episode_without_turns_gets_empty_arrays() -> None:
    item = episode([])
    assert lists(score(success + env + product(env, turns), [item])) == [[]]
    assert item.rewards["success"].tolist() == []


def test_names_must_not_collide() -> None:
    @turn_reward
    def env(turn: Turn) -> float:
        return 0.0

    from palestra.rewards import env as built_in

    with pytest.raises(ValueError, match="two different parts are named 'env'"):
        built_in + env
    with pytest.raises(ValueError, match="'success' is already the name"):
        named(success + turns, "success")
    with pytest.raises(ValueError, match="other than 'total'"):
        success.named("total")
    with pytest.raises(ValueError, match="name of the whole reward"):

        @turn_reward
        def total(turn: Turn) -> float:
            return 0.0


# ---- built-in rewards


def test_success_is_what_the_environment_says() -> None:
    group = [episode([0, 0], success=True), episode([1, 1], success=False)]
    assert lists(success(group)) == [[0, 1], [0, 0]]
    cut = episode([1, 1], status=Status.TRUNCATED)
    assert lists(success([cut])) == [[0, 0]]
    cut.turns[-1].info["success"] = True
    assert lists(success([cut])) == [[0, 1]]
    with pytest.raises(RewardError, match=r"Shop-v0 ended without info\[\"success\"\].*solved"):
        success([episode([1, 1])])


def test_solved_compares_the_environments_score() -> None:
    group = [episode([0.5, 0.5]), episode([0.25, 0.25])]
    assert lists(solved(group)) == [[0, 1], [0, 0]]
    assert lists(solved(threshold=0.5)(group)) == [[0, 1], [0, 1]]


def test_valid_action_is_a_fraction_however_long_the_episode() -> None:
    assert lists(valid_action([episode([0] * 4), episode([0])])) == [[0.25, 0, 0.25, 0], [1]]
    assert lists(invalid_action([episode([0] * 4)])) == [[0, 1, 0, 1]]
    silent = episode([0])
    silent.turns[0].info = {}
    for reward in (valid_action, invalid_action):
        with pytest.raises(RewardError, match="does not say"):
            reward([silent])


def test_lengths_and_truncation() -> None:
    group = [episode([0] * 3), episode([0] * 2, status=Status.TRUNCATED)]
    assert lists(turns(group)) == [[1, 1, 1], [1, 1]]
    assert lists(response_length(group)) == [[0, 1, 2], [0, 1]]
    assert lists(truncated(group)) == [[0, 0, 0], [0, 1]]
