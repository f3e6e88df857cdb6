"""Rewards for programs: the numbers by hand, and what they teach where programs are really run."""

from __future__ import annotations

import functools
import json
import resource
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, parse_reward, turn_reward
from palestra.rewards.code import (
    code_efficiency,
    explained,
    hidden_tests,
    rescored,
    sample_balanced,
    sample_balanced_weights,
)

from .lab import TabularPolicy, learn, play

RUNNER = """
import json, sys
task, out, steps = json.load(sys.stdin), sys.stdout, 0
class OutOfSteps(BaseException): pass
def count(frame, event, argument):
    global steps
    steps += event == "line"
    if steps > task["limit"]:
        raise OutOfSteps
    return count
status, passed, names = "ok", 0, {}
try:
    exec(compile(task["program"], "<program>", "exec"), names)
    for given, expected in task["cases"]:
        sys.settrace(count)
        answer = names["solve"](given)
        sys.settrace(None)
        passed += answer == expected
except OutOfSteps:
    status = "timeout"
except Exception:
    status = "error"
sys.settrace(None)
json.dump({"status": status, "passed": passed, "total": len(task["cases"]), "steps": steps}, out)
"""


def limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
    resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@functools.cache
def run(program: str, cases: str, reference_steps: int = 50) -> dict[str, Any]:
    """What an environment would record in ``info["execution"]``; ``cases`` is JSON, steps are executed lines."""
    task = json.dumps({"program": program, "cases": json.loads(cases), "limit": 3000})
    command = [sys.executable, "-I", "-S", "-c", RUNNER]
    done = subprocess.run(command, input=task, capture_output=True, text=True, preexec_fn=limits, check=True, env={})
    return {**json.loads(done.stdout), "reference_steps": reference_steps}


def ran(*executions: Any, **info: Any) -> Trajectory:
    turns = [Turn("o", "a", info={} if e is None else {"execution": e, **info}) for e in executions]
    return Trajectory("Code-v0", 0, 0, turns, Status.TERMINATED)


def record(status: str = "ok", passed: int = 4, total: int = 4, **more: Any) -> dict[str, Any]:
    return {"status": status, "passed": passed, "total": total, **more}


def total(reward: Reward, trajectory: Trajectory) -> float:
    [values] = reward([trajectory])
    assert values is not None
    assert not values[:-1].any()
    return float(values[-1])


@turn_reward
def verdict(turn: Turn) -> float:
    return turn.info["verdict"]


def judged(*verdicts: float, path: str | None = None, **arrays: Any) -> Trajectory:
    info = {} if path is None else {"path": path}
    return Trajectory(
        "Code-v0", 0, 0, [Turn("o", "a", info={"verdict": v, **info}) for v in verdicts], Status.TERMINATED
    )


def test_efficiency_by_hand() -> None:
    assert total(code_efficiency, ran(record("error"))) == -1
    assert total(code_efficiency, ran(record("timeout", passed=3))) == -1
    assert total(code_efficiency, ran(None)) == -1
    assert total(code_efficiency, ran(record(passed=0))) == -0.5
    assert total(code_efficiency, ran(record(passed=3))) == -0.125
    assert total(code_efficiency, ran(record(steps=100, reference_steps=100))) == 0.75
    assert total(code_efficiency, ran(record(steps=300, reference_steps=100))) == 0.625
    assert total(code_efficiency, ran(record("error"), record(steps=0, reference_steps=1), None)) == 1
    assert total(code_efficiency(correct=0.2), ran(record(steps=1, reference_steps=1))) == pytest.approx(0.6)


@settings(max_examples=50)
@given(st.integers(0, 8), st.integers(1, 9), st.floats(0, 1e12), st.floats(0, 1e12), st.floats(1e-3, 1e12))
def test_efficiency_keeps_its_order(passed: int, tests: int, steps: float, more: float, reference: float) -> None:
    error = total(code_efficiency, ran(record("error")))
    wrong = total(code_efficiency, ran(record(passed=min(passed, tests - 1), total=tests)))
    fast, slow = (
        total(code_efficiency, ran(record(steps=count, reference_steps=reference))) for count in (steps, steps + more)
    )
    assert error < wrong < 0 < 0.5 <= slow <= fast <= 1


