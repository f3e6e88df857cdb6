"""Text generation over any engine, for what reads replies and not tokens: judges, graders, rewriters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..rewards.judges.prompt import Prompt
from .engine import Engine, Request, Sampling, Session
from .renderer import Renderer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class EngineAsk:
    """Prompts to replies: each prompt is the first user message of a conversation of its own.

    It fulfils the judges' ``Ask``.  Nothing in a prompt is encoded as a control token.  The replies are text, thinking
    included, without special tokens; one that hits ``max_tokens`` or the context's end is what there was by then.

    Args:
        engine: any; with a live one the replies are those of the weights of the moment.
        renderer: whose stop ids end a reply, beside those of ``sampling``.
        tokenizer: the renderer's, to decode with.
        sampling: how replies are drawn.
        seed: with the number of the call and of the prompt in it, fixes the draws.  Equal prompts in one call, and the
            same prompt in two calls, are drawn independently; an ``EngineAsk`` made anew with the same seed repeats
            the replies to the same calls.

    It reads text only: the attribute ``images`` is false.
    """

    images = False

    def __init__(
        self,
        engine: Engine,
        renderer: Renderer,
        tokenizer: PreTrainedTokenizerBase,
        sampling: Sampling | None = None,
        seed: int = 0,
    ) -> None:
        chosen = sampling or Sampling(max_tokens=512)
        stop_ids = tuple(dict.fromkeys((*chosen.stop_ids, *renderer.stop_ids)))
        self._engine = engine
        self._renderer = renderer
        self._tokenizer = tokenizer
        self._sampling = replace(chosen, stop_ids=stop_ids)
        self._seed = seed
        self._calls = 0

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """One reply per prompt, in their order.

        Raises RuntimeError if the engine has requests under way: their completions would come to this call and be
        lost; TypeError for a prompt with screenshots.
        """
        if any(isinstance(prompt, Prompt) and prompt.images for prompt in prompts):
            raise TypeError("this engine is asked by text only, and a prompt has screenshots")
        if self._engine.busy:
            raise RuntimeError("the engine has requests under way; ask when they are done, or give the judge its own")
        call, self._calls = self._calls, self._calls + 1
        replies: dict[int, str] = {}
        live: dict[Session, int] = {("ask", id(self), call, index): index for index in range(len(prompts))}
        try:
            for session, index in live.items():
                ids = self._renderer.start(prompts[index])
                self._engine.submit(Request(session, ids, self._sampling, (self._seed, call, index)))
            while len(replies) < len(prompts):
                for completion in self._engine.step():
                    replies[live[completion.session]] = self._text(completion.ids.tolist())
                    # At once, as an engine may have fewer slots than there are prompts.
                    self._engine.release(completion.session)
        finally:
            for session in live:
                self._engine.release(session)
        return [replies[index] for index in range(len(prompts))]

    def _text(self, ids: list[int]) -> str:
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text.strip()
