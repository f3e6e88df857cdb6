"""Messages to token ids, appended and never rendered again.

A chat template renders a whole conversation.  A multi-turn episode must not: ids that were sampled have to stay exactly
as they were, and a key-value cache is only good for a context that grows at its end.  So :class:`Renderer` learns from
the template, once, the text that stands around a first message and around a later one, and then encodes only what is
new.  It proves at construction that this gives what the template gives, or says why it cannot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..trajectory import Observation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]
Render = Callable[[Sequence[Message]], str]

_SYSTEM = "zsystemz"
_USER = "zuser{:03d}z"
_REPLY = "zreply{:03d}z"
_THINKING = re.compile(r"(?:\s|</?(?:think|thinking|thought|reasoning)>|\[/?THINK\])*")
_PROBED_TURNS = (1, 2, 3, 4, 5, 33)
_MEMO_CHARACTERS, _MEMO_ENTRIES = 8192, 4096


class TemplateError(ValueError):
    """The chat template cannot be used append-only; the message says what differs."""


@dataclass(frozen=True, slots=True)
class _Form:
    """The text around messages: ``head`` user ``tail`` reply ``bridge`` user ``tail`` reply ...

    ``tail`` ends with the generation prompt.  ``lead`` is white space that a reply begins with and that the model
    samples itself.  ``trim`` is what the template does to the white space around a user message.
    """

    head: str
    tail: str
    lead: str
    bridge: str
    trim: Callable[[str], str]
    rewrites: tuple[str, ...]


class _Slot:
    """Fixed ids, a text run with a hole for the content, fixed ids."""

    __slots__ = ("after", "before", "prefix", "suffix")

    def __init__(self, prefix: list[int], before: str, after: str, suffix: list[int]) -> None:
        self.prefix, self.before, self.after, self.suffix = prefix, before, after, suffix


class Renderer:
    """Encodes observations as user messages that are appended to what the model has already read and sampled.

    Args:
        tokenizer: any Hugging Face tokenizer with a chat template.
        system: the system message, stripped.  For a template that has no fixed place for one (it refuses the role, or
            moves the message as the conversation grows) it is put before the first user message, with an empty line
            between, and ``rewrites`` says so.
        template_kwargs: passed to the template (``enable_thinking=False``).  A template that writes today's date into
            the system message does so once, here; ``date_string`` pins it for most of them.

    Attributes:
        stop_ids: the ids that end the assistant's turn: the one that the template puts after a reply, and the
            tokenizer's end of text.
        rewrites: how the template would have changed the past, or ``None``.  Templates of reasoning models drop
            earlier thinking, or the empty thinking that the generation prompt holds; some trim replies.  The context
            keeps what the model read and sampled, so that log-probabilities stay those of the sampler.

    Raises:
        TemplateError: the tokenizer has no template, or the template changes earlier text in another way (numbers the
            turns, drops old messages, marks the last one), so that nothing can be appended to a context.

    Text of observations and of the system message is never encoded as a control token (a special token, or an added
    token that the template uses): a web page that says ``<|im_end|>`` cannot end a turn.  A tokenizer that makes a
    control id from plain text all the same (some unigram vocabularies) has that id spelled letter by letter.  The text
    beside the content is encoded together with it, so ids are those of the whole rendered conversation.  Holds no state
    of an episode: one instance serves them all.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        system: str | None = None,
        template_kwargs: Mapping[str, Any] = {},
    ) -> None:
        if not tokenizer.chat_template:
            raise TemplateError("the tokenizer has no chat template: set tokenizer.chat_template")
        system = system.strip() if system else None
        self._tokenizer = tokenizer
        self._control = _control_tokens(tokenizer)
        self._control_ids = frozenset(self._control.values())
        self._control_pattern = _control_pattern(tokenizer, self._control)
        self._encode = _plain_encoder(tokenizer, self._control_ids)
        # The episodes of a group see many of the same pages, and encoding costs about a microsecond a token.
        self._encode_again = lru_cache(_MEMO_ENTRIES)(self._encode)

        def render(messages: Sequence[Message]) -> str:
            return _render(tokenizer, messages, template_kwargs)

        form, folded = _learn(render, system is not None)
        notes = form.rewrites
        self._fold = f"{system}\n\n" if folded else ""
        self._lead, self._trim = form.lead, form.trim
        self.rewrites = "; ".join(notes) if notes else None

        pieces = self._split(form.bridge)
        closes = len(pieces) > 1 and not pieces[0].strip()
        self._close_id = self._control_id(pieces[1]) if closes else None
        opening = "".join(pieces[2:]) if closes else form.bridge
        ends = (self._close_id, tokenizer.eos_token_id)
        self.stop_ids: tuple[int, ...] = tuple(dict.fromkeys(int(end) for end in ends if end is not None))
        if not self.stop_ids:
            raise TemplateError("nothing ends the assistant's turn: no token after a reply, and no end of text token")

        mark = _USER.format(0)
        self._first = self._slot(form.head + mark + form.tail, system or "")
        self._after_stop = self._slot(opening + mark + form.tail, "")
        self._after_cut = self._slot(form.bridge + mark + form.tail, "")
        self._prompt = self._split(form.tail)[-1]
        self._verify(form)

    def start(self, observation: Observation) -> np.ndarray:
        """The ids [n] int32 of a new episode: the system message, the first observation, the generation prompt."""
        return self._fill(self._first, self._fold + _text(observation))

    def extend(self, action_ids: np.ndarray, observation: Observation) -> np.ndarray:
        """The ids [n] int32 to append after the sampled ``action_ids``.

        They close the assistant's turn, unless its stop token was sampled, and hold the observation and the generation
        prompt.
        """
        closed = len(action_ids) > 0 and action_ids[-1] == self._close_id
        return self._fill(self._after_stop if closed else self._after_cut, _text(observation))

    def reply(self, text: str) -> np.ndarray:
        """The ids [n] int32 with which a model would have answered ``text``, its stop token included."""
        prompt, ids = self._plain(self._prompt), self._plain(self._prompt + self._lead + text)
        # Where a tokenizer would join the prompt's end and the reply's start, a model that has read the prompt cannot.
        joined = ids[: len(prompt)] != prompt
        answer = self._plain(self._lead + text) if joined else ids[len(prompt) :]
        return np.array([*answer, self.stop_ids[0]], np.int32)

    def _fill(self, slot: _Slot, content: str) -> np.ndarray:
        ids = self._plain(slot.before + self._trim(content) + slot.after)
        return np.array(slot.prefix + ids + slot.suffix, np.int32)

    def _plain(self, text: str) -> list[int]:
        """Ids of text in which nothing is a control token."""
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()  # lone surrogates have no encoding
        ids = self._encode_again(text) if len(text) <= _MEMO_CHARACTERS else self._encode(text)
        if self._control_ids.isdisjoint(ids):
            return ids
        return [piece for index in ids for piece in (self._spell(index) if index in self._control_ids else (index,))]

    def _spell(self, control_id: int) -> list[int]:
        letters = self._tokenizer.convert_ids_to_tokens(control_id)
        return [i for letter in letters for i in self._encode(letter) if i not in self._control_ids]

    def _split(self, text: str) -> list[str]:
        """The template's text as run, control token, run, ..., run."""
        return self._control_pattern.split(text)

    def _control_id(self, piece: str) -> int:
        return self._control[piece if piece in self._control else piece.strip()]

    def _ids(self, pieces: Sequence[str]) -> list[int]:
        ids: list[int] = []
        for position, piece in enumerate(pieces):
            ids += [self._control_id(piece)] if position % 2 else self._plain(piece) if piece else []
        return ids

    def _slot(self, text: str, system: str) -> _Slot:
        left, right = (self._split(side) for side in text.split(_USER.format(0)))
        left[::2] = [run.replace(_SYSTEM, system) for run in left[::2]]
        return _Slot(self._ids(left[:-1]), left[-1], right[0], self._ids(["", *right[1:]]))

    def _verify(self, form: _Form) -> None:
        """Compare the ids of a short episode with those of its whole text."""
        system, replies = "You shop.", ("search[lamp under 12.50]", "click[buy now]")
        observations = ("Instruction:\nfind a lamp, 2 pack", "Page 1 (12 results)\n[A] $9.99", "Done.")
        first = self._slot(form.head + _USER.format(0) + form.tail, system)
        ids = self._fill(first, observations[0]).tolist()
        text = form.head.replace(_SYSTEM, system) + observations[0] + form.tail
        for reply, observation in zip(replies, observations[1:], strict=True):
            action = self.reply(reply)
            if self._close_id is None:
                action = action[:-1]
            ids += [*action.tolist(), *self.extend(action, observation).tolist()]
            text += form.lead + reply + form.bridge + observation + form.tail
        whole = self._tokenizer.encode(text, add_special_tokens=False)
        if ids != whole:
            got, wanted = (
                self._tokenizer.decode(x, skip_special_tokens=False, clean_up_tokenization_spaces=False)
                for x in (ids, whole)
            )
            if got != wanted:
                raise TemplateError(f"encoding message by message changes the text: {_difference(wanted, got)}")


