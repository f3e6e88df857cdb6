"""Sampling one of a few replies: only those come, in the model's proportions, and the learner agrees."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from palestra.agents.choices import Choices, allowed_ids
from palestra.agents.engine import Request, Sampling, generate
from palestra.agents.packed import Packing, hidden_states, load_model, logits
from palestra.agents.renderer import Renderer
from palestra.agents.transformers_engine import TransformersEngine
from palestra.training.config import Objective, Optimizer
from palestra.training.learner import Learner
from palestra.training.rows import to_rows
from palestra.trajectory import Trajectory, Turn

from .models import small_model_path


def test_a_tree_knows_what_may_follow() -> None:
    tree = Choices([np.array([1, 2, 9]), np.array([1, 3, 9]), np.array([4, 9])])
    assert tree.after(()).tolist() == [1, 4]
    assert tree.after((1,)).tolist() == [2, 3]
    assert tree.after((4,)).tolist() == [9]
    assert not len(tree.after((1, 2, 9)))
    with pytest.raises(KeyError):
        tree.after((2,))
    with pytest.raises(ValueError, match="another begins with it"):
        Choices([np.array([1]), np.array([1, 2])])


def test_choices_are_drawn_in_the_model_s_proportions_and_relearned() -> None:
    path = small_model_path("qwen3")
    model, tokenizer = load_model(path), AutoTokenizer.from_pretrained(path)
    renderer = Renderer(tokenizer)
    choices = tuple(map(renderer.reply, ["blue lamp", "blue desk", "search"]))
    prompt = renderer.start("Which one?")
    engine = TransformersEngine(model, tokenizer, slots=64)
    sampling = Sampling(max_tokens=16, stop_ids=renderer.stop_ids)
    counts: Counter[tuple[int, ...]] = Counter()
    turns = []
    for start in range(0, 2048, 64):
        requests = [Request(n, prompt, sampling, (n,), choices) for n in range(start, start + 64)]
        for completion in generate(engine, requests):
            counts[tuple(completion.ids.tolist())] += 1
            engine.release(completion.session)
            assert len(completion.logprobs) == len(completion.ids)
            turns.append(Turn("", "", 0.0, prompt, completion.ids, completion.logprobs, choices=choices))
    assert set(counts) == {tuple(choice.tolist()) for choice in choices}
    for choice in choices:
        expected = _probability(model, prompt, choice, choices)
        assert counts[tuple(choice.tolist())] / 2048 == pytest.approx(expected, abs=0.04)

    episodes = [Trajectory("", None, 0, [turn]) for turn in turns[:32]]
    rows = [row for episode in episodes for row in to_rows(episode, np.ones(1))]
    metrics = Learner(model, Optimizer(), Objective(), 1).update(rows, np.random.default_rng(0))
    assert metrics["gap_max"] < 1e-4
    assert metrics["entropy"] < np.log(3)


def test_a_choice_that_is_too_long_is_refused() -> None:
    path = small_model_path("qwen3")
    engine = TransformersEngine(load_model(path))
    with pytest.raises(ValueError, match="a choice has 3 tokens"):
        engine.submit(Request(0, np.array([5]), Sampling(max_tokens=2), choices=(np.array([1, 2, 3]),)))


@torch.no_grad()
def _probability(
    model: torch.nn.Module, prompt: np.ndarray, choice: np.ndarray, choices: tuple[np.ndarray, ...]
) -> float:
    """By one plain forward: the product of each token's share among those that may follow."""
    ids = torch.from_numpy(np.concatenate([prompt, choice]).astype(np.int64))
    scores = logits(model, hidden_states(model, ids, Packing([len(ids)])))[len(prompt) - 1 : -1]  # type: ignore[arg-type]
    shares = [
        row[torch.from_numpy(allowed)].softmax(0)[allowed.tolist().index(token)]
        for row, allowed, token in zip(scores, allowed_ids(choices, choice), choice.tolist(), strict=True)
    ]
    return float(np.prod(shares))
