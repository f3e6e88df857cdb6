"""Intrinsic rewards learned from a judge's annotations of what the agent saw, while it trains.

Three models of one source, ONI (arXiv:2410.23022): a table of labels, a classifier, and a ranking.  The judge is asked
in a thread of its own (:class:`Annotator`); what it has answered counts from the next update on.  Each text pays once
an episode, on the first turn that leads to it, so that staying where it is good earns nothing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...trajectory import Trajectory
from ..regression import Linear, logistic, sigmoid
from .annotation import Annotator
from .features import Features, HashedWords
from .state import Source, arrivals, scored, text_of

Judge = Callable[[str], bool]
"""Whether what a text says is worth reaching."""
Comparison = Callable[[tuple[str, str]], int]
"""1 if the first of two texts is better to reach, -1 if the second is, 0 if neither."""

RIDGE = 0.01
"""The penalty on the weights that are fitted to what the judge said."""


class _Feedback(Source):
    """What the three have in common: each text is worth ``_worth``, once an episode."""

    def bonus(self, trajectory: Trajectory) -> np.ndarray:
        """Of each turn, [turns] float64."""
        values = np.zeros(len(trajectory.turns))
        met: set[str] = set()
        for turn, seen in enumerate(arrivals(trajectory)):
            if seen is not None and text_of(seen) not in met:
                met.add(text_of(seen))
                values[turn] = self._worth(text_of(seen))
        return values

    @abstractmethod
    def _worth(self, text: str) -> float:
        """What reaching the text pays."""


class _Labelled(_Feedback):
    """A judge labels texts, each once."""

    def __init__(self, judge: Judge, capacity: int) -> None:
        self.judge, self.capacity = judge, capacity
        self.annotator = Annotator(judge, capacity)
        self._labels: dict[str, bool] = {}

    def update(self, group: Sequence[Trajectory]) -> None:
        """Learn the labels that have come in, and offer the group's texts that have none."""
        self._learn(self.annotator.take())
        for text in _texts(group):
            if text not in self._labels:
                self.annotator.offer(text)

    def snapshot(self) -> dict[str, Any]:
        """The labels; what waits for one is not kept."""
        return {"labels": dict(sorted(self._labels.items()))}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the labels of a snapshot."""
        self._labels = {}
        self._learn((text, bool(label)) for text, label in state["labels"].items())

    def _learn(self, labelled: Iterable[tuple[str, bool]]) -> None:
        self._labels.update((text, bool(label)) for text, label in labelled)


class LabelTable(_Labelled):
    """1 for a text that the judge found worth reaching, 0 for others and for those without a label yet."""

    def __init__(self, judge: Judge, capacity: int = 1000) -> None:
        super().__init__(judge, capacity)

    def _worth(self, text: str) -> float:
        return float(self._labels.get(text, False))


class LabelClassifier(_Labelled):
    """1 for a text that a classifier of the judge's labels gives a probability above ``threshold``, else 0.

    A logistic regression on ``features``, fitted anew to all labels at each update, so that texts without a label are
    judged by those that resemble them.  Before there is a label nothing pays.
    """

    def __init__(
        self, judge: Judge, features: Features | None = None, threshold: float = 0.5, capacity: int = 1000
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"LabelClassifier: threshold {threshold} is not between 0 and 1")
        self.features, self.threshold = features or HashedWords(), threshold
        self._model: Linear | None = None
        super().__init__(judge, capacity)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the labels of a snapshot, and fit them."""
        self._model = None
        super().restore(state)

    def probability(self, text: str) -> float:
        """That the judge would find the text worth reaching; 0 before there is a label."""
        return 0.0 if self._model is None else float(sigmoid(self._model(self.features(text))))

    def _worth(self, text: str) -> float:
        return float(self.probability(text) > self.threshold)

    def _learn(self, labelled: Iterable[tuple[str, bool]]) -> None:
        before = len(self._labels)
        super()._learn(labelled)
        if len(self._labels) > before:
            # Sorted, so that the fit does not depend on the order in which the answers came.
            texts = sorted(self._labels)
            inputs = np.array([self.features(text) for text in texts])
            self._model = logistic(inputs, np.array([float(self._labels[text]) for text in texts]), RIDGE)


class PairRanking(_Feedback):
    """How much better a text is than the average of those compared, from a judge that compares two at a time.

    Bradley and Terry's model, P(a better than b) = sigmoid(v(a) - v(b)) with v linear in ``features``, fitted anew to
    all comparisons at each update; a tie counts one half for each.  A text pays v less the mean, over the standard
    deviation of v among the texts compared, and 0 where that is negative.  At each update ``pairs`` pairs of the
    group's texts, drawn by ``seed``, are offered to the judge.
    """

    def __init__(
        self,
        judge: Comparison,
        features: Features | None = None,
        pairs: int = 16,
        capacity: int = 1000,
        seed: int = 0,
    ) -> None:
        if pairs < 1:
            raise ValueError(f"PairRanking: pairs {pairs} is below 1")
        self.judge, self.features = judge, features or HashedWords()
        self.pairs, self.capacity, self.seed = pairs, capacity, seed
        self.annotator = Annotator(judge, capacity)
        self._verdicts: dict[tuple[str, str], int] = {}
        self._updates = 0
        self._model: Linear | None = None
        self._mean, self._deviation = 0.0, 1.0

    def update(self, group: Sequence[Trajectory]) -> None:
        """Learn the comparisons that have come in, and offer some of the group's texts to compare."""
        self._learn(self.annotator.take())
        texts = sorted(_texts(group))
        rng = np.random.default_rng((self.seed, self._updates))
        self._updates += 1
        for _ in range(self.pairs if len(texts) > 1 else 0):
            first, second = rng.choice(len(texts), 2, replace=False)
            if (texts[first], texts[second]) not in self._verdicts:
                self.annotator.offer((texts[first], texts[second]))

    def snapshot(self) -> dict[str, Any]:
        """The comparisons and the number of updates; what waits for an answer is not kept."""
        verdicts = [[*pair, verdict] for pair, verdict in sorted(self._verdicts.items())]
        return {"verdicts": verdicts, "updates": self._updates}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the comparisons of a snapshot."""
        self._verdicts, self._model = {}, None
        self._updates = int(state["updates"])
        self._learn([((first, second), int(verdict)) for first, second, verdict in state["verdicts"]])

    def _learn(self, compared: Iterable[tuple[tuple[str, str], int]]) -> None:
        before = len(self._verdicts)
        self._verdicts.update((pair, int(np.sign(verdict))) for pair, verdict in compared)
        if len(self._verdicts) == before:
            return
        pairs = sorted(self._verdicts)
        texts = sorted({text for pair in pairs for text in pair})
        vectors = {text: self.features(text) for text in texts}
        differences = np.array([vectors[first] - vectors[second] for first, second in pairs])
        wins = np.array([(1 + self._verdicts[pair]) / 2 for pair in pairs])
        self._model = logistic(differences, wins, RIDGE, bias=False)
        values = self._model(np.array([vectors[text] for text in texts]))
        self._mean, self._deviation = float(values.mean()), float(values.std())

    def _worth(self, text: str) -> float:
        if self._model is None or self._deviation < 1e-8:
            return 0.0
        return max(0.0, (float(self._model(self.features(text))) - self._mean) / self._deviation)


def _texts(group: Sequence[Trajectory]) -> list[str]:
    """What the group's turns led to, each text once, in order."""
    seen = (seen for trajectory in scored(group) for seen in arrivals(trajectory))
    return list(dict.fromkeys(text_of(observation) for observation in seen if observation is not None))