def test_efficiency_refuses_what_it_cannot_read() -> None:
    with pytest.raises(RewardError, match="steps None and reference_steps None"):
        code_efficiency([ran(record())])
    with pytest.raises(RewardError, match="status 'crash'"):
        code_efficiency([ran(record("crash"))])
    with pytest.raises(RewardError, match="5 of 4 tests"):
        code_efficiency([ran(record(passed=5))])
    with pytest.raises(RewardError, match="needs status, passed and total"):
        code_efficiency([ran({"status": "ok"})])
    with pytest.raises(ValueError, match="broken < wrong < 0"):
        code_efficiency(wrong=-2.0)([ran(record())])


def test_hidden_tests_judge_the_last_program() -> None:
    assert total(hidden_tests, ran(record(passed=1), record())) == 1
    assert total(hidden_tests, ran(record(), None)) == 1
    assert total(hidden_tests, ran(record(), record(passed=3))) == 0
    assert total(hidden_tests(partial=True), ran(record(), record(passed=3))) == 0.75
    assert total(hidden_tests(partial=True), ran(record("timeout", passed=3))) == 0
    assert total(hidden_tests, ran(None)) == 0


def length_of(explanation: str, turn: Turn) -> float:
    return len(explanation) / 10


def test_explanations_are_paid_where_they_were_written() -> None:
    trajectory = ran(record(), record())
    trajectory.turns[0].info["explanation"] = "off by one"
    [values] = (hidden_tests + 0.2 * explained(length_of))([trajectory])
    assert values is not None
    assert values.tolist() == [0.2, 1]
    assert explained(length_of, key="why")([trajectory])[0].tolist() == [0, 0]  # type: ignore[union-attr]


def test_rescored_by_hand() -> None:
    group = [judged(1, path="x"), judged(1, 0, path="x"), judged(0, path="y"), judged(0.25)]
    # On x there are two yes of three, odds 4 to 1; on y one no, odds 1 to 4.
    lists = [values.tolist() for values in rescored(verdict)(group) if values is not None]
    assert lists[0] == pytest.approx([0.8])
    assert lists[1] == pytest.approx([0.8, 0.8])
    assert lists[2] == pytest.approx([0.2])
    assert lists[3] == [0.25]
    permuted = [values.tolist() for values in rescored(verdict)(group[::-1]) if values is not None]
    assert permuted == lists[::-1]
    assert rescored(verdict, flips=0.1)([judged(1, 1, path="z")])[0] == pytest.approx(81 / 82)
    with pytest.raises(RewardError, match="outside"):
        rescored(verdict)([judged(2, path="x")])
    with pytest.raises(ValueError, match="flips"):
        rescored(verdict, flips=0.5)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_weights_sum_to_their_number(samples: list[tuple[float, float]]) -> None:
    rewards, probabilities = np.array(samples).T
    weights = sample_balanced_weights(rewards, probabilities)
    assert weights.sum() == pytest.approx(len(samples))
    assert (weights > 0).all()
    gaps = np.abs(rewards - probabilities)
    assert (np.diff(weights[np.argsort(gaps)]) >= -1e-12).all()


def test_sample_balanced_by_hand() -> None:
    def sampled(probability: float, right: float) -> Trajectory:
        trajectory = judged(right)
        trajectory.turns[0].logprobs = np.log(np.full(3, probability, np.float32))
        return trajectory

    # Gaps 0.1 + (0.1, 0.6, 0.5) sum to 1.5, which makes weights 0.4, 1.4, 1.2.
    group = [sampled(0.9, 1), sampled(0.4, 1), sampled(0.5, 0)]
    values = [float(v[0]) for v in sample_balanced(verdict)(group) if v is not None]
    assert values == pytest.approx([0.4 / 3, 1.4 / 3, -1.2 * 2 / 3], rel=1e-5)
    with pytest.raises(RewardError, match="no log-probabilities"):
        sample_balanced(verdict)([judged(1)])
    with pytest.raises(RewardError, match="not within"):
        sample_balanced(verdict)([judged(1, 1)])


