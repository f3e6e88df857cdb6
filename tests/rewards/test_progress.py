"""Progress rewards: exact on small numbers, and what they teach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.rewards import RewardError, Scope, delta, parse_reward
from palestra.rewards.progress import improvement, penalized_progress, up_to

from .shaping_toys import episode, lists, read

a, b, c = (read(key=key) for key in "abc")


def test_penalties_multiply_progress() -> None:
    group = [episode(a=[1, 2, -1], b=[1, 0.5, 0.5], c=[0.5, 0.5, 1])]
    assert lists(penalized_progress(a, b, c), group) == [[0.5, 0.5, -0.5]]
    assert lists(penalized_progress(a), group) == [[1, 2, -1]]
    assert penalized_progress(a, b).scope is Scope.TURN
    assert penalized_progress(delta(a), b).scope is Scope.PAST
    for factor in (-0.1, 1.5):
        with pytest.raises(RewardError, match=rf"read\(key='b'\) is {factor}, outside \[0, 1\], at turn 1"):
            penalized_progress(a, b)([episode(a=[1, 1], b=[1, factor])])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_penalties_never_pay_for_standing_still(rows: list[tuple[float, float]]) -> None:
    completion, factors = (list(column) for column in zip(*rows, strict=True))
    completion = sorted(completion)
    [paid] = lists(penalized_progress(delta(a), b), [episode(a=completion, b=factors)])
    assert sum(paid) <= completion[-1] + 1e-12
    assert all(value >= -1e-12 for value in paid)


def test_nothing_is_paid_after_an_infraction() -> None:
    group = [episode(a=[1, 2, 3, 4], b=[0, 0, 1, 0]), episode(a=[1, 2], b=[0, 0]), episode(a=[1, 2], b=[1, 1])]
    assert lists(up_to(a, infraction=b), group) == [[1, 2, 3, 0], [1, 2], [1, 0]]
    assert up_to(a, infraction=b).scope is Scope.PAST


def test_improvement_is_the_gain_over_the_attempt_before() -> None:
    group = [episode(a=[0, 1]), episode(a=[1, 0]), episode(a=[0.5]), episode(a=[]), episode(a=[0, 0.5, 0.25])]
    assert lists(improvement(a), group) == [[0, 1], [0, -1], [0], [], [0, 0.5, -0.25]]
    assert lists(a + 2 * improvement(a), group[:2]) == [[0, 3], [1, -2]]
    assert improvement(a).scope is Scope.PAST


@pytest.mark.parametrize(
    "text",
    [
        "penalized_progress(delta(env), turns)",
        "up_to(env, infraction=invalid_action)",
        "env + 2*improvement(env)",
    ],
)
def test_expressions_read_back(text: str) -> None:
    assert str(parse_reward(text)) == text
