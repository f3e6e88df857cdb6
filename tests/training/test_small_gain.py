"""Certificates of gradient play on quadratic games, against what the play really does."""

from __future__ import annotations

import numpy as np
import pytest

from palestra.training.small_gain import Bounds, bounds_of, certify, timescales

ROTATING = np.array([[1.0, 10.0], [-0.06, 1.0]])
"""The pseudo-gradient of a quadratic game that is not monotone in the Euclidean metric."""


def play(jacobian: np.ndarray, step: float, rounds: int) -> np.ndarray:
    point = np.ones(len(jacobian))
    path = [point]
    for _ in range(rounds):
        point = point - step * jacobian @ point
        path.append(point)
    return np.array(path)


def test_a_game_that_is_not_monotone_is_certified_and_contracts_at_the_rate() -> None:
    assert np.linalg.eigvalsh((ROTATING + ROTATING.T) / 2)[0] < 0
    certificate = certify(bounds_of([ROTATING], [1, 1]))
    assert certificate is not None
    path = play(ROTATING, certificate.best_step, 200)
    distances = np.sqrt((path**2) @ certificate.weights)
    assert (distances[1:] <= distances[:-1] * certificate.rate(certificate.best_step) + 1e-12).all()
    assert certificate.rate(certificate.largest_step) == pytest.approx(1)
    unstable = 2 / np.abs(np.linalg.eigvals(ROTATING)).max() * 1.3
    assert np.abs(play(ROTATING, unstable, 200)[-1]).max() > 1e6


def test_blocks_of_several_variables_and_three_players() -> None:
    rng = np.random.default_rng(0)
    sizes = [2, 3, 1]
    jacobian = 0.1 * rng.normal(size=(6, 6)) + 2 * np.eye(6)
    certificate = certify(bounds_of([jacobian, jacobian + 0.1 * np.eye(6)], sizes))
    assert certificate is not None
    metric = np.repeat(certificate.weights, sizes)
    scaled = np.sqrt(metric)[:, None] * jacobian / np.sqrt(metric)
    assert np.linalg.eigvalsh((scaled + scaled.T) / 2)[0] >= certificate.margin - 1e-12
    assert np.linalg.norm(scaled, 2) <= certificate.lipschitz + 1e-12


def test_too_large_a_loop_of_gains_has_no_certificate() -> None:
    cyclic = Bounds(np.array([1.0, 1.0]), np.array([[1.0, 2.0], [0.6, 1.0]]))
    assert certify(cyclic) is None
    assert timescales(cyclic) is None
    matching_pennies = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert certify(bounds_of([matching_pennies], [1, 1])) is None


def test_the_band_of_timescales_is_where_the_weighted_game_is_monotone() -> None:
    bounds = bounds_of([ROTATING], [1, 1])
    band = timescales(bounds)
    assert band is not None
    worst = np.array([[1.0, -10.0], [-0.06, 1.0]])
    for ratio, inside in [
        (band[0] * 1.01, True),
        (band[1] * 0.99, True),
        (band[0] * 0.99, False),
        (band[1] * 1.01, False),
    ]:
        weighted = np.diag([1.0, ratio]) @ worst
        assert (np.linalg.eigvalsh(weighted + weighted.T)[0] > 0) == inside
    certificate = certify(bounds)
    assert certificate is not None
    assert band[0] < certificate.weights[1] / certificate.weights[0] < band[1]
    with pytest.raises(ValueError, match="two players"):
        timescales(Bounds(np.ones(3), np.zeros((3, 3))))
