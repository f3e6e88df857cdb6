"""Meaning: formulas on hand-computed numbers, and what they teach."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, Scope, combinator, parse_reward, product, route, score
from palestra.rewards.action import rouge_l
from palestra.rewards.grounding import box_iou
from palestra.rewards.reward import Episodes, Values
from palestra.rewards.semantic import (
    character_ngrams,
    contrastive_similarity,
    distinct_trigrams,
    goal_similarity,
    length_incentive,
    max_average_similarity,
    relevance,
    semantic_similarity,
    stage_progress,
    stage_scores,
    view_utility,
)
from palestra.training.advantages import Scored, estimator

VECTORS = {"a": (1, 0, 0), "b": (0, 2, 0), "ab": (3, 3, 0), "nothing": (0, 0, 0), "-a": (-1, 0, 0)}


def table(things: list[Any]) -> np.ndarray:
    return np.array([VECTORS[thing] for thing in things], np.float64)


def pay(reward: Reward, action: Any, observation: Any = "o", **info: Any) -> float:
    [values] = reward([Trajectory("X-v0", None, 0, [Turn(observation, action, info=info)], Status.TERMINATED)])
    assert values is not None
    return float(values[0])


def test_the_cosine_with_an_injected_encoder() -> None:
    reward = semantic_similarity(table)
    for action, reference, cosine in [("a", "ab", math.sqrt(0.5)), ("a", "b", 0), ("a", "-a", -1), ("nothing", "a", 0)]:
        assert pay(reward, action, reference=reference) == pytest.approx(cosine, abs=1e-12)
    assert pay(relevance(table), "ab", query="b") == pytest.approx(math.sqrt(0.5))
    assert parse_reward(str(semantic_similarity())) == semantic_similarity() == parse_reward("semantic_similarity()")
    assert parse_reward(str(relevance(embed=table))) == relevance(table)


def test_the_encoder_is_asked_once_for_all_turns() -> None:
    asked: list[int] = []

    def counting(texts: list[str]) -> np.ndarray:
        asked.append(len(texts))
        return table(texts)

    group = [
        Trajectory("X-v0", None, 0, [Turn("o", a, info={"reference": "a"}) for a in actions], Status.TERMINATED)
        for actions in ("ab", "", "b")
    ]
    values = semantic_similarity(counting)(group)
    assert [value.tolist() for value in values if value is not None] == [[1, 0], [], [0]]
    assert asked == [6]


@pytest.mark.parametrize(
    "reward",
    [
        semantic_similarity(),
        max_average_similarity(),
        relevance(),
        contrastive_similarity(),
        goal_similarity(character_ngrams, character_ngrams, "red shoe", "shoe", 0.5),
        stage_progress(character_ngrams, character_ngrams, (("red shoe", "blue hat"),)),
        product(relevance(), length_incentive, distinct_trigrams),
    ],
    ids=lambda reward: str(reward)[:30],
)
def test_faults_and_order_change_nobodys_reward(reward: Reward) -> None:
    rng = np.random.default_rng(0)
    things = ["red shoe", "a blue hat", "", "shoes", "hat hat hat hat"]

    def draw(status: Status = Status.TERMINATED) -> Trajectory:
        turns = []
        for _ in range(int(rng.integers(0, 4))):
            seen, said, wanted, other = (str(rng.choice(things)) for _ in range(4))
            info = {"reference": wanted, "query": wanted, "negatives": [other], "stage": 0}
            turns.append(Turn(seen, said, info=info))
        return Trajectory("X-v0", None, 0, turns, status)

    group = [draw() for _ in range(5)]
    expected = {id(trajectory): value for trajectory, value in zip(group, reward(group), strict=True)}
    mixed = [draw(Status.FAULT), *group[::-1]]
    for trajectory, value in zip(mixed[1:], reward(mixed)[1:], strict=True):
        np.testing.assert_allclose(value, expected[id(trajectory)], rtol=1e-12, atol=1e-12)


def test_what_an_encoder_must_give() -> None:
    for broken in (lambda texts: np.zeros(3), lambda texts: np.zeros((1, 3)), lambda texts: np.full((2, 2), np.nan)):
        with pytest.raises(RewardError, match="the encoder must give"):
            pay(semantic_similarity(broken), "a", reference="b")
    with pytest.raises(RewardError, match="does not say"):
        pay(semantic_similarity(table), "a")
    with pytest.raises(RewardError, match="must be a text"):
        pay(semantic_similarity(table), "a", reference=3)


def test_character_ngrams_know_spelling_and_not_meaning() -> None:
    texts = ["the colours of the house", "The  colour of a house", "what the building is painted in", "qwzx"]
    similar = character_ngrams(texts) @ character_ngrams(texts).T
    np.testing.assert_allclose(np.diag(similar), 1)
    assert similar[0, 1] > 0.6 > similar[0, 2] > similar[0, 3]
    assert character_ngrams(["", "\ud800"]).shape == (2, 4096)


@settings(max_examples=50)
@given(st.text(max_size=30), st.text(max_size=30))
def test_character_ngrams_give_cosines_between_0_and_1(left: str, right: str) -> None:
    first, second = character_ngrams([left, right])
    assert -1e-12 <= first @ second <= 1 + 1e-12


def test_max_average_similarity_on_hand_computed_numbers() -> None:
    # Words "a", "b" against "ab": both are sqrt(1/2) from it; "ab" has its best with sqrt(1/2) as well.
    assert pay(max_average_similarity(table), "a b", reference="ab") == pytest.approx(math.sqrt(0.5))
    # "a" finds itself; of the reference, "a" finds itself and "b" nothing.
    assert pay(max_average_similarity(table), "a", reference="a b") == pytest.approx((1 + 1 / 2) / 2)
    assert pay(max_average_similarity(table), "...", reference="a") == 0


SENTENCES = st.lists(st.sampled_from(["red", "shoe", "on", "the", "table"]), min_size=1, max_size=6).map(" ".join)


@settings(max_examples=50)
@given(SENTENCES, SENTENCES)
def test_works_mixed_r1_bmas(left: str, right: str) -> None:
    reward = max_average_similarity()
    assert pay(reward, left, reference=left) == pytest.approx(1)
    assert pay(reward, left, reference=right) == pytest.approx(pay(reward, right, reference=left))
    words = left.split()
    shorter = [word for word in words if word != words[0]]
    if shorter:
        assert pay(reward, " ".join(shorter), reference=left) < 1 - 1e-9


@pytest.mark.slow
def test_works_mixed_r1() -> None:
    """One policy on four kinds of task, each with its own reward: no kind ends below its start."""
    kinds = {
        "choice": ({"reference": "B"}, ["A", "B", "C", "D"]),
        "chart": ({"reference": "42"}, ["41", "42", "4200", "about 40"]),
        "grounding": ({"target_box": (10, 10, 30, 30)}, ["[0, 0, 9, 9]", "[10, 10, 30, 30]", "[0, 0, 60, 60]", "?"]),
        "caption": (
            {"reference": "a red shoe on the table"},
            ["red", "on the table a red shoe", "a blue sky", "table table"],
        ),
    }

    @combinator()
    def matches() -> Any:
        return lambda episodes: [
            np.array([float(turn.action == turn.info["reference"]) for turn in trajectory.turns])
            for trajectory in episodes
        ]

    reward = route(
        {"choice": matches(), "chart": matches(), "grounding": box_iou, "caption": max_average_similarity()}, by="kind"
    )
    for seed in range(3):
        rng, logits = np.random.default_rng(seed), {kind: np.zeros(4) for kind in kinds}
        history: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(40):
            for kind, (info, candidates) in kinds.items():
                history[kind].append(improve(logits[kind], candidates, reward, info | {"kind": kind}, rng))
        for means in history.values():
            assert np.mean(means[-10:]) > np.mean(means[:10])
            assert np.mean(means[-10:]) > 0.9
    with pytest.raises(RewardError, match="no reward for kind 'maths'"):
        pay(reward, "4", kind="maths")


def improve(
    logits: np.ndarray, candidates: list[str], reward: Reward, info: dict[str, Any], rng: np.random.Generator
) -> float:
    """One step of GRPO on a choice among texts, in place; the group's mean reward."""
    p = np.exp(logits) / np.exp(logits).sum()
    picks = rng.choice(len(candidates), size=8, p=p)
    group = Group([Trajectory("T", 0, 0, [Turn("o", candidates[i], info=info)], Status.TERMINATED) for i in picks])
    score(reward, group)
    for pick, [advantage] in zip(picks, estimator("grpo", {})(Scored.by(reward, group)), strict=True):
        logits += 0.5 * advantage / 8 * ((np.arange(len(p)) == pick) - p)
    return float(np.mean([trajectory.rewards["total"].sum() for trajectory in group]))


