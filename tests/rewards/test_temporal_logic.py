"""Signal Temporal Logic: hand-computed robustness and stages, and what dense stages teach."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Group
from palestra.rewards import RewardError, Scope, parse_reward
from palestra.rewards.temporal_logic import Above, Always, Below, Both, Either, Eventually, Formula, robustness, stages

from .lab import learn
from .shaping_toys import Text, episode, lists

x, y = Above("x", 1.0), Below("y", 2.0)


def value(formula: Formula, **columns: list[float]) -> float:
    [values] = lists(robustness(formula), [episode(**columns)])
    assert values[:-1] == [0] * (len(values) - 1)
    return values[-1]


def test_robustness_by_hand() -> None:
    near = [-3.0, -1.0, 0.5, 0.25, -2.0, -2.0, 4.0]
    assert value(Eventually(Above("near", 0.0), 0, 5), near=near) == 0.5
    assert value(Eventually(Above("near", 0.0), 4, 5), near=near) == -2
    assert value(Eventually(Above("near", 0.0)), near=near) == 4
    assert value(Eventually(Above("near", 0.0), 6, 9), near=near[:3]) == 0.5  # held at its last value
    away = [3.0, 0.5, 2.0]
    assert value(Always(Above("away", 0.0)), away=away) == 0.5
    assert value(Always(Above("away", 1.0)), away=away) == -0.5
    assert value(Always(Above("away", 0.0), 2, 2), away=away) == 2


def test_reach_and_avoid_by_hand() -> None:
    reach_avoid = Both(Eventually(Above("near_a", 0.0), 0, 5), Always(Below("in_b", 0.0)))
    assert value(reach_avoid, near_a=[-2, -1, 0.5], in_b=[-3, -0.25, -1]) == 0.25
    assert value(reach_avoid, near_a=[-2, -1, -0.5], in_b=[-3, -0.25, -1]) == -0.5
    assert value(reach_avoid, near_a=[-2, -1, 2], in_b=[-3, 1, -1]) == -1


def test_boolean_and_nested_formulas() -> None:
    assert value(Both(x, y), x=[4], y=[1]) == 1
    assert value(Either(x, y), x=[4], y=[1]) == 3
    # Within the first two steps, x stays above 1 for two steps.
    assert value(Eventually(Always(x, 0, 1), 0, 2), x=[3, 0, 2, 4]) == 1


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.integers(0, 4), st.integers(0, 4))
def test_always_is_the_dual_of_eventually(signal: list[float], start: int, width: int) -> None:
    below, above = Below("x", 0.5), Above("x", 0.5)
    assert value(Always(below, start, start + width), x=signal) == -value(
        Eventually(above, start, start + width), x=signal
    )
    margins = [value(Eventually(above, 0, end), x=signal) for end in range(5)]
    assert all(earlier <= later for earlier, later in pairwise(margins))


def test_stages_pay_gains_and_arrivals_one_after_another() -> None:
    reward = stages(((Above("a", 0.0), 3), (Above("b", 0.0), 6)), bonus=10.0)
    assert reward.scope is Scope.PAST
    group = [episode(a=[-3, -1, 0, -5], b=[-9, -8, -6, -4]), episode(a=[0, 0], b=[-1, 0])]
    assert lists(reward, group) == [[0, 2, 11, 2], [10, 11]]


def test_a_missed_deadline_or_a_broken_invariant_ends_the_pay() -> None:
    late = episode(a=[-3, -2, -1, 0, 0], b=[0, 0, 0, 0, 0], c=[0, 0, 0, 0, 0])
    assert lists(stages(((Above("a", 0.0), 1),)), [late]) == [[0, 1, -1, 0, 0]]
    hit = episode(a=[-3, -2, -1, 0, 1], c=[0, 0, 2, 0, 0])
    assert lists(stages(((Above("a", 0.0), 9),), invariant=Below("c", 1.0)), [hit]) == [[0, 1, -1, 0, 0]]
    done = episode(a=[0, 0, 0], c=[0, 0, 2])
    assert lists(stages(((Above("a", 0.0), 9),), invariant=Below("c", 1.0)), [done]) == [[1, 0, -1]]
    assert lists(stages(((Above("a", 0.0), 9),)), [episode(a=[])]) == [[]]


def test_what_is_no_task_is_refused() -> None:
    a = Above("a", 0.0)
    with pytest.raises(ValueError, match="0 <= start <= end"):
        Eventually(a, 3, 2)
    with pytest.raises(TypeError, match="needs a formula"):
        robustness("a")  # type: ignore[arg-type]
    for subgoals in ((), (a,)):
        with pytest.raises(ValueError, match="pairs of a formula and a deadline"):
            stages(subgoals)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"deadlines \[3, 3\] do not increase"):
        stages(((a, 3), (a, 3)))
    with pytest.raises(ValueError, match="single turns"):
        stages(((Both(a, Eventually(a)), 3),))
    with pytest.raises(RewardError, match=r"no info\['a'\] at turn 0"):
        robustness(a)([episode(b=[1])])


@pytest.mark.parametrize(
    "text",
    [
        'robustness(Both(Eventually(Above("near_a", 0.0), 0, 5), Always(Below("in_b", 0))))',
        'success + stages(((Above("a", 0.0), 5), (Either(Above("b", 0), Below("c", 1)), 9)), invariant=Below("d", 1))',
    ],
)
def test_expressions_read_back(text: str) -> None:
    reward = parse_reward(text)
    assert parse_reward(str(reward)) == reward


class Points(Text):
    """A 4x4 grid with a goal in three corners; the observation holds the time, so that a policy can keep a schedule."""

    CORNERS = {"a": (3, 0), "b": (3, 3), "c": (0, 3)}  # noqa: RUF012
    MOVES = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}  # noqa: RUF012

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.x = self.y = self.time = 0
        return "0 0 0", {"legal_actions": list(self.MOVES)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.time += 1
        east, north = self.MOVES[action]
        self.x, self.y = min(3, max(0, self.x + east)), min(3, max(0, self.y + north))
        near = {key: -math.hypot(self.x - x, self.y - y) for key, (x, y) in self.CORNERS.items()}
        return (
            f"{self.time} {self.x} {self.y}",
            0.0,
            False,
            self.time == 12,
            {**near, "legal_actions": list(self.MOVES)},
        )


A, B, C = (Above(key, 0.0) for key in "abc")
MARGIN = robustness(Both(Both(Eventually(A, 0, 3), Eventually(B, 0, 7)), Eventually(C, 0, 11)))
STAGED = stages(((A, 3), (B, 7), (C, 11)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_works_tgpo(seed: int) -> None:
    """The share of episodes that satisfy three timed subgoals, after equally many steps."""

    def satisfied(batch: list[Group]) -> float:
        return float(np.mean([margin[-1] >= 0 for group in batch for margin in MARGIN(group) if margin is not None]))

    staged, terminal = (
        np.mean(learn(Points(), reward, steps=80, seed=seed, learning_rate=2.0, measure=satisfied)[1][-10:])
        for reward in (STAGED, MARGIN)
    )
    assert staged > 0.7
    assert terminal < 0.1


def test_works_tgpo_unit() -> None:
    """F[0,5] reach A and G avoid B, on traces by hand."""
    reach_avoid = Both(Eventually(Above("a", 0.0), 0, 5), Always(Below("b", 0.0)))
    assert value(reach_avoid, a=[-3, -1, 0.5, 2], b=[-1, -0.75, -2, -3]) == 0.75
    assert value(reach_avoid, a=[-3, -1, 0.5, 2], b=[-1, 0.25, -2, -3]) == -0.25
