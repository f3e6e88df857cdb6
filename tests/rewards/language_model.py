"""Small exact language models for rewards that ask for likelihoods; their tokens are words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

Recall = Callable[[list[str]], Hashable]


class TableLM:
    """Probabilities by hand: (context, target) to the probability of each token of the target."""

    def __init__(self, table: Mapping[tuple[str, str], Sequence[float]]) -> None:
        self.table = table
        self.asked: list[tuple[Any, str]] = []
        """The pairs of every call so far."""

    def logprobs(self, pairs: Sequence[tuple[Any, str]]) -> list[np.ndarray]:
        self.asked += pairs
        with np.errstate(divide="ignore"):
            return [np.log(np.array(self.table[pair], np.float64)) for pair in pairs]


class CountLM:
    """Counts of the words of (context, target) pairs' targets, with add-k smoothing.

    ``recall`` maps the words before a word to what it is counted after: the last word alone makes a bigram model.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], recall: Recall, k: float = 0.1) -> None:
        self.vocabulary = sorted({word for _, target in pairs for word in target.split()})
        self.recall = recall
        self.k = k
        self.counts: dict[Hashable, Counter[str]] = defaultdict(Counter)
        for context, target in pairs:
            before = context.split()
            for word in target.split():
                self.counts[recall(before)][word] += 1
                before.append(word)

    def logprobs(self, pairs: Sequence[tuple[Any, str]]) -> list[np.ndarray]:
        return [self._logprobs(context.split(), target.split()) for context, target in pairs]

    def probability(self, before: list[str], word: str) -> float:
        counts = self.counts.get(self.recall(before), Counter())
        return (counts[word] + self.k) / (counts.total() + self.k * len(self.vocabulary))

    def _logprobs(self, context: list[str], target: list[str]) -> np.ndarray:
        chain = [self.probability(context + target[:place], word) for place, word in enumerate(target)]
        return np.log(np.array(chain, np.float64))


def last_word(words: list[str]) -> Hashable:
    return words[-1] if words else None
