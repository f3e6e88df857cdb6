from __future__ import annotations

import json

import numpy as np
import pytest

from palestra.training.evaluation import solved, summarise, wilson
from palestra.trajectory import Status, Trajectory, Turn


def episode(*rewards: float, status: Status = Status.TERMINATED, **info: object) -> Trajectory:
    turns = [Turn("page", "act", reward) for reward in rewards]
    if turns:
        turns[-1].info = info
    return Trajectory("Shop-v0", 0, 0, turns, status)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe (1998), table I, method 3, and the closed forms of 0 and n successes.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-4)


def test_wilson_bounds_are_where_the_score_test_turns() -> None:
    for successes, trials in ((3, 10), (50, 77), (199, 200)):
        for bound in wilson(successes, trials):
            z = (successes / trials - bound) / (bound * (1 - bound) / trials) ** 0.5
            assert abs(z) == pytest.approx(1.96)


def test_success_is_what_the_environment_says_else_the_whole_score() -> None:
    assert solved(episode(0.0, 0.2, success=True))
    assert not solved(episode(1.0, success=False))
    assert solved(episode(0.5, 0.5))
    assert not solved(episode(0.5, 0.49))
    assert not solved(episode())


def test_a_summary_counts_faults_and_does_not_score_them() -> None:
    scored = [episode(0.5, 0.5), episode(0.2), episode(0.0, 0.0, 0.3, status=Status.TRUNCATED), episode(1.0)]
    broken = [episode(1.0, status=Status.FAULT), episode(1.0, 1.0, status=Status.TIMEOUT)]
    result = summarise("policy", 7, "test", [broken[0], *scored, broken[1]])
    assert (result.agent, result.step, result.split, result.tasks, result.faults) == ("policy", 7, "test", 4, 2)
    assert result.success == 0.5
    assert (result.success_low, result.success_high) == wilson(2, 4)
    scores = np.array([1.0, 0.2, 0.3, 1.0])
    assert result.score == pytest.approx(scores.mean())
    margin = 1.96 * (((scores - scores.mean()) ** 2).sum() / 3 / 4) ** 0.5
    assert (result.score_low, result.score_high) == pytest.approx((scores.mean() - margin, scores.mean() + margin))
    assert result.turns == (2 + 1 + 3 + 1) / 4
    assert result.solved_within == [0.25, 0.5]
    assert json.loads(json.dumps(result.as_dict())) == result.as_dict()


def test_one_episode_and_none() -> None:
    result = summarise("policy", 0, "test", [episode(0.4)])
    assert (result.score_low, result.score, result.score_high) == (0.4, 0.4, 0.4)
    with pytest.raises(ValueError, match="none of 2 evaluation episodes has an outcome"):
        summarise("policy", 0, "test", [episode(1.0, status=Status.FAULT)] * 2)