def _text(observation: Observation) -> str:
    if isinstance(observation, str):
        return observation
    if isinstance(observation, Mapping) and isinstance(observation.get("text"), str):
        if observation.get("image") is not None:
            raise TypeError("this renderer takes text only, and the observation has an image")
        return observation["text"]
    raise TypeError(f'an observation is text or {{"text": str}}, not {type(observation).__name__}')


def _render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], kwargs: Mapping[str, Any]) -> str:
    import jinja2

    try:
        text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **kwargs)
    except (jinja2.TemplateError, TypeError) as error:
        roles = ", ".join(message["role"] for message in messages[:4])
        raise TemplateError(f"the chat template fails on messages of {roles}: {error}") from error
    assert isinstance(text, str)
    return text


def _control_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Special tokens, and added tokens that the template uses; not the sign for unknown text, which is text."""
    template, special = tokenizer.get_chat_template(), set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    return {
        token.content: index
        for index, token in tokenizer.added_tokens_decoder.items()
        if index in special
        or (token.special and index != tokenizer.unk_token_id)
        or (token.content in template and not token.content.isspace())
    }


def _control_pattern(tokenizer: PreTrainedTokenizerBase, control: Mapping[str, int]) -> re.Pattern[str]:
    """Matches a control token with the white space that it swallows."""
    added = tokenizer.added_tokens_decoder
    tokens = [added[control[text]] for text in sorted(control, key=len, reverse=True)]
    choices = [
        (r"\s*" if token.lstrip else "") + re.escape(token.content) + (r"\s*" if token.rstrip else "")
        for token in tokens
    ]
    return re.compile(f"({'|'.join(choices) or '(?!)'})")


def _plain_encoder(tokenizer: PreTrainedTokenizerBase, control_ids: frozenset[int]) -> Callable[[str], list[int]]:
    """A function from text to ids that matches no control token."""
    if not tokenizer.is_fast:
        return lambda text: tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    from tokenizers import Tokenizer

    # The library can leave out tokens marked special, so a copy marks exactly the control tokens.  The copy also
    # encodes every run of text as one that continues, where a run at the start of a text would get a blank in front.
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in state["added_tokens"]:
        token["special"] = token["special"] or token["id"] in control_ids
    pre_tokenizer = state["pre_tokenizer"] or {}
    for part in pre_tokenizer.get("pretokenizers", [pre_tokenizer]):
        if part.get("prepend_scheme") == "first":
            part["prepend_scheme"] = "never"
    copy = Tokenizer.from_str(json.dumps(state))
    copy.encode_special_tokens = True
    copy.no_truncation()
    copy.no_padding()
    return lambda text: copy.encode(text, add_special_tokens=False).ids


def _learn(render: Render, has_system: bool) -> tuple[_Form, bool]:
    """The template's form, and whether the system message has to go into the first user message."""
    if not has_system:
        return _learn_form(render, system=False), False
    try:
        return _learn_form(render, system=True), False
    except TemplateError as error:
        form = _learn_form(render, system=False)
        note = f"the system message stands in the first user message, because alone it has no fixed place ({error})"
        return _Form(form.head, form.tail, form.lead, form.bridge, form.trim, (note, *form.rewrites)), True


