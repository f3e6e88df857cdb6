"""A judge as a reward."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Status, Trajectory
from palestra.rewards import RewardWrapper, Scope, parse_reward, score, success, turns
from palestra.rewards.judges import (
    Judge,
    JudgeError,
    Principled,
    Rubric,
    SelfJudge,
    TextJudge,
    Vote,
    judged,
    transcript,
)
from palestra.training.advantages import Scored, estimator

from .stubs import Choice, action_of, criteria_of, episode, items_of, scorer, verdict


def ask(prompts: Sequence[str]) -> list[str]:
    """Scores the number that the action is, and talks nonsense about other actions."""
    replies = []
    for prompt in prompts:
        actions = [action_of(item) for item in items_of(prompt)]
        if not all(action.isdigit() for action in actions):
            replies.append("I'd rather not say. 10/10")
        elif len(actions) == 1:
            replies.append(verdict(prompt, actions[0]))
        elif len(actions) == 2:
            replies.append(verdict(prompt, "tie" if actions[0] == actions[1] else "AB"[int(actions[1] > actions[0])]))
        else:
            order = sorted(range(len(actions)), key=lambda index: -int(actions[index]))
            replies.append(verdict(prompt, " > ".join("ABCDEFGH"[index] for index in order)))
    return replies


reward = judged(TextJudge(ask), criteria="a large number")


def totals(group: Sequence[Trajectory], **parameters: str) -> list[float]:
    values = judged(TextJudge(ask), criteria="a large number", **parameters)(group)
    return [float(value.sum()) for value in values if value is not None]


def test_a_score_is_paid_on_the_last_turn() -> None:
    values = reward([episode("7", turns=3), episode("2")])
    assert [value.tolist() for value in values if value is not None] == [[0, 0, 0.7], [0.2]]


def test_an_abstained_episode_is_neutral_and_recorded_and_never_scored_0() -> None:
    group = [episode("8"), episode("nonsense", turns=2), episode("2"), episode("x")]
    values = [value for value in score(reward, group) if value is not None]
    assert [value.sum() for value in values] == pytest.approx([0.8, 0.5, 0.2, 0.5])
    assert [t.rewards["judged_abstained"].tolist() for t in group] == [[0], [0, 1], [0], [1]]
    for name in ("grpo", "dr_grpo"):
        advantages = estimator(name, {})(Scored.by(reward, group))
        assert advantages[1].tolist() == pytest.approx([0, 0])
        assert advantages[0][0] > 0 > advantages[2][0]


def test_where_nobody_could_be_judged_nobody_has_an_advantage() -> None:
    for form in ("score", "ranking", "pair"):
        group = [episode("x"), episode("y"), episode("z")]
        assert len(set(totals(group, form=form))) == 1
        score(judged(TextJudge(ask), criteria="large", form=form, name="j"), group)
        assert [t.rewards["j_abstained"].tolist() for t in group] == [[1]] * 3


def test_a_ranking_pays_the_share_of_others_that_stand_lower() -> None:
    group = [episode("3"), episode("9"), episode("5")]
    assert totals(group, form="ranking") == [0, 1, 0.5]
    assert totals(group[:1], form="ranking") == [0.5]
    assert totals([*group, episode("x")], form="ranking") == [0.5] * 4


def test_pairs_pay_what_sums_to_0_and_count_refused_pairs_as_ties() -> None:
    group = [episode("3"), episode("9"), episode("5"), episode("x")]
    paid = totals(group, form="pair")
    assert sum(paid) == pytest.approx(0)
    assert paid[2:] == pytest.approx([0, 0])
    assert paid[1] > 0 > paid[0]
    score(judged(TextJudge(ask), criteria="large", form="pair"), group)
    assert [t.rewards["judged_abstained"].sum() for t in group] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])


@settings(max_examples=25)
@given(st.permutations(range(5)), st.sampled_from(["score", "ranking", "pair"]))
def test_a_permuted_group_gets_permuted_rewards(order: list[int], form: str) -> None:
    group = [episode(action) for action in ("1", "7", "4", "9", "2")]
    paid = totals(group, form=form)
    assert totals([group[index] for index in order], form=form) == pytest.approx([paid[index] for index in order])


def test_episodes_without_an_outcome_or_a_turn_are_not_judged() -> None:
    empty = Trajectory("Choice-v0", 0, 0, [], Status.TRUNCATED)
    faulty = episode("9")
    faulty.status = Status.FAULT
    seen: list[str] = []

    def spy(prompts: Sequence[str]) -> list[str]:
        seen.extend(prompts)
        return ask(prompts)

    values = judged(TextJudge(spy), criteria="large")([empty, faulty, episode("4")])
    assert [value if value is None else value.tolist() for value in values] == [[], None, [0.4]]
    assert len(seen) == 1
    assert judged(TextJudge(spy), criteria="large")([empty])[0] is not None


def test_criteria_may_depend_on_the_episode_and_the_view_may_be_ones_own() -> None:
    seen = []

    def spy(prompts: Sequence[str]) -> list[str]:
        seen.extend((criteria_of(prompt), items_of(prompt)) for prompt in prompts)
        return [verdict(prompt, 5) for prompt in prompts]

    by_action = judged(
        TextJudge(spy), criteria=lambda trajectory: f"like {trajectory.turns[-1].action}?", show=lambda t: transcript(t)
    )
    by_action([episode("a"), episode("b")])
    assert [criteria for criteria, _ in seen] == ["like a?", "like b?"]


def test_the_whole_group_is_asked_in_one_go_and_once() -> None:
    calls = []

    def spy(prompts: Sequence[str]) -> list[str]:
        calls.append(len(prompts))
        return ask(prompts)

    mine = judged(TextJudge(spy), criteria="large")
    (mine + success * 0 + mine * 2).named("all")
    (mine + 2 * mine + turns)([episode("1"), episode("2"), episode("3")])
    assert calls == [3]


JUDGES = [
    TextJudge(ask),
    TextJudge(ask, scale=100),
    Vote(TextJudge(ask), votes=8, meta=TextJudge(ask), keep=3),
    Rubric(Principled(TextJudge(ask), ("be kind", "be brief"))),
    SelfJudge(ask),
]


@pytest.mark.parametrize("judge", JUDGES, ids=repr)
def test_judges_are_expressions_that_read_back(judge: Judge) -> None:
    mine = judged(judge, criteria="2: is large", form="pair")
    assert parse_reward(str(mine)) == mine
    assert pickle.loads(pickle.dumps(mine)) == mine
    assert mine != judged(judge, criteria="3: is large", form="pair")


def test_an_expression_names_the_model_behind_a_judge() -> None:
    text = "judged(Vote(TextJudge(string:capwords), votes=2), criteria='is it large?') - 0.1*turns"
    read = parse_reward(text)
    assert str(read) == text
    assert pickle.loads(pickle.dumps(read)) == read
    assert read.scope is Scope.GROUP


def test_what_cannot_be_a_judged_reward_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="form is one of"):
        judged(TextJudge(ask), criteria="large", form="stars")
    with pytest.raises(TypeError, match="needs a judge"):
        judged(ask, criteria="large")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="criteria are empty"):
        judged(TextJudge(ask), criteria=" ")
    with pytest.raises(ValueError, match="as in '2: names the price'"):
        judged(Rubric(TextJudge(ask)), criteria="large")
    with pytest.raises(ValueError, match="as in '2: names the price'"):
        judged(Principled(Rubric(TextJudge(ask)), ("be kind",)), criteria="2: is large")
    assert judged(Rubric(Principled(TextJudge(ask), ("be kind",))), criteria="2: is large")([episode("7")])[0] == [0.7]
    with pytest.raises(ValueError, match="scale"):
        TextJudge(ask, scale=0)
    with pytest.raises(ValueError, match="compares the episodes of a group"):
        RewardWrapper(Choice({"a": 1.0}), reward)
    with pytest.raises(JudgeError, match="1 replies to 2 prompts"):
        judged(TextJudge(lambda prompts: ["one"]), criteria="large")([episode("1"), episode("2")])


def test_a_fixed_judge_gives_pairs_that_agree_with_its_ranking() -> None:
    judge = TextJudge(scorer(lambda item, criteria: int(item) / 10))
    for texts in permutations(("1", "5", "3")):
        ranking = judge.judge(texts, "large").ranking
        assert ranking is not None
        assert [texts[index] for index in ranking] == ["5", "3", "1"]
        values = np.array([judge.judge([text], "large").score for text in texts])
        assert judge.judge(texts[:2], "large").pair == np.sign(values[0] - values[1])
