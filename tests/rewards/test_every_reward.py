"""What holds of every reward that expressions can name: neither faults nor the order of a group change anything.

The turns drawn here hold all that any of them reads.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, builtin, combine, delta, parse, success, turn_reward, turns, valid_action
from palestra.rewards.combinator import Combinator
from palestra.rewards.credit import ReturnDecoder
from palestra.rewards.grounding import box_iou, waypoint_progress
from palestra.rewards.intrinsic import VisitCounts
from palestra.rewards.judges import TextJudge
from palestra.rewards.learned.encoders import FeatureEncoder
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.schedule import linear
from palestra.rewards.temporal_logic import Above, Below

from .judges.stubs import scorer

MODULES = [builtin, combine, *(importlib.import_module(f"palestra.rewards.{shelf}") for shelf in parse.SHELVES)]
NAMES = {name: getattr(module, name) for module in MODULES for name in module.__all__}
PLAIN = {name: value for name, value in NAMES.items() if isinstance(value, Reward)}
OPERATORS = [name for name, value in NAMES.items() if isinstance(value, Combinator)]

ACTIONS = (
    "click(3, 4)\nanswer: 4",
    '<tool_call>{"name": "search", "arguments": {"query": "hat"}}</tool_call>',
    '{"type": "click", "name": "buy the red hat"}',
    "let me check. <confidence>0.7</confidence>",
    "1 0",
    "4",
    "select name from item",
    '<svg viewBox="0 0 4 4"><rect width="2" height="4"/></svg>',
    "<table><tr><th>city<th>area<tr><td>Rome<td>1285</table>",
    "<description>a red hat</description> [1, 1, 5, 5]",
    '<time>1, 4</time><think_bbox>{"1": [0, 0, 4, 4]}</think_bbox><pred_bbox>{"1": [0, 0, 4, 2]}</pred_bbox>',
    "The hat is red. The hat is blue.",
)
ALWAYS = {
    "gold_action": {"type": "click", "name": "buy the red hat"},
    "tool_calls": [{"name": "search", "arguments": {"query": "hat", "limit": 3}}],
    "sql": {"schema": "create table item (name); insert into item values ('hat')", "query": "select name from item"},
    "target_box": (1, 1, 4, 5),
    "target_boxes": [(0, 0, 4, 4), (2, 2, 6, 6)],
    "screen": (10, 8),
    "target_span": (1, 3),
    "target_tube": {1: (0, 0, 4, 3)},
    "waypoints": [(0, 0), (5, 0), (5, 5)],
    "constraints": [("max_words", 5), ("contains", "hat")],
    "question": "What is it?",
    "questions": [("Rome", "area", "1285")],
    "documents": ["The hat is red."],
    "reference": "a red hat",
    "negatives": ["a blue lamp"],
    "query": "which hat?",
    "order": (1, 0),
    "target": np.zeros((64, 64, 3), np.uint8),
    "next": "it is red",
}
"""What every turn's info says."""


def played(
    number: int,
    action: str,
    length: int,
    valid: bool,
    solved: bool,
    correct: float,
    answer: str | None,
    wording: int,
) -> Turn:
    """A turn in state ``number``, from 0 to 4."""
    info = {
        **ALWAYS,
        "valid_action": valid,
        "success": solved,
        "progress": number / 4,
        "correct": correct,
        "execution": {"status": "ok", "passed": number, "total": 4, "steps": 10 + number, "reference_steps": 12},
        "explanation": action,
        "path": "pq"[number % 2],
        "log_ratio": number / 8 - 0.2,
        "position": (float(number), 1.0),
        "pose": [float(number), 0.5],
        "stage": number % 2,
        "answer": answer,
        "wording": wording,
        "features": [number / 4, 1.0],
    }
    seen = {"text": f"page {number}", "image": np.full((4, 4, 3), 20 * number, np.uint8)}
    tokens = np.arange(length, dtype=np.int32) % 2
    logprobs = np.full(length, -0.1 * (number + 1), np.float32)
    return Turn(seen, action, number / 2, action_ids=tokens, logprobs=logprobs, info=info)


turn = st.builds(
    played,
    st.integers(0, 4),
    st.sampled_from(ACTIONS),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from(["4", "5", None]),
    st.sampled_from([0, 1]),
)