@pytest.mark.parametrize(
    "text",
    [
        "code_efficiency(wrong=-0.25) + hidden_tests(partial=True)",
        "rescored(success, flips=0.1)",
        "sample_balanced(rescored(success, path='plan'), floor=0.5)",
    ],
)
def test_expressions_come_back(text: str) -> None:
    assert str(parse_reward(text)) == text


# What they teach, with programs that are run in a process of their own under limits.

SUM_TO = "[[3, 6], [10, 55], [0, 0]]"
VARIANTS = {
    "formula": "def solve(n):\n    return n * (n + 1) // 2",
    "sum": "def solve(n):\n    return sum(range(n + 1))",
    "two lines": "def solve(n):\n    m = n + 1\n    return n * m // 2",
    "loop": "def solve(n):\n    s = 0\n    for i in range(n + 1):\n        s += i\n    return s",
    "nested": "def solve(n):\n    s = 0\n    for i in range(n + 1):\n        for _ in range(i):\n            s += 1\n"
    "    return s",
    "wrong": "def solve(n):\n    return n * n // 2",
    "nearly": "def solve(n):\n    return n * (n + 1) // 2 if n else 1",
    "hasty": "def solve(n):\n    return 0",
    "error": "def solve(n):\n    return n / 0",
    "endless": "def solve(n):\n    while True:\n        pass",
}


class Choice(gymnasium.Env[str, str]):
    """One turn: choose a program, which is run."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        return "program", {"legal_actions": list(VARIANTS)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        execution = run(VARIANTS[action], SUM_TO)
        return "", 0.0, True, False, {"legal_actions": [], "execution": execution}


def test_works_acecode() -> None:
    worth = {name: total(code_efficiency, ran(run(program, SUM_TO))) for name, program in VARIANTS.items()}
    assert worth["error"] == worth["endless"] == -1
    assert -1 < worth["hasty"] < worth["nearly"] < 0
    assert worth["nearly"] < 0.5 < worth["nested"] < worth["loop"] < worth["two lines"] < worth["formula"]
    assert worth["formula"] == worth["sum"]  # as many lines, which is what is counted
    for seed in range(5):
        policy, _ = learn(Choice(), code_efficiency, steps=200, learning_rate=2.0, seed=seed)
        probabilities = dict(zip(VARIANTS, policy.probabilities("program", list(VARIANTS)), strict=True))
        assert probabilities["formula"] + probabilities["sum"] > 0.9


CORRECT = """
def solve(values):
    best = values[0]
    for value in values[1:]:
        if value > best:
            best = value
    return best
