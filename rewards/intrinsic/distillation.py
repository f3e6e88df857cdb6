"""A bonus for what a network has not yet learned to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...trajectory import Trajectory
from .features import Features
from .state import Source, arrivals, scored

Network = dict[str, np.ndarray]
"""Weights and biases of two layers with a ReLU between them."""

CLIP = 5.0


class RandomNetwork(Source):
    """The error of a predictor of a fixed random network's answer to what a turn leads to.

    The bonus is ||f(x) - g(x)||^2 over its own running standard deviation; g is random, f is trained on the group by
    ``passes`` steps of Adam on all its observations at each update.  x is ``features`` less their running mean, over
    their running standard deviation, bounded to [-5, 5].  Both networks have ``hidden`` ReLU units and ``outputs``
    outputs, drawn by ``seed``.  A last turn that led to no recorded observation gets 0.

    Source: RND (arXiv:1810.12894), which divides by the deviation of the discounted sum of bonuses; the sizes here are
    for small features.
    """

    def __init__(
        self,
        features: Features,
        hidden: int = 64,
        outputs: int = 16,
        passes: int = 4,
        learning_rate: float = 3e-3,
        seed: int = 0,
    ) -> None:
        if min(hidden, outputs, passes) < 1 or not learning_rate > 0:
            raise ValueError("RandomNetwork: hidden, outputs, passes and learning_rate must be above 0")
        self.features, self.hidden, self.outputs = features, hidden, outputs
        self.passes, self.learning_rate, self.seed = passes, learning_rate, seed
        self._target: Network = {}
        self._predictor: Network = {}
        self._moments: list[Network] = []
        self._steps = 0
        self._inputs, self._errors = _Running(), _Running()

    def bonus(self, trajectory: Trajectory) -> np.ndarray:
        """Of each turn, [turns] float64, at least 0."""
        values = np.zeros(len(trajectory.turns))
        places, vectors = self._vectors([trajectory])
        if places:
            target, predictor = self._networks(vectors.shape[1])
            inputs = self._normalised(vectors)
            errors = ((_answer(target, inputs)[1] - _answer(predictor, inputs)[1]) ** 2).sum(axis=1)
            values[[turn for _, turn in places]] = errors / self._errors.deviation()
        return values

    def update(self, group: Sequence[Trajectory]) -> None:
        """Train the predictor on what the group's turns led to."""
        places, vectors = self._vectors(scored(group))
        if not places:
            return
        self._target, self._predictor = self._networks(vectors.shape[1])
        self._inputs.add(vectors)
        inputs = self._normalised(vectors)
        wanted = _answer(self._target, inputs)[1]
        self._errors.add(((wanted - _answer(self._predictor, inputs)[1]) ** 2).sum(axis=1))
        if not self._moments:
            self._moments = [{name: np.zeros_like(array) for name, array in self._predictor.items()} for _ in range(2)]
        for _ in range(self.passes):
            self._step(inputs, wanted)

    def snapshot(self) -> dict[str, Any]:
        """The predictor, its optimiser and the running moments; the target follows from the seed."""
        return {
            "predictor": _lists(self._predictor),
            "moments": [_lists(moment) for moment in self._moments],
            "steps": self._steps,
            "inputs": self._inputs.snapshot(),
            "errors": self._errors.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot's weights and moments."""
        self._predictor = _arrays(state["predictor"])
        self._target = self._drawn(len(self._predictor["w1"]))[0] if self._predictor else {}
        self._moments = [_arrays(moment) for moment in state["moments"]]
        self._steps = int(state["steps"])
        self._inputs, self._errors = _Running(*state["inputs"]), _Running(*state["errors"])

    def _vectors(self, trajectories: Sequence[Trajectory]) -> tuple[list[tuple[int, int]], np.ndarray]:
        """The turns (trajectory, turn) that led somewhere, and the features of where, [those, d]."""
        found = [
            ((number, turn), self.features(seen))
            for number, trajectory in enumerate(trajectories)
            for turn, seen in enumerate(arrivals(trajectory))
            if seen is not None
        ]
        return [where for where, _ in found], np.array([vector for _, vector in found], np.float64)

    def _normalised(self, vectors: np.ndarray) -> np.ndarray:
        return np.clip((vectors - self._inputs.mean) / self._inputs.deviation(), -CLIP, CLIP)

    def _networks(self, inputs: int) -> tuple[Network, Network]:
        return (self._target, self._predictor) if self._predictor else self._drawn(inputs)

    def _drawn(self, inputs: int) -> tuple[Network, Network]:
        """The target and the untrained predictor."""
        rng = np.random.default_rng(self.seed)
        first, second = (
            {
                "w1": rng.normal(size=(inputs, self.hidden)) * np.sqrt(2 / inputs),
                "b1": np.zeros(self.hidden),
                "w2": rng.normal(size=(self.hidden, self.outputs)) / np.sqrt(self.hidden),
                "b2": np.zeros(self.outputs),
            }
            for _ in range(2)
        )
        return first, second

    def _step(self, inputs: np.ndarray, wanted: np.ndarray) -> None:
        """One step of Adam on the mean squared error."""
        hidden, answer = _answer(self._predictor, inputs)
        slope = 2 * (answer - wanted) / wanted.size
        back = (slope @ self._predictor["w2"].T) * (hidden > 0)
        gradient = {
            "w1": inputs.T @ back,
            "b1": back.sum(axis=0),
            "w2": hidden.T @ slope,
            "b2": slope.sum(axis=0),
        }
        self._steps += 1
        first, second = self._moments
        for name, value in gradient.items():
            first[name] = 0.9 * first[name] + 0.1 * value
            second[name] = 0.999 * second[name] + 0.001 * value**2
            mean, square = first[name] / (1 - 0.9**self._steps), second[name] / (1 - 0.999**self._steps)
            self._predictor[name] = self._predictor[name] - self.learning_rate * mean / (np.sqrt(square) + 1e-8)


class _Running:
    """Mean and standard deviation of all rows so far (Chan's formula for adding a batch)."""

    def __init__(self, count: int = 0, mean: Any = 0.0, squares: Any = 0.0) -> None:
        self.count = count
        self.mean, self.squares = np.asarray(mean, np.float64), np.asarray(squares, np.float64)

    def add(self, rows: np.ndarray) -> None:
        mean, count = rows.mean(axis=0), len(rows)
        difference, total = mean - self.mean, self.count + count
        self.squares = self.squares + ((rows - mean) ** 2).sum(axis=0) + difference**2 * (self.count * count / total)
        self.mean = self.mean + difference * (count / total)
        self.count = total

    def deviation(self) -> np.ndarray:
        """1 where nothing has varied yet."""
        deviation = np.sqrt(self.squares / max(self.count, 1))
        return np.where(deviation > 1e-8, deviation, 1.0)

    def snapshot(self) -> list[Any]:
        return [self.count, self.mean.tolist(), self.squares.tolist()]


def _answer(network: Network, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hidden = np.maximum(inputs @ network["w1"] + network["b1"], 0.0)
    return hidden, hidden @ network["w2"] + network["b2"]


def _lists(arrays: Network) -> dict[str, Any]:
    return {name: array.tolist() for name, array in arrays.items()}


def _arrays(lists: Mapping[str, Any]) -> Network:
    return {name: np.array(values, np.float64) for name, values in lists.items()}
