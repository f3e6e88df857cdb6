"""The search engine: BM25 over what WebShop indexes of a product.

Scores are Lucene's variant of BM25 (``bm25s``, method ``lucene``) with k1 = 0.9 and b = 0.4, which are Pyserini's
defaults and so the reference's.  The text of a product is its title, description, first bullet point and options.
Tokens are runs of letters and digits, lower-cased, without Lucene's English stop words; plurals lose their *s*
(Harman's S-stemmer, 1991), where the reference has Porter's stemmer.  Equal scores keep the catalogue's order.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from .catalogue import Catalogue
from .product import Product

#: How many results a search has at most.
RESULTS = 50
K1 = 0.9
B = 0.4

#: ``search(query, k)`` -> at most k asins in rank order.
SearchFunction = Callable[[str, int], Iterable[str]]

STOP_WORDS = frozenset(
    """
    a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to
    was will with
    """.split()  # noqa: SIM905
)
#: A query's later tokens do not count; Lucene, too, takes so many clauses.
_MOST_TOKENS = 1024
_CACHED_QUERIES = 4096
_LONGEST_CACHED_QUERY = 512
_word = re.compile(r"[^\W_]+")


def tokenise(text: str) -> Iterator[str]:
    """The index's tokens of a text."""
    for match in _word.finditer(text.lower()):
        if match[0] not in STOP_WORDS:
            yield singular(match[0])


def singular(word: str) -> str:
    """Harman's S-stemmer: queries -> query, shoes -> shoe, dress -> dress."""
    if len(word) > 3 and word.endswith("s"):
        if word.endswith("ies") and word[-4] not in "ea":
            return word[:-3] + "y"
        if word[-2] not in "us":
            return word[:-1]
    return word


def searchable_text(product: Product) -> str:
    """What the index knows of a product."""
    options = ", and ".join(f"{group}: {', '.join(values)}" for group, values in product.options.items())
    return " ".join([product.title, product.description, *product.bullets[:1], options])


class Bm25:
    """BM25 over a catalogue, in arrays in the form of ``bm25s``: a sparse matrix of scores, one column per token."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        import bm25s

        vocabulary = arrays["vocabulary"].tobytes().decode().split("\n")
        self._tokens = {token: number for number, token in enumerate(vocabulary)}
        self._bm25 = bm25s.BM25(k1=K1, b=B, method="lucene")
        self._bm25.vocab_dict = self._tokens
        self._bm25.nonoccurrence_array = None
        self._bm25.scores = {
            "data": arrays["data"],
            "indices": arrays["indices"],
            "indptr": arrays["indptr"],
            "num_docs": int(arrays["documents"][0]),
        }

    @staticmethod
    def index(catalogue: Catalogue) -> dict[str, np.ndarray]:
        """The arrays of an index over every product."""
        import bm25s
        from bm25s.tokenization import Tokenized

        vocabulary: dict[str, int] = {}
        documents = []
        for number in range(len(catalogue)):
            tokens = tokenise(searchable_text(catalogue.read(number)))
            documents.append([vocabulary.setdefault(token, len(vocabulary)) for token in tokens])
        engine = bm25s.BM25(k1=K1, b=B, method="lucene")
        engine.index(Tokenized(ids=documents, vocab=vocabulary), create_empty_token=False, show_progress=False)
        return {
            "vocabulary": np.frombuffer("\n".join(vocabulary).encode(), dtype=np.uint8),
            "data": engine.scores["data"],
            "indices": engine.scores["indices"],
            "indptr": engine.scores["indptr"],
            "documents": np.array([len(documents)], dtype=np.int64),
        }

    def __call__(self, query: str, k: int) -> list[int]:
        """The numbers of the at most k best products that share a token with the query, best first."""
        known = (self._tokens[token] for token in tokenise(query) if token in self._tokens)
        tokens = list(itertools.islice(known, _MOST_TOKENS))
        if not tokens:
            return []
        scores = self._bm25.get_scores_from_ids(tokens)
        found = np.flatnonzero(scores > 0)
        if len(found) > k:
            # Every product as good as the k-th, so that the order below decides between equals.
            found = found[scores[found] >= np.partition(scores[found], -k)[-k]]
        best: list[int] = found[np.argsort(-scores[found], kind="stable")][:k].tolist()
        return best


def numbers_of(search: SearchFunction, catalogue: Catalogue) -> Callable[[str, int], list[int]]:
    """A user's search as one that answers in product numbers; asins that the catalogue does not have are dropped."""

    def found(query: str, k: int) -> list[int]:
        numbers = map(catalogue.find, search(query, k))
        return [number for number in numbers if number is not None]

    return found


class CachedSearch:
    """A search that remembers its latest answers.  So a query has one answer for as long as it is remembered.

    Very long queries are not remembered: they would fill the memory.
    """

    def __init__(self, search: Callable[[str, int], list[int]]) -> None:
        self._search = search
        self._remembered: Any = lru_cache(maxsize=_CACHED_QUERIES)(self._answer)

    def _answer(self, query: str) -> tuple[int, ...]:
        return tuple(self._search(query, RESULTS)[:RESULTS])

    def __call__(self, query: str) -> tuple[int, ...]:
        """The products found, best first."""
        answer: tuple[int, ...] = self._answer(query) if len(query) > _LONGEST_CACHED_QUERY else self._remembered(query)
        return answer
