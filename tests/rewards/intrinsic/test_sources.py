"""What every source must hold to, and counts, pseudo-counts, random networks and skills by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import RewardError, env, named, parse_reward, score, success
from palestra.rewards.credit import ReturnDecoder, redistributed
from palestra.rewards.intrinsic import (
    HashedWords,
    LabelClassifier,
    LabelTable,
    PairRanking,
    PseudoCounts,
    RandomNetwork,
    SimHash,
    SkillDiscriminator,
    Source,
    VisitCounts,
    intrinsic,
    learning_in,
)

from .toys import wait_for


def path(*seen: str, status: Status = Status.TERMINATED, task: int = 0) -> Trajectory:
    """An episode that sees these texts, the last one after its last action."""
    turns = [Turn(text, "go") for text in seen[:-1]]
    return Trajectory("X-v0", task, 0, turns, status, final_observation=seen[-1])


def good(text: str) -> bool:
    return "gold" in text


def compare(pair: tuple[str, str]) -> int:
    return good(pair[0]) - good(pair[1])


def bits(text: object) -> np.ndarray:
    """One feature for each letter of "abc" in the text."""
    return np.array([letter in str(text) for letter in "abc"], np.float64)


def latents(turn: Turn) -> list[float]:
    return [float(len(str(turn.observation)))]


SOURCES: list[Callable[[], Source]] = [
    VisitCounts,
    lambda: VisitCounts(key=SimHash(HashedWords(8), bits=4)),
    lambda: PseudoCounts(HashedWords(8)),
    lambda: RandomNetwork(HashedWords(8), hidden=8, outputs=4),
    lambda: SkillDiscriminator(3),
    lambda: LabelTable(good),
    lambda: LabelClassifier(good, HashedWords(8)),
    lambda: PairRanking(compare, HashedWords(8), pairs=4),
]
WORDS = ["cave", "gold cave", "wall", "gold wall and a lamp", "lamp"]


def draw(rng: np.random.Generator, status: Status = Status.TERMINATED) -> Trajectory:
    seen = [WORDS[index] for index in rng.integers(0, len(WORDS), int(rng.integers(1, 6)))]
    return path(*seen, status=status, task=int(rng.integers(0, 3)))


def learn(source: Source, group: list[Trajectory]) -> None:
    source.update(group)
    annotator = getattr(source, "annotator", None)
    if annotator is not None:
        wait_for(annotator)
        source.update([])  # which takes the answers


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: repr(make()))
def test_scoring_changes_nothing_and_a_snapshot_goes_on_to_the_bit(make: Callable[[], Source]) -> None:
    rng = np.random.default_rng(0)
    source = make()
    groups = [[draw(rng) for _ in range(4)] for _ in range(4)]
    for group in groups[:2]:
        learn(source, group)
    before = json.dumps(source.snapshot())
    first = intrinsic(source)(groups[2])
    assert all(np.array_equal(a, b) for a, b in zip(first, intrinsic(source)(groups[2]), strict=True))
    assert json.dumps(source.snapshot()) == before
    other = make()
    learn(other, groups[3])  # a snapshot replaces what there was
    other.restore(json.loads(before))
    for group in groups[2:]:
        learn(source, group)
        learn(other, group)
        for a, b in zip(intrinsic(source)(groups[0]), intrinsic(other)(groups[0]), strict=True):
            np.testing.assert_array_equal(a, b)
    assert json.dumps(source.snapshot()) == json.dumps(other.snapshot())
    assert before != json.dumps(make().snapshot())


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: repr(make()))
def test_episodes_without_an_outcome_teach_nothing(make: Callable[[], Source]) -> None:
    rng = np.random.default_rng(1)
    source, other = make(), make()
    group = [draw(rng) for _ in range(3)]
    learn(source, group)
    learn(other, [draw(rng, Status.FAULT), *group, draw(rng, Status.TIMEOUT)])
    assert source.snapshot() == other.snapshot()
    assert intrinsic(source)([path("gold", status=Status.FAULT)]) == [None]
    [values] = intrinsic(source)([Trajectory("X-v0", 0, 0, [], Status.TRUNCATED)])
    assert values is not None
    assert values.shape == (0,)


@pytest.mark.parametrize("make", [SOURCES[0], SOURCES[4], SOURCES[5]], ids=lambda make: repr(make()))
def test_a_last_turn_that_led_nowhere_gets_nothing(make: Callable[[], Source]) -> None:
    source = make()
    trajectory = path("cave", "gold cave")
    trajectory.final_observation = None
    learn(source, [path("x", "gold cave"), trajectory])
    [values] = intrinsic(source)([trajectory])
    assert values is not None
    assert values.tolist() == [0.0]


def test_sources_are_part_of_expressions_and_are_found_there() -> None:
    text = (
        "success + 0.1*intrinsic(VisitCounts(key=SimHash(HashedWords(dimension=8), bits=4)))"
        " + 0.01*intrinsic(RandomNetwork(HashedWords(), seed=3))"
    )
    reward = parse_reward(text)
    assert str(reward) == text
    assert parse_reward(str(reward)) == reward
    assert reward != parse_reward(text.replace("seed=3", "seed=4"))
    assert [type(each) for each in learning_in(reward)] == [VisitCounts, RandomNetwork]
    counts, decoder = VisitCounts(), ReturnDecoder(latents)
    reward = named(success + intrinsic(counts), "both") + redistributed(env + intrinsic(counts), decoder)
    assert [id(each) for each in learning_in(reward)] == [id(counts), id(decoder)]
    assert learning_in(success) == []
    with pytest.raises(TypeError, match="intrinsic needs a source"):
        intrinsic(success)  # type: ignore[arg-type]


def test_a_reward_reads_what_its_source_has_learned_by_now() -> None:
    counts = VisitCounts()
    reward = env + 0.5 * intrinsic(counts)
    group = [path("a", "b", "b")]
    score(reward, group)
    assert group[0].rewards["total"].tolist() == pytest.approx([0.5, 0.5 / math.sqrt(2)])
    counts.update(group)
    score(reward, group)
    assert group[0].rewards["total"].tolist() == pytest.approx([0.5 / math.sqrt(3), 0.25])


def test_visits_are_counted_by_their_key() -> None:
    counts = VisitCounts(key=lambda seen: str(seen)[0])
    counts.update([path("start", "apple", "banana"), path("start", "apricot")])
    assert [counts.count(key) for key in "sabx"] == [0, 2, 1, 0]
    values = counts.bonus(path("start", "avocado", "cherry", "apple"))
    assert values.tolist() == pytest.approx([1 / math.sqrt(3), 1.0, 0.5])


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=2, max_size=12))
def test_an_episodes_bonuses_are_those_of_counting_one_by_one(seen: list[str]) -> None:
    counts, times = VisitCounts(), dict.fromkeys("abc", 0)
    counts.update([path(*seen)])
    for text in seen[1:]:
        times[text] += 1
    for text, value in zip(seen[1:], counts.bonus(path(*seen)), strict=True):
        times[text] += 1
        assert value == pytest.approx(1 / math.sqrt(times[text]))


def test_pseudo_counts_are_counts_where_the_model_is_the_frequency() -> None:
    """With one feature: rho = (n_x + 1/2) / (n + 1), rho' = (n_x + 3/2) / (n + 2)."""
    source = PseudoCounts(lambda seen: np.array([float(seen == "yes")]))
    assert source.count(np.array([True])) == 0
    source.update([path("", *["yes"] * 8, *["no"] * 90)])
    for signs, seen in ((np.array([True]), 8), (np.array([False]), 90)):
        rho, after = (seen + 0.5) / 99, (seen + 1.5) / 100
        assert source.count(signs) == pytest.approx(rho * (1 - after) / (after - rho))
        assert source.count(signs) == pytest.approx(seen + 0.5, abs=0.02)
    [value] = source.bonus(path("", "yes"))
    assert value == pytest.approx(1 / math.sqrt(source.count(np.array([True])) + 0.01))


