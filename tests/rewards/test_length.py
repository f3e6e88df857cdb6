"""Length rewards: exact on small numbers, and what they teach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Status, Trajectory
from palestra.rewards import Reward, RewardError, Scope, gate, parse_reward, success
from palestra.rewards.length import brief_if_correct, decoupled_length, overlong, repetition

from .lab import learn
from .shaping_toys import Arms, episode, expected, lists, read

correct, length = read(key="correct"), read(key="length")


def answer(correct: float, length: float, status: Status = Status.TERMINATED) -> Trajectory:
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


# ---- What they teach: an answer of n words is right with a probability that grows with n

TOLD = read(key="length")
SEEDS = range(2)


def taught(enough: int, reward: Reward, seed: int) -> tuple[float, float]:
    """Accuracy and mean length of a policy over 1 to 10 words, of which n are right with probability n / enough."""
    env = Arms({str(n): {"length": n, "p": min(1.0, n / enough)} for n in range(1, 11)}, seed)
    policy, _ = learn(env, reward, steps=150, seed=seed, learning_rate=1.0)
    return expected(env, policy, "p"), expected(env, policy, "length")


@pytest.mark.parametrize("seed", SEEDS)
def test_works_grpo_lambda(seed: int) -> None:
    """A penalty that is always on gives up accuracy; one for groups that are 90% right keeps most, and is brief."""
    plain = taught(6, success, seed)
    always = taught(6, brief_if_correct(success, weight=0.9, share=0, length=TOLD), seed)
    gated = taught(6, brief_if_correct(success, weight=0.9, share=0.9, length=TOLD), seed)
    assert always[0] < 0.7
    assert gated[0] > 0.8
    assert plain[0] > 0.95
    assert always[1] < gated[1] < plain[1] - 1.5


def test_works_drpo_unit() -> None:
    """The group {correct and short, correct and long, wrong}: a length penalty pushes the long one down."""
    group = [answer(1, 2), answer(1, 10), answer(0, 2)]
    penalised = np.concatenate([value for value in (correct - 0.09 * length)(group) if value is not None])
    assert (penalised - penalised.mean())[1] < 0
    decoupled = np.concatenate(
        [value for value in decoupled_length(correct, capacity=20, length=length)(group) if value is not None]
    )
    advantages = decoupled - decoupled.mean()
    assert (advantages[:2] > 0).all()
    assert advantages[:2].sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", SEEDS)
def test_works_drpo(seed: int) -> None:
    """At least 30% shorter at no more than 2 points of accuracy; a penalty on right answers is shorter and pays."""
    plain = taught(4, success, seed)
    decoupled = taught(4, decoupled_length(success, capacity=10, length=TOLD), seed)
    penalised = taught(4, success - 0.1 * gate(TOLD, by=success), seed)
    assert decoupled[1] < 0.7 * plain[1]
    assert decoupled[0] > plain[0] - 0.02
    assert penalised[0] < plain[0] - 0.1
