"""Rewards by likelihood: what each of them teaches."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from palestra import Group, Trajectory
from palestra.rewards import Reward, success
from palestra.rewards.likelihood import (
    consistency_bonus,
    contrastive_likelihood,
    density_ratio,
    follow_up_likelihood,
    reasoning_reflection,
    reference_probability,
    self_aligned,
    self_likelihood,
    thought_gain,
    yes_probability,
)

from .lab import TabularPolicy, learn, play
from .language_model import CountLM, TableLM, last_word
from .likelihood_toys import (
    NEUTRAL,
    Painter,
    PixelJudge,
    PlainText,
    Question,
    Reasoner,
    ScriptedUser,
    Story,
    Typing,
    TypingModel,
    dpo,
    episode,
    lists,
    shown,
)


def test_works_flr() -> None:
    """A model of the user, counted from 300 dialogues, tells the served from the unserved request."""
    env, rng, policy = ScriptedUser(), np.random.default_rng(0), TabularPolicy()

    def talk(seed: int) -> Trajectory:
        return play(env, policy, rng, seed=seed)

    heard = [talk(seed) for seed in range(300)]
    replies = [(f"{t.turns[0].observation} {t.turns[0].action}", str(t.final_observation)) for t in heard]
    # What was wanted, what was offered, and the words since.
    lm = CountLM(replies, lambda words: (*words[3:5], *words[8:]))
    reward = follow_up_likelihood(lm, (ScriptedUser.THANKS,), (ScriptedUser.COMPLAINT,))
    unseen = [talk(seed) for seed in range(1000, 2000)]
    served = [t for t in unseen if t.turns[0].info["success"]][:100]
    unserved = [t for t in unseen if not t.turns[0].info["success"]][:100]
    right = [good > bad for [good], [bad] in zip(lists(reward, *served), lists(reward, *unserved), strict=True)]
    assert len(right) == 100
    assert np.mean(right) >= 0.9


def answering_lm() -> CountLM:
    """What people answer, with the question and without: fillers tell nothing about it, the number does."""
    rng, numbers = np.random.default_rng(0), ("one", "two", "three")
    pairs = []
    for _ in range(400):
        number = rng.choice(numbers)
        said = rng.choice(numbers) if rng.random() < 0.1 else number
        fillers = " ".join(rng.choice(Question.FILLERS, rng.integers(3)))
        pairs += [(f"say {number}", f"{fillers} it is {said}"), ("", f"{fillers} it is {said}")]

    def recall(words: list[str]) -> Any:
        """The number last asked for, and the word before unless it belongs to the question."""
        asked = [place for place, word in enumerate(words) if place and words[place - 1] in ("say", "on,")]
        fresh = not words or (asked and asked[-1] == len(words) - 1)
        return (words[asked[-1]] if asked else None), (None if fresh else words[-1])

    return CountLM(pairs, recall)


def test_works_sar_on_a_hand_made_set() -> None:
    answers = ["it is two", "well you know well it is two", "it is one it is two", "it is one"]
    group = [episode(("say two", answer)) for answer in answers]
    concise, padded, partly, wrong = (value[0] for value in lists(self_aligned(answering_lm()), *group))
    assert concise > padded > wrong
    assert partly > wrong


def verbose_policy() -> TabularPolicy:
    """Knows the answers well, and two times in three puts a filler before them."""
    policy = TabularPolicy()
    for number in ("one", "two", "three"):
        for page in (f"say {number}", f"go on, {number}"):
            answers = {answer: 4.0 if answer.endswith(number) else 0.0 for answer in Question.ANSWERS}
            policy.logits[page] = answers | dict.fromkeys(Question.FILLERS, 4.0)
    return policy


@pytest.mark.slow
def test_works_sar() -> None:
    """Beside success it shortens what is said, at no cost in accuracy."""
    lm = answering_lm()

    def accuracy_and_length(groups: list[Group]) -> tuple[float, float]:
        episodes = [t for group in groups for t in group]
        return float(np.mean([t.score for t in episodes])), float(np.mean([len(t.turns) for t in episodes]))

    def ends(reward: Reward) -> np.ndarray:
        runs = []
        for seed in range(3):
            _, history = learn(
                Question(), reward, steps=120, groups=2, seed=seed, policy=verbose_policy(), measure=accuracy_and_length
            )
            runs.append([np.mean(history[:3], axis=0), np.mean(history[-10:], axis=0)])
        return np.mean(runs, axis=0)

    alone, beside = ends(success), ends(success + 0.2 * self_aligned(lm))
    assert beside[1][0] >= alone[1][0] - 0.01
    assert beside[1][1] < alone[1][1] - 0.25


def alone(texts: list[str]) -> list[tuple[str, str]]:
    return [("", text) for text in texts]


def grammar_texts(count: int, seed: int, order: float) -> list[str]:
    """Texts in which a letter is followed by the next one with probability ``order``, else by any."""
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        letters = [int(rng.integers(6))]
        for _ in range(7):
            letters.append((letters[-1] + 1) % 6 if rng.random() < order else int(rng.integers(6)))
        texts.append(" ".join("abcdef"[letter] for letter in letters))
    return texts


def test_works_cdr() -> None:
    """The more good text the strong model has read than the weak one, the better the ratio tells good from bad."""
    accuracies = []
    for gap in (0, 5, 20, 80, 320):
        hits = []
        for seed in range(6):
            weak = CountLM(alone(grammar_texts(50, 10 * seed, 0.0)), last_word)
            read = grammar_texts(50, 10 * seed + 1, 0.0) + grammar_texts(gap, 10 * seed + 2, 0.5)
            reward = density_ratio(CountLM(alone(read), last_word), weak)
            texts = grammar_texts(100, 10 * seed + 3, 0.5) + grammar_texts(100, 10 * seed + 4, 0.2)
            values = np.array(lists(reward, *(episode(("say", text)) for text in texts)))[:, 0]
            hits += (values[:100] > values[100:]).tolist()
        accuracies.append(float(np.mean(hits)))
    assert all(later > earlier for earlier, later in pairwise(accuracies))
    assert accuracies[-1] > 0.75


@pytest.mark.slow
def test_works_rlp() -> None:
    """From text alone: the note that determines the next word is learned, though nothing says that it is right."""
    rng = np.random.default_rng(0)
    texts = []
    for first, second in rng.integers(4, size=(4000, 2)):
        total = (first + second) % 4
        texts.append(
            f"x{first} y{second} {rng.choice([f's{total}', 'hm', 'um', ''], p=[0.06, 0.02, 0.02, 0.9])} n{total}"
        )
    lm = CountLM(alone(texts), last_word)
    reward = thought_gain(lm, lm)
    sums = [(first, second, (first + second) % 4) for first in range(4) for second in range(4)]
    idle = lists(reward, *(episode((f"x{x} y{y}", "hm "), next=f"n{total}") for x, y, total in sums))
    told = lists(reward, *(episode((f"x{x} y{y}", f"s{total} "), next=f"n{total}") for x, y, total in sums))
    shares = []
    for seed in range(3):
        _, history = learn(PlainText(), reward, steps=100, groups=8, learning_rate=2.0, advantage="rloo", seed=seed)
        shares.append((np.mean(history[:3]), np.mean(history[-10:])))
    assert abs(np.mean(idle)) < 0.15
    assert np.mean(told) > 1
    assert np.mean(shares, axis=0)[0] < 0.3
    assert np.mean(shares, axis=0)[1] > 0.9


@pytest.mark.slow
def test_works_rlpr() -> None:
    """Without a verifier it teaches a reasoner as much as the verifier does."""
    env = Reasoner()
    ends = {}
    for name, reward in (("verifier", success), ("rlpr", reference_probability(TableLM(env.table)))):
        runs = [learn(env, reward, steps=80, seed=seed)[1] for seed in range(5)]
        ends[name] = np.mean([np.mean(run[-20:]) for run in runs])
    assert ends["rlpr"] >= ends["verifier"] - 0.05
    assert ends["rlpr"] > 0.75


def test_works_dro() -> None:
    """Of a 20-token reference, one token depends on the reasoning: R3 sees it, the mean over tokens hardly does."""
    rng = np.random.default_rng(0)
    reference = " ".join(f"y{place}" for place in range(20))
    table, group = {("q\n\n", reference): np.full(20, 0.5)}, []
    for index in range(16):
        table[f"q\nt{index}\n", reference] = np.clip(rng.normal(0.6, 0.03, 20), 0.01, 0.99)
        table[f"q\nt{index}\n", reference][13] = 0.9 if index % 2 else 0.1
        group.append(episode(("q", f"t{index}\n..."), reference=reference))
    r3 = np.array(lists(reasoning_reflection(TableLM(table)), *group))[:, 0]
    mean = np.array([np.log(table[f"q\nt{index}\n", reference]).mean() for index in range(16)])
    margins = [values[1::2].mean() - values[::2].mean() for values in (r3, mean)]
    effects = [margin / values[1::2].std() for margin, values in zip(margins, (r3, mean), strict=True)]
    assert margins[0] > 5 * margins[1]
    assert effects[0] > effects[1]


def test_works_grpo_care() -> None:
    """Plain outcomes leave it to chance by which reasoning the right answer comes; the bonus does not."""
    lm = TableLM(
        {
            ("what next?\nthe ball is on the tee\n", "hit"): [0.8],
            ("what next?\nthe ball is on the tee\n", "walk"): [0.2],
            ("what next?\nthe club is in the bag\n", "hit"): [0.3],
            ("what next?\nthe club is in the bag\n", "walk"): [0.7],
        }
    )

    def coherent_share(groups: list[Group]) -> float:
        actions = [t.turns[0].action for group in groups for t in group]
        return actions.count(Story.COHERENT) / max(actions.count(Story.COHERENT) + actions.count(Story.INCOHERENT), 1)

    ends = {}
    for name, reward in (("grpo", success), ("care", success + consistency_bonus(success, lm))):
        runs = [learn(Story(), reward, steps=40, groups=2, seed=seed, measure=coherent_share)[1] for seed in range(4)]
        ends[name] = np.mean([np.mean(run[-10:]) for run in runs])
    assert ends["care"] > 0.95
    assert ends["care"] > ends["grpo"] + 0.25


def test_works_rewarddance() -> None:
    """p(yes) is the softmax of two logits, ranks screens by their likeness, and goes on telling episodes apart."""
    target = np.random.default_rng(1).integers(0, 256, (12, 12, 3))
    judge, env = PixelJudge(target), Painter(target)
    reward = yes_probability(judge, shown)
    rng = np.random.default_rng(2)
    pictures = [np.clip(target + rng.normal(0, level, target.shape), 0, 255) for level in Painter.LEVELS]
    values = [value[0] for value in lists(reward, *(episode(("q", "a"), shown=picture) for picture in pictures))]
    softmax = [np.exp(judge.logits(picture))[0] / np.exp(judge.logits(picture)).sum() for picture in pictures]
    assert values == pytest.approx(softmax, abs=1e-6)
    assert values == sorted(values, reverse=True)

    def spread(groups: list[Group]) -> float:
        return float(np.mean([np.std([t.rewards["total"][-1] for t in group]) for group in groups]))

    _, history = learn(env, reward, steps=200, groups=2, measure=spread)
    assert min(history) > 0.001


def test_works_treg() -> None:
    """Where a wrong word hides among neutral ones, more of the blame falls on it than with DPO alone."""
    # A model asked to do well writes the right word and avoids the wrong one; the others it cannot tell apart.
    table = {
        ("+ q\n", "right"): [0.3],
        ("- q\n", "right"): [0.05],
        ("+ q\n", "wrong"): [0.05],
        ("- q\n", "wrong"): [0.3],
    }
    lm = TableLM(table | {(f"{mark} q\n", "other"): [0.065] for mark in "+-"})
    words = ["other"] * NEUTRAL + ["right", "wrong"]
    token_rewards = np.concatenate(
        lists(contrastive_likelihood(lm, "+ ", "- "), *(episode(("q", word)) for word in words))
    )
    shares = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        neutral = [rng.multinomial(6, np.full(NEUTRAL, 1 / NEUTRAL), size=12) for _ in range(2)]
        chosen, rejected = (
            np.hstack([part, np.tile(key, (12, 1))]) for part, key in zip(neutral, ([1, 0], [0, 1]), strict=True)
        )
        blame = [-np.minimum(dpo(chosen, rejected, token_rewards, alpha), 0) for alpha in (0.0, 0.5)]
        shares.append([values[-1] / values.sum() for values in blame])
    assert all(regularised > plain for plain, regularised in shares)
    assert np.mean(shares, axis=0)[1] > np.mean(shares, axis=0)[0] + 0.02


def best_of(n: int, coverage: float, rng: np.random.Generator, prompts: int = 400) -> float:
    """The mass that fine-tuning on the best of ``n`` samples puts on a response that the base gives ``coverage``."""
    return float((rng.random((prompts, n)) < coverage).any(axis=1).mean())


@pytest.mark.slow
def test_works_sharpening() -> None:
    """Best-of-N needs log(1 / eps) / coverage samples; learning online from the same self-reward needs far fewer."""
    rng = np.random.default_rng(0)
    for coverage in (0.5, 0.1, 0.02):
        for eps in (0.2, 0.05):
            n = math.ceil(math.log(1 / eps) / coverage)
            assert best_of(n, coverage, rng) >= 1 - eps - 0.04  # two deviations of 400 prompts
    steps, size = 32, 16
    offline = best_of(steps * size, Typing.ODDS**Typing.LENGTH, rng)
    online = []
    for seed in range(5):
        reward = self_likelihood(TypingModel())
        _, history = learn(Typing(), reward, steps=steps, groups=1, size=size, learning_rate=8.0, seed=seed)
        online.append(np.mean(history[-4:]))
    assert offline < 0.3
    assert np.mean(online) > 0.9