def test_pseudo_counts_generalise_over_features() -> None:
    source = PseudoCounts(bits)
    source.update([path("", *["a"] * 30, *["b"] * 10)])
    seen, mixed, new = source.bonus(path("", "a", "ab", "c"))
    assert seen < mixed < new
    source.features = lambda seen: np.zeros(2)
    with pytest.raises(RewardError, match=r"features of shape \(2,\), not \(3,\)"):
        source.update([path("", "a")])


def test_words_hash_alike_everywhere() -> None:
    words = HashedWords(16)
    np.testing.assert_array_equal(words("Red door!"), words({"text": "door, red"}))
    assert np.linalg.norm(words("red door")) == pytest.approx(1)
    assert words("").tolist() == [0] * 16
    # By zlib.crc32 of "door", 2330285101: odd, so +1; half of it, modulo 16, is 6.
    assert np.flatnonzero(words("door")).tolist() == [6]
    assert words("door")[6] == 1
    with pytest.raises(ValueError, match="dimension 0"):
        HashedWords(0)


def test_similar_texts_share_a_simhash() -> None:
    key = SimHash(HashedWords(64), bits=8)
    assert key("a red door") == key("red a door")
    assert len(key("a red door")) == 8
    assert key("x") == SimHash(HashedWords(64), bits=8)("x")
    rng = np.random.default_rng(0)
    vocabulary = [f"w{number}" for number in range(200)]

    def agreement(shared: int) -> float:
        total = 0
        for _ in range(100):
            words = list(rng.choice(vocabulary, 20, replace=False))
            other = words[:shared] + list(rng.choice(vocabulary, 10 - shared, replace=False))
            total += sum(a == b for a, b in zip(key(" ".join(words[:10])), key(" ".join(other)), strict=True))
        return total / 800

    assert agreement(9) > agreement(5) + 0.05 > agreement(0) + 0.1