"""
EDITS = {
    "sign": (">", "<"),
    "first": ("values[0]", "0"),
    "rest": ("[1:]", "[2:]"),
    "result": ("return best", "return value"),
}
VISIBLE, HIDDEN = (
    "[[[-3, -5], -3], [[1, 4, 2], 4]]",
    "[[[-7, -9, -8], -7], [[2, 6], 6], [[5, 9, 1], 9], [[3, 2, 1], 3]]",
)
"""Each bug fails the visible cases in a way of its own."""


class Mend(gymnasium.Env[str, str]):
    """Two turns: a program with one bug, which the first answer has to guess, and the tests' answers for the second."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.bug = str(self.np_random.choice(list(EDITS)))
        right, wrong = EDITS[self.bug]
        self.program, self.turn = CORRECT.replace(right, wrong), 0
        return "One edit mends it.", {"legal_actions": list(EDITS)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        right, wrong = EDITS[action]
        program = self.program.replace(wrong, right) if action == self.bug else self.program.replace(right, wrong)
        execution = run(program, HIDDEN)
        info = {"legal_actions": list(EDITS), "execution": execution, "explanation": action}
        self.turn += 1
        shown = [outcome(self.program, case) for case in json.loads(VISIBLE)]
        return f"The tests gave {shown}.", 0.0, self.turn == 2, False, info


@functools.cache
def answer(program: str, values: tuple[int, ...]) -> str:
    names: dict[str, Any] = {}
    exec(program, names)  # a program of our own
    try:
        return str(names["solve"](list(values)))
    except UnboundLocalError:
        return "UnboundLocalError"


def outcome(program: str, case: list[Any]) -> str:
    return answer(program, tuple(case[0]))


def pass_rates(policy: TabularPolicy) -> tuple[float, float]:
    """Of the programs after the first and after the second turn, over 400 episodes."""
    rng = np.random.default_rng(0)
    played = [play(Mend(), policy, rng, seed=seed) for seed in range(400)]
    right = [[float(turn.info["execution"]["passed"] == 4) for turn in trajectory.turns] for trajectory in played]
    first, second = np.mean(right, axis=0)
    return float(first), float(second)


def test_works_self_debug() -> None:
    solved = ran(run(CORRECT.replace(">", "<"), HIDDEN), run(CORRECT, HIDDEN))
    assert total(hidden_tests, solved) == 1
    assert total(hidden_tests, ran(*[turn.info["execution"] for turn in reversed(solved.turns)])) == 0
    _, untrained = pass_rates(TabularPolicy())
    for seed in range(3):
        policy, _ = learn(Mend(), hidden_tests, steps=150, learning_rate=2.0, seed=seed)
        first, second = pass_rates(policy)
        assert second > 0.9
        assert second > first + 0.4
        assert second > untrained + 0.4


def noisy_group(rng: np.random.Generator, truth: np.ndarray, samples: int) -> tuple[Group, np.ndarray]:
    """Episodes of one verdict each on a line that is right or wrong, as ``truth`` [lines] says, and their truths."""
    lines = rng.integers(len(truth), size=samples)
    verdicts = np.where(rng.random(samples) < 0.2, 1 - truth[lines], truth[lines])
    group = Group([judged(float(v), path=str(line)) for v, line in zip(verdicts, lines, strict=True)])
    return group, truth[lines]


@pytest.mark.parametrize("seed", range(5))
def test_works_verirl_rescored_labels_are_nearer_to_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group, truth = noisy_group(rng, rng.integers(2, size=40).astype(float), samples=240)
    raw = np.array([turn.info["verdict"] for trajectory in group for turn in trajectory.turns])
    scores = np.concatenate([values for values in rescored(verdict)(group) if values is not None])
    assert 0.7 < (raw == truth).mean() < 0.87
    assert ((scores >= 0.5) == truth).mean() > 0.9
    assert ((scores - truth) ** 2).mean() < 0.5 * ((raw - truth) ** 2).mean()


def co_evolve(rng: np.random.Generator, refit: bool) -> float:
    """The share of right programs after a policy over 20 programs has followed a reward model.

    Right are the programs 8 to 10, and a nearer one passes more often.  The model is a parabola fitted to the rescored
    verdicts of what the policy samples, at the start only or in every round; the policy starts on programs 0 to 5.
    """
    place = np.arange(20)
    passes = np.exp(-(((place - 9) / 4) ** 2))
    logits = np.where(place < 6, 3.0, 0.0)
    features = np.stack([np.ones(20), place / 10, (place / 10) ** 2], axis=1)
    seen: list[tuple[int, float]] = []
    model = np.zeros(3)
    for round_ in range(30):
        policy = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        if refit or round_ == 0:
            chosen = rng.choice(20, size=64, p=policy)
            right = (rng.random(64) < passes[chosen]).astype(float)
            noisy = np.where(rng.random(64) < 0.2, 1 - right, right)
            group = Group([judged(float(v), path=f"{p}") for p, v in zip(chosen, noisy, strict=True)])
            labels = np.concatenate([v for v in rescored(verdict)(group) if v is not None])
            seen += zip(chosen.tolist(), labels.tolist(), strict=True)
            rows, targets = features[[p for p, _ in seen]], np.array([label for _, label in seen])
            model = np.linalg.solve(rows.T @ rows + 0.1 * np.eye(3), rows.T @ targets)
        reward = features @ model
        logits = logits + 2.0 * (reward - policy @ reward)
    return float(policy[8:11].sum())


def test_works_verirl_co_evolution() -> None:
    fixed = [co_evolve(np.random.default_rng(seed), refit=False) for seed in range(20)]
    evolving = [co_evolve(np.random.default_rng(seed), refit=True) for seed in range(20)]
    assert np.mean(evolving) > np.mean(fixed) + 0.3
