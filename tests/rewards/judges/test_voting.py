from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from palestra.rewards import score
from palestra.rewards.judges import Case, Item, TextJudge, Vote, judged
from palestra.rewards.judges.voting import judgement
from palestra.training.advantages import Scored, estimator

from ..lab import learn
from .stubs import Choice, action_of, episode, items_of, rank_correlation, verdict


def in_turn(*bodies: str) -> TextJudge:
    """A judge that gives these verdicts one after the other."""
    left = list(bodies)
    return TextJudge(lambda prompts: [verdict(prompt, left.pop(0), f"sample {len(left)}") for prompt in prompts])


def test_scores_preferences_and_rankings_are_averaged() -> None:
    found = Vote(in_turn("2", "nonsense", "9", "7"), votes=4).judge(["x"], "good?")
    assert found.score == pytest.approx(0.6)
    assert found.confidence == pytest.approx(1 - 2 * np.std([0.2, 0.9, 0.7]))
    pair = Vote(in_turn("A", "A", "B", "tie"), votes=4).judge(["x", "y"], "good?")
    assert (pair.pair, pair.confidence) == (0.25, 0.5)
    ranking = Vote(in_turn("B > C > A", "A > B > C", "B > A > C"), votes=3).judge(["x", "y", "z"], "good?")
    assert ranking.ranking == (1, 0, 2)


def test_a_vote_of_abstentions_abstains() -> None:
    assert Vote(in_turn("?", "?"), votes=2).judge(["x"], "good?").abstain


def test_the_meta_judge_keeps_the_best_samples() -> None:
    inner = in_turn("1", "10", "6", "8")
    assert Vote(inner, votes=4, meta=in_turn("2", "1", "9", "8")).judge(["x"], "good?").score == pytest.approx(0.7)
    inner = in_turn("1", "10", "6", "8")
    assert Vote(inner, votes=4, meta=in_turn("2", "1", "9", "8"), keep=1).judge(["x"], "good?").score == 0.6
    # A sample that the meta judge says nothing about stands at the mean of the others, and is not the worst.
    inner = in_turn("1", "10", "6", "8")
    assert Vote(inner, votes=4, meta=in_turn("1", "?", "9", "1"), keep=2).judge(["x"], "good?").score == 0.8


def test_the_meta_judge_sees_the_case_the_reasoning_and_the_verdict() -> None:
    case = Case((Item("a lamp"),), "is it bright?", "a sun")
    asked = judgement(case, in_turn("3").judge_all([case])[0])
    assert asked.reference == "a sun"
    assert "is it bright?" in asked.criteria
    assert asked.items[0].text.startswith("[item 1]\na lamp\n\n[the reasoning]\nsample 0")
    assert asked.items[0].text.endswith("[0.3]")


@pytest.mark.parametrize(("votes", "meta", "keep"), [(0, False, None), (4, False, 2), (4, True, 5), (4, True, 0)])
def test_votes_and_keep_are_checked(votes: int, meta: bool, keep: int | None) -> None:
    with pytest.raises(ValueError, match="Vote"):
        Vote(in_turn(), votes=votes, meta=in_turn() if meta else None, keep=keep)


def fallible(accuracy: float, garbage: float, seed: int, *, first: bool = False) -> TextJudge:
    """Prefers the larger of two numbers with a probability; its garbage is a toss or the first, and reads like it."""
    rng = np.random.default_rng(seed)

    def one(prompt: str) -> str:
        left, right = map(int, items_of(prompt))
        if rng.random() < garbage:
            return verdict(prompt, "A" if first else "AB"[rng.integers(2)], "blah blah")
        correct = rng.random() < accuracy
        return verdict(prompt, "AB"[int((left < right) == correct)], "I compared the numbers.")

    return TextJudge(lambda prompts: [one(prompt) for prompt in prompts])


def meta_judge(accuracy: float, seed: int) -> TextJudge:
    """Tells garbage from reasoning with a probability."""
    rng = np.random.default_rng(seed)

    def one(prompt: str) -> str:
        sound = "blah blah" not in prompt
        return verdict(prompt, 9 if sound == (rng.random() < accuracy) else 1)

    return TextJudge(lambda prompts: [one(prompt) for prompt in prompts])


def agreement(judge: Vote, seed: int, pairs: int = 200) -> float:
    """How often the vote is right; a tie is half."""
    rng = np.random.default_rng(seed)
    numbers = np.array([rng.choice(100, 2, replace=False) for _ in range(pairs)])
    found = judge.judge_all([Case((Item(str(a)), Item(str(b))), "the larger") for a, b in numbers])
    sides = np.sign([verdict.pair or 0.0 for verdict in found])
    return float(np.mean(0.5 + 0.5 * sides * np.sign(numbers[:, 0] - numbers[:, 1])))


def test_works_deepseek_grm_votes() -> None:
    found = [[agreement(Vote(fallible(0.65, 0, seed), votes), seed) for seed in range(3)] for votes in (1, 4, 16)]
    means = np.mean(found, axis=1)
    print("agreement by 1, 4, 16 votes:", means)
    assert means[0] + 0.03 < means[1] < means[2] - 0.03


