"""Length rewards: exact on small numbers, and what they teach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Status
from palestra.rewards import Reward, RewardError, Scope, parse_reward
from palestra.rewards.length import brief_if_correct, decoupled_length, overlong, repetition

from .shaping_toys import episode, lists, read

correct, length = read(key="correct"), read(key="length")


def answer(correct: float, length: float, status: Status = Status.TERMINATED):
    return episode(status, correct=[correct], length=[length])


def test_overlong_falls_in_a_straight_line_over_the_buffer() -> None:
    sizes = [0, 6, 7, 8, 10, 12]
    group = [episode(tokens=[[0] * size for size in sizes], a=sizes)]
    assert lists(overlong(10, 4), group) == [[0, 0, -0.25, -0.5, -1, -1]]
    assert overlong(10, 4).scope is Scope.TURN
    for limit, buffer in ((10, 0), (10, 11)):
        with pytest.raises(ValueError, match="0 < buffer <= limit"):
            overlong(limit, buffer)


def test_repetition_is_the_share_of_ngrams_used_before() -> None:
    group = [episode(tokens=[[1, 2, 1, 2, 1], [1, 2, 3], [1, 1], [7] * 11, []], a=[0] * 5)]
    assert lists(repetition(ngram=2), group) == [[0.5, 0, 0, pytest.approx(0.9), 0]]
    with pytest.raises(RewardError, match="ngram 0 is below 1"):
        lists(repetition(ngram=0), group)


@given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 5))
def test_repetition_counts_like_a_set(ids: list[int], ngram: int) -> None:
    windows = [tuple(ids[start : start + ngram]) for start in range(len(ids) - ngram + 1)]
    want = 1 - len(set(windows)) / len(windows) if windows else 0.0
    assert lists(repetition(ngram=ngram), [episode(tokens=[ids], a=[0])]) == [[pytest.approx(want)]]


def test_brevity_counts_only_in_groups_that_are_mostly_correct() -> None:
    reward = brief_if_correct(correct, weight=0.5, share=0.6, length=length)
    mostly_wrong = [answer(1, 10), answer(0, 10), answer(0, 2)]
    assert lists(reward, mostly_wrong) == [[1], [0], [0]]
    mostly_right = [answer(1, 10), answer(1, 20), answer(0, 1)]
    low, high = 1 / (1 + math.exp(1)), 1 / (1 + math.exp(-1))
    shorter, longer, wrong = lists(reward, mostly_right)
    assert shorter == [pytest.approx(1 - 0.5 * low)]
    assert longer == [pytest.approx(1 - 0.5 * high)]
    assert wrong == [0]
    assert shorter > longer > wrong
    assert lists(reward, [answer(1, 5), answer(1, 5)]) == [[0.75], [0.75]]
    always = brief_if_correct(correct, weight=0.5, share=0, length=length)
    assert lists(always, mostly_wrong) == [[0.75], [0], [0]]
    for settings in ({"weight": 1.0, "share": 0.5}, {"weight": 0.5, "share": 2.0}):
        with pytest.raises(ValueError, match="brief_if_correct"):
            brief_if_correct(correct, **settings)


def test_the_decoupled_weights_of_correct_answers_sum_to_one_and_stay_positive() -> None:
    reward = decoupled_length(correct, capacity=10, temperature=0.5, length=length)
    group = [answer(1, 5), answer(1, 10), answer(0, 3), answer(0, 30)]
    short = math.exp(-1) / (math.exp(-1) + math.exp(-2))
    assert lists(reward, group) == [[pytest.approx(short)], [pytest.approx(1 - short)], [-0.5], [-0.5]]
    assert lists(reward, group[:2]) == [[0], [0]]
    assert lists(reward, group[2:]) == [[0], [0]]
    for settings in ({"capacity": 0.0}, {"capacity": 10.0, "temperature": 0.0}):
        with pytest.raises(ValueError, match="above 0"):
            decoupled_length(correct, **settings)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=2, max_size=8))
def test_decoupled_lengths_are_centred_already(answers: list[tuple[bool, int]]) -> None:
    group = [answer(right, size) for right, size in answers]
    values = decoupled_length(correct, capacity=100, length=length)(group)
    paid = [value for value in values if value is not None]
    assert np.mean(paid) == pytest.approx(0, abs=1e-12)
    if 0 < sum(right for right, _ in answers) < len(answers):
        assert all((value[0] > 0) == right for value, (right, _) in zip(paid, answers, strict=True))


@pytest.mark.parametrize(
    "reward",
    [
        brief_if_correct(correct, weight=0.5, share=0.5, length=length),
        decoupled_length(correct, capacity=10, length=length),
    ],
    ids=["brief_if_correct", "decoupled_length"],
)
def test_order_and_faults_change_nobodys_reward(reward: Reward) -> None:
    group = [answer(1, 5), answer(0, 4), answer(1, 9), answer(1, 7)]
    want = lists(reward, group)
    got = lists(reward, [answer(1, 1, Status.FAULT), *group[::-1]])
    assert got == [None, *(pytest.approx(value) for value in want[::-1])]


@pytest.mark.parametrize(
    "text",
    [
        "overlong(512, 128)",
        "success - 0.5*repetition(ngram=20)",
        "brief_if_correct(success, weight=0.2, share=0.5)",
        "brief_if_correct(success, weight=0.2, share=0.5, length=turns)",
        "decoupled_length(success, capacity=512)",
    ],
)
def test_expressions_read_back(text: str) -> None:
    assert str(parse_reward(text)) == text
