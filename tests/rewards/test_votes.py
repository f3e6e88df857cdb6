"""Rewards without labels: each vote on answers by hand, and what it teaches where it is right and where it is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, parse_reward, score
from palestra.rewards.votes import answer_frequency, cross_vote, majority_vote
from palestra.training.advantages import Scored, estimator

from .lab import TabularPolicy, learn


def said(answer: Any, action: str = "", status: Status = Status.TERMINATED, **info: Any) -> Trajectory:
    return Trajectory("X-v0", None, 0, [Turn("q", action, info={"answer": answer, **info})], status)


def paid(reward: Reward, group: Sequence[Trajectory]) -> list[Any]:
    return [None if value is None else value[-1] for value in reward(group)]


def test_the_majority_is_paid() -> None:
    group = [said(answer) for answer in ("A", " A ", "B", None, "", "A", "C")]
    assert paid(majority_vote, group) == [1, 1, 0, 0, 0, 1, 0]
    assert paid(majority_vote, [said(answer) for answer in ("A", "B", "B", "A", "C")]) == [1, 1, 1, 1, 0]  # a tie
    assert paid(majority_vote, [said(None), said(None)]) == [0, 0]  # nothing elects nobody
    assert paid(majority_vote, [said("A"), said("B", status=Status.FAULT), said("B", status=Status.FAULT)]) == [
        1,
        None,
        None,
    ]


def test_answers_are_read_from_actions() -> None:
    actions = ["it is 3, no: answer: 4", "answer: 4", "answer: 3", "I do not know", "answer: 3 or answer: 5"]
    group = [said(None, action) for action in actions]
    assert paid(majority_vote(pattern=r"answer: (\d+)"), group) == [1, 1, 0, 0, 0]
    assert paid(majority_vote(pattern=r"\d"), group) == [1, 1, 0, 0, 0]
    assert paid(majority_vote(pattern=r"(7)|answer: 4"), group) == [0] * 5  # a parenthesis that matched nothing
    with pytest.raises(RewardError, match="the action 3"):
        majority_vote(pattern="x")([said(None, 3)])  # type: ignore[arg-type]


def test_what_cannot_be_counted_is_an_error() -> None:
    with pytest.raises(RewardError, match=r"no info\['colour'\] in the last turn"):
        majority_vote(answer="colour")([said("A")])
    with pytest.raises(RewardError, match=r"info\['answer'\] of .* cannot be counted: \[1\]"):
        majority_vote([said([1])])


def test_episodes_without_turns_vote_for_nothing() -> None:
    empty = Trajectory("X-v0", None, 0, [], Status.TRUNCATED)
    sided = [said("A", wording=0), empty, said("A", wording=1)]
    for reward in (majority_vote, answer_frequency, cross_vote):
        values = [value for value in reward(sided) if value is not None]
        assert [len(value) for value in values] == [1, 0, 1]


def test_answer_frequency_on_counts_of_5_2_and_1() -> None:
    group = [said(answer) for answer in "AAAAABBC"]
    entropy = -(5 / 8 * math.log(5 / 8) + 1 / 4 * math.log(1 / 4) + 1 / 8 * math.log(1 / 8))
    wanted = [5 / 8] * 5 + [1 / 4] * 2 + [1 / 8]
    assert paid(answer_frequency(alpha=0.3), group) == pytest.approx([share - 0.3 * entropy for share in wanted])
    assert paid(answer_frequency(alpha=0), [*group, said(None)]) == pytest.approx([*wanted, 0])
    assert paid(answer_frequency, [said(None), said(None)]) == [0, 0]


def test_the_entropy_of_a_group_moves_no_advantage_within_it() -> None:
    group = Group([said(answer) for answer in "AAABBC"])
    advantages = []
    for alpha in (0.0, 5.0):
        reward = answer_frequency(alpha=alpha)
        score(reward, group)
        advantages.append(np.concatenate(estimator("grpo", {})(Scored.by(reward, group))))
    np.testing.assert_allclose(*advantages, atol=1e-12)
    assert advantages[0].any()


def test_cross_vote_refers_to_the_other_wording() -> None:
    group = [said(answer, wording=0) for answer in "AAB"] + [said(answer, wording=1) for answer in "BBA"]
    assert paid(cross_vote, group) == [0, 0, 1, 0, 0, 1]
    assert paid(cross_vote, group[:3]) == [0, 0, 0]  # the other side is missing
    assert paid(cross_vote, [said("A", wording=0), said(None, wording=1)]) == [0, 0]
    tied = [said("A", wording=0), said("B", wording=1), said("A", wording=1)]
    assert paid(cross_vote, tied) == [1, 0, 1]
    with pytest.raises(RewardError, match="must tell two wordings apart"):
        cross_vote([said("A", wording=name) for name in "xyz"])
    with pytest.raises(RewardError, match=r"no info\['wording'\]"):
        cross_vote([said("A")])


@given(st.lists(st.sampled_from(["A", "B", "C", None]), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_permuting_a_group_permutes_what_it_is_paid(answers: list[str | None], random: Any) -> None:
    group = [said(answer, answer or "-", wording=index % 2) for index, answer in enumerate(answers)]
    order = list(range(len(group)))
    random.shuffle(order)
    for reward in (majority_vote, answer_frequency, cross_vote):
        straight, shuffled = paid(reward, group), paid(reward, [group[index] for index in order])
        assert shuffled == pytest.approx([straight[index] for index in order])


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=12))
def test_a_majority_is_paid_at_least_as_much_as_its_share(answers: list[str]) -> None:
    group = [said(answer) for answer in answers]
    most = max(answers.count(answer) for answer in answers)
    assert sum(paid(majority_vote, group)) >= most
    assert max(paid(answer_frequency(alpha=0), group)) == pytest.approx(most / len(answers))


def test_expressions_read_back() -> None:
    for text in ("majority_vote(pattern='answer: (.*)')", "answer_frequency(alpha=0.5)", "cross_vote(by='side')"):
        assert str(parse_reward(text)) == text


# What each teaches


class Quiz(gymnasium.Env[str, str]):
    """One question with four answers, of which the first is right; what pays says nothing about it."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        return "q", {"legal_actions": list("ABCD")}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "", float(action == "A"), True, False, {"answer": action, "legal_actions": list("ABCD")}