def _learn_form(render: Render, system: bool) -> _Form:
    """Find the text around messages by rendering marks, and check it on longer and harder conversations."""

    def conversation(users: Sequence[str], replies: Sequence[str]) -> list[Message]:
        messages = [{"role": "system", "content": _SYSTEM}] if system else []
        for index, user in enumerate(users):
            messages.append({"role": "user", "content": user})
            messages += [{"role": "assistant", "content": reply} for reply in replies[index : index + 1]]
        return messages

    def marks(turns: int) -> tuple[list[str], list[str]]:
        return [_USER.format(i) for i in range(turns)], [_REPLY.format(i) for i in range(turns - 1)]

    users, replies = marks(1)
    head, tail = _cut(render(conversation(users, replies)), users)
    if system and head.count(_SYSTEM) != 1:
        raise TemplateError(f"the system message stands {head.count(_SYSTEM)} times before the first user message")
    users, replies = marks(2)
    _, past, bridge, _ = _cut(render(conversation(users, replies)), [users[0], replies[0], users[1]])

    def expected(users: Sequence[str], replies: Sequence[str]) -> str:
        text = head + users[0]
        for reply, user in zip(replies, users[1:], strict=True):
            text += past + reply + bridge + user
        return text + tail

    for turns in _PROBED_TURNS:
        users, replies = marks(turns)
        text = render(conversation(users, replies))
        if text != expected(users, replies):
            raise TemplateError(
                f"the chat template changes earlier text as the conversation grows to {turns} user messages: "
                + _difference(expected(users, replies), text)
            )

    lead, rewrites = _compare_prompts(tail, past)
    hard = "\n a <b>&amp; \"'{{x}} {% é \\n</b> \n"
    users, replies = [hard, hard], [_REPLY.format(0)]
    text = render(conversation(users, replies))
    for trim in (str, str.strip, str.lstrip, str.rstrip):
        if text == expected([trim(user) for user in users], replies):
            break
    else:
        raise TemplateError(f"the chat template changes user messages: {_difference(expected(users, replies), text)}")

    users = marks(2)[0]
    for reply in (" \n blanks \n", "<think>\nthought\n</think>\n\nanswer"):
        text, wanted = render(conversation(users, [reply])), expected(users, [reply])
        if text == wanted:
            continue
        if not (text.startswith(head + users[0]) and text.endswith(bridge + users[1] + tail)):
            raise TemplateError(f"the chat template changes text beyond a reply: {_difference(wanted, text)}")
        if "blanks" in reply:
            rewrites.append("the template trims earlier replies")
        else:
            verb = "changes" if "thought" in text else "drops"
            rewrites.append(f"the template {verb} the thinking of earlier replies")
    return _Form(head, tail, lead, bridge, trim, tuple(rewrites))


