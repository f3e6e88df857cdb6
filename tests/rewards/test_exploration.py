"""The exploration bonus: its mix by hand, and a search that only it makes worth starting."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, Scope, env, parse_reward, response_length, success
from palestra.rewards.exploration import explored

from .lab import TabularPolicy, learn, play


def episode(solved: bool, length: int, tokens: int = 0) -> Trajectory:
    made = [Turn("o", "a", action_ids=np.zeros(tokens, np.int32)) for _ in range(length)]
    made[-1].info["success"] = solved
    return Trajectory("X-v0", None, 0, made, Status.TERMINATED)


def totals(reward: Reward, *episodes: Trajectory) -> list[float]:
    values = [value for value in reward(episodes) if value is not None]
    assert not any(value[:-1].any() for value in values)
    return [float(value[-1]) for value in values]


def test_the_mix_by_hand() -> None:
    episodes = episode(True, 1), episode(True, 8), episode(False, 4), episode(False, 100)
    assert totals(explored(success), *episodes) == pytest.approx([0.825, 1, 0.1, 0.2])
    assert totals(explored(success, cap=4, weight=0.4), *episodes) == pytest.approx([0.7, 1, 0.4, 0.4])
    tokens = explored(success, steps=response_length, cap=20)
    assert totals(tokens, episode(False, 2, tokens=5)) == pytest.approx([0.1])
    assert explored(success).scope is Scope.EPISODE


@settings(max_examples=50)
@given(st.integers(1, 50), st.integers(1, 50), st.floats(0, 0.49), st.floats(0.1, 100))
def test_a_right_answer_beats_any_exploration(right: int, wrong: int, weight: float, cap: float) -> None:
    found, searched = totals(explored(success, weight=weight, cap=cap), episode(True, right), episode(False, wrong))
    assert 0 <= searched < found <= 1


def test_what_it_refuses() -> None:
    for weight in (0.5, -0.1, float("nan")):
        with pytest.raises(ValueError, match="weight"):
            explored(success, weight=weight)
    with pytest.raises(ValueError, match="cap 0"):
        explored(success, cap=0)
    paid = Trajectory("X-v0", None, 0, [Turn("o", "a", 2.0)], Status.TERMINATED)
    with pytest.raises(RewardError, match="env totals"):
        explored(env)([paid])
    with pytest.raises(RewardError, match="counts"):
        explored(0 * env, steps=-1.0 * env)([paid])
    assert str(parse_reward("explored(success, cap=4, weight=0.1)")) == "explored(success, cap=4, weight=0.1)"


class Riddle(gymnasium.Env[str, str]):
    """Answer at any time; before the fourth thought an answer is right with probability 0.3, after it always."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.thoughts = 0
        self.lucky = bool(self.np_random.random() < 0.3)
        return "0 thoughts", {"legal_actions": ["answer", "think"]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.thoughts += action == "think"
        over = action == "answer" or self.thoughts == 8
        solved = action == "answer" and (self.thoughts >= 4 or self.lucky)
        info = {"legal_actions": ["answer", "think"], "success": solved}
        return f"{self.thoughts} thoughts", float(solved), over, False, info


def solving(reward: Reward, seed: int) -> tuple[float, float]:
    """The share solved after training a policy that thinks once in twenty turns at first, and its mean of turns."""
    policy = TabularPolicy()
    for thoughts in range(9):
        policy.logits[f"{thoughts} thoughts"] = {"answer": 3.0, "think": 0.0}
    policy, _ = learn(Riddle(), reward, steps=60, groups=4, learning_rate=8.0, seed=seed, policy=policy)
    rng = np.random.default_rng(1)
    played = [play(Riddle(), policy, rng, seed=number) for number in range(300)]
    return float(np.mean([t.score for t in played])), float(np.mean([len(t.turns) for t in played]))


@pytest.mark.slow
def test_works_rlsp() -> None:
    with_bonus = [solving(explored(success), seed) for seed in range(3)]
    without = [solving(success, seed) for seed in range(3)]
    assert all(solved > 0.9 and length >= 4 for solved, length in with_bonus)
    assert all(solved < 0.4 and length < 1.5 for solved, length in without)
