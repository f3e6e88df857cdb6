"""Step labels on a tree of moves in which some lead to where no leaf is right."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np
import pytest

from palestra.rewards.judges.steps import first_error, outcome_labels, refined, stepwise_labels
from palestra.rewards.regression import Linear, logistic, sigmoid

DEPTH, MOVES = 5, 3
Path = tuple[int, ...]


class Tree:
    """At each depth one of three moves is a mistake that nothing mends."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.bad = {(depth, int(rng.integers(MOVES))) for depth in range(DEPTH)}

    def right(self, path: Path) -> bool:
        return not any((depth, move) in self.bad for depth, move in enumerate(path))

    def reachable(self, prefix: Path) -> bool:
        """By looking at every leaf."""
        rest = product(range(MOVES), repeat=DEPTH - len(prefix))
        return any(self.right((*prefix, *tail)) for tail in rest)

    def finish(self, prefix: Path, rng: np.random.Generator) -> Path:
        return (*prefix, *(int(move) for move in rng.integers(MOVES, size=DEPTH - len(prefix))))

    def continues(self, prefix: Path, rng: np.random.Generator) -> bool:
        return self.right(self.finish(prefix, rng))


def features(path: Path) -> np.ndarray:
    """Of each prefix, which moves it holds at which depth: [steps, depth * moves]."""
    rows = np.zeros((len(path), DEPTH, MOVES))
    for depth, move in enumerate(path):
        rows[depth:, depth, move] = 1
    return rows.reshape(len(path), -1)


@cache
def models(seed: int) -> tuple[Linear, Linear]:
    """A stepwise and an outcome model of a tree, from the same 100 drafts."""
    tree, rng = Tree(seed), np.random.default_rng(1000 + seed)
    paths = [tree.finish((), rng) for _ in range(100)]
    rows = np.concatenate([features(path) for path in paths])
    stepwise = np.concatenate([stepwise_labels(path, tree.continues, 32, rng) for path in paths])
    outcome = np.concatenate([outcome_labels(path, tree.right(path)) for path in paths])
    return logistic(rows, stepwise.astype(float), 0.1), logistic(rows, outcome.astype(float), 0.1)


def scored(model: Linear) -> Callable[[Path], np.ndarray]:
    return lambda path: sigmoid(model(features(path)))


def test_the_first_error_is_the_first_below_the_threshold() -> None:
    assert first_error(np.array([0.9, 0.5, 0.4, 0.9])) == 2
    assert first_error(np.array([True, False, False])) == 1
    assert first_error(np.array([1.0, 1.0])) is None
    assert first_error(np.array([0.9, 0.5]), threshold=0.95) == 0
    assert outcome_labels((1, 2, 3), True).tolist() == [True] * 3


def test_a_good_prefix_settles_the_shorter_ones_and_sampling_stops_there() -> None:
    asked: list[Path] = []

    def continues(prefix: Path, rng: np.random.Generator) -> bool:
        asked.append(prefix)
        return len(prefix) == 2

    rng = np.random.default_rng(0)
    assert stepwise_labels((7, 8, 9), continues, 2, rng).tolist() == [True, True, False]
    assert asked == [(7, 8, 9), (7, 8, 9), (7, 8)]
    assert stepwise_labels((), continues, 2, rng).tolist() == []
    with pytest.raises(ValueError, match="at least 1"):
        stepwise_labels((7,), continues, 0, rng)


def test_works_glore_labels() -> None:
    found, wanted = [], []
    for seed in range(5):
        tree, rng = Tree(seed), np.random.default_rng(seed)
        for _ in range(8):
            path = tree.finish((), rng)
            found += stepwise_labels(path, tree.continues, 64, rng).tolist()
            wanted += [tree.reachable(path[:end]) for end in range(1, DEPTH + 1)]
    assert found == wanted
    assert 0.1 < np.mean(wanted) < 0.9


def test_works_glore_localises() -> None:
    hits: dict[str, list[bool]] = {"stepwise": [], "outcome": []}
    for seed in range(3):
        tree, rng = Tree(seed), np.random.default_rng(seed)
        stepwise, outcome = models(seed)
        wrong = [path for path in (tree.finish((), rng) for _ in range(100)) if not tree.right(path)]
        for path in wrong:
            truth = next(depth for depth, move in enumerate(path) if (depth, move) in tree.bad)
            hits["stepwise"].append(first_error(scored(stepwise)(path)) == truth)
            hits["outcome"].append(first_error(scored(outcome)(path)) == truth)
    means = {name: float(np.mean(found)) for name, found in hits.items()}
    print("first bad step found:", means)
    assert means["stepwise"] > means["outcome"] + 0.2
    assert means["stepwise"] > 0.9


def test_works_glore_refinements() -> None:
    right: dict[str, list[bool]] = {"draft": [], "global": [], "local": [], "all": []}
    for seed in range(3):
        tree, rng = Tree(seed), np.random.default_rng(seed)
        stepwise, outcome = models(seed)

        def again(prefix: Path, tree: Tree = tree, rng: np.random.Generator = rng) -> Path:
            return tree.finish(prefix, rng)

        def rerank(path: Path, outcome: Linear = outcome) -> float:
            return float(scored(outcome)(path)[-1])

        for _ in range(200):
            draft = again(())
            error = first_error(scored(stepwise)(draft))
            right["draft"].append(tree.right(draft))
            right["global"].append(tree.right(again(())))
            right["local"].append(tree.right(draft if error is None else again(draft[:error])))
            best = refined(draft, steps=scored(stepwise), again=again, rerank=rerank)
            right["all"].append(tree.right(best))
    means = {name: float(np.mean(found)) for name, found in right.items()}
    print("right:", means)
    assert means["all"] > max(means["draft"], means["global"], means["local"]) + 0.02


def test_refined_prefers_the_draft_among_equals() -> None:
    def again(prefix: tuple[str, ...]) -> tuple[str, ...]:
        return (*prefix, "new")

    assert refined(("a", "b"), steps=lambda path: np.array([1, 0]), again=again, rerank=lambda path: 0.0) == ("a", "b")
    assert refined(("a", "b"), steps=lambda path: np.array([1, 0]), again=again, rerank=len) == ("a", "b")
    by_end = {"b": 0.0, "new": 1.0}
    found = refined(("a", "b"), steps=lambda path: np.array([1, 0]), again=again, rerank=lambda path: by_end[path[-1]])
    assert found == ("new",)
    fallen = refined(("a", "b"), steps=lambda path: np.ones(2), again=again, rerank=lambda path: by_end[path[-1]])
    assert fallen == ("new",)
