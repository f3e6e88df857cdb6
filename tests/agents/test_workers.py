"""Shares of a batch in threads: whatever their number, the same is computed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from palestra.agents.engine import Request, Sampling, generate
from palestra.agents.packed import load_model
from palestra.agents.transformers_engine import TransformersEngine
from palestra.agents.workers import Replicas, Workers, shares

from .models import small_model_path


def test_each_item_has_a_thread_and_results_keep_their_order() -> None:
    workers = Workers(3)
    together = threading.Barrier(3, timeout=60)

    def work(item: int) -> tuple[int, str, bool]:
        together.wait()
        assert torch.get_num_threads() == 1
        return item, threading.current_thread().name, torch.is_inference_mode_enabled()

    with torch.inference_mode():
        results = workers.map(work, [5, 6, 7])
    assert [item for item, _, _ in results] == [5, 6, 7]
    assert results[0][1] == threading.current_thread().name
    assert all(inference for _, _, inference in results)
    assert not workers.map(lambda item: torch.is_inference_mode_enabled(), [0, 1])[1]
    with pytest.raises(ValueError, match="4 items for 3 workers"):
        workers.map(work, [1, 2, 3, 4])
    workers.close()
    with pytest.raises(ValueError, match="at least one"):
        Workers(0)


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_is_raised_when_all_have_ended(failing: int) -> None:
    ended = []

    def work(item: int) -> None:
        if item == failing:
            raise LookupError(str(item))
        threading.Event().wait(0.05)
        ended.append(item)

    workers = Workers(2)
    with pytest.raises(LookupError, match=str(failing)):
        workers.map(work, [0, 1])
    assert ended == [1 - failing]
    workers.close()


def test_shares_are_of_about_one_size_and_none_is_empty() -> None:
    assert shares([5, 1, 4, 2, 3], int, 1) == [[5, 1, 4, 2, 3]]
    assert shares([5, 1, 4, 2, 3], int, 2) == [[5, 1, 2], [4, 3]]
    assert shares([7], int, 3) == [[7]]
    assert shares([], int, 3) == []


def test_replicas_share_weights_and_add_their_gradients() -> None:
    model = load_model(str(small_model_path("qwen3")))
    replicas = Replicas(model, 2)
    first, second = replicas.models
    for number, each in enumerate((first, second)):
        loss = sum((number + 1) * parameter.sum() for parameter in each.parameters())
        loss.backward()  # type: ignore[union-attr]
    replicas.gather()
    for parameter, other in zip(first.parameters(), second.parameters(), strict=True):
        assert parameter.data_ptr() == other.data_ptr()
        assert other.grad is None
        assert torch.equal(parameter.grad, torch.full_like(parameter, 3.0))


def test_an_engine_with_workers_samples_the_same() -> None:
    path = str(small_model_path("qwen3"))
    tokenizer = AutoTokenizer.from_pretrained(path)
    completions = []
    for count in (1, 2, 3):
        workers = Workers(count)
        engine = TransformersEngine(load_model(path), tokenizer, slots=100, workers=workers)
        pages = np.random.default_rng(1).integers(3, 60, (100, 40)).astype(np.int32)
        asked = [Request(n, page[: 5 + n % 35], Sampling(8, 1.0), (n,)) for n, page in enumerate(pages)]
        first = generate(engine, asked)
        more = [Request(n, page[:3], Sampling(8, 1.0), (n, 1)) for n, page in enumerate(pages)]
        completions.append([*first, *generate(engine, more)])
        workers.close()
    for other in completions[1:]:
        for one, two in zip(completions[0], other, strict=True):
            assert one.ids.tolist() == two.ids.tolist()
            np.testing.assert_allclose(one.logprobs, two.logprobs, atol=1e-5)
