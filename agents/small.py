"""Small language models made on the spot: a tokenizer trained on given texts, and real architectures at any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ARCHITECTURES = ("qwen3", "llama", "gemma2", "gemma3")
"""Gemma's layers attend to a sliding window and to everything in turn; Gemma 2 also caps its logits."""

PAD, START, END = _SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML: https://github.com/openai/openai-python/blob/release-v0.28.0/chatml.md"""

JOINER = "\u2060"
"""Word joiner, an invisible sign: what follows it belongs to what stands before it."""

_PIECES = "|".join(
    [
        r"'(?:s|t|re|ve|m|ll|d)(?!\p{L})",
        r"\[\d{1,3}\]",  # the number of a link
        r" \[\p{L}+_?\](?!\S)|(?<!\S)\[\p{L}+_?\](?!\S)",  # marks such as [SEP] and [button_]
        r" ?\p{L}+",
        r"\.\d\d(?!\d)",  # the hundredths of a price
        r"\d{1,2}(?=(?:\d\d)*(?!\d))",  # other digits in pairs from the right, so that a digit's place is plain
        rf" ?(?:[^\s\p{{L}}\p{{N}}{JOINER}]+{JOINER}?|{JOINER})",
        r"\p{N}",
        r"\n+|\s+(?!\S)|\s",
    ]
)

# A word after a bracket, a quotation mark or a line break is read as if a blank stood before it, so that it is the same
# token wherever it stands: a model that copies ``tan`` from a page into ``click[tan]`` need not learn that two tokens
# mean one word.  A bracket says by a joiner that the blank is not in the text.  A line break cannot: it may end a
# prompt, and its token must not depend on the reply.  So every word after a line break gets one blank more, and
# decoding takes it away.  An apostrophe within a word is no mark.
_SIGN = rf"(?:(?<=[^\p{{L}}\p{{N}}'’\s{JOINER}])|(?<=[^\p{{L}}\p{{N}}]['’])|(?<=^['’]))"
_AFTER_SIGN = rf"{_SIGN}(?!(?<=\[)(?<!\S\[)\p{{L}}+_?\](?!\S))(?=\p{{L}})"
_AFTER_BREAK = r"(?<=\n)(?= *\p{L})"
_READ_AFTER_BREAK = r"(?<=\n) (?= *\p{L})"


def train_tokenizer(texts: Iterable[str], vocab_size: int = 2048, lowercase: bool = True) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer (Sennrich et al. 2016) whose texts are the messages of a chat.

    Any text is encoded without loss but for its case (and joiners, U+2060, before a blank), and the same texts give the
    same tokenizer.  A word is the same token after a blank, a bracket, a quotation mark and a line break.  No token
    spans two words, a word and punctuation, or the whole and the hundredths of a price.  Numbers are read in pairs of
    digits from the right (``1299.50`` is ``12``, ``99``, ``.50``), so that equal places of two prices meet in equal
    tokens.

    Args:
        texts: what the model will read and write.
        vocab_size: at least 259, the bytes and the special tokens; fewer result when the texts give fewer merges.
        lowercase: encode capitals as small letters.

    Raises:
        ValueError: ``vocab_size`` has no room for the bytes and the special tokens.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocab_size < len(_SPECIAL) + len(alphabet):
        raise ValueError(f"vocab_size must be at least {len(_SPECIAL) + len(alphabet)}, not {vocab_size}")
    tokenizer = Tokenizer(models.BPE())
    join = [
        normalizers.Replace(Regex(_AFTER_SIGN), JOINER + " "),
        normalizers.Replace(Regex(_AFTER_BREAK), " "),
    ]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *join] if lowercase else join)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.ByteLevel(),
            decoders.Replace(JOINER + " ", ""),
            decoders.Replace(Regex(_READ_AFTER_BREAK), ""),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_as_messages(texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _as_messages(texts: Iterable[str]) -> Iterator[str]:
    # Roles head every message of a chat, so they deserve tokens of their own.
    for text in texts:
        yield f"user\n{text}"
        yield "assistant\n"


def build_model(
    tokenizer: PreTrainedTokenizerFast,
    architecture: str = "qwen3",
    *,
    hidden: int = 128,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int = 2,
    intermediate: int | None = None,
    max_positions: int = 2048,
    sliding_window: int | None = None,
    initializer_range: float | None = None,
    seed: int = 0,
) -> PreTrainedModel:
    """A causal language model with random weights in float32 and tied embeddings, for the tokenizer's vocabulary.

    Args:
        tokenizer: gives the vocabulary and the special ids.
        architecture: one of :data:`ARCHITECTURES`.
        hidden, layers, heads, kv_heads: the usual sizes; a head has ``hidden / heads`` dimensions.
        intermediate: width of the feed-forward layers; three times ``hidden`` unless given.
        max_positions: the longest context.
        sliding_window: how far every other layer of a Gemma looks back (default 512); the others have no such layer.
        initializer_range: standard deviation of the weights; ``0.7 / sqrt(hidden)`` unless given, since the usual 0.02
            is made for wide models and keeps narrow ones from learning for long.
        seed: of the weights; torch's own generator is left as it was.

    Raises:
        ValueError: an unknown architecture, sizes that do not fit, or a window for an architecture that has none.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}, not {architecture!r}")
    if hidden % (2 * heads) or heads % kv_heads:
        raise ValueError(f"hidden {hidden} must be an even multiple of heads {heads}, and heads of kv_heads {kv_heads}")
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": hidden // heads,
        "intermediate_size": intermediate or 3 * hidden,
        "max_position_embeddings": max_positions,
        "initializer_range": initializer_range or 0.7 * hidden**-0.5,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if architecture.startswith("gemma"):
        sizes["sliding_window"] = sliding_window or 512
        sizes["query_pre_attn_scalar"] = hidden // heads
        sizes["layer_types"] = [("sliding_attention", "full_attention")[layer % 2] for layer in range(layers)]
    else:
        # As Qwen3 has it: most of a head then compares words, wherever they stand, and little of it their distance.
        sizes["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e6}
    if sliding_window is not None and not architecture.startswith("gemma"):
        raise ValueError(f"{architecture} has no sliding window here; take gemma2 or gemma3")
    config = AutoConfig.for_model("gemma3_text" if architecture == "gemma3" else architecture, **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model.eval()


def save_small_model(
    path: str | Path,
    texts: Iterable[str],
    *,
    vocab_size: int = 2048,
    lowercase: bool = True,
    induction: bool = False,
    copying_steps: int = 0,
    seed: int = 0,
    **model: Any,
) -> None:
    """Train a tokenizer, build a model and write both to a folder that ``from_pretrained`` reads.

    ``copying_steps`` of :func:`.copying.learn_to_copy` come before; ``model`` goes to :func:`build_model`.
    """
    from .copying import learn_to_copy
    from .induction import begin_with_induction

    tokenizer = train_tokenizer(texts, vocab_size, lowercase)
    built = build_model(tokenizer, seed=seed, **model)
    if induction:
        begin_with_induction(built, seed)
    if copying_steps:
        learn_to_copy(built, copying_steps, first=len(_SPECIAL), seed=seed)
    built.save_pretrained(path)
    tokenizer.save_pretrained(path)
