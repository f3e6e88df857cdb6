from __future__ import annotations

import numpy as np
import pytest

from palestra.training.advantages import ADVANTAGES, register_advantage


def groups() -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [[rng.normal(size=rng.integers(1, 6)) for _ in range(rng.integers(2, 9))] for _ in range(50)]


def reference(name: str, returns: list[float]) -> list[float]:
    """By the formulas, one trajectory at a time."""
    n = len(returns)
    mean = sum(returns) / n
    if name == "grpo":
        sigma = (sum((value - mean) ** 2 for value in returns) / n) ** 0.5
        return [(value - mean) / sigma for value in returns]
    if name == "rloo":
        return [value - (sum(returns) - value) / (n - 1) for value in returns]
    return [value - mean for value in returns]


@pytest.mark.parametrize("name", ADVANTAGES)
def test_every_turn_gets_what_the_formula_gives_its_trajectory(name: str) -> None:
    for rewards in groups():
        wanted = reference(name, [float(turns.sum()) for turns in rewards])
        got = ADVANTAGES[name](rewards)
        for turns, value, advantages in zip(rewards, wanted, got, strict=True):
            assert advantages.shape == turns.shape
            assert np.allclose(advantages, value, atol=1e-10)


@pytest.mark.parametrize("name", ADVANTAGES)
def test_groups_that_teach_nothing_get_zeros(name: str) -> None:
    equal = [np.array([0.1, 0.2]), np.array([0.3]), np.array([0.1, 0.1, 0.1])]
    for rewards in (equal, [np.array([0.7, 0.1])], [np.zeros(3)] * 4):
        for turns, advantages in zip(rewards, ADVANTAGES[name](rewards), strict=True):
            assert advantages.shape == turns.shape
            assert np.abs(advantages).max() < 1e-12


@pytest.mark.parametrize("name", ADVANTAGES)
def test_a_constant_added_to_all_returns_changes_nothing(name: str) -> None:
    for rewards in groups():
        shifted = [turns + 5.0 / len(turns) for turns in rewards]
        for one, other in zip(ADVANTAGES[name](rewards), ADVANTAGES[name](shifted), strict=True):
            assert np.allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("name", ADVANTAGES)
def test_a_groups_advantages_sum_to_zero(name: str) -> None:
    for rewards in groups():
        assert abs(sum(advantages[0] for advantages in ADVANTAGES[name](rewards))) < 1e-9


def test_grpo_does_not_see_the_scale() -> None:
    for rewards in groups():
        scaled = ADVANTAGES["grpo"]([3 * turns for turns in rewards])
        assert all(np.allclose(a, b) for a, b in zip(ADVANTAGES["grpo"](rewards), scaled, strict=True))


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'grpo' is registered already"):
        register_advantage("grpo")(ADVANTAGES["grpo"])