def believing(**shares: float) -> TabularPolicy:
    policy = TabularPolicy()
    policy.logits["q"] = {answer: math.log(share) for answer, share in shares.items()}
    return policy


@pytest.mark.parametrize("right_share", [0.45, 0.25])
def test_works_ttrv(right_share: float) -> None:
    """It raises the plurality: to the right answer where that is it, and away from it where it is not."""
    other = {"B": 0.25, "C": 0.2, "D": 0.1} if right_share == 0.45 else {"B": 0.45, "C": 0.2, "D": 0.1}
    ends = []
    for seed in range(3):
        policy, _ = learn(
            Quiz(), answer_frequency, steps=50, groups=1, size=16, seed=seed, policy=believing(A=right_share, **other)
        )
        ends.append(policy.probabilities("q", list("ABCD"))[0])
    if right_share == 0.45:
        assert min(ends) >= 0.9
    else:
        assert max(ends) <= 0.1


class Exam:
    """Questions in two wordings, and a policy that has beliefs about each: the right answer, and its own mistakes."""

    ANSWERS = 5

    def __init__(self, questions: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.truth = rng.integers(self.ANSWERS, size=questions)
        self.logits = rng.normal(0, 1.0, (questions, 2, self.ANSWERS))
        self.logits[np.arange(questions), :, self.truth] += 1.0

    def probabilities(self) -> np.ndarray:
        """[questions, 2, answers]"""
        weights = np.exp(self.logits - self.logits.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True))

    def accuracy(self) -> float:
        return float(self.probabilities()[np.arange(len(self.truth)), :, self.truth].mean())

    def answer_entropy(self) -> float:
        """Of the answers given over all questions, as a share of the most there could be."""
        shares = self.probabilities().mean(axis=(0, 1))
        return float(-(shares * np.log(shares)).sum() / math.log(self.ANSWERS))

    def train(self, reward: Reward, together: bool, steps: int = 40, size: int = 8, learning_rate: float = 0.5) -> None:
        """Policy gradient with an advantage for each wording; ``together`` rewards its two wordings as one group."""
        grpo = estimator("grpo", {})
        for _ in range(steps):
            chances = self.probabilities()
            drawn = (self.rng.random((*chances.shape[:2], size, 1)) > chances.cumsum(-1)[:, :, None]).sum(-1)
            for question, wordings in enumerate(drawn):
                sides = [
                    [said(int(answer), wording=side) for answer in answers] for side, answers in enumerate(wordings)
                ]
                for group in [sides[0] + sides[1]] if together else sides:
                    score(reward, group)
                for side, group in enumerate(sides):
                    for answer, advantage in zip(wordings[side], grpo(Scored.by(reward, group)), strict=True):
                        gradient = -chances[question, side]
                        gradient = gradient + np.eye(self.ANSWERS)[answer]
                        self.logits[question, side] += learning_rate * advantage[0] / size * gradient


@pytest.mark.slow
def test_works_co_reward() -> None:
    """The other wording's vote ends with more right answers than a wording's own, and not with one answer to all."""
    ends: dict[str, list[tuple[float, float]]] = {"own": [], "other": []}
    for seed in range(3):
        for name, reward, together in (("own", majority_vote, False), ("other", cross_vote, True)):
            exam = Exam(40, seed)
            exam.train(reward, together)
            ends[name].append((exam.accuracy(), exam.answer_entropy()))
    own, other = (np.mean(ends[name], axis=0) for name in ("own", "other"))
    assert other[0] > own[0]
    assert other[1] > 0.8
