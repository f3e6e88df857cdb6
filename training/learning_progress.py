"""ALP-GMM: tasks where success changes most (Portelas et al. 2019, arXiv:1910.07224)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .task_space import TaskSpace

_SMALLEST_VARIANCE = 1e-4


class Mixture(NamedTuple):
    """A mixture of k Gaussians in d dimensions: ``weights`` [k], ``means`` [k, d], ``covariances`` [k, d, d]."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def log_joint(self, points: np.ndarray) -> np.ndarray:
        """Log p(x, component), float64 [n, k], of ``points`` [n, d]."""
        columns = []
        for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            factor = np.linalg.cholesky(covariance)
            scaled = np.linalg.solve(factor, (points - mean).T)
            volume = 2 * np.log(np.diag(factor)).sum() + len(mean) * np.log(2 * np.pi)
            columns.append(np.log(weight) - 0.5 * ((scaled**2).sum(0) + volume))
        return np.stack(columns, axis=1)


def fit_mixture(points: np.ndarray, k: int, rng: np.random.Generator, steps: int = 30) -> tuple[Mixture, float]:
    """Fit ``k`` Gaussians to ``points`` [n, d] by expectation maximisation; the mixture and its AIC.

    AIC = 2 m - 2 log L with m the number of free parameters: the smaller, the better the fit for its size.
    """
    n, d = points.shape
    means = points[rng.permutation(n)[:k]]
    spread = np.cov(points.T).reshape(d, d) + _SMALLEST_VARIANCE * np.eye(d)
    mixture = Mixture(np.full(k, 1 / k), means, np.stack([spread] * k))
    for _ in range(steps):
        joint = mixture.log_joint(points)
        shares = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
        amounts = shares.sum(0) + 1e-9
        means = (shares.T @ points) / amounts[:, None]
        offsets = points[None] - means[:, None]
        covariances = np.einsum("nk,kni,knj->kij", shares, offsets, offsets) / amounts[:, None, None]
        mixture = Mixture(amounts / amounts.sum(), means, covariances + _SMALLEST_VARIANCE * np.eye(d))
    likelihood = float(np.logaddexp.reduce(mixture.log_joint(points), axis=1).sum())
    free = k - 1 + k * d + k * d * (d + 1) // 2
    return mixture, 2 * free - 2 * likelihood


class LearningProgress:
    """Samples tasks in proportion to the absolute learning progress around them.

    The absolute learning progress (ALP) of a played task is ``|success - success of the nearest earlier task|``, in the
    unit cube of the tasks' parameters.  Every ``refit`` reports, mixtures of Gaussians are fitted to the last ``refit``
    points (parameters, ALP), and the one with the lowest AIC is kept.  A task comes from a Gaussian that is drawn in
    proportion to its mean ALP, or, with probability ``explore``, from anywhere.

    Args:
        space: of the tasks.
        rng: for all draws.
        refit: reports between two fits, and points of a fit.
        explore: share of tasks drawn from all.
        most: the largest number of Gaussians that is tried.
        remembered: how many earlier tasks the nearest is looked for among.
    """

    def __init__(
        self,
        space: TaskSpace,
        rng: np.random.Generator,
        *,
        refit: int = 250,
        explore: float = 0.2,
        most: int = 6,
        remembered: int = 5000,
    ) -> None:
        if refit < 4 or not 0 <= explore <= 1 or most < 2 or remembered < 1:
            raise ValueError("refit >= 4, 0 <= explore <= 1, most >= 2 and remembered >= 1 are needed")
        self.space = space
        self.rng = rng
        self.refit, self.explore, self.most = refit, explore, most
        # The newest stands where the oldest stood.
        self._points = np.full((remembered, len(space.point(0))), np.inf)
        self._success = np.zeros(remembered)
        self._age = np.zeros(remembered)
        self._recent: deque[np.ndarray] = deque(maxlen=refit)
        self._mixture: Mixture | None = None
        self._reports = 0

    def sample(self, count: int) -> list[int]:
        """Tasks where much is being learned or forgotten, and some of all."""
        return [self._sample() for _ in range(count)]

    def report(self, task: int, success: float) -> None:
        """Measure the progress at a task."""
        point = self.space.point(task)
        self._recent.append(np.append(point, self.progress(point, success)))
        place = self._reports % len(self._points)
        self._reports += 1
        self._points[place], self._success[place], self._age[place] = point, success, self._reports
        if self._reports % self.refit == 0:
            self._fit()

    def progress(self, point: np.ndarray, success: float) -> float:
        """The absolute learning progress that ``success`` at ``point`` is; of equally near tasks the last counts."""
        if not self._reports:
            return 0.0
        distances = ((self._points[: self._reports] - point) ** 2).sum(1)
        nearest = np.flatnonzero(distances == distances.min())
        last = nearest[self._age[nearest].argmax()]
        return float(abs(success - self._success[last]))

    def _fit(self) -> None:
        points = np.array(self._recent)
        fits = [fit_mixture(points, k, self.rng) for k in range(2, self.most + 1)]
        self._mixture = min(fits, key=lambda fit: fit[1])[0]

    def _sample(self) -> int:
        if self._mixture is None or self.rng.random() < self.explore:
            return self.space.draw(self.rng)
        worth = np.clip(self._mixture.means[:, -1], 0, None) + 1e-9
        chosen = int(self.rng.choice(len(worth), p=worth / worth.sum()))
        mean, covariance = self._mixture.means[chosen][:-1], self._mixture.covariances[chosen][:-1, :-1]
        point = self.rng.multivariate_normal(mean, covariance)
        return self.space.draw_in(self.space.cell_at(point), self.rng)

    def snapshot(self) -> dict[str, Any]:
        """The generator, what is remembered, and the mixture."""
        return {
            "rng": self.rng.bit_generator.state,
            "points": self._points[: self._reports].tolist(),
            "success": self._success[: self._reports].tolist(),
            "age": self._age[: self._reports].tolist(),
            "recent": [point.tolist() for point in self._recent],
            "mixture": None if self._mixture is None else [part.tolist() for part in self._mixture],
            "reports": self._reports,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        self.rng.bit_generator.state = state["rng"]
        for kept, name in ((self._points, "points"), (self._success, "success"), (self._age, "age")):
            kept[: len(state[name])] = state[name]
        self._recent.clear()
        self._recent.extend(np.array(point) for point in state["recent"])
        mixture = state["mixture"]
        self._mixture = None if mixture is None else Mixture(*(np.array(part) for part in mixture))
        self._reports = state["reports"]
