from __future__ import annotations

import numpy as np
import pytest

from palestra.rewards.intrinsic import HashedWords
from palestra.rewards.judges import Item, QualityHead
from palestra.rewards.judges.head import distil, recalibrated, selected
from palestra.rewards.regression import Linear

from .stubs import rank_correlation

GOOD, BAD = ["clear", "exact", "brief", "kind"], ["vague", "wrong", "rude", "long"]
NEUTRAL = ["the", "a", "of", "it", "lamp"]


def answers(rng: np.random.Generator, count: int) -> tuple[list[Item], np.ndarray]:
    """Answers of 12 words, and their gold quality in [0, 1]: good words less bad ones, and a little noise."""
    items, gold = [], []
    for _ in range(count):
        share = rng.random()
        words = [
            str(rng.choice(NEUTRAL if rng.random() < 0.4 else GOOD if rng.random() < share else BAD)) for _ in range(12)
        ]
        items.append(Item(" ".join(words)))
        net = (sum(word in GOOD for word in words) - sum(word in BAD for word in words)) / 12
        gold.append(np.clip(0.5 + net / 2 + 0.03 * rng.standard_normal(), 0, 1))
    return items, np.array(gold)


def noisy(gold: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(gold + deviation * rng.standard_normal(len(gold)), 0, 1)


def test_the_recalibrated_score_is_the_mean_of_score_and_similarity() -> None:
    scores, similarity = np.array([0.2, 1.0]), np.array([0.6, 0.0])
    assert recalibrated(scores, similarity) == pytest.approx([0.4, 0.5])
    assert recalibrated(scores, similarity, share=0.25) == pytest.approx([0.3, 0.75])
    with pytest.raises(ValueError, match="as many similarities"):
        recalibrated(scores, similarity[:1])


def test_a_head_is_bounded_and_serves_every_form() -> None:
    head = QualityHead(lambda item: np.array([float(item.text)]), Linear(np.array([1.0]), 0.0))
    assert [head.judge([text], "good?").score for text in ("-3", "0.25", "7")] == [0, 0.25, 1]
    assert head.judge(["0.25", "0.75"], "good?").pair == -0.5
    assert head.judge(["0.25", "0.75", "0.5"], "good?").ranking == (1, 2, 0)
    assert head.judge_all([]) == []


@pytest.mark.parametrize("seed", range(3))
def test_works_self_j(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, gold = answers(rng, 400)
    with_reference = recalibrated(noisy(gold, 0.2, rng), noisy(gold, 0.2, rng))
    words = HashedWords(256)
    head = distil(items, with_reference, lambda item: words(item.text))

    unseen, truth = answers(rng, 400)
    raw = noisy(truth, 0.2, rng)  # the model's own score, without a reference
    predicted = np.array([head.judge([item], "quality").score for item in unseen])
    by_head, by_raw = rank_correlation(predicted, truth), rank_correlation(raw, truth)
    assert by_head > by_raw + 0.05

    thresholds = np.quantile(predicted, [0, 0.25, 0.5, 0.75])
    right = truth > 0.5
    accuracy = [float(right[selected(predicted, threshold)].mean()) for threshold in thresholds]
    assert accuracy == sorted(accuracy)
    assert accuracy[-1] > accuracy[0] + 0.2

    best = np.array([chunk[np.argmax(predicted[chunk])] for chunk in np.arange(400).reshape(-1, 8)])
    print("rank correlation: head", by_head, "self-score", by_raw, "accuracy by threshold", accuracy)
    print("best of 8:", truth[best].mean(), "random:", truth.mean())
    assert truth[best].mean() > truth.mean() + 0.1