@st.composite
def episodes(draw: st.DrawFn, statuses: Sequence[Status]) -> Trajectory:
    made = draw(st.lists(turn, min_size=1, max_size=3))
    status = draw(st.sampled_from(list(statuses)))
    return Trajectory("X-v0", 0, 0, made, status, final_observation=made[0].observation)


def texts_as_numbers(things: list[Any]) -> np.ndarray:
    """An encoder: by the letters of a text, or of an observation's."""
    texts = [thing if isinstance(thing, str) else thing["text"] for thing in things]
    return np.array([[1.0, len(text) / 10, ord(text[-1]) % 5 - 2.0] for text in texts])


class Bytes:
    """A scorer: how likely a text is goes by its letters and the length of its context."""

    def __init__(self, step: int = 1) -> None:
        self.step = step

    def logprobs(self, pairs: Sequence[Any]) -> list[np.ndarray]:
        lengths = [len(context if isinstance(context, str) else context["text"]) for context, _ in pairs]
        return [
            -np.array([(self.step * ord(letter) + length) % 7 + 1 for letter in target]) / 8
            for (_, target), length in zip(pairs, lengths, strict=True)
        ]

    def certainty(self, pairs: Sequence[Any]) -> list[np.ndarray]:
        return [-logprobs for logprobs in self.logprobs(pairs)]


class ByLength:
    """Text generation that can see: it gives an item marks for its length."""

    images = True
    __call__ = staticmethod(scorer(lambda item, criteria: len(item) % 11 / 10))


@turn_reward
def odd(turn: Turn) -> float:
    """A number in [0, 1] on each turn."""
    return len(turn.action) % 5 / 4


def operators(folder: Path) -> dict[str, Reward]:
    """Each operator, made from what the drawn turns hold."""
    language, asked = Bytes(), ByLength()
    (folder / "near.py").write_text("def reward(progress):\n    return progress * progress\n")
    made: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "anneal": ((odd, linear(1, 0, 10)), {}),
        "clip": ((odd, 0.2, 0.8), {}),
        "delta": ((odd,), {}),
        "gate": ((odd,), {"by": success}),
        "harmonic": ((odd, turns), {}),
        "lexicographic": ((success, odd), {"margin": 0.1}),
        "product": ((odd, turns), {}),
        "route": (({4: odd, "4": odd, "5": turns, None: turns},), {"by": "answer"}),
        "trust_weighted": ((odd,), {"by": success}),
        "worst_of": ((odd, turns), {"nominal": 0.3}),
        "explained": ((lambda text, turn: float(len(text)),), {}),
        "rescored": ((valid_action,), {}),
        "sample_balanced": ((success,), {}),
        "redistributed": ((odd, ReturnDecoder(lambda turn: turn.info["features"])), {}),
        "thoughts": ((valid_action,), {"by": success}),
        "tool_contrast": ((odd,), {"by": success}),
        "explored": ((success,), {"cap": 2}),
        "pose_curiosity": ((lambda poses, actions: poses + 0.5,), {}),
        "small_targets": ((box_iou,), {}),
        "sparse_else_dense": ((success, waypoint_progress), {}),
        "image_success": ((lambda image: image[0, 0, 0] / 255, 0.2), {}),
        "intrinsic": ((VisitCounts(),), {}),
        "subgoals": ((lambda goal, before, action, after: goal in after["text"], ("page 2", "page 3")), {}),
        "judged": ((TextJudge(asked),), {"criteria": "is it long?"}),
        "learned": ((RewardModel(FeatureEncoder("features", 2, hidden=()), "process"),), {}),
        "brief_if_correct": ((success,), {"weight": 0.5, "share": 0.5}),
        "decoupled_length": ((success,), {"capacity": 5}),
        "overlong": ((4, 2), {}),
        "consistency_bonus": ((success, language), {}),
        "contrastive_likelihood": ((language, "be good. ", "be bad."), {}),
        "density_ratio": ((language, Bytes(3), "kind: "), {}),
        "follow_up_likelihood": ((language, ("thanks",), ("no",)), {}),
        "reasoning_reflection": ((language,), {}),
        "reference_probability": ((language,), {}),
        "self_aligned": ((language,), {}),
        "self_certainty": ((language,), {}),
        "self_likelihood": ((language,), {}),
        "spread_gate": ((odd, 0.3), {}),
        "thought_gain": ((language, language), {}),
        "yes_probability": ((language, lambda trajectory: trajectory.turns[-1].action), {}),
        "flipped": ((success,), {"probability": 0.5}),
        "program": ((str(folder / "near.py"),), {}),
        "sign_mix": ((success, delta(odd)), {}),
        "improvement": ((odd,), {}),
        "penalized_progress": ((delta(odd), valid_action), {}),
        "up_to": ((odd,), {"infraction": valid_action}),
        "svg_match": ((), {}),
        "fraction_met": ((success, odd), {}),
        "reasoning_pattern": ((("let me check", "hat"),), {"enough": 2}),
        "contrastive_similarity": ((texts_as_numbers,), {}),
        "goal_similarity": ((texts_as_numbers, texts_as_numbers, "page 3", "a page", 0.5), {}),
        "max_average_similarity": ((texts_as_numbers,), {}),
        "relevance": ((texts_as_numbers,), {}),
        "semantic_similarity": ((texts_as_numbers,), {}),
        "stage_progress": ((texts_as_numbers, texts_as_numbers, (("page 4", "page 1"), ("page 3", "page 2"))), {}),
        "sentence_correctness": (
            (lambda text, documents: 0.5, lambda *_: "it may be", lambda text, reasoning: len(text) % 4 / 3),
            {},
        ),
        "sentence_faithfulness": ((lambda text, documents: float(text in documents[0]),), {}),
        "forward_delta": ((odd,), {}),
        "krc": ((odd, turns), {}),
        "potential_based": ((odd, 0.9), {}),
        "preference_over": ((odd, turns), {}),
        "shortfall": ((odd, 0.5), {}),
        "when_confident": ((odd,), {"confidence": valid_action, "otherwise": turns}),
        "robustness": ((Above("progress", 0.4),), {}),
        "stages": ((((Above("progress", 0.4), 1), (Below("progress", 0.2), 2)),), {}),
        "self_contained": ((lambda question, description: "5" if "red" in description else "4",), {}),
        "table_qa": ((), {}),
    }
    assert sorted(made) == sorted(OPERATORS)
    return {name: NAMES[name](*arguments, **options) for name, (arguments, options) in made.items()}