CONCEPTS = [
    ("heart", "cardiac"),
    ("beats", "pulses", "contracts"),
    ("faster", "quicker", "rapidly"),
    ("exercise", "sport", "workout", "training"),
    ("oxygen", "air"),
    ("muscles", "limbs"),
    ("banana", "fruit"),
    ("because", "since", "need", "needs", "demand"),
]
FOR_EXAMPLE = "during exercise the heart beats faster because muscles need more oxygen"
PARAPHRASE = "in a workout it pulses quicker since limbs demand air , the cardiac answer"
STUFFED = "exercise heart beats faster because muscles need oxygen banana banana banana"
OTHERS = [
    f"{word} {other}"
    for word in ("banana", "fruit", "colour")
    for other in ("soup", "boat", "hill", "lamp", "sea", "ink")
]
CANDIDATES = [PARAPHRASE, STUFFED, *OTHERS]


def concepts(texts: list[str]) -> np.ndarray:
    """A stand-in for a trained encoder: how often each concept is named, by whatever word."""
    return np.array(
        [[float(sum(text.split().count(word) for word in concept)) for concept in CONCEPTS] for text in texts]
    )


@combinator()
def overlap() -> Any:
    """The n-gram reward to compare with: ROUGE-L with the reference."""

    def operation(episodes: Episodes) -> Values:
        return [
            np.array([rouge_l(turn.action, turn.info["reference"]) for turn in trajectory.turns])
            for trajectory in episodes
        ]

    return operation


