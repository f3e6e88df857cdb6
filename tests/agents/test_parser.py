from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palestra.agents.parser import Parsed, Parser, TaggedParser, TextParser

from .models import added_tokens_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return added_tokens_tokenizer(None, [], added=["<think>", "</think>"], end="<|im_end|>")


def parse(parser: Parser, tokenizer: Any, text: str) -> Parsed:
    return parser.parse(np.array(tokenizer.encode(text, add_special_tokens=False), np.int32))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (" search[Desk  lamp]\n<|im_end|>", Parsed("search[Desk  lamp]")),
        ("search[lamp", Parsed("search[lamp")),
        ("", Parsed("")),
        ("<|im_end|>", Parsed("")),
        ("<|im_start|>click[a]<|endoftext|>", Parsed("click[a]")),
        ("<think>\na lamp\n</think>\n\nclick[a]<|im_end|>", Parsed("click[a]", None, "a lamp")),
        ("a lamp</think>click[a]", Parsed("click[a]", None, "a lamp")),
        ("<think>a</think>b</think>click[a]", Parsed("click[a]", None, "a</think>b")),
        ("<think>a lamp, or", Parsed("", "the reply ended before </think>", "a lamp, or")),
    ],
)
def test_text(tokenizer: Any, text: str, parsed: Parsed) -> None:
    assert parse(TextParser(tokenizer, [tokenizer.eos_token_id]), tokenizer, text) == parsed


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("I buy. <action> click[buy now] </action><|im_end|>", Parsed("click[buy now]")),
        ("<action>a</action> or <action>b\nc</action>!", Parsed("b\nc")),
        ("<action>a <action>b</action>", Parsed("b")),
        ("<think><action>a</action></think><action>b</action>", Parsed("b", None, "<action>a</action>")),
        ("<think>hm</think>click[a]", Parsed("", "the reply has no <action>...</action>", "hm")),
        ("<think>hm <action>a</action>", Parsed("", "the reply ended before </think>", "hm <action>a</action>")),
        ("<action>a", Parsed("", "the reply has no <action>...</action>")),
        ("", Parsed("", "the reply has no <action>...</action>")),
    ],
)
def test_tagged(tokenizer: Any, text: str, parsed: Parsed) -> None:
    assert parse(TaggedParser(tokenizer, [tokenizer.eos_token_id]), tokenizer, text) == parsed


def test_another_tag_and_a_stop_id_that_is_no_special_token(tokenizer: Any) -> None:
    stop = tokenizer.encode("!", add_special_tokens=False)
    parser = TaggedParser(tokenizer, stop, tag="do.it")
    assert parse(parser, tokenizer, "<do.it>jump!</do.it>!") == Parsed("jump")
    assert parse(parser, tokenizer, "<doXit>jump</doXit>").error == "the reply has no <do.it>...</do.it>"


def test_half_a_character_is_text(tokenizer: Any) -> None:
    ids = np.array(tokenizer.encode("日", add_special_tokens=False)[:-1], np.int32)
    assert TextParser(tokenizer, []).parse(ids).action.strip("\ufffd") == ""
