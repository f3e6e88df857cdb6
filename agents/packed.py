"""Causal language models over *packed* tokens: sequences of unequal length side by side, without padding.

Sampling and training run the very same forward, so that their log-probabilities agree: all tokens of a batch lie in one
row ``[1, tokens]``, and a :class:`Packing`, passed through the model to the attention function registered here, says
which tokens attend to which.  With a :class:`KVCache`, each sequence continues one that is already cached.

Works with every ``transformers`` causal language model that supports its attention interface (checked when a model is
loaded), sliding windows and attention soft-capping included.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AutoModelForCausalLM, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

IMPLEMENTATION = "palestra_packed"


class KVCache:
    """Keys and values of ``slots`` sequences, per layer ``[slots, kv_heads, capacity, head_dim]``, grown on demand."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.capacity = 256
        self.keys: dict[int, torch.Tensor] = {}
        self.values: dict[int, torch.Tensor] = {}
        self._lock = threading.Lock()

    def reserve(self, length: int) -> None:
        """Make room for sequences of ``length`` tokens."""
        if length <= self.capacity:
            return
        while self.capacity < length:
            self.capacity *= 2
        for store in (self.keys, self.values):
            for layer, old in store.items():
                new = old.new_zeros(self.slots, old.shape[1], self.capacity, old.shape[3])
                new[:, :, : old.shape[2]] = old
                store[layer] = new

    def layer(self, index: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The keys and values of layer ``index``, made for keys like ``like`` [1, kv_heads, tokens, head_dim]."""
        with self._lock:
            if index not in self.keys:
                shape = (self.slots, like.shape[1], self.capacity, like.shape[3])
                self.keys[index], self.values[index] = like.new_zeros(shape), like.new_zeros(shape)
        return self.keys[index], self.values[index]

    def fork(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of slot ``source`` to slot ``target``."""
        for store in (self.keys, self.values):
            for tensor in store.values():
                tensor[target, :, :length] = tensor[source, :, :length]


class Packing:
    """Which packed tokens belong together: sequence i has ``new[i]`` tokens here, after ``past[i]`` in its cache slot.

    Sequences of one token that continue a cached one come first: they are attended to in one batch.
    """

    def __init__(
        self,
        new: Sequence[int],
        past: Sequence[int] | None = None,
        slots: Sequence[int] | None = None,
        cache: KVCache | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.new = list(new)
        self.past = list(past) if past is not None else [0] * len(self.new)
        self.slots = list(slots) if slots is not None else []
        self.cache = cache
        steps = zip(self.past, self.new, strict=True)
        positions = [torch.arange(p, p + n, dtype=torch.long) for p, n in steps]
        self.positions = torch.cat(positions).to(device)[None]
        """[1, tokens] the position of each token in its sequence."""
        self.singles = 0
        if cache is not None:
            cache.reserve(max(p + n for p, n in zip(self.past, self.new, strict=True)))
            while self.singles < len(self.new) and self.new[self.singles] == 1:
                self.singles += 1
            self._plan_singles(torch.device(device))
        self._masks: dict[tuple[int, int, int | None], torch.Tensor] = {}

    def _plan_singles(self, device: torch.device) -> None:
        if not self.singles:
            return
        slots, past = self.slots[: self.singles], self.past[: self.singles]
        self.single_slots = torch.tensor(slots, device=device)
        self.single_past = torch.tensor(past, device=device)
        self.longest = max(past) + 1
        first, last = min(slots), max(slots) + 1
        # Reading a contiguous span of the cache beats gathering rows from it unless most of the span is idle.
        self.span = (first, last) if last - first <= 2 * len(slots) else None
        if self.span is not None:
            self.rows = self.single_slots - first
            lengths = torch.zeros(last - first, dtype=torch.long, device=device)
            lengths[self.rows] = self.single_past
        else:
            self.rows = torch.arange(len(slots), device=device)
            lengths = self.single_past
        self._lengths = lengths

    def single_mask(self, window: int | None) -> torch.Tensor:
        """[rows, 1, 1, longest] float: 0 where a one-token query may look, -inf elsewhere."""
        key = (-1, -1, window)
        if key not in self._masks:
            place = torch.arange(self.longest, device=self._lengths.device)[None]
            hidden = place > self._lengths[:, None]
            if window is not None:
                hidden |= place <= self._lengths[:, None] - window
            mask = torch.zeros(hidden.shape, device=hidden.device).masked_fill_(hidden, float("-inf"))
            self._masks[key] = mask[:, None, None]
        return self._masks[key]

    def mask(self, new: int, past: int, window: int | None, device: torch.device) -> torch.Tensor | None:
        """[new, past + new] bool: where a sequence's queries may look; None for a plain causal square."""
        if window is not None and past + new <= window:
            window = None
        if past == 0 and window is None:
            return None
        key = (new, past, window)
        if key not in self._masks:
            allowed = torch.ones(new, past + new, dtype=torch.bool, device=device).tril_(past)
            if window is not None:
                allowed.triu_(past - window + 1)
            self._masks[key] = allowed
        return self._masks[key]


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None,
) -> torch.Tensor:
    """Attention of one sequence: ``query`` [1, heads, n, d], ``key`` and ``value`` [1, kv_heads, m, d]."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if softcap is None:
        return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling, is_causal=mask is None)
    scores = torch.tanh(query @ key.transpose(2, 3) * (scaling / softcap)) * softcap
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril_()
    return scores.masked_fill(~mask, float("-inf")).softmax(-1, torch.float32).to(value.dtype) @ value


def _attend_singles(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    packing: Packing,
    scaling: float,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """One-token queries [1, heads, singles, d] against their cache slots, in one batch; [1, heads, singles, d]."""
    heads, dim = query.shape[1], query.shape[3]
    if packing.span is not None:
        first, last = packing.span
        keys, values = keys[first:last, :, : packing.longest], values[first:last, :, : packing.longest]
    else:
        keys = keys[:, :, : packing.longest][packing.single_slots]
        values = values[:, :, : packing.longest][packing.single_slots]
    rows, kv_heads = keys.shape[:2]
    per_row = query[0].transpose(0, 1)
    if packing.span is not None:
        per_row = query.new_zeros(rows, heads, dim).index_copy_(0, packing.rows, per_row)
    scores = (per_row.reshape(rows, kv_heads, heads // kv_heads, dim) * scaling) @ keys.transpose(2, 3)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    weights = (scores.float() + packing.single_mask(window)).softmax(-1).to(values.dtype)
    output = (weights @ values).reshape(rows, heads, dim)
    return output[packing.rows].transpose(0, 1)[None]


def _packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    packing: Packing | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    if packing is None:
        raise RuntimeError("a packed model must be called through palestra.agents.packed.hidden_states")
    if dropout:
        raise ValueError("dropout would make the trained policy differ from the sampled one; call model.eval()")
    outputs: list[torch.Tensor] = []
    start = packing.singles
    if packing.cache is not None:
        keys, values = packing.cache.layer(int(module.layer_idx), key)  # type: ignore[arg-type]
        if start:
            place = (packing.single_slots, slice(None), packing.single_past)
            keys[place] = key[0, :, :start].transpose(0, 1)
            values[place] = value[0, :, :start].transpose(0, 1)
            singles = query[:, :, :start]
            outputs.append(_attend_singles(singles, keys, values, packing, scaling, sliding_window, softcap))
    for index in range(packing.singles, len(packing.new)):
        new, past = packing.new[index], packing.past[index]
        stop = start + new
        k, v = key[:, :, start:stop], value[:, :, start:stop]
        if packing.cache is not None:
            slot = packing.slots[index]
            keys[slot, :, past : past + new] = k[0]
            values[slot, :, past : past + new] = v[0]
            k, v = keys[slot : slot + 1, :, : past + new], values[slot : slot + 1, :, : past + new]
        mask = packing.mask(new, past, sliding_window, query.device)
        outputs.append(_attend(query[:, :, start:stop], k, v, mask, scaling, softcap))
        start = stop
    return torch.cat(outputs, 2).transpose(1, 2), None


AttentionInterface.register(IMPLEMENTATION, _packed_attention)
AttentionMaskInterface.register(IMPLEMENTATION, lambda *args, **kwargs: None)


def hidden_states(model: PreTrainedModel, ids: torch.Tensor, packing: Packing) -> torch.Tensor:
    """The last hidden states [tokens, hidden] of packed ``ids`` [tokens]."""
    output = model.get_decoder()(
        input_ids=ids[None], position_ids=packing.positions, use_cache=False, packing=packing, attention_mask=None
    )
    return output.last_hidden_state[0]


def logits(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Next-token logits [n, vocabulary] float32 of hidden states [n, hidden]."""
    result: torch.Tensor = model.get_output_embeddings()(hidden).float()
    softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    return result if softcap is None else torch.tanh(result / softcap) * softcap


def load_model(path: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load a causal language model from a folder or the hub, ready for packed forwards.

    It is in evaluation mode, and stays there when it is trained: dropout would make the trained policy differ from the
    one that was sampled.

    Raises:
        ValueError: if there is no model, or the architecture cannot be run packed (see :func:`pack`).
    """
    try:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, attn_implementation="eager").to(device).eval()
    except OSError as error:
        raise ValueError(f"no model at {path!r}: {error}") from error
    return pack(model)


@torch.no_grad()
def pack(model: PreTrainedModel) -> PreTrainedModel:
    """Switch a model to packed attention, after checking that two short sequences have the same logits in every form.

    The forms are: alone with the model's own attention (``"eager"`` or ``"sdpa"``), packed together, and packed with a
    cache, the last tokens one by one.

    Raises:
        ValueError: if they have not.
    """
    device = next(model.parameters()).device
    size = model.get_input_embeddings().weight.shape[0]
    parts = [torch.arange(n, device=device) * 37 % size for n in (7, 4)]
    apart = torch.cat([model(input_ids=part[None]).logits[0].float() for part in parts])
    try:
        model.set_attn_implementation(IMPLEMENTATION)
        together = logits(model, hidden_states(model, torch.cat(parts), Packing([7, 4], device=device)))
        cached = _one_by_one(model, parts)
    except (ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{type(model).__name__} cannot be run packed: {error}") from error
    tolerance = (2e-4 if model.dtype == torch.float32 else 0.1) * apart.std()
    for form, scores in (("packed", together), ("packed with a cache", cached)):
        gap = (apart - scores).abs().max()
        if not gap <= tolerance:
            raise ValueError(f"{type(model).__name__} cannot be run packed: its logits change by {gap:.2g} when {form}")
    return model


def _one_by_one(model: PreTrainedModel, parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Logits [tokens, vocabulary] of sequences whose last two tokens follow from a cache."""
    cache, device = KVCache(len(parts)), parts[0].device
    slots, lengths = list(range(len(parts)))[::-1], [len(part) - 2 for part in parts]
    heads = torch.cat([part[:-2] for part in parts])
    packing = Packing(lengths, [0] * len(parts), slots, cache, device)
    scores = list(logits(model, hidden_states(model, heads, packing)).split(lengths))
    for place in (-2, -1):
        packing = Packing([1] * len(parts), lengths, slots, cache, device)
        new = logits(model, hidden_states(model, torch.stack([part[place] for part in parts]), packing))
        scores = [torch.cat([old, row[None]]) for old, row in zip(scores, new, strict=True)]
        lengths = [length + 1 for length in lengths]
    return torch.cat(scores)