def test_a_random_network_tires_of_what_it_sees() -> None:
    source = RandomNetwork(HashedWords(16), hidden=32, outputs=8)
    often, seldom = path("", "hall", "hall", "lamp"), path("", "garden with a tree")
    group = [often] * 4
    source.update([*group, seldom])
    first = source.bonus(often)[0]
    for _ in range(60):
        source.update(group)
    later = source.bonus(often)
    assert later[0] < 0.1 * first
    assert source.bonus(seldom)[0] > 5 * later[0]
    assert (source.bonus(path("", "hall", "never seen before")) >= 0).all()


def test_the_predictor_follows_the_gradient() -> None:
    """One step of Adam from rest moves each weight by the learning rate against the sign of the slope."""
    source = RandomNetwork(HashedWords(6), hidden=5, outputs=3, passes=1, learning_rate=1e-3)
    group = [path("", "a b", "b c", "c d e")]
    target, before = source._drawn(6)
    source.update(group)
    inputs = source._normalised(source._vectors(group)[1])

    def loss(predictor: dict[str, np.ndarray]) -> float:
        def answer(net: dict[str, np.ndarray]) -> np.ndarray:
            return np.maximum(inputs @ net["w1"] + net["b1"], 0) @ net["w2"] + net["b2"]

        return float(((answer(predictor) - answer(target)) ** 2).mean())

    for name in before:
        for index in np.ndindex(before[name].shape):
            nudged = {key: value.copy() for key, value in before.items()}
            nudged[name][index] += 1e-6
            slope = (loss(nudged) - loss(before)) / 1e-6
            moved = source._predictor[name][index] - before[name][index]
            if abs(slope) > 1e-4:
                assert moved == pytest.approx(-1e-3 * np.sign(slope), rel=1e-3)


def test_skills_pay_for_being_told_apart() -> None:
    source = SkillDiscriminator(2)
    assert source.bonus(path("", "a", task=1)).tolist() == [0]
    source.update([path("", "a", "a", "b", task=0), path("", "b", task=1)])
    # q(0 | a) = 3/4, q(1 | b) = 2/4.
    assert source.bonus(path("", "a", "b", task=0)).tolist() == pytest.approx([math.log(1.5), 0])
    assert source.bonus(path("", "a", task=1)).tolist() == pytest.approx([math.log(0.5)])
    with pytest.raises(RewardError, match="task is not one of 2 skills"):
        source.bonus(path("", "a", task=2))
    with pytest.raises(ValueError, match="1 skills"):
        SkillDiscriminator(1)