def test_works_semantic_encoder() -> None:
    reward, info = semantic_similarity(concepts), {"reference": FOR_EXAMPLE}
    for text in CANDIDATES:
        left, right = concepts([text, FOR_EXAMPLE])
        lengths = np.linalg.norm(left) * np.linalg.norm(right)
        assert pay(reward, text, **info) == pytest.approx(left @ right / lengths if lengths else 0, abs=1e-6)
    assert len(CANDIDATES) == 20
    for seed in range(3):
        found = {}
        for name, by in {"encoder": reward, "overlap": overlap()}.items():
            rng, logits = np.random.default_rng(seed), np.zeros(len(CANDIDATES))
            for _ in range(60):
                improve(logits, CANDIDATES, by, info, rng)
            found[name] = CANDIDATES[int(logits.argmax())]
        assert found == {"encoder": PARAPHRASE, "overlap": STUFFED}


def test_length_and_repetition() -> None:
    assert pay(length_incentive, "one two, three!") == pytest.approx(5 / 100)
    assert pay(length_incentive(per=5), "one two, three!") == 1
    assert pay(distinct_trigrams, "a b") == 1
    assert pay(distinct_trigrams, "a b c a b c") == pytest.approx(3 / 4)


SUBJECTS = [
    ("bread", "yeast", "flour", "oven", "dough"),
    ("rivers", "rain", "mountains", "sea", "valley"),
    ("bridges", "steel", "cables", "load", "pillars"),
    ("bees", "nectar", "flowers", "hive", "wax"),
    ("glaciers", "snow", "ice", "pressure", "slope"),
    ("guitars", "strings", "wood", "frets", "sound"),
    ("volcanoes", "magma", "gas", "crust", "ash"),
    ("sailing", "wind", "rudder", "hull", "keel"),
    ("coffee", "beans", "roasting", "water", "grind"),
    ("forests", "trees", "fungi", "shade", "leaves"),
]
QUESTIONS = [
    "can you explain how {} come to be and what {} has to do with it",
    "what part in {} is played by {}",
    "tell me why {} need {}",
    "how do {} and {} belong together",
    "i would like to know more about {} and {}",
]


