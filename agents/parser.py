"""Sampled ids to an action."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reply says: the ``action``, the ``thinking`` before it, and what was wrong with its form.

    With an ``error`` the action is empty, so that the environment answers it with feedback like any invalid action.
    """

    action: str
    error: str | None = None
    thinking: str | None = None


class Parser(Protocol):
    """Turns the ids that an engine sampled into an action."""

    def parse(self, action_ids: np.ndarray) -> Parsed: ...


class TextParser:
    """The whole reply is the action, without stop ids, special tokens, thinking and the white space around it.

    Thinking is what stands before the last ``</think>``, or all that follows a ``<think>`` that is not closed.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop_ids: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._stop_ids = frozenset(stop_ids)

    def parse(self, action_ids: np.ndarray) -> Parsed:
        """Decode ``action_ids`` [a]."""
        ids = [index for index in action_ids.tolist() if index not in self._stop_ids]
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        thinking, closed, answer = text.rpartition("</think>")
        if closed:
            return Parsed(answer.strip(), thinking=thinking.strip().removeprefix("<think>").strip())
        answer, opened, thinking = text.partition("<think>")
        if opened:
            return Parsed("", "the reply ended before </think>", thinking.strip())
        return Parsed(answer.strip())


class TaggedParser(TextParser):
    """The action is the text of the last ``<action>...</action>`` after the thinking."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop_ids: Sequence[int], tag: str = "action") -> None:
        super().__init__(tokenizer, stop_ids)
        self._tag = tag
        self._pattern = re.compile(rf"<{re.escape(tag)}>((?:(?!<{re.escape(tag)}>).)*?)</{re.escape(tag)}>", re.DOTALL)

    def parse(self, action_ids: np.ndarray) -> Parsed:
        """Decode ``action_ids`` [a] and take out the tagged text."""
        reply = super().parse(action_ids)
        if reply.error:
            return reply
        actions = self._pattern.findall(reply.action)
        if not actions:
            return Parsed("", f"the reply has no <{self._tag}>...</{self._tag}>", reply.thinking)
        return Parsed(actions[-1].strip(), None, reply.thinking)
