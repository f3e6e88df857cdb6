from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from palestra.agents.packed import KVCache, Packing, hidden_states, load_model, logits, pack

from .models import ARCHITECTURES, small_model_path

ROUNDING = 3e-5
"""Of any of some 100,000 log-probabilities in float32; a wrong mask or position moves these models' by over 1e-3."""


def random_ids(length: int, seed: int) -> torch.Tensor:
    return torch.randint(3, 300, (length,), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def alone(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Logits [n, vocabulary] by transformers' own eager attention, one sequence at a time and without a cache."""
    return model(input_ids=ids[None]).logits[0]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def models(request: Any) -> tuple[Any, Any]:
    """The packed model, and the same weights in transformers' eager attention."""
    path = str(small_model_path(request.param))
    eager = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    return load_model(path), eager


def test_packed_sequences_have_the_logits_that_they_have_alone(models: tuple[Any, Any]) -> None:
    packed, eager = models
    parts = [random_ids(length, length) for length in (70, 1, 24, 25, 130, 7)]
    with torch.no_grad():
        packing = Packing([len(part) for part in parts])
        together = logits(packed, hidden_states(packed, torch.cat(parts), packing))
    wanted = torch.cat([alone(eager, part) for part in parts])
    assert together.dtype == torch.float32
    assert (together.log_softmax(-1) - wanted.log_softmax(-1)).abs().max() <= ROUNDING


def advance(packed: Any, cache: KVCache, new: Sequence[torch.Tensor], past: Sequence[int], slots: Sequence[int]) -> Any:
    packing = Packing([len(part) for part in new], past, slots, cache)
    with torch.no_grad():
        scores = logits(packed, hidden_states(packed, torch.cat(list(new)), packing))
    return scores.split([len(part) for part in new])


def test_cached_sequences_continue_as_if_they_were_read_at_once(models: tuple[Any, Any]) -> None:
    """Chunks of every kind side by side: single tokens, a first prompt, a later turn; slots next to and far apart."""
    packed, eager = models
    ids = {slot: random_ids(60, slot) for slot in (0, 1, 5, 30, 31)}
    cache = KVCache(32)
    rounds = [
        {0: 40, 30: 1, 5: 9},
        {0: 1, 30: 1},
        {30: 1, 0: 1, 1: 28, 5: 20},
        {5: 1, 0: 1, 30: 17},
        {0: 1, 1: 1, 5: 1, 30: 1, 31: 3},
        {1: 30, 5: 28},
    ]
    done = dict.fromkeys(ids, 0)
    for sizes in rounds:
        order = sorted(sizes, key=lambda slot: sizes[slot] > 1)
        new = [ids[slot][done[slot] : done[slot] + sizes[slot]] for slot in order]
        scores = advance(packed, cache, new, [done[slot] for slot in order], order)
        for slot, got in zip(order, scores, strict=True):
            wanted = alone(eager, ids[slot][: done[slot] + sizes[slot]])[done[slot] :]
            assert (got.log_softmax(-1) - wanted.log_softmax(-1)).abs().max() <= ROUNDING, (slot, sizes)
            done[slot] += sizes[slot]


def test_the_cache_grows_and_keeps_what_it_holds(models: tuple[Any, Any]) -> None:
    packed, eager = models
    ids, cache = random_ids(600, 0), KVCache(2)
    advance(packed, cache, [ids[:250], ids[:3]], [0, 0], [1, 0])
    assert cache.capacity == 256
    scores = [
        advance(packed, cache, [ids[i : i + 1], ids[i - 247 : i - 246]], [i, i - 247], [1, 0]) for i in (250, 251)
    ]
    scores += [advance(packed, cache, [ids[252:600]], [252], [1])]
    assert cache.capacity == 1024
    wanted = alone(eager, ids)[250:].log_softmax(-1)
    got = torch.cat([part[0] for part in scores]).log_softmax(-1)
    assert (got - wanted).abs().max() <= ROUNDING


def test_forks_go_their_own_ways(models: tuple[Any, Any]) -> None:
    packed, eager = models
    shared, cache = random_ids(40, 0), KVCache(3)
    advance(packed, cache, [shared], [0], [2])
    cache.fork(2, 0, 39)
    ends = {0: torch.cat([shared[:39], random_ids(5, 1)]), 2: torch.cat([shared, random_ids(6, 2)])}
    got = advance(packed, cache, [ends[0][39:], ends[2][40:]], [39, 40], [0, 2])
    for slot, past, scores in ((0, 39, got[0]), (2, 40, got[1])):
        wanted = alone(eager, ends[slot])[past:]
        assert (scores.log_softmax(-1) - wanted.log_softmax(-1)).abs().max() <= ROUNDING


def test_gradients_are_those_of_the_sequences_alone(models: tuple[Any, Any]) -> None:
    packed, eager = models
    parts = [random_ids(length, length) for length in (40, 9, 31)]

    def gradients(model: Any, scores: list[torch.Tensor]) -> list[torch.Tensor]:
        torch.cat(scores).log_softmax(-1)[:, 7].sum().backward()
        found = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        return found

    packing = Packing([len(part) for part in parts])
    got = gradients(packed, [logits(packed, hidden_states(packed, torch.cat(parts), packing))])
    wanted = gradients(eager, [eager(input_ids=part[None]).logits[0] for part in parts])
    for (name, _), ours, theirs in zip(packed.named_parameters(), got, wanted, strict=True):
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max() + 1e-6, name


def test_a_packed_model_refuses_other_calls_and_dropout() -> None:
    model = load_model(str(small_model_path("qwen3")))
    assert not model.training
    with pytest.raises(RuntimeError, match=r"through palestra\.agents\.packed\.hidden_states"):
        model(input_ids=random_ids(3, 0)[None])
    model.config.attention_dropout = 0.1
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.1
    hidden_states(model, random_ids(3, 0), Packing([3]))
    with pytest.raises(ValueError, match="dropout"):
        hidden_states(model.train(), random_ids(3, 0), Packing([3]))


SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
OTHERS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "opt": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "ffn_dim": 64,
        "word_embed_proj_dim": 32,
    },
    "olmo2": {},
    "phi3": {},
    "mixtral": {},
    # What follows mixes sequences, is not told of the packing, or changes logits on the way out.
    "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 4},
    "bloom": {"n_layer": 2, "n_head": 4},
    "mamba": {"state_size": 8},
    "lfm2": {"layer_types": ["conv", "full_attention"], "initializer_range": 0.1},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "granite": {"logits_scaling": 4.0},
}
REFUSED = ("gpt_neo", "bloom", "mamba", "lfm2", "gpt_oss", "granite")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHERS)
def test_an_architecture_is_packed_or_refused(name: str) -> None:
    """Also those with learned positions; a model that is not refused computes the same at other lengths too."""
    config = AutoConfig.for_model(name, **(SIZES | OTHERS[name]))
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    parts = [random_ids(length, length) % 100 for length in (30, 12)]
    wanted = torch.cat([alone(model, part) for part in parts])
    if name in REFUSED:
        with pytest.raises(ValueError, match="cannot be run packed"):
            pack(model)
        return
    packed = pack(model)
    with torch.no_grad():
        got = logits(packed, hidden_states(packed, torch.cat(parts), Packing([30, 12])))
    assert torch.allclose(got, wanted, atol=1e-5)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model at"):
        load_model(str(tmp_path / "nowhere"))