def triples() -> list[tuple[str, str, str, str]]:
    """50 times a question, a short reply on it, a long reply on something else, and the question repeated."""
    found = []
    for index, own in enumerate(SUBJECTS):
        other = SUBJECTS[(index + 3) % len(SUBJECTS)]
        for question in QUESTIONS:
            reply = "{0} depend on {1} : first there is {2} , then {3} , and with {1} in the {4} they are made".format(
                *own
            )
            long = " ".join(
                "most people know that {} go with {} , and some say that {} and {} do more than {}".format(*words)
                for words in (other, other[::-1], other)
            )
            query = question.format(*own[:2])
            found.append((query, reply, long, query))
    return found


def content(texts: list[str]) -> np.ndarray:
    """A stand-in for a retriever: counts of the words that name things, so that grammar is near nothing."""
    names = sorted({word for subject in SUBJECTS for word in subject})
    return np.array([[float(text.split().count(name)) for name in names] for text in texts])


def test_works_r3() -> None:
    plain, mixed = relevance(content), product(relevance(content), length_incentive, distinct_trigrams)
    copied = spelled = 0
    for query, reply, long, copy in triples():
        alone = [pay(plain, text, query=query) for text in (reply, long, copy)]
        copied += alone[2] == max(alone) > alone[0]
        regular = [pay(mixed, text, query=query) for text in (reply, long, copy)]
        assert regular[0] > max(regular[1:])
        by_spelling = product(relevance(), length_incentive, distinct_trigrams)
        letters = [pay(by_spelling, text, query=query) for text in (reply, long, copy)]
        spelled += letters[0] > max(letters[1:])
    print("copied", copied, "spelled", spelled)
    assert copied == 50
    assert spelled < 50  # without a retriever that knows grammar from subject, the long reply wins


def test_the_contrastive_probability() -> None:
    # Cosines of "ab" with "a" (the reference), "b" and "-a": sqrt(1/2), sqrt(1/2), -sqrt(1/2).
    reward = contrastive_similarity(table, temperature=1.0)
    wanted = 1 / (2 + math.exp(-2 * math.sqrt(0.5)))
    assert pay(reward, "ab", reference="a", negatives=["b", "-a"]) == pytest.approx(wanted)
    assert pay(contrastive_similarity(table, temperature=1e-4), "a", reference="-a", negatives=["a"]) == 0
    with pytest.raises(ValueError, match="not above 0"):
        contrastive_similarity(table, temperature=0)
    for negatives in ([], [3]):
        with pytest.raises(RewardError, match="a list of texts"):
            pay(reward, "a", reference="a", negatives=negatives)


PLANES = {"goal": (1.0, 0.0, 0.0), "base": (0.0, 1.0, 0.0)}


def planes(texts: list[str]) -> np.ndarray:
    return np.array([PLANES[text] for text in texts])


def as_they_are(observations: list[Any]) -> np.ndarray:
    return np.stack(observations)


def test_goal_similarity_on_hand_computed_numbers() -> None:
    view = np.array([0.6, 0.0, 0.8])
    assert pay(goal_similarity(as_they_are, planes, "goal"), "", view) == pytest.approx(0.6)
    assert pay(goal_similarity(as_they_are, planes, "goal", "base"), "", 5 * view) == pytest.approx(0.6)
    # s - g = (-0.4, 0, 0.8); along (1, -1, 0) / sqrt 2 that is -0.4 / sqrt 2, and |P (s - g)|^2 = 0.08.
    assert pay(goal_similarity(as_they_are, planes, "goal", "base", 1.0), "", view) == pytest.approx(1 - 0.04)
    # Half of each: (-0.3, 0.1, 0.4), of squared length 0.26.
    assert pay(goal_similarity(as_they_are, planes, "goal", "base", 0.5), "", view) == pytest.approx(1 - 0.13)
    for arguments in (("goal", None, 0.5), ("goal", "base", 1.5)):
        with pytest.raises(ValueError, match="goal_similarity: alpha"):
            goal_similarity(as_they_are, planes, *arguments)


