"""A beginning for small models: weights that copy what stood before, as two layers of attention learn to do it."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

FAST = 3
"""Rotary pairs that tell the token before from its neighbours: in a head of 32 they turn by 1, 0.42 and 0.18."""
NEAR = 4
"""Rotary pairs that turn too fast to compare words that stand far apart."""
OFFSET = 3.0
"""What all embeddings share, in standard deviations of their weights: by it a head finds a place, whatever is there."""
SHARPNESS = 2.0
"""Of queries and of keys; attention's logits are then at most four times ``sqrt(head_dim)``."""
TRACE = 0.25
"""Size of what a token keeps of the one before it."""
QUIET = 0.15
"""What is left of everything else that layers write."""


@torch.no_grad()
def begin_with_induction(model: PreTrainedModel, seed: int = 0) -> None:
    """Set the weights of a new Qwen3 so that its first two layers copy: ``a b ... a`` is followed by ``b``.

    These are induction heads (Olsson et al. 2022, arXiv:2209.11895), which a model learns in any case, though by a
    thousand steps and more, which a small one has not got.  The heads of the first layer's first group look one place
    back and write down, in directions of their own, what stands there.  Those of the second layer look for a place
    whose note is the token at hand, and say what stands at that place.  What an embedding has in these directions is
    noise to them, so that the heads are right about most random ids, not all; training mends the rest.  To set weights
    by hand as training would leave them is called mimetic initialisation by Trockman and Kolter 2023
    (arXiv:2305.09828).

    Args:
        model: a ``Qwen3ForCausalLM`` with random weights, changed in place.
        seed: of the directions; torch's own generator is left as it was.

    Raises:
        ValueError: another architecture, a single layer, fewer than three heads, or heads of fewer than ten dimensions.
    """
    config = model.config
    hidden, width, groups = config.hidden_size, config.head_dim, config.num_key_value_heads
    heads = config.num_attention_heads // groups
    found = f"{config.model_type} of {config.num_hidden_layers} layers, {config.num_attention_heads} heads of {width}"
    if config.model_type != "qwen3" or config.num_hidden_layers < 2:
        raise ValueError(f"induction needs a qwen3 of two layers or more, not a {found}")
    if width // 2 <= NEAR or 2 * width >= hidden:
        raise ValueError(f"induction needs three heads or more, of ten dimensions or more, not a {found}")
    generator = torch.Generator().manual_seed(seed)
    directions = torch.zeros(hidden - 1, hidden)  # the last dimension is the offset's
    torch.nn.init.orthogonal_(directions[:, :-1], generator=generator)
    word, note, rest = directions.split([width, width, hidden - 1 - 2 * width])
    saying = min(groups, (hidden - 1 - width) // width)  # groups of the second layer that there is room for
    said = torch.cat([rest, word])[: saying * width].view(saying, width, hidden)
    slow = (torch.arange(width) % (width // 2) >= NEAR).float()[:, None]

    embeddings = model.get_input_embeddings().weight
    embeddings[:, -1] = OFFSET * embeddings.std()
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight *= QUIET
        layer.mlp.down_proj.weight *= QUIET
    back, look = (layer.self_attn for layer in model.model.layers[:2])
    for attention in (back, look):
        attention.q_norm.weight *= SHARPNESS
        attention.k_norm.weight *= SHARPNESS

    turns = config.rope_parameters["rope_theta"] ** (-torch.arange(FAST) / (width // 2))
    query = back.q_proj.weight[: heads * width].view(heads, width, hidden)
    key = back.k_proj.weight[:width]
    query *= 0.1
    key *= 0.1
    query[:, :FAST, -1] += torch.cos(turns)
    query[:, width // 2 : width // 2 + FAST, -1] -= torch.sin(turns)
    key[:FAST, -1] += 1.0
    back.v_proj.weight[:width] = word
    back.o_proj.weight[:, : heads * width] = note.T.repeat(1, heads) * (TRACE / heads)

    queries, keys = saying * heads * width, saying * width
    look.q_proj.weight[:queries] = (word * slow).repeat(saying * heads, 1)
    look.k_proj.weight[:keys] = (note * slow).repeat(saying, 1)
    look.v_proj.weight[:keys] = said.flatten(0, 1)
    look.o_proj.weight[:, :queries] = said.repeat_interleave(heads, 0).flatten(0, 1).T / heads
