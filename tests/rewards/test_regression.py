from __future__ import annotations

import numpy as np
import pytest

from palestra.rewards.regression import logistic, ridge, sigmoid


def test_ridge_is_the_penalised_least_squares_fit() -> None:
    rows = np.array([[0.0], [1.0], [2.0]])
    fit = ridge(rows, np.array([1.0, 2.0, 6.0]), penalty=2.0)
    # Centred: x = (-1, 0, 1), y = (-2, -1, 3); x.y / (x.x + 2) = 5 / 4, and the bias is 3 - 5/4.
    assert fit.weights == pytest.approx([1.25])
    assert fit.bias == pytest.approx(1.75)
    assert fit(rows) == pytest.approx([1.75, 3.0, 4.25])


def test_logistic_has_no_gradient_left_and_stays_finite() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 3))
    labels = (rows @ np.array([2.0, -1.0, 0.0]) + 0.5 + rng.standard_normal(200) > 0).astype(float)
    fit = logistic(rows, labels, penalty=0.5)
    error = 1 / (1 + np.exp(-fit(rows))) - labels
    assert rows.T @ error + 0.5 * fit.weights == pytest.approx(0, abs=1e-6)
    assert error.sum() == pytest.approx(0, abs=1e-4)
    assert np.isfinite(logistic(rows, np.ones(200)).bias)
    assert np.isfinite(
        logistic(np.arange(10.0)[:, None], (np.arange(10) > 4).astype(float), penalty=1e-3).weights
    ).all()


def test_logistic_takes_targets_between_0_and_1_and_may_do_without_a_bias() -> None:
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(50, 4)), rng.integers(0, 3, 50) / 2
    fit = logistic(rows, targets, penalty=0.1, bias=False)
    assert fit.bias == 0
    assert rows.T @ (sigmoid(fit(rows)) - targets) + 0.1 * fit.weights == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("targets", [np.full(4, 2.0), np.full(4, np.nan), np.ones(3)])
def test_what_cannot_be_fitted_is_refused(targets: np.ndarray) -> None:
    rows = np.zeros((4, 2))
    with pytest.raises(ValueError, match=r"targets lie in \[0, 1\]|need rows"):
        logistic(rows, targets)
    with pytest.raises(ValueError, match="penalty"):
        ridge(rows, np.ones(4), penalty=0)


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