def _compare_prompts(tail: str, past: str) -> tuple[str, list[str]]:
    """What stands before a reply when it is sampled, and when it has become the past: (sampled blanks, notes)."""
    shared = _shared(tail, past)
    now, later = tail[shared:], past[shared:]
    if not now and not later.strip():
        return later, []
    if _THINKING.fullmatch(now) and _THINKING.fullmatch(later):
        changes = [f"{verb} {text!r}" for verb, text in (("drops", now), ("puts", later)) if text]
        return "", [f"the template {' and '.join(changes)} before earlier replies"]
    raise TemplateError(
        f"the chat template puts {tail!r} before a reply that is to be sampled and {past!r} before the same reply later"
    )


def _cut(text: str, marks: Sequence[str]) -> list[str]:
    """The pieces of text around marks, each of which must occur once, in order."""
    pieces = []
    for mark in marks:
        if text.count(mark) != 1:
            raise TemplateError(f"the chat template shows a message {text.count(mark)} times: {text[:200]!r}")
        before, text = text.split(mark)
        pieces.append(before)
    return [*pieces, text]


def _shared(first: str, second: str) -> int:
    """How many leading characters two texts share."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))


def _difference(wanted: str, got: str, width: int = 60) -> str:
    """An excerpt around the first place where two texts differ."""
    at = _shared(wanted, got)
    begin = max(0, at - width // 2)
    return f"at character {at}, {wanted[begin : at + width]!r} became {got[begin : at + width]!r}"
