"""What holds of every reward of the algebra, whatever it is made of and whatever group it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import (
    Reward,
    anneal,
    clip,
    delta,
    env,
    gate,
    harmonic,
    invalid_action,
    lexicographic,
    linear,
    parse_reward,
    product,
    response_length,
    success,
    truncated,
    trust_weighted,
    turns,
    valid_action,
    worst_of,
)

weights = st.floats(-4, 4, allow_nan=False).map(lambda number: round(number, 3))
parts = st.sampled_from([env, success, valid_action, invalid_action, turns, response_length, truncated])


def combined(rewards: st.SearchStrategy[Reward]) -> st.SearchStrategy[Reward]:
    positive = st.sampled_from([turns, valid_action, success])
    return st.one_of(
        st.builds(lambda a, b: a + b, rewards, rewards),
        st.builds(lambda a, b: a - b, rewards, rewards),
        st.builds(lambda a, weight: weight * a, rewards, weights),
        st.builds(lambda a, b: gate(a, by=b), rewards, rewards),
        st.builds(lambda a: clip(a, -1.0, 1.0), rewards),
        st.builds(delta, rewards),
        st.builds(lambda a: anneal(a, linear(1, 0, steps=10)), rewards),
        st.builds(product, rewards, rewards),
        st.builds(harmonic, positive, positive),
        st.builds(lexicographic, rewards, rewards),
        st.builds(lambda a, b: worst_of(a, b, nominal=0.25), rewards, rewards),
        st.builds(lambda a, b: trust_weighted(a, by=b), rewards, rewards),
    )


rewards = st.recursive(parts, combined, max_leaves=5)


@st.composite
def episodes(draw: st.DrawFn, statuses: Any = (Status.TERMINATED, Status.TRUNCATED)) -> Trajectory:
    played = [
        Turn("page", "act", draw(weights), action_ids=np.zeros(draw(st.integers(0, 5)), np.int32))
        for _ in range(draw(st.integers(1, 4)))
    ]
    for turn in played:
        turn.info["valid_action"] = draw(st.booleans())
    played[-1].info["success"] = draw(st.booleans())
    return Trajectory("Shop-v0", 0, 0, turns=played, status=draw(st.sampled_from(statuses)))


groups = st.lists(episodes(), min_size=1, max_size=5).map(Group)


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(
        np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(first, second, strict=True)
    )


@given(rewards, rewards, rewards, groups)
def test_addition_commutes_and_associates(a: Reward, b: Reward, c: Reward, group: Group) -> None:
    assert same((a + b)(group), (b + a)(group))
    assert same(((a + b) + c)(group), (a + (b + c))(group))


@given(rewards, rewards, weights, weights, groups)
def test_scaling_distributes(a: Reward, b: Reward, x: float, y: float, group: Group) -> None:
    assert same((x * (a + b))(group), (x * a + x * b)(group))
    assert same((x * (y * a))(group), ((x * y) * a)(group))
    assert same((x * a + y * a)(group), ((x + y) * a)(group))


@given(rewards, groups)
def test_a_reward_less_itself_is_nothing(a: Reward, group: Group) -> None:
    assert same((a - a)(group), [np.zeros(len(trajectory.turns)) for trajectory in group])


@given(rewards)
def test_its_text_reads_back_to_it(a: Reward) -> None:
    again = parse_reward(str(a))
    assert again == a
    assert hash(again) == hash(a)


@given(rewards, groups, st.randoms(use_true_random=False))
def test_the_order_of_a_group_is_that_of_the_answer(a: Reward, group: Group, random: Any) -> None:
    order = list(range(len(group)))
    random.shuffle(order)
    values = a(group)
    assert same(a(Group([group[index] for index in order])), [values[index] for index in order])


@given(rewards, groups, st.lists(episodes([Status.FAULT, Status.TIMEOUT]), min_size=1, max_size=3), st.data())
def test_who_has_no_outcome_changes_nobodys_reward(a: Reward, group: Group, broken: Any, data: st.DataObject) -> None:
    members = list(group)
    for trajectory in broken:
        members.insert(data.draw(st.integers(0, len(members))), trajectory)
    values = a(Group(members))
    assert all(value is None for value, member in zip(values, members, strict=True) if not member.status.scored)
    assert same([value for value in values if value is not None], a(group))