@pytest.fixture(scope="module")
def rewards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reward]:
    return PLAIN | operators(tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("name", [*PLAIN, *OPERATORS])
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(episodes([Status.TERMINATED, Status.TRUNCATED]), min_size=1, max_size=4),
    st.lists(episodes([Status.FAULT, Status.TIMEOUT]), max_size=2),
    st.randoms(use_true_random=False),
)
def test_order_and_faults_change_nobodys_reward(
    rewards: dict[str, Reward], name: str, sound: list[Trajectory], broken: list[Trajectory], random: Any
) -> None:
    values = dict(zip(map(id, sound), rewards[name](Group(sound)), strict=True))
    members = [*sound, *broken]
    random.shuffle(members)
    for member, value in zip(members, rewards[name](Group(members)), strict=True):
        if member.status.scored:
            np.testing.assert_allclose(value, values[id(member)], rtol=1e-6, atol=1e-6)
        else:
            assert value is None


@pytest.mark.parametrize("name", [name for name in (*PLAIN, *OPERATORS) if name != "turns"])
def test_every_reward_tells_these_turns_apart(rewards: dict[str, Reward], name: str) -> None:
    single = [
        played(index % 5, action, index % 6 + 1, index % 3 > 0, index % 2 > 0, 1.0, "54"[index % 3 > 0], index % 2)
        for index, action in enumerate(ACTIONS)
    ]
    made = [[one] for one in single] + [[single[index], single[-index]] for index in range(1, len(single))]
    group = [Trajectory("X-v0", 0, 0, turns, [Status.TERMINATED, Status.TRUNCATED][len(turns) % 2]) for turns in made]
    for trajectory in group:
        trajectory.final_observation = trajectory.turns[0].observation
    paid = {round(float(number), 9) for value in rewards[name](Group(group)) if value is not None for number in value}
    assert len(paid) > 1
