from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.rewards import env
from palestra.rewards.judges import Item, TextJudge, judged
from palestra.rewards.judges.pairwise import preference_matrix, zero_sum_advantages

from ..lab import learn
from .stubs import Choice, action_of, items_of, verdict

ITEMS = [Item(text) for text in "3752"]


def test_works_think_rm_hand_values() -> None:
    preferences = np.array([[np.nan, 1.0, 0.5], [-1.0, np.nan, -0.5], [-0.5, 0.5, np.nan]])
    # Row means (1.5, -1.5, 0) / 3; the squares sum to 2 * (1 + .25 + .25) = 3, over 2 * 3 * 2 = 12, which is .25.
    assert zero_sum_advantages(preferences) == pytest.approx([1, -1, 0], abs=1e-4)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_differences_of_scores_give_grpo_with_the_unbiased_deviation(scores: list[float]) -> None:
    values = np.array(scores)
    advantages = zero_sum_advantages(values[:, None] - values[None, :])
    assert advantages.sum() == pytest.approx(0, abs=1e-6)
    if values.std() > 0.05:
        assert advantages == pytest.approx((values - values.mean()) / values.std(ddof=1), rel=1e-2, abs=1e-6)


@given(st.permutations(range(4)))
def test_a_permuted_group_has_permuted_advantages(order: list[int]) -> None:
    values = np.array([0.1, 0.9, 0.4, 0.3])
    preferences = values[:, None] - values[None, :]
    permuted = zero_sum_advantages(preferences[np.ix_(order, order)])
    assert permuted == pytest.approx(zero_sum_advantages(preferences)[list(order)])


def test_one_item_has_no_advantage_and_other_matrices_are_refused() -> None:
    assert zero_sum_advantages(np.full((1, 1), np.nan)).tolist() == [0]
    with pytest.raises(ValueError, match="square"):
        zero_sum_advantages(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="antisymmetric"):
        zero_sum_advantages(np.array([[0.0, 1.0], [1.0, 0.0]]))


def test_a_liking_for_the_first_place_cancels() -> None:
    biased = TextJudge(lambda prompts: [verdict(prompt, "A") for prompt in prompts])
    preferences = preference_matrix(biased, ITEMS, "larger")
    assert np.isnan(np.diag(preferences)).all()
    assert np.nan_to_num(preferences).tolist() == np.zeros((4, 4)).tolist()


def test_one_order_counts_alone_where_the_other_abstains() -> None:
    def ask(prompts: Sequence[str]) -> list[str]:
        first = [items_of(prompt) for prompt in prompts]
        return [
            "?" if "2" in pair else verdict(prompt, "A" if pair[0] > pair[1] else "no idea")
            for prompt, pair in zip(prompts, first, strict=True)
        ]

    preferences = preference_matrix(TextJudge(ask), ITEMS, "larger")
    assert preferences[0, 1] == -1
    assert preferences[1, 0] == 1
    assert np.isnan(preferences[3]).all()
    assert np.isnan(preferences[:, 3]).all()


WORTH = {"a": 0.1, "b": 0.8, "c": 0.3, "d": 1.0, "e": 0.5}


def test_works_think_rm_learns_from_preferences() -> None:
    def final(seed: int, by_pairs: bool) -> tuple[str, float]:
        rng = np.random.default_rng(seed)

        def prefer(prompt: str) -> str:
            first, second = (WORTH[action_of(item)] for item in items_of(prompt))
            if first == second:
                return verdict(prompt, "tie")
            return verdict(prompt, "AB"[int((first < second) == (rng.random() < 0.85))])

        judge = TextJudge(lambda prompts: [prefer(prompt) for prompt in prompts])
        reward = judged(judge, criteria="worth more", form="pair") if by_pairs else env
        policy, _ = learn(
            Choice(WORTH),
            reward,
            steps=60,
            groups=1,
            size=6,
            learning_rate=0.8,
            advantage="dr_grpo" if by_pairs else "grpo",
            seed=seed,
        )
        chances = policy.probabilities("choose", list(WORTH))
        return list(WORTH)[int(chances.argmax())], float(chances.max())

    found = {by_pairs: [final(seed, by_pairs) for seed in range(3)] for by_pairs in (True, False)}
    print("best arm and its probability, by pairs and by gold scores:", found)
    assert [arm for arm, _ in found[True]] == [arm for arm, _ in found[False]] == ["d"] * 3
