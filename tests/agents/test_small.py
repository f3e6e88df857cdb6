from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from palestra.agents.copying import learn_to_copy
from palestra.agents.parser import TextParser
from palestra.agents.renderer import Renderer
from palestra.agents.small import ARCHITECTURES, JOINER, build_model, save_small_model, train_tokenizer

from .models import TEXTS, small_model

ANY_TEXT = [
    *TEXTS,
    "",
    " ",
    "\n\n  two\tlines \r\n",
    "naïve café 日本語 🦜 İstanbul ﬁn",
    "$1,299.50 1299.5 3.14159 ٣ ½ ²",
    "\x00",
    "page\nlamp\n desk\n  navy\n\nbuy\t\n\n  x\r\nsize",
    "[button] rose gold [button_]\n[tan] [navy blue] x[SEP] [SEP]. (lamp) \"desk\" >tan a/b a_b_c 3x-large 'tan'",
    "click[12] click[tan] [3] [1234]",
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(TEXTS * 5, vocab_size=600)


@pytest.mark.parametrize("lowercase", [True, False])
def test_encoding_loses_nothing_but_case(lowercase: bool) -> None:
    tokenizer = train_tokenizer(TEXTS, vocab_size=300, lowercase=lowercase)
    for text in ANY_TEXT:
        assert tokenizer.decode(tokenizer.encode(text)) == (text.lower() if lowercase else text)


def test_tokens_end_where_words_and_places_of_numbers_end(tokenizer: Any) -> None:
    def pieces(text: str) -> list[str]:
        return [piece for piece, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    assert pieces("$1299.50 to $38.99") == ["$", "12", "99", ".50", "Ġto", "Ġ$", "38", ".99"]
    assert pieces("138.5 v1.2.34") == ["1", "38", ".", "5", "Ġv", "1", ".", "2", ".34"]
    assert pieces("search[now] women's x") == ["search", "[", "now", "]", "Ġwomen", "'s", "Ġx"]
    assert pieces("a [SEP] b\n[button] c [button_]") == ["a", "Ġ[SEP]", "Ġb", "Ċ", "[button]", "Ġc", "Ġ[button_]"]
    assert pieces("click[12] click[1234]") == ["click", "[12]", "Ġclick", "[", "12", "34", "]"]
    for token in tokenizer.get_vocab().keys() - set(tokenizer.all_special_tokens):
        text = tokenizer.convert_tokens_to_string([token]).strip(" []_'")
        assert text.isalpha() or not any(letter.isalpha() for letter in text), token


def test_roles_marks_and_common_words_are_single_tokens(tokenizer: Any) -> None:
    for text in ("user", "assistant", " [sep]", " search", " click", " buy"):
        assert len(tokenizer.encode(text)) == 1, text
    assert tokenizer.encode("<|endoftext|><|im_start|><|im_end|>") == [0, 1, 2]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 2)


@pytest.mark.parametrize("words", ["lamp", "rose gold", "zzyzx"])
@pytest.mark.parametrize(
    "around", ["a {} b", "click[{}]", "a\n{}\n", "a\n\n{}", "({}, {})", "[button] {}", "[{}].", "fill('{}')", "'{}'"]
)
def test_a_word_is_the_same_tokens_wherever_it_stands(tokenizer: Any, words: str, around: str) -> None:
    wanted = tokenizer.encode(f" {words}")
    ids = tokenizer.encode(around.format(words, words))
    assert any(ids[start : start + len(wanted)] == wanted for start in range(len(ids)))


def test_a_reply_is_the_same_tokens_as_the_words_it_copies(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer)
    page, reply = renderer.start("pay now\nrose gold").tolist(), renderer.reply("rose gold")
    start = page.index(reply[0])
    assert page[start : start + len(reply)] == reply.tolist()
    parser = TextParser(tokenizer, renderer.stop_ids)
    for action in ("search[rose gold lamp]", "click[< prev]", "click[3x-large]", "[12]"):
        assert parser.parse(renderer.reply(action)).action == action


def test_a_literal_joiner_is_all_that_is_lost(tokenizer: Any) -> None:
    assert tokenizer.decode(tokenizer.encode(f"a{JOINER} b{JOINER}c")) == f"ab{JOINER}c"


def test_same_texts_give_the_same_tokenizer_in_another_process(tokenizer: Any, tmp_path: Path) -> None:
    code = (
        "import sys; from palestra.agents.small import train_tokenizer;"
        f"sys.stdout.buffer.write(train_tokenizer({TEXTS!r} * 5, vocab_size=600).backend_tokenizer.to_str().encode())"
    )
    env = {"PYTHONHASHSEED": "7", "RAYON_NUM_THREADS": "3", "PYTHONPATH": ":".join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True, cwd=tmp_path)
    assert other.stdout.decode() == tokenizer.backend_tokenizer.to_str()


def test_vocabulary_sizes() -> None:
    assert len(train_tokenizer(TEXTS, vocab_size=400)) == 400
    assert len(train_tokenizer(["a"], vocab_size=259)) == 259
    with pytest.raises(ValueError, match="at least 259, not 258"):
        train_tokenizer(TEXTS, vocab_size=258)


def test_the_chat_template_is_append_only(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer, "You shop.")
    assert renderer.rewrites is None
    assert renderer.stop_ids == (2,)
    assert tokenizer.decode(renderer.extend(np.array([2]), "hi")) == (
        "\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saved_model_reads_back_whole(architecture: str, tmp_path: Path) -> None:
    save_small_model(tmp_path, TEXTS, vocab_size=300, architecture=architecture, hidden=32, layers=2, seed=3)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    made = build_model(train_tokenizer(TEXTS, 300), architecture, hidden=32, layers=2, seed=3)
    assert type(model) is type(made)
    assert model.dtype == torch.float32
    for (name, read), (_, wanted) in zip(model.state_dict().items(), made.state_dict().items(), strict=True):
        assert torch.equal(read, wanted), name
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert tokenizer.chat_template == train_tokenizer(TEXTS, 300).chat_template
    assert tokenizer.encode(TEXTS[0] + "<|im_end|>") == train_tokenizer(TEXTS, 300).encode(TEXTS[0] + "<|im_end|>")


def test_weights_come_from_the_seed_alone(tokenizer: Any) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = build_model(tokenizer, hidden=32, layers=1, seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = (build_model(tokenizer, hidden=32, layers=1, seed=seed) for seed in (5, 6))
    weights = [model.get_input_embeddings().weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "qwen"}, "one of qwen3, llama, gemma2, gemma3, not 'qwen'"),
        ({"hidden": 100, "heads": 8}, "even multiple of heads"),
        ({"heads": 4, "kv_heads": 3}, "heads of kv_heads"),
        ({"architecture": "llama", "sliding_window": 8}, "llama has no sliding window"),
    ],
)
def test_impossible_models(tokenizer: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(tokenizer, **arguments)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shared_models_notice_every_earlier_token_and_its_place(architecture: str) -> None:
    """Otherwise the tests of engines that use them could not fail."""
    model, tokenizer = small_model(architecture)
    ids = torch.randint(3, len(tokenizer), (1, 60), generator=torch.Generator().manual_seed(0))

    def last(ids: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model(ids).logits[0, -1].log_softmax(-1)

    first_changed, swapped = ids.clone(), ids.clone()
    first_changed[0, 0] += 1
    swapped[0, [40, 41]] = ids[0, [41, 40]]
    assert (last(ids) - last(first_changed)).abs().max() > 1e-3
    assert (last(ids) - last(swapped)).abs().max() > 1e-3


def test_a_model_learns_to_copy_ids_that_it_has_not_seen_together() -> None:
    model = build_model(train_tokenizer(["a"], vocab_size=259), hidden=64, layers=2, seed=1)
    ids = torch.randint(3, 259, (8, 20), generator=torch.Generator().manual_seed(99))

    def surprise() -> float:
        """Of ids that are said again, in nats; without looking back it cannot be below log 256, which is 5.55."""
        again = torch.cat([ids, ids], 1)
        with torch.no_grad():
            scores = model(input_ids=again).logits[:, 20:-1]
        return float(torch.nn.functional.cross_entropy(scores.mT, again[:, 21:]))

    before, state = surprise(), torch.get_rng_state()
    loss = learn_to_copy(model, 600, first=3, seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training
    assert before > 5.5
    assert surprise() < 5.2
    assert loss < 5.2


def test_copying_steps_come_before_the_model_is_saved(tmp_path: Path) -> None:
    for name, steps in (("plain", 0), ("copies", 2)):
        save_small_model(tmp_path / name, TEXTS, vocab_size=300, hidden=32, layers=1, copying_steps=steps)
    plain, copies = (AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("plain", "copies"))
    assert not torch.equal(plain.get_input_embeddings().weight, copies.get_input_embeddings().weight)
