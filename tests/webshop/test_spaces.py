"""Text of any script as a space, alone and in vectors."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import gymnasium as gym
import pytest
from gymnasium.vector.utils import (
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
    read_from_shared_memory,
    write_to_shared_memory,
)

from palestra.envs.spaces import AnyText

TEXTS = ("", "plain", "сапоги и 靴", "a\x00b\n\x1b[0m", "\N{SNOWMAN}\U0001f9e6", "\ud800 alone")


@pytest.mark.parametrize("text", TEXTS)
def test_every_string_is_a_member(text: str) -> None:
    assert text in AnyText()


@pytest.mark.parametrize("other", [None, 7, b"bytes", ["text"]])
def test_nothing_else_is(other: object) -> None:
    assert other not in AnyText()


def test_samples_are_seeded_members_of_many_scripts() -> None:
    first, second = AnyText(seed=3), AnyText(seed=3)
    samples = [first.sample() for _ in range(200)]
    assert samples == [second.sample() for _ in range(200)]
    assert all(sample in first and len(sample) <= first.sample_length for sample in samples)
    assert "" in samples
    assert any(not sample.isascii() for sample in samples)
    "".join(samples).encode()


def test_equality_copies_and_pickles() -> None:
    space = AnyText(sample_length=10, seed=1)
    assert space == AnyText(sample_length=10)
    assert hash(space) == hash(AnyText(sample_length=10))
    assert space != AnyText()
    for twin in (copy.deepcopy(space), pickle.loads(pickle.dumps(space))):
        assert twin == space
        assert twin.sample() == copy.deepcopy(space).sample()
    assert eval(repr(space)) == space
    texts = ["a", "\N{SNOWMAN}"]
    assert space.from_jsonable(space.to_jsonable(texts)) == texts


@pytest.mark.parametrize("arguments", [{"sample_length": -1}, {"shared_bytes": 0}])
def test_impossible_sizes(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="AnyText needs"):
        AnyText(**arguments)


def test_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="mask"):
        AnyText().sample(mask="abc")  # type: ignore[arg-type]


def test_batches() -> None:
    space = AnyText()
    batch = batch_space(space, 3)
    texts = ("a", "", "б")
    assert texts in batch
    assert batch.sample() in batch
    assert create_empty_array(space, 3) in batch
    assert concatenate(space, texts, create_empty_array(space, 3)) == texts
    assert tuple(iterate(batch, texts)) == texts


def test_shared_memory_holds_the_latest_texts_and_copies_the_earlier() -> None:
    space = gym.spaces.Dict({"page": AnyText(shared_bytes=1000), "number": gym.spaces.Discrete(3)})
    memory = create_shared_memory(space, len(TEXTS), multiprocessing)
    shared = read_from_shared_memory(space, memory, len(TEXTS))
    copies = []
    for texts in (TEXTS, TEXTS[::-1]):
        for index, text in enumerate(texts):
            write_to_shared_memory(space, index, {"page": text, "number": 1}, memory)
        copies.append(copy.deepcopy(shared)["page"])
        assert shared["page"][-1] == texts[-1]
        assert shared["page"][1:] == texts[1:]
    assert copies == [TEXTS, TEXTS[::-1]]


def test_what_does_not_fit_shared_memory_says_so() -> None:
    space = AnyText(shared_bytes=10)
    memory = create_shared_memory(space, 1, multiprocessing)
    write_to_shared_memory(space, 0, "ж" * 5, memory)
    with pytest.raises(ValueError, match="shared_memory"):
        write_to_shared_memory(space, 0, "ж" * 6, memory)
