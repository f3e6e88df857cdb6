"""The default search is the BM25 that it says it is, and searches of the user's own are taken as they are."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from palestra.envs.webshop import WebShop
from palestra.envs.webshop.load import shared_catalogue, shared_search
from palestra.envs.webshop.search import K1, RESULTS, B, Bm25, CachedSearch, searchable_text, singular, tokenise


def reference_scores(documents: list[list[str]], query: list[str]) -> list[float]:
    """BM25 as Lucene computes it, term by term."""
    average = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        counts = Counter(document)
        score = 0.0
        for term in query:
            df = sum(term in other for other in documents)
            if counts[term]:
                idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
                score += idf * counts[term] / (counts[term] + K1 * (1 - B + B * len(document) / average))
        scores.append(score)
    return scores


@pytest.mark.parametrize(
    "query", ["queen rug", "waterproof sandals for kids", "steel steel kettle", "navy blue x-large"]
)
def test_it_ranks_as_the_formula_does(contract: Path, query: str) -> None:
    catalogue = shared_catalogue(contract)
    documents = [list(tokenise(searchable_text(catalogue.read(number)))) for number in range(len(catalogue))]
    scores = np.array(reference_scores(documents, list(tokenise(query))))
    found = Bm25(Bm25.index(catalogue))(query, RESULTS)
    assert len(found) == min(RESULTS, int((scores > 0).sum()))
    assert np.all(np.diff(scores[found]) <= 1e-5)
    missing = np.setdiff1d(np.arange(len(catalogue)), found)
    assert scores[missing].max() <= scores[found].min() + 1e-5


def test_equal_scores_keep_the_catalogues_order(contract: Path) -> None:
    search = Bm25(Bm25.index(shared_catalogue(contract)))
    scores = search._bm25.get_scores_from_ids([search._tokens[token] for token in tokenise("acme")])
    found = search("Acme", RESULTS)
    assert found == sorted(found, key=lambda number: (-scores[number], number))
    assert len({float(scores[number]) for number in found}) < len(found)
    assert found[:7] == search("acme", 7)


@pytest.mark.parametrize("query", ["", " ", "!?", "the of and", "qqqqqq zzzzzz", "\ud800"])
def test_nothing_is_found_by_nothing(query: str) -> None:
    assert Bm25(Bm25.index(shared_catalogue(None)))(query, RESULTS) == []


@pytest.mark.parametrize(
    ("word", "stem"),
    [("shoes", "shoe"), ("berries", "berry"), ("dress", "dress"), ("bus", "bus"), ("his", "his"), ("ties", "ty")],
)
def test_plurals(word: str, stem: str) -> None:
    assert singular(word) == stem


def test_tokens_are_words_of_any_script_without_case() -> None:
    assert list(tokenise("The Café's 2-in-1 SHOES_and ботинки, 靴!")) == [
        "café",
        "s",
        "2",
        "1",
        "shoe",
        "ботинки",
        "靴",
    ]


def test_what_is_indexed_of_a_product(contract: Path) -> None:
    product = shared_catalogue(contract).read(0)
    text = searchable_text(product)
    assert product.title in text
    assert product.description in text
    assert product.bullets[0] in text
    assert product.bullets[1] not in text
    assert "color: red, a-gray, multicolor | 3, b07-white" in text


def test_a_search_of_ones_own(contract: Path) -> None:
    asked = []

    def search(query: str, k: int) -> list[str]:
        asked.append((query, k))
        return ["BNKTE6DBKW", "UNKNOWN", "BE41JRQX2D"] + ["BSXGFF5LZ4"] * 100

    shop = WebShop(catalogue=contract, search=search)
    shop.reset(options={"goal": 0})
    page, *_ = shop.step("search[A Lamp]")
    assert asked == [("a lamp", 50)]
    assert "Page 1 (Total results: 50) [SEP] Next > [SEP] BNKTE6DBKW" in page
    assert page.index("BNKTE6DBKW") < page.index("BE41JRQX2D")
    assert "UNKNOWN" not in page
    shop.step("search[a lamp]")
    assert len(asked) == 1


def test_very_long_queries_are_not_remembered() -> None:
    asked = []
    search = CachedSearch(lambda query, k: asked.append(query) or [])
    for query in ("short", "short", "long " * 1000, "long " * 1000):
        search(query)
    assert [query[:5] for query in asked] == ["short", "long ", "long "]


def test_the_default_search_is_shared_and_lazy() -> None:
    shop = WebShop()
    shop.reset(seed=0)
    assert "_search" not in vars(shop)
    shop.step("search[lamp]")
    assert shop._search is shared_search(shop._catalogue)