@settings(max_examples=50)
@given(st.floats(-0.9, 0.9), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
def test_works_vlm_rm_nuisance(along: float, one: float, other: float) -> None:
    """With alpha = 1 it does not see what is orthogonal to goal and baseline; with 0 it is the cosine."""

    def view(nuisance: float) -> np.ndarray:
        # Unit length, so that the nuisance does not change the rest.
        half = 0.3 * along
        return np.array([0.5 + half, 0.5 - half, nuisance, math.sqrt(1 - 0.5 - 2 * half**2 - nuisance**2)])

    def padded(texts: list[str]) -> np.ndarray:
        return np.pad(planes(texts), ((0, 0), (0, 1)))

    projected = goal_similarity(as_they_are, padded, "goal", "base", alpha=1.0)
    assert pay(projected, "", view(one)) == pytest.approx(pay(projected, "", view(other)))
    plain = goal_similarity(as_they_are, padded, "goal")
    assert pay(plain, "", view(one)) == pytest.approx(view(one)[0])


def pole(angle: float, background: float) -> np.ndarray:
    """A picture [16, 16] of a pole at an angle, before a background of some brightness in one corner."""
    picture = np.zeros((16, 16))
    steps = np.linspace(0, 12, 40)
    across = np.clip(8 + steps * math.sin(angle), 0, 15).astype(int)
    picture[15 - (steps * math.cos(angle)).astype(int), across] = 1.0
    picture[:3, :3] = background
    return picture.ravel()


def pictures(observations: list[Any]) -> np.ndarray:
    return np.stack([pole(angle, background) for angle, background in observations])


def prompts(texts: list[str]) -> np.ndarray:
    return np.stack([pole(0.0 if text == "upright" else 1.2, 0.0) for text in texts])


class Balance(gymnasium.Env[Any, int]):
    """A pole that drifts away from upright and is pushed back or not, before a flickering background."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.angle, self.background = float(self.np_random.uniform(-0.3, 0.3)), 0.0
        return (self.angle, self.background), {}

    def step(self, action: int) -> Any:
        self.angle = float(np.clip(1.15 * self.angle + (-0.15, 0.0, 0.15)[action], -1.3, 1.3))
        self.background = float(self.np_random.uniform(0, 3))
        return (self.angle, self.background), 0.0, False, False, {}


def test_works_vlm_rm_correlates_with_the_angle() -> None:
    def correlation(alpha: float, seed: int) -> float:
        rng = np.random.default_rng(seed)
        views = [(float(rng.uniform(-1.2, 1.2)), float(rng.uniform(0, 3))) for _ in range(200)]
        reward = goal_similarity(pictures, prompts, "upright", "fallen", alpha)
        [values] = reward([Trajectory("P", None, 0, [Turn(view, "") for view in views], Status.TERMINATED)])
        return float(np.corrcoef([-abs(angle) for angle, _ in views], values)[0, 1])

    for seed in range(3):
        plain, projected = correlation(0.0, seed), correlation(0.9, seed)
        print("correlation", round(plain, 2), round(projected, 2))
        assert plain > 0.3
        assert projected > plain + 0.05


@pytest.mark.slow
def test_works_vlm_rm() -> None:
    """Q-learning on the similarity alone, without the environment's reward, keeps the pole up."""
    reward = goal_similarity(pictures, prompts, "upright", "fallen", 0.9)
    env = Balance()

    def cell(angle: float) -> int:
        return int(np.clip((angle + 1.3) / 2.6 * 13, 0, 12))

    def upright_share(values: np.ndarray | None, rng: np.random.Generator) -> float:
        shares = []
        for seed in range(20):
            (angle, _), _ = env.reset(seed=1000 + seed)
            for _ in range(25):
                action = int(rng.integers(3)) if values is None else int(values[cell(angle)].argmax())
                (angle, _), *_ = env.step(action)
                shares.append(abs(angle) < 0.4)
        return float(np.mean(shares))

    for seed in range(3):
        rng, values = np.random.default_rng(seed), np.zeros((13, 3))
        for _ in range(300):
            observation, _ = env.reset(seed=int(rng.integers(2**31)))
            turns = []
            for _ in range(25):
                state = cell(observation[0])
                action = int(rng.integers(3)) if rng.random() < 0.3 else int(values[state].argmax())
                following, *_ = env.step(action)
                turns.append((state, action, following))
                observation = following
            # The turn is paid for the view that its action led to.
            seen = [Turn(following, action) for _, action, following in turns]
            [paid] = reward([Trajectory("P", None, 0, seen, Status.TRUNCATED)])
            assert paid is not None
            for (state, action, following), amount in zip(turns, paid, strict=True):
                target = amount + 0.9 * values[cell(following[0])].max()
                values[state, action] += 0.2 * (target - values[state, action])
        learned, chance = upright_share(values, rng), upright_share(None, rng)
        print("upright", learned, "random", chance)
        assert learned > 0.9
        assert chance < 0.6


STAGES = (("a", "b", "ab"), ("b", "a", "ab"))


def test_stage_scores_and_progress_on_hand_computed_numbers() -> None:
    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    half = math.sqrt(0.5)
    # The view "a" in stage 0: 1 against max(0, sqrt 1/2).  The near miss "ab": sqrt 1/2 against 1.
    u = [sigmoid((1 - half) / 0.5), sigmoid((half - 1) / 0.5), sigmoid((0 - 1) / 0.5)]
    views = [("a", 0), ("ab", 0), ("a", 1)]
    turns = [Turn(view, "", info={"stage": stage}) for view, stage in views]
    np.testing.assert_allclose(stage_scores(table, table, STAGES, [0, 0, 1], turns, temperature=0.5), u)
    reward = stage_progress(table, table, STAGES, temperature=0.5, smoothing=0.25)
    assert reward.scope is Scope.PAST
    [values] = reward([Trajectory("X-v0", None, 0, turns, Status.TERMINATED)])
    mean = 0.75 * u[0] + 0.25 * u[1]
    np.testing.assert_allclose(values, [0, u[1] - mean, 0], atol=1e-12)


def test_what_stages_must_be() -> None:
    for stages in ((), (("a",),)):
        with pytest.raises(ValueError, match="a stage needs"):
            stage_progress(table, table, stages)
    with pytest.raises(ValueError, match="out of range"):
        stage_progress(table, table, STAGES, temperature=0)
    for stage in (2, -1, "0"):
        with pytest.raises(RewardError, match="there are 2 stages"):
            pay(stage_progress(table, table, STAGES), "", "a", stage=stage)
    assert stage_scores(table, table, STAGES, [], []).shape == (0,)


# What a picture of pick and place shows: the gripper near the object, closed on it, the object lifted, over the goal,
# and set down.  A near miss of each stage shows most of it.
COMPLETE = {0: (1, 1, 0, 0, 0), 1: (1, 1, 1, 1, 0), 2: (0, 0, 0, 1, 1)}
NEAR_MISS = {0: (1, 0, 0, 0, 0), 1: (1, 0, 1, 1, 0), 2: (1, 1, 1, 1, 0)}
OPPOSITE = {0: (0, 0, 0, 0, 0), 1: (0, 0, 0, 0, 0), 2: (0, 0, 0, 0, 0)}


def false_completions(stages: tuple[tuple[str, ...], ...], seed: int) -> tuple[float, float]:
    """How often a near miss, and how often a completion, scores above one half, over noisy views."""

    def scene(texts: list[Any]) -> np.ndarray:
        shown = {"complete": COMPLETE, "near": NEAR_MISS, "opposite": OPPOSITE}
        rows = [shown[text.split()[0]][int(text.split()[1])] for text in texts]
        return np.array([[*row, 0.3] for row in rows], np.float64)

    rng = np.random.default_rng(seed)

    def rate(kind: dict[int, tuple[int, ...]]) -> float:
        current = [int(rng.integers(3)) for _ in range(300)]
        views = [np.array([*kind[stage], 0.3]) + rng.normal(0, 0.15, 6) for stage in current]
        scores = stage_scores(as_they_are, scene, stages, current, [Turn(view, "") for view in views])
        return float(np.mean(scores > 0.5))

    return rate(NEAR_MISS), rate(COMPLETE)


def test_works_evovla_hard_negatives() -> None:
    with_hard = tuple((f"complete {k}", f"opposite {k}", f"near {k}") for k in range(3))
    without = tuple((f"complete {k}", f"opposite {k}") for k in range(3))
    for seed in range(3):
        (false_hard, true_hard), (false_plain, true_plain) = (false_completions(s, seed) for s in (with_hard, without))
        print("false completions", false_hard, false_plain, "completions", true_hard, true_plain)
        assert false_hard < 0.3 < 0.8 < false_plain
        assert min(true_hard, true_plain) > 0.8


def test_view_utility() -> None:
    text, coverage, clip = np.array([1.0, 0.0]), np.array([0.5, 1.0]), np.array([0.0, 0.5])
    np.testing.assert_allclose(view_utility(text, coverage, clip, (0.3, 1, 3)), [0.3 + 0.125, 0.25 + 0.375])
    with pytest.raises(ValueError, match="more than 0"):
        view_utility(text, coverage, clip, (1, 0, 0))


def test_works_3d_r1_view_selection() -> None:
    """Weights trained on whether the answer was right pick the camera that sees the object, more often than chance.

    Four cameras look at a scene; one sees the object asked about.  The relevance score knows, with noise; coverage is
    higher for cameras that stand far off, and image and text agree at random.  One view is looked at.
    """
    for seed in range(3):
        rng, weights = np.random.default_rng(seed), np.array([0.3, 0.35, 0.35])

        def scene(rng: np.random.Generator) -> tuple[np.ndarray, int]:
            clear = int(rng.integers(4))
            relevance_scores = 0.5 * (np.arange(4) == clear) + rng.normal(0, 0.2, 4)
            return np.stack([relevance_scores, rng.uniform(0, 1, 4), rng.uniform(0, 1, 4)]), clear

        def answers(view: int, clear: int, rng: np.random.Generator) -> float:
            return float(view == clear or rng.random() < 0.25)  # a guess among four answers

        def utility(scores: np.ndarray, w: np.ndarray) -> np.ndarray:
            return 5 * view_utility(*scores, weights=(w[0], w[1], w[2]))

        for _ in range(400):
            scores, clear = scene(rng)
            p = np.exp(utility(scores, weights)) / np.exp(utility(scores, weights)).sum()
            shifts = 1e-4 * np.eye(3)
            slopes = np.array([(utility(scores, weights + d) - utility(scores, weights - d)) / 2e-4 for d in shifts])
            views = rng.choice(4, size=8, p=p)
            rewards = np.array([answers(int(view), clear, rng) for view in views])
            # The gradient of log softmax is the chosen view's slope minus the mean slope.
            weights = weights + 0.1 * (slopes[:, views] - (slopes @ p)[:, None]) @ (rewards - rewards.mean())
            weights[1:] = np.maximum(weights[1:], 0.05)
        picked, correct, guessed = [], [], []
        for _ in range(500):
            scores, clear = scene(rng)
            view = int(utility(scores, weights).argmax())
            picked.append(view == clear)
            correct.append(answers(view, clear, rng))
            guessed.append(answers(int(rng.integers(4)), clear, rng))
        print("clear", np.mean(picked), "correct", np.mean(correct), "random", np.mean(guessed), weights.round(2))
        assert np.mean(picked) > 0.5
        assert np.mean(correct) > np.mean(guessed) + 0.2
