"""Annotation in a thread, and the three models of its labels."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward, env
from palestra.rewards.intrinsic import (
    Annotator,
    HashedWords,
    LabelClassifier,
    LabelTable,
    PairRanking,
    Source,
    intrinsic,
)

from .toys import KeyDoor, episodes_needed, play, wait_for


def path(*seen: str) -> Trajectory:
    return Trajectory(
        "X-v0", 0, 0, [Turn(text, "go") for text in seen[:-1]], Status.TERMINATED, final_observation=seen[-1]
    )


class Blocked:
    """A judge that does not answer until it is let go, and remembers what it was asked."""

    def __init__(self) -> None:
        self.go, self.begun, self.asked = threading.Event(), threading.Event(), list[str]()

    def __call__(self, text: str) -> bool:
        self.asked.append(text)
        self.begun.set()
        assert self.go.wait(30)
        return "gold" in text


def test_an_annotator_drops_rather_than_blocks_and_takes_the_newest_first() -> None:
    judge = Blocked()
    annotator = Annotator(judge, capacity=3)
    annotator.offer("first")
    assert judge.begun.wait(30)
    for text in ("a", "b", "gold", "d", "b", "e"):  # b is offered again, and becomes newer than gold and d
        annotator.offer(text)
    assert (annotator.offered, annotator.dropped, annotator.annotated) == (6, 2, 0)
    assert annotator.take() == []
    judge.go.set()
    wait_for(annotator)
    assert judge.asked == ["first", "e", "b", "d"]
    assert annotator.take() == [("first", False), ("e", False), ("b", False), ("d", False)]
    assert annotator.take() == []
    assert (annotator.offered, annotator.dropped, annotator.annotated) == (6, 2, 4)
    annotator.close()
    with pytest.raises(RuntimeError, match="closed"):
        annotator.offer("late")


def test_closing_drops_what_waits() -> None:
    judge = Blocked()
    annotator = Annotator(judge)
    annotator.offer("first")
    assert judge.begun.wait(30)
    annotator.offer("second")
    closing = threading.Thread(target=annotator.close)
    closing.start()
    judge.go.set()
    closing.join(30)
    assert not closing.is_alive()
    assert (annotator.annotated, annotator.dropped) == (1, 1)
    Annotator(judge).close()  # one that never began


def test_a_judges_error_is_raised_where_labels_are_taken() -> None:
    def broken(text: str) -> bool:
        raise OSError("no connection")

    source = LabelTable(broken)
    source.update([path("", "a")])
    assert source.annotator._thread is not None
    source.annotator._thread.join(30)
    with pytest.raises(RuntimeError, match=r"the annotator stopped: OSError\('no connection'\)") as caught:
        source.update([path("", "b")])
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Annotator(broken, capacity=0)


def test_labels_count_once_an_episode_and_are_asked_for_once() -> None:
    judge = Blocked()
    judge.go.set()
    source = LabelTable(judge)
    group = [path("gold", "cave", "gold", "cave", "gold")]
    assert source.bonus(group[0]).tolist() == [0, 0, 0, 0]
    for _ in range(3):
        source.update(group)
        wait_for(source.annotator)
    source.update([])
    assert sorted(judge.asked) == ["cave", "gold"]
    assert source.bonus(group[0]).tolist() == [0, 1, 0, 0]


def test_a_classifier_judges_what_it_was_never_told_about() -> None:
    source = LabelClassifier(lambda text: "gold" in text, HashedWords(64))
    seen = ["gold in a cave", "a cave", "gold on a wall", "a wall", "gold and a lamp", "a lamp"]
    assert source.bonus(path("", *seen)).tolist() == [0] * 6
    source.update([path("", *seen)])
    wait_for(source.annotator)
    source.update([])
    assert source.bonus(path("", *seen)).tolist() == [1, 0, 1, 0, 1, 0]
    assert source.bonus(path("", "gold under a tree", "a tree")).tolist() == [1, 0]
    assert source.probability("gold") > 0.5 > source.probability("wall")
    with pytest.raises(ValueError, match="threshold 1"):
        LabelClassifier(bool, threshold=1)


def test_a_ranking_orders_texts_and_pays_those_above_the_average() -> None:
    worth = {"mud": 0, "brick": 1, "silver": 2, "gold": 3}
    source = PairRanking(lambda pair: worth[pair[0]] - worth[pair[1]], HashedWords(64), pairs=12)
    texts = list(worth)
    assert source.bonus(path("", *texts)).tolist() == [0] * 4
    for _ in range(4):
        source.update([path("", *texts)])
        wait_for(source.annotator)
    source.update([])
    values = source.bonus(path("", *texts, "gold"))
    assert values[0] == values[1] == values[4] == 0
    assert 0 < values[2] < values[3]
    assert source.bonus(path("", "gold"))[0] == values[3]
    source = PairRanking(lambda pair: 0, HashedWords(64))
    source.update([path("", *texts)])
    wait_for(source.annotator)
    source.update([path("", "alone")])  # nothing to compare it with
    assert source.bonus(path("", *texts)).tolist() == [0] * 4  # all ties
    with pytest.raises(ValueError, match="pairs 0"):
        PairRanking(lambda pair: 0, pairs=0)


def test_works_oni_never_waits_for_the_judge() -> None:
    """2,000 turns are played and learned from while the judge is busy with its first question."""
    judge = Blocked()
    source = LabelTable(judge, capacity=5)
    rng = np.random.default_rng(0)
    turns = 0
    while turns < 2000:
        trajectory = play(KeyDoor(), lambda state, actions: str(rng.choice(actions)), 40)
        intrinsic(source)([trajectory])
        source.update([trajectory])
        turns += len(trajectory.turns)
    annotator = source.annotator
    assert len(judge.asked) <= 1
    assert annotator.annotated == 0
    assert annotator.dropped >= annotator.offered - 6 > 0
    judge.go.set()
    annotator.close()


def progress(text: str) -> int:
    return ("with key" in text.split("without")[0]) + 2 * ("door open" in text)


VARIANTS: dict[str, Callable[[], Source]] = {
    "table": lambda: LabelTable(lambda text: progress(text) > 0),
    "classifier": lambda: LabelClassifier(lambda text: progress(text) > 0, HashedWords(32)),
    "ranking": lambda: PairRanking(lambda pair: progress(pair[0]) - progress(pair[1]), HashedWords(32)),
}


def sparse() -> int:
    """Episodes that Q-learning needs without an intrinsic reward, the median of five seeds."""
    return int(np.median([episodes_needed(KeyDoor(), env, seed, limit=250) for seed in range(5)]))


@pytest.mark.slow
def test_works_oni_learning() -> None:
    needed = {"none": sparse()}
    for name, make in VARIANTS.items():
        rewards: list[Reward] = [env + 0.1 * intrinsic(make()) for _ in range(5)]
        needed[name] = int(
            np.median([episodes_needed(KeyDoor(), reward, seed, limit=250) for seed, reward in enumerate(rewards)])
        )
    print(needed)
    assert max(needed[name] for name in VARIANTS) < needed["none"]