@pytest.mark.parametrize(("first", "margin"), [(True, 0.03), (False, 0.0)], ids=["first place", "toss"])
def test_works_deepseek_grm_meta(first: bool, margin: float) -> None:
    """30% garbage.  Against garbage that cancels out there is little to gain, as good votes are thrown out too."""
    plain, filtered = [], []
    for seed in range(3):
        plain.append(agreement(Vote(fallible(0.65, 0.3, seed, first=first), 8), seed, pairs=500))
        meta = Vote(fallible(0.65, 0.3, seed, first=first), 8, meta_judge(0.9, seed), keep=5)
        filtered.append(agreement(meta, seed, pairs=500))
    print("agreement of 8 votes: plain", np.mean(plain), "filtered", np.mean(filtered))
    assert np.mean(filtered) > np.mean(plain) + margin


def seeing(score: Callable[[np.ndarray], float]) -> TextJudge:
    class Model:
        images = True

        def __call__(self, prompts: Sequence[str]) -> list[str]:
            return [verdict(p, f"{10 * min(max(score(p.images[0]), 0), 1):.4f}") for p in prompts]  # type: ignore[attr-defined]

    return TextJudge(Model())


def rectangle(hue: float) -> Item:
    """A picture of a rectangle; its red says how near to the wanted colour it is."""
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[1:3, 1:3, 0] = round(255 * hue)
    return Item("recolour the rectangle", (picture,))


def redness(picture: np.ndarray) -> float:
    return float(picture[1, 1, 0]) / 255


def test_works_editscore_self_ensemble() -> None:
    def correlation(votes: int, seed: int) -> float:
        rng = np.random.default_rng(seed)
        gold = rng.permutation(np.linspace(0.2, 0.8, 60))
        judge = Vote(seeing(lambda picture: redness(picture) + 0.3 * rng.standard_normal()), votes)
        found = judge.judge_all([Case((rectangle(hue),), "as red as asked") for hue in gold])
        return rank_correlation(np.array([v.score for v in found]), gold)

    by_votes = [np.mean([correlation(votes, seed) for seed in range(5)]) for votes in (1, 4, 16)]
    print("rank correlation for 1, 4, 16 samples:", by_votes)
    assert by_votes[0] + 0.1 < by_votes[1] < by_votes[2] - 0.05


def gain(correlation: float, seed: int) -> float:
    """How far a policy that recolours a rectangle gets in gold score, by a judge whose errors are systematic."""
    rng = np.random.default_rng(seed)
    gold = rng.permutation(np.linspace(-1, 1, 8))
    gold /= gold.std()
    error = rng.standard_normal(8)
    error -= error.mean() + gold * (error @ gold) / (gold @ gold)
    error /= error.std()
    judged_score = correlation * gold + np.sqrt(1 - correlation**2) * error
    believed = dict(zip(map(str, range(8)), 0.5 + 0.15 * judged_score, strict=True))
    judge = TextJudge(
        lambda prompts: [verdict(p, f"{10 * np.clip(believed[action_of(items_of(p)[0])], 0, 1):.4f}") for p in prompts]
    )
    worth = dict(zip(believed, map(float, gold), strict=True))
    policy, _ = learn(
        Choice(worth), judged(judge, criteria="as red as asked"), steps=30, groups=1, learning_rate=1.0, seed=seed
    )
    return float(policy.probabilities("choose", list(worth)) @ np.array(list(worth.values())))


def test_works_editscore_reward_must_correlate() -> None:
    gains = {rho: [gain(rho, seed) for seed in range(8)] for rho in (-0.3, 0.0, 0.3, 0.6, 0.9)}
    means = {rho: float(np.mean(found)) for rho, found in gains.items()}
    errors = {rho: float(np.std(found) / np.sqrt(8)) for rho, found in gains.items()}
    print("gold gained, in standard deviations of the arms, by correlation:", means, errors)
    assert means[-0.3] < 0 < means[0.3] < means[0.6] < means[0.9]
    assert abs(means[0.0]) < 3 * errors[0.0]
    assert means[0.6] > 3 * errors[0.6]


def test_a_judge_that_is_averaged_gives_the_group_smaller_errors() -> None:
    rng = np.random.default_rng(0)
    group = [episode(str(number)) for number in range(8)]

    def spread(votes: int) -> float:
        noisy = TextJudge(lambda prompts: [verdict(p, f"{rng.uniform(2, 8):.3f}") for p in prompts])
        return float(np.std([v.sum() for v in judged(Vote(noisy, votes), criteria="?")(group) if v is not None]))

    assert np.mean([spread(16) for _ in range(5)]) < 0.5 * np.mean([spread(1) for _ in range(5)])


def test_think_rm_pairs_need_no_scores() -> None:
    """Kept beside the votes: a vote of preferences is itself a preference that the group's advantages can take."""
    rng = np.random.default_rng(0)
    noisy = TextJudge(lambda prompts: [verdict(p, "AB"[rng.integers(2)]) for p in prompts])
    reward = judged(Vote(noisy, 4), criteria="?", form="pair")
    group = [episode(str(number)) for number in range(4)]
    score(reward, group)
    [first, *_] = estimator("dr_grpo", {})(Scored.by(reward, group))
    assert sum(t.rewards["total"].sum() for t in group) == pytest.approx(0)
    assert first[0] == pytest.approx(group[0].rewards["total"].sum())
