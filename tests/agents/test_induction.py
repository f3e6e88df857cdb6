from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from palestra.agents.induction import begin_with_induction
from palestra.agents.small import build_model, save_small_model, train_tokenizer

from .models import TEXTS


def model_of(**sizes: Any) -> Any:
    return build_model(train_tokenizer(["a"], vocab_size=259), **{"hidden": 128, "layers": 2, "seed": 1, **sizes})


def copied(model: Any) -> float:
    """The share of random ids that the model says again in a row that repeats them, from the second of them on."""
    ids = torch.randint(3, 259, (16, 40), generator=torch.Generator().manual_seed(99))
    with torch.no_grad():
        said = model(input_ids=torch.cat([ids, ids], 1)).logits.argmax(-1)
    return float((said[:, 40:-1] == ids[:, 1:]).float().mean())


@pytest.mark.parametrize(
    "sizes", [{}, {"layers": 4}, {"hidden": 256, "heads": 8}, {"kv_heads": 4}, {"kv_heads": 1}], ids=str
)
def test_a_model_copies_before_it_has_learned_anything(sizes: dict[str, int]) -> None:
    model = model_of(**sizes)
    assert copied(model) < 0.05
    begin_with_induction(model)
    assert copied(model) > 0.4


def test_the_seed_decides_and_torch_draws_on() -> None:
    models = [model_of() for _ in range(3)]
    state = torch.get_rng_state()
    for model, seed in zip(models, (0, 0, 1), strict=True):
        begin_with_induction(model, seed)
    assert torch.equal(torch.get_rng_state(), state)
    first, same, other = (model.model.layers[1].self_attn.k_proj.weight for model in models)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"architecture": "llama"}, "not a llama"),
        ({"layers": 1}, "two layers or more, not a qwen3 of 1"),
        ({"hidden": 32}, "of ten dimensions or more"),
        ({"heads": 2}, "three heads or more"),
    ],
    ids=str,
)
def test_a_model_that_has_no_room_for_it_is_an_error(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        begin_with_induction(model_of(**sizes))


def test_a_small_model_is_saved_with_it(tmp_path: Path) -> None:
    save_small_model(tmp_path, TEXTS, vocab_size=300, hidden=64, layers=2, induction=True, seed=3)
    saved = AutoModelForCausalLM.from_pretrained(tmp_path)
    plain = build_model(train_tokenizer(TEXTS, 300), hidden=64, layers=2, seed=3)
    assert plain.get_input_embeddings().weight[:, -1].unique().numel() > 1
    assert saved.get_input_embeddings().weight[:, -1].unique().numel() == 1
