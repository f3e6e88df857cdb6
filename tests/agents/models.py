"""Small models with random weights of real architectures, made once a test session and read by from_pretrained."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from palestra.agents.small import ARCHITECTURES, save_small_model, train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["ARCHITECTURES", "TEXTS", "added_tokens_tokenizer", "small_model", "small_model_path"]

TEXTS = [
    "Instruction: [SEP] find me a desk lamp with a warm light, and price lower than 40.00 dollars [SEP] Search",
    "Page 1 (Total results: 12) [SEP] Next > [SEP] B07XYZ1234 [SEP] Acme brass desk lamp, 2 pack [SEP] $38.99",
    "color [SEP] navy blue [SEP] dark green [SEP] size [SEP] 3x-large [SEP] Price: $1,299.50 [SEP] Buy Now",
    "[button] Back to Search [button_]\n[button] < Prev [button_]\nRating: N.A.\n  [button] rose gold [button_]\n",
    "search[desk lamp warm light]",
    "click[buy now]",
    "click[b07xyz1234]",
    "You are in a shop. Search for a product, look at it, choose its options and buy it. Answer with one action.",
]


@cache
def small_model_path(architecture: str) -> Path:
    """A folder with a model and its tokenizer.

    Weights are spread widely, so that an error in a position or a mask moves log-probabilities by far more than
    rounding; a Gemma's sliding window is shorter than an episode.
    """
    path = Path(tempfile.mkdtemp(prefix="palestra-test-model-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    save_small_model(
        path,
        TEXTS,
        vocab_size=400,
        architecture=architecture,
        hidden=48,
        layers=3,
        heads=4,
        kv_heads=2,
        intermediate=96,
        max_positions=1024,
        sliding_window=24 if architecture.startswith("gemma") else None,
        initializer_range=0.2,
    )
    return path


def small_model(architecture: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A fresh copy of the model in float32, in evaluation mode, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = small_model_path(architecture)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(path)


def added_tokens_tokenizer(
    template: str | None, special: list[str], *, added: list[str] | None = None, end: str
) -> PreTrainedTokenizerFast:
    """A tokenizer that keeps capitals, with the special and added tokens of another model family."""
    tokenizer = train_tokenizer(TEXTS, vocab_size=400, lowercase=False)
    tokenizer.add_special_tokens({"additional_special_tokens": special}, replace_extra_special_tokens=False)
    tokenizer.add_tokens(added or [])
    tokenizer.eos_token = end
    tokenizer.chat_template = template
    return tokenizer
