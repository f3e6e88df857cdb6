"""Prompts to replies over a real engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from palestra.agents.ask import EngineAsk
from palestra.agents.engine import Request, Sampling, generate
from palestra.agents.packed import load_model
from palestra.agents.renderer import Renderer
from palestra.agents.transformers_engine import TransformersEngine
from palestra.rewards.judges import Item, Prompt, TextJudge

from .models import small_model_path

PROMPTS = ["find a lamp", "buy now", "find a lamp"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(str(small_model_path("qwen3")))


def make_ask(tokenizer: Any, seed: int = 0, slots: int = 8, **sampling: Any) -> EngineAsk:
    engine = TransformersEngine(load_model(str(small_model_path("qwen3"))), tokenizer, slots=slots)
    return EngineAsk(engine, Renderer(tokenizer), tokenizer, Sampling(**{"max_tokens": 8, **sampling}), seed)


def test_the_same_seed_and_calls_give_the_same_replies_and_others_do_not(tokenizer: Any) -> None:
    first, again, other = make_ask(tokenizer), make_ask(tokenizer), make_ask(tokenizer, seed=1)
    calls = [first(PROMPTS), first(PROMPTS)]
    assert calls == [again(PROMPTS), again(PROMPTS)]
    assert other(PROMPTS) != calls[0]
    assert calls[0] != calls[1]
    assert calls[0][0] != calls[0][2]  # equal prompts are drawn independently


def test_replies_are_what_the_engine_samples_from_the_rendered_prompt(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer)
    engine = TransformersEngine(load_model(str(small_model_path("qwen3"))), tokenizer)
    sampling = Sampling(max_tokens=8, stop_ids=renderer.stop_ids)
    [done] = generate(engine, [Request("s", renderer.start(PROMPTS[0]), sampling, (0, 0, 0))])
    assert make_ask(tokenizer)(PROMPTS)[0] == tokenizer.decode(done.ids, skip_special_tokens=True).strip()


def test_more_prompts_than_slots_are_answered_and_every_slot_is_free_afterwards(tokenizer: Any) -> None:
    # Sums of another order may round differently: seed 0 draws a number within 1e-8 of the border of two tokens.
    wide, narrow = make_ask(tokenizer, seed=1), make_ask(tokenizer, seed=1, slots=2)
    assert narrow(PROMPTS * 3) == wide(PROMPTS * 3)
    assert narrow(PROMPTS * 3) == wide(PROMPTS * 3)
    assert narrow([]) == []


def test_an_engine_at_work_is_refused_and_a_failure_leaves_no_session(tokenizer: Any) -> None:
    ask = make_ask(tokenizer, slots=1)
    engine: Any = ask._engine
    engine.submit(Request("rollout", Renderer(tokenizer).start("x"), Sampling(2)))
    with pytest.raises(RuntimeError, match="under way"):
        ask(PROMPTS)
    engine.release("rollout")
    with pytest.raises(TypeError):
        ask([PROMPTS[0], None])  # type: ignore[list-item]
    assert not engine.busy
    with pytest.raises(TypeError, match="screenshots"):
        ask([Prompt("what is this?", [np.zeros((2, 2, 3), np.uint8)])])
    assert len(ask(PROMPTS)) == 3


def test_a_prompt_beyond_the_context_gets_an_empty_reply_that_a_judge_takes_as_abstention(tokenizer: Any) -> None:
    ask = make_ask(tokenizer)
    assert ask(["lamp " * 3000]) == [""]
    assert TextJudge(ask).judge([Item("lamp " * 3000)], "is it a lamp?").abstain


def test_a_random_model_as_a_judge_abstains_instead_of_scoring(tokenizer: Any) -> None:
    judge = TextJudge(make_ask(tokenizer))
    assert [judge.judge([text], "is it a lamp?").abstain for text in PROMPTS] == [True] * 3
