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
from palestra.rewards import Reward, RewardError, parse_reward, score, turn_reward
from palestra.rewards.votes import answer_frequency, cross_vote, majority_vote, self_score
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
    for reward in (majority_vote, answer_frequency, cross_vote, self_score(lambda texts: [0.5] * len(texts))):
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


def test_an_abstaining_judge_costs_nothing() -> None:
    asked: list[str] = []

    def judge(texts: Sequence[str]) -> list[float | None]:
        asked.extend(texts)
        return [None if text.endswith("?") else len(text) / 100 for text in texts]

    group = [said("", "one {prompt}"), said("", "seven"), said("", "huh?")]
    reward = self_score(judge, rubric="Q {prompt}A {answer}")
    # The mean of the others: no advantage in the group.
    assert paid(reward, group) == pytest.approx([0.18, 0.11, 0.145])
    assert asked == ["Q q\nA one {prompt}", "Q q\nA seven", "Q q\nA huh?"]
    score(reward, Group(group))
    assert np.concatenate(estimator("grpo", {})(Scored.by(reward, group)))[2] == pytest.approx(0)
    assert paid(reward, [said("", "huh?")] * 2) == [0, 0]
    with pytest.raises(RewardError, match="1 scores for 2 texts"):
        self_score(lambda texts: [0.5])(group[:2])
    with pytest.raises(ValueError, match="the rubric has no"):
        self_score(judge, rubric="{prompt}")
    with pytest.raises(RewardError, match="is nan"):
        self_score(lambda texts: [math.nan])(group[:1])


@given(st.lists(st.sampled_from(["A", "B", "C", None]), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_permuting_a_group_permutes_what_it_is_paid(answers: list[str | None], random: Any) -> None:
    group = [said(answer, answer or "-", wording=index % 2) for index, answer in enumerate(answers)]
    order = list(range(len(group)))
    random.shuffle(order)
    for reward in (
        majority_vote,
        answer_frequency,
        cross_vote,
        self_score(lambda texts: [float(ord(t[-1])) for t in texts]),
    ):
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


class Editing(gymnasium.Env[str, str]):
    """Sixty sentences, each with twelve edits that mend more or less of it: from nothing to all."""

    EDITS = tuple(f"edit {index}" for index in range(12))
    WORTH = np.stack([np.random.default_rng(source).permutation(np.linspace(0, 1, 12)) for source in range(60)])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return f"sentence {self.np_random.integers(60)}", {"legal_actions": self.EDITS}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "", 0.0, True, False, {"legal_actions": self.EDITS}

    @classmethod
    def true_score(cls, policy: TabularPolicy) -> float:
        chances = [policy.probabilities(f"sentence {source}", list(cls.EDITS)) for source in range(60)]
        return float((np.array(chances) * cls.WORTH).sum(axis=1).mean())


class Assessor:
    """Sees an edit's worth with an error that it makes every time."""

    def __init__(self, error: float, seed: int, abstains: float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.seen = Editing.WORTH + self.rng.normal(0, error, Editing.WORTH.shape)
        self.abstains = abstains

    def __call__(self, texts: Sequence[str]) -> list[float | None]:
        """What edits, written as ``sentence i`` and ``edit j`` on two lines, are worth."""
        places = [tuple(int(line.split()[1]) for line in text.split("\n")) for text in texts]
        return [None if self.rng.random() < self.abstains else float(self.seen[place]) for place in places]


METRIC = Assessor(0.2, seed=1)


@turn_reward
def metric(turn: Turn) -> float:
    [value] = METRIC([f"{turn.observation}\n{turn.action}"])
    assert value is not None
    return value


@pytest.mark.slow
def test_works_ssr_zero() -> None:
    """A self that judges right on the whole raises the true score; a metric that errs elsewhere raises it further."""
    reached = []
    for with_metric in (False, True):
        own = self_score(Assessor(0.4, seed=0, abstains=0.1))
        reward = own + metric if with_metric else own
        policy, _ = learn(Editing(), reward, steps=190, groups=8, learning_rate=16.0)
        reached.append(Editing.true_score(policy))
    assert reached[0] > Editing.true_score(TabularPolicy()) + 0.2
    assert reached[1] > reached[0] + 0.02
