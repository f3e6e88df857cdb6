"""Rewards by likelihood: each formula on numbers by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Status, Trajectory
from palestra.rewards import RewardError, episode_reward, parse_reward
from palestra.rewards.likelihood import (
    consistency_bonus,
    contrastive_likelihood,
    density_ratio,
    ema_update,
    follow_up_likelihood,
    reasoning_reflection,
    reference_probability,
    reflection_weights,
    regulariser_weight,
    self_aligned,
    self_likelihood,
    spread_gate,
    thought_gain,
    token_contrast,
    token_regulariser,
    yes_probability,
)

from .language_model import TableLM
from .likelihood_toys import episode, lists

MODULE = """
import numpy as np

class Even:
    def __repr__(self):
        return "my_lm:lm"

    def logprobs(self, pairs):
        return [np.log([0.5]) for _ in pairs]

lm = Even()
"""

scorer = TableLM({("q\n", "a b"): [0.5, 0.5], ("q\na b\nr\n", "c"): [0.25], ("q\n", "c"): [0.5]})


# What is asked, and what may be answered


def test_each_action_is_scored_after_all_that_was_seen() -> None:
    [values] = lists(self_likelihood(scorer), episode(("q", "a b"), ("r", "c")))
    assert values == pytest.approx([math.log(0.25), math.log(0.25)])


def test_a_group_is_asked_in_one_call_and_each_pair_once() -> None:
    lm = TableLM({("q\nx\n", "yes"): [0.9], ("q\ny\n", "yes"): [0.2], ("q\n\n", "yes"): [0.3]})
    group = [episode(("q", f"{thought}\nno"), reference="yes") for thought in "xyx"]
    reference_probability(lm)(group)
    assert lm.asked == [("q\nx\n", "yes"), ("q\ny\n", "yes"), ("q\n\n", "yes")]


def test_episodes_without_turns_are_paid_nothing_and_faults_have_no_reward() -> None:
    group = [episode(), episode(("q", "a b"), status=Status.FAULT), episode(("q", "a b"), reference="c", success=True)]
    table = TableLM(
        {("q\n", "a b"): [0.5, 0.5], ("", "a b"): [0.5, 0.5], ("q\na b\n", "c"): [0.5], ("q\n\n", "c"): [1]}
    )
    for reward in (
        self_likelihood(table),
        self_aligned(table),
        density_ratio(table, table),
        follow_up_likelihood(table, ("c",), ("c",)),
        reference_probability(table),
        reasoning_reflection(table),
        yes_probability(table, lambda _: "q\n\n", yes="c"),
    ):
        empty, fault, played = reward(group)
        assert empty is not None
        assert empty.shape == (0,)
        assert fault is None
        assert played is not None
        assert played.shape == (1,)


@pytest.mark.parametrize("answer", [np.log([0.5, 1.5]), np.array(-1.0), np.array([np.nan, -1.0]), np.zeros((1, 2))])
def test_what_is_no_log_probability_is_an_error(answer: np.ndarray) -> None:
    class Broken:
        def logprobs(self, pairs: Any) -> list[np.ndarray]:
            return [answer for _ in pairs]

    with pytest.raises(RewardError, match="no log-probabilities for 'a b'"):
        self_likelihood(Broken())([episode(("q", "a b"))])


def test_what_is_no_text_is_an_error() -> None:
    class Short:
        def logprobs(self, pairs: Any) -> list[np.ndarray]:
            return []

    with pytest.raises(RewardError, match="0 answers for 1 pairs"):
        self_likelihood(Short())([episode(("q", "a b"))])
    with pytest.raises(RewardError, match="the action 3 of the agent's episode of X-v0"):
        self_likelihood(scorer)([episode(("q", 3))])  # type: ignore[arg-type]
    with pytest.raises(RewardError, match="has the observation 7"):
        self_likelihood(scorer)([episode((7, "a b"))])  # type: ignore[arg-type]
    with pytest.raises(RewardError, match=r"info\['reference'\] in turn -1 of .* must be a text, not None"):
        reference_probability(scorer)([episode(("q", "a b"))])
    with pytest.raises(RewardError, match="is -inf at turn 0"):
        self_likelihood(TableLM({("q\n", "a b"): [0.5, 1e-400]}))([episode(("q", "a b"))])


def test_pictures_go_with_the_text() -> None:
    seen: list[Any] = []

    class Seeing:
        def logprobs(self, pairs: Any) -> list[np.ndarray]:
            seen.extend(pairs)
            return [np.zeros(1) for _ in pairs]

    picture = np.zeros((2, 2, 3), np.uint8)
    self_likelihood(Seeing())([episode(({"text": "page", "image": picture}, "click"), ({"text": "end"}, "stop"))])  # type: ignore[arg-type]
    assert seen[0][0]["text"] == "page\n"
    assert seen[0][0]["image"] is picture
    assert seen[1] == ("page\nclick\nend\n", "stop")


def test_the_shelf_reads_back(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_lm.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    reward = parse_reward("success + 0.2*self_aligned(my_lm:lm) + spread_gate(reference_probability(my_lm:lm), 0.1)")
    assert parse_reward(str(reward)) == reward
    assert lists(reward, episode(("q", "a\nb"), success=True, reference="c")) == [[1.0]]


# FLR


def test_follow_ups() -> None:
    lm = TableLM(
        {
            ("q\na\n", "thanks a lot"): [0.5, 0.5, 0.8],
            ("q\na\n", "great"): [0.4],
            ("q\na\n", "no"): [0.1],
        }
    )
    [[value]] = lists(follow_up_likelihood(lm, ("thanks a lot", "great"), ("no",)), episode(("q", "a")))
    assert value == pytest.approx((math.log(0.2) + math.log(0.4)) / 2 - math.log(0.1), abs=1e-6)
    for bad in ((), "thanks", ("",)):
        with pytest.raises(ValueError, match="negative must be one or more texts"):
            follow_up_likelihood(lm, ("thanks",), bad)  # type: ignore[arg-type]


# SAR


def test_self_aligned_is_the_relative_difference_of_perplexities() -> None:
    lm = TableLM({("q\n", "a b"): [0.5, 0.125], ("", "a b"): [0.25, 0.0625]})
    perplexity, informed = (0.25 * 0.0625) ** -0.5, (0.5 * 0.125) ** -0.5
    assert lists(self_aligned(lm), episode(("q", "a b"))) == [[pytest.approx((perplexity - informed) / perplexity)]]
    for conditional, value in ((0.5, 0.0), (0.25, -1.0), (0.01, -1.0), (1.0, 0.5)):
        lm = TableLM({("q\n", "a"): [conditional], ("", "a"): [0.5]})
        assert lists(self_aligned(lm), episode(("q", "a"))) == [[pytest.approx(value)]]


def test_self_aligned_pools_the_tokens_of_all_turns() -> None:
    lm = TableLM({("q\n", "a"): [0.5], ("q\na\nr\n", "b c"): [0.5, 0.5], ("", "a"): [0.25], ("", "b c"): [0.5, 0.25]})
    gap = math.log(0.25 * 0.5 * 0.25) / 3 - math.log(0.5)
    assert lists(self_aligned(lm), episode(("q", "a"), ("r", "b c"))) == [[0.0, pytest.approx(1 - math.exp(gap))]]


@given(st.lists(st.tuples(st.floats(1e-6, 1), st.floats(1e-6, 1)), min_size=1, max_size=5))
def test_self_aligned_stays_between_minus_one_and_one(probabilities: list[tuple[float, float]]) -> None:
    lm = TableLM({("q\n", "a"): [p for p, _ in probabilities], ("", "a"): [p for _, p in probabilities]})
    [[value]] = lists(self_aligned(lm), episode(("q", "a")))
    assert -1 <= value <= 1


# CDR and T-REG


def test_density_ratio() -> None:
    strong = TableLM({("good: q\n", "a b"): [0.5, 0.25], ("good: q\na b\nr\n", "c"): [0.5]})
    weak = TableLM({("good: q\n", "a b"): [0.25, 0.25], ("good: q\na b\nr\n", "c"): [0.75]})
    [values] = lists(density_ratio(strong, weak, criterion="good: "), episode(("q", "a b"), ("r", "c")))
    assert values == pytest.approx([math.log(2), math.log(0.5 / 0.75)], abs=1e-6)


def test_contrastive_token_rewards() -> None:
    lm = TableLM({("+ q\n", "a b"): [0.75, 0.5], ("- q\n", "a b"): [0.25, 0.5], ("+ q\n", ""): [], ("- q\n", ""): []})
    np.testing.assert_allclose(token_contrast(np.log([0.75, 0.5]), np.log([0.25, 0.5])), [0.25, 0])  # 3 / (1 + 3) - 1/2
    reward = contrastive_likelihood(lm, "+ ", "- ")
    assert lists(reward, episode(("q", "a b")), episode(("q", ""))) == [[pytest.approx(0.125)], [0.0]]
    np.testing.assert_allclose(token_contrast(np.array([-1e4, 0]), np.array([0, -1e4])), [-0.5, 0.5])
    with pytest.raises(RewardError, match="into 2 and into 1 tokens"):
        token_contrast(np.zeros(2), np.zeros(1))


def test_token_regulariser() -> None:
    rewards, logprobs = np.array([0.25, -0.5]), np.log([0.5, 0.1])
    value = token_regulariser(rewards, logprobs, beta=0.2)
    assert value == pytest.approx(-0.2 * (0.25 * math.log(0.5) - 0.5 * math.log(0.1)))
    assert token_regulariser(np.zeros(2), logprobs) == 0
    assert token_regulariser(rewards, np.log([0.6, 0.05])) < token_regulariser(rewards, logprobs)  # they agree more
    assert regulariser_weight(1.0, 1.0) == 0.5
    assert regulariser_weight(3.0, 1.0) == pytest.approx(1 / (1 + math.exp(2)))
    assert regulariser_weight(1e6, 0.0) == 0
    assert regulariser_weight(-1e6, 0.0) == 1


# RewardDance


def test_yes_probability() -> None:
    a, b = "better? a", "better? b"
    lm = TableLM({(a, "yes"): [0.3], (a, "no"): [0.1], (b, "yes"): [0.0], (b, "no"): [0.5]})
    group = episode(("q", "a")), episode(("q", "b"))

    def ask(trajectory: Trajectory) -> str:
        return "better? " + trajectory.turns[-1].action

    assert lists(yes_probability(lm, ask), *group) == [[pytest.approx(0.3)], [0]]
    assert lists(yes_probability(lm, ask, no="no"), *group) == [[pytest.approx(0.75)], [0]]


# RLP


def test_thought_gain() -> None:
    thinks = TableLM({("q\nso ", "x y"): [0.5, 0.5], ("q\nhm ", "x y"): [0.25, 0.4]})
    plain = TableLM({("q\n", "x y"): [0.25, 0.4]})
    reward = thought_gain(thinks, plain)
    informed, idle = lists(reward, episode(("q", "so "), next="x y"), episode(("q", "hm "), next="x y"))
    assert informed == pytest.approx([math.log(2.5)])
    assert idle == pytest.approx([0], abs=1e-12)
    with pytest.raises(RewardError, match=r"info\['next'\]"):
        reward([episode(("q", "so "))])


# RLPR


def test_reference_probability_is_a_clipped_gain_of_means() -> None:
    lm = TableLM(
        {
            ("q\nx\n", "1 2 3"): [1, 1, 1e-9],
            ("q\ny\n", "1 2 3"): [0.1, 0.1, 0.1],
            ("q\nx y\n", "1 2 3"): [1, 1, 1],
            ("q\n\n", "1 2 3"): [0.5, 0.5, 0.2],
        }
    )
    group = [episode(("q", action), reference="1 2 3") for action in ("x\n7", "y\n1 2 3", "x y")]
    # One token that is all but impossible takes a third; a product would leave nothing.
    assert lists(reference_probability(lm), *group) == [[pytest.approx(2 / 3 - 0.4)], [0], [pytest.approx(0.6)]]


def test_reasoning_ends_at_the_last_mark() -> None:
    lm = TableLM(
        {("q\nAnswer: 1? no. Answer:", "2"): [0.5], ("q\nwell Answer:", "2"): [0.75], ("q\nAnswer:", "2"): [0.25]}
    )
    group = [episode(("q", text), reference="2") for text in ("Answer: 1? no. Answer: 3", "well ")]
    assert lists(reference_probability(lm, until="Answer:"), *group) == [[0.25], [0.5]]
    for build in (reference_probability, reasoning_reflection):
        with pytest.raises(ValueError, match="until must be a text"):
            build(lm, until="")


# DRO / R3


def test_reasoning_reflection_weighs_tokens_by_their_deviation() -> None:
    logprobs = np.log([[0.5, 0.8, 0.5], [0.5, 0.2, 0.25]])
    deviations = [0, math.log(4) / 2, math.log(2) / 2]
    np.testing.assert_allclose(reflection_weights(logprobs), np.array(deviations) / sum(deviations))
    np.testing.assert_allclose(reflection_weights(np.zeros((3, 4))), [0.25] * 4)
    table = {("q\nx\n", "1 2 3"): [0.5, 0.8, 0.5], ("q\ny\n", "1 2 3"): [0.5, 0.2, 0.25], ("q\n\n", "1 2 3"): [0.5] * 3}
    group = [episode(("q", f"{thought}\nno"), reference="1 2 3") for thought in "xy"]
    [good], [bad] = lists(reasoning_reflection(TableLM(table)), *group)
    assert good == pytest.approx((2 * math.log(0.8 / 0.5) + math.log(1)) / 3)
    assert bad == pytest.approx((2 * math.log(0.2 / 0.5) + math.log(0.5)) / 3)
    [bad], [good] = lists(reasoning_reflection(TableLM(table)), *group[::-1])
    assert good > bad


def test_reasoning_reflection_pays_nothing_where_nothing_varies() -> None:
    table = {("q\nx\n", "1 2"): [0.5, 0.6], ("q\ny\n", "1 2"): [0.5, 0.5], ("q\n\n", "1 2"): [0.1, 0.1]}
    x, y = (episode(("q", f"{thought}\nno"), reference="1 2") for thought in "xy")
    assert lists(reasoning_reflection(TableLM(table)), x, x) == [[0], [0]]
    assert lists(reasoning_reflection(TableLM(table), min_spread=0.2), x, y) == [[0], [0]]
    assert lists(reasoning_reflection(TableLM(table)), x, y) != [[0], [0]]
    y.turns[-1].info["reference"] = "2"
    with pytest.raises(RewardError, match="one reference in a group"):
        reasoning_reflection(TableLM(table))([x, y])
    uneven = TableLM({("q\nx\n", "2"): [0.5], ("q\ny\n", "2"): [0.5, 0.5], ("q\n\n", "2"): [0.5]})
    x.turns[-1].info["reference"] = "2"
    with pytest.raises(RewardError, match=r"splits one reference into \[1, 2\] tokens"):
        reasoning_reflection(uneven)([x, y])


# GRPO-CARE


@episode_reward
def accuracy(trajectory: Trajectory) -> float:
    return trajectory.turns[-1].info["accuracy"]


def test_the_bonus_goes_to_the_accurate_and_consistent() -> None:
    table = {("q\nx\n", "a b"): [0.5, 0.5], ("q\ny\n", "a b"): [0.3, 0.3], ("q\nz\n", "c"): [0.9], ("q\nw\n", ""): []}
    group = [
        episode(("q", "x\na b"), accuracy=1),
        episode(("q", "y\na b"), accuracy=1),
        episode(("q", "z\nc"), accuracy=0),
        episode(("q", "w"), accuracy=1),
    ]
    # Of the accurate, the mean consistency is (0.5 + 0.3 + 0) / 3; what has no answer has none.
    assert lists(consistency_bonus(accuracy, TableLM(table)), *group) == [[0.5], [0.5], [0], [0]]
    # Without the last, it is 0.4, and 0.39 with the margin.
    assert lists(consistency_bonus(accuracy, TableLM(table)), *group[:3]) == [[0.5], [0], [0]]
    assert lists(consistency_bonus(accuracy, TableLM(table), margin=0.11), *group[:3]) == [[0.5], [0.5], [0]]
    # At most 0.3, the two are alike.
    assert lists(consistency_bonus(accuracy, TableLM(table), ceiling=0.3), *group[:3]) == [[0.5], [0.5], [0]]
    assert lists(consistency_bonus(accuracy, TableLM(table), coefficient=2), group[2], group[0]) == [[0], [2]]
    assert lists(consistency_bonus(accuracy, TableLM(table)), group[2], group[2]) == [[0], [0]]
    group[1].turns[-1].info["accuracy"] = 0.25  # below the mean, so no longer accurate
    assert lists(consistency_bonus(accuracy, TableLM(table)), *group[:3]) == [[0.5], [0], [0]]
    with pytest.raises(ValueError, match="margin -1 is below 0"):
        consistency_bonus(accuracy, scorer, margin=-1)


def test_ema_update() -> None:
    reference, policy = {"w": np.array([1.0, 2.0])}, {"w": np.array([3.0, -2.0])}
    np.testing.assert_allclose(ema_update(reference, policy, decay=0.75)["w"], [1.5, 1.0])
    np.testing.assert_allclose(ema_update(reference, policy)["w"], [1.01, 1.98])
    for _ in range(3):
        reference = ema_update(reference, policy, decay=0.5)
    np.testing.assert_allclose(reference["w"], [3 - 2 / 8, -2 + 4 / 8])
    with pytest.raises(ValueError, match=r"only one side has \['b'\]"):
        ema_update({"a": 1}, {"a": 1, "b": 2})
    with pytest.raises(ValueError, match="between 0 and 1"):
        ema_update({}, {}, decay=1.5)


def test_the_spread_gate_stills_groups_that_hardly_differ() -> None:
    group = [episode(("q", "a"), accuracy=value) for value in (0.5, 0.7)]
    assert lists(spread_gate(accuracy, 0.09), *group) == [[0.5], [0.7]]
    assert lists(spread_gate(accuracy, 0.11), *group) == [[0], [0]]
    with pytest.raises(ValueError, match="minimum -1"):
        spread_gate(accuracy, -1)


@pytest.mark.parametrize("seed", range(3))
def test_permuting_a_group_permutes_what_it_is_paid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    thoughts = [f"t{index}" for index in range(6)]
    table = {(f"q\n{thought}\n", "1 2"): rng.uniform(0.1, 1, 2) for thought in thoughts}
    table |= {("q\n\n", "1 2"): rng.uniform(0.1, 1, 2)}
    group = [episode(("q", f"{thought}\n1 2"), reference="1 2", accuracy=int(rng.integers(2))) for thought in thoughts]
    order = rng.permutation(6)
    for reward in (
        reference_probability(TableLM(table)),
        reasoning_reflection(TableLM(table)),
        consistency_bonus(accuracy, TableLM(table)),
    ):
        straight = lists(reward, *group)
        shuffled = lists(reward, *[group[index] for index in order])
        np.testing.assert_allclose(shuffled, [straight[index] for index in order])
