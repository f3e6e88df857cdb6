"""The in-process engine: continuous batching over a ``transformers`` model, one key-value cache per live session.

Every :meth:`TransformersEngine.step` is one packed forward that holds the next token of all sequences being sampled
and the new context of those that were just submitted, so episodes of unequal length never wait for each other.  A
session's context is prefilled once: later turns append to its cache, and a session whose context begins like another's
copies that part instead of computing it (the shared prompt of a group is prefilled once).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .choices import Choices, restrict
from .engine import Capabilities, Completion, Request, Sampling, Session
from .packed import KVCache, Packing, hidden_states, logits
from .workers import Workers, shares

_SHORTEST_FORK = 16
"""Below this many shared tokens a copy costs more than it saves."""
_SMALLEST_SHARE = 32
"""With fewer sequences than this for each worker, most of a forward is spent on what only one thread can do."""


class _Sequence:
    """A live session: its context, how much of it is cached, and the request under way."""

    __slots__ = (
        "cached",
        "choices",
        "ids",
        "length",
        "limit",
        "logprobs",
        "request",
        "slot",
        "start",
        "uniforms",
        "waited",
    )

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.ids = np.zeros(256, np.int32)
        self.length = 0
        self.cached = 0
        self.waited = 0
        self.request: Request | None = None

    def append(self, ids: np.ndarray) -> None:
        end = self.length + len(ids)
        if end > len(self.ids):
            grown = np.zeros(max(end, 2 * len(self.ids)), np.int32)
            grown[: self.length] = self.ids[: self.length]
            self.ids = grown
        self.ids[self.length : end] = ids
        self.length = end

    def begin(self, request: Request, max_context: int) -> None:
        self.append(request.ids)
        self.request = request
        self.start = self.length
        self.limit = min(request.sampling.max_tokens, max_context - self.length)
        self.logprobs: list[float] = []
        self.choices = Choices(request.choices) if request.choices else None
        self.uniforms = np.random.default_rng(request.seed).random(request.sampling.max_tokens)

    @property
    def pending(self) -> np.ndarray:
        """The ids that are not in the cache yet."""
        return self.ids[self.cached : self.length]

    @property
    def allowed(self) -> np.ndarray | None:
        """The ids that may be sampled next; None for all."""
        return None if self.choices is None else self.choices.after(tuple(self.ids[self.start : self.length].tolist()))


class _Beginnings:
    """The first ids of all live contexts side by side, so that one is compared with all of them at once."""

    width = 64

    def __init__(self, sequences: list[_Sequence]) -> None:
        self.sequences = sequences
        self.place = {id(sequence): number for number, sequence in enumerate(sequences)}
        self.cached = np.array([sequence.cached for sequence in sequences])
        """[sequences] how many ids of each were cached before this step."""
        self.coming = np.zeros(len(sequences), bool)
        """[sequences] whether this step computes a new context for it."""
        self._heads: np.ndarray | None = None

    def shared_with(self, sequence: _Sequence) -> np.ndarray:
        """How many leading ids each context shares with that of ``sequence``, [sequences]; 0 for itself."""
        if self._heads is None:
            self._heads = np.full((len(self.sequences), self.width), -1, np.int32)
            for row, each in zip(self._heads, self.sequences, strict=True):
                length = min(each.length, self.width)
                row[:length] = each.ids[:length]
        width = min(sequence.length, self.width)
        same = self._heads[:, :width] == sequence.ids[:width]
        common = np.where(same.all(1), width, same.argmin(1))
        common[self.place[id(sequence)]] = 0
        if width == self.width:
            for number in np.flatnonzero(common == width).tolist():
                common[number] = _common(sequence, self.sequences[number])
        return common


def _common(one: _Sequence, other: _Sequence) -> int:
    """How many leading ids two contexts share."""
    length = min(one.length, other.length)
    differs = one.ids[:length] != other.ids[:length]
    return int(differs.argmax()) if differs.any() else length


class TransformersEngine:
    """Sampling from a packed ``transformers`` model (see :func:`palestra.agents.packed.load_model`).

    Args:
        model: the packed model; it may be shared with a trainer, which then calls :meth:`load` after each update.
        tokenizer: needed for stop strings only.
        slots: how many sessions may be live at once; later ones wait until one is released.
        max_context: longest context in tokens; the model's own limit by default.
        max_batch_tokens: most tokens in one forward, which bounds its memory.
        workers: each computes a share of every forward.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase | None = None,
        slots: int = 64,
        max_context: int | None = None,
        max_batch_tokens: int = 8192,
        version: int = 0,
        workers: Workers | None = None,
    ) -> None:
        self.model = model
        self._workers = workers or Workers()
        self.tokenizer = tokenizer
        self.device = next(model.parameters()).device
        own_limit = int(model.config.get_text_config().max_position_embeddings)
        self.max_context = min(max_context or own_limit, own_limit)
        self.capabilities = Capabilities(
            logprobs=True, load=True, images=False, max_context=self.max_context, choices=True
        )
        self.max_batch_tokens = max_batch_tokens
        self.version = version
        self.prefilled = 0
        """Context tokens computed so far (not those copied from another session)."""
        self.sampled = 0
        self._cache = KVCache(slots)
        self._free = list(range(slots))[::-1]
        self._live: dict[Session, _Sequence] = {}
        self._queue: deque[Request] = deque()

    @property
    def busy(self) -> bool:
        """Whether a request is queued or under way."""
        return bool(self._queue) or any(sequence.request for sequence in self._live.values())

    def submit(self, request: Request) -> None:
        """Queue a request.

        Raises:
            ValueError: if its session has a request under way, it has no new ids, it wants stop strings without a
                tokenizer, or one of its choices is longer than it may be.
        """
        live = self._live.get(request.session)
        if (live and live.request) or any(queued.session == request.session for queued in self._queue):
            raise ValueError(f"session {request.session!r} already has a request under way")
        if not len(request.ids):
            raise ValueError(f"a request must append at least one id (session {request.session!r})")
        if request.sampling.stop and self.tokenizer is None:
            raise ValueError("stop strings need an engine with a tokenizer")
        longest = max(map(len, request.choices), default=0)
        if longest > request.sampling.max_tokens:
            raise ValueError(f"a choice has {longest} tokens, and max_tokens is {request.sampling.max_tokens}")
        self._queue.append(request)

    def release(self, session: Session) -> None:
        """Forget a session and what it has queued; an unknown one is ignored."""
        self._queue = deque(request for request in self._queue if request.session != session)
        sequence = self._live.pop(session, None)
        if sequence is not None:
            self._free.append(sequence.slot)

    @torch.no_grad()
    def load(self, weights: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """Copy named ``weights`` into the model; an empty iterable says that the shared model has changed.

        Raises:
            KeyError: if the model has no parameter of that name.
        """
        # Tied weights have several names, any of which a state_dict may give.
        own = dict(self.model.named_parameters(remove_duplicate=False)) | dict(self.model.named_buffers())
        for name, tensor in weights:
            own[name].copy_(tensor)
        self.version = version
        for sequence in self._live.values():
            sequence.cached = 0

    @torch.inference_mode()
    def step(self) -> list[Completion]:
        """One packed forward and one sampled token for every sequence that is complete in it.

        Raises:
            RuntimeError: if every slot is held by an idle session, so that nothing can go on.
        """
        finished = self._admit()
        batch = self._select()
        if not batch:
            if self._queue and not finished:
                raise RuntimeError(f"all {self._cache.slots} slots hold live sessions; release one, or make more slots")
            return finished
        ready: list[_Sequence] = []
        beginnings = _Beginnings(list(self._live.values()))
        for sequence in batch:
            if self._share_prefix(sequence, beginnings):
                ready.append(sequence)
                beginnings.coming[beginnings.place[id(sequence)]] = len(sequence.pending) > 1
        for sequence, new, token, logprob in self._forward(ready):
            sequence.cached = sequence.length
            self.prefilled += new if sequence.length == sequence.start else 0
            self.sampled += 1
            sequence.append(np.array([token], np.int32))
            sequence.logprobs.append(logprob)
            finish = self._finish(sequence, token)
            while finish is None and sequence.allowed is not None and len(sequence.allowed) == 1:
                # What must follow needs no forward: its probability is 1.
                sequence.append(sequence.allowed.astype(np.int32))
                sequence.logprobs.append(0.0)
                finish = self._finish(sequence, int(sequence.ids[sequence.length - 1]))
            if finish is not None:
                finished.append(self._complete(sequence, finish))
        return finished

    def _forward(self, ready: Sequence[_Sequence]) -> list[tuple[_Sequence, int, int, float]]:
        """For each sequence, in some order: how many ids were new, the token drawn after them, its log-probability."""
        # Neighbours in the cache together, since a span of it is read faster than single slots.
        singles = sorted((each for each in ready if len(each.pending) == 1), key=lambda each: each.slot)
        longer = [each for each in ready if len(each.pending) > 1]
        count = max(1, min(self._workers.count, len(ready) // _SMALLEST_SHARE))
        bounds = [len(singles) * number // count for number in range(count + 1)]
        parts = [singles[first:last] for first, last in pairwise(bounds)]
        for part, more in zip(parts, shares(longer, lambda each: len(each.pending), count), strict=False):
            part += more
        packings = [
            Packing(
                [len(s.pending) for s in part],
                [s.cached for s in part],
                [s.slot for s in part],
                self._cache,
                self.device,
            )
            for part in parts
        ]

        def work(share: tuple[list[_Sequence], Packing]) -> tuple[list[int], list[float]]:
            part, packing = share
            ids = torch.from_numpy(np.concatenate([each.pending for each in part]).astype(np.int64)).to(self.device)
            last = torch.tensor(np.cumsum(packing.new) - 1, device=self.device)
            return self._sample(logits(self.model, hidden_states(self.model, ids, packing)[last]), part)

        drawn = self._workers.map(work, list(zip(parts, packings, strict=True)))
        return [
            result
            for part, packing, (tokens, logprobs) in zip(parts, packings, drawn, strict=True)
            for result in zip(part, packing.new, tokens, logprobs, strict=True)
        ]

    def _admit(self) -> list[Completion]:
        """Start queued requests while there are slots; give those that have no room in the context."""
        full: list[Completion] = []
        waiting: deque[Request] = deque()
        for request in self._queue:
            sequence = self._live.get(request.session)
            if sequence is None:
                if not self._free:
                    waiting.append(request)
                    continue
                sequence = self._live[request.session] = _Sequence(self._free.pop())
            sequence.begin(request, self.max_context)
            if sequence.limit < 1:
                full.append(self._complete(sequence, "context"))
        self._queue = waiting
        return full

    def _select(self) -> list[_Sequence]:
        """The sequences of the next forward: those being sampled, then prefills up to the token budget."""
        active = [sequence for sequence in self._live.values() if sequence.request]
        active.sort(key=lambda sequence: len(sequence.pending) > 1)
        batch: list[_Sequence] = []
        tokens = 0
        for sequence in active:
            tokens += len(sequence.pending)
            if batch and tokens > self.max_batch_tokens:
                break
            batch.append(sequence)
        return batch

    def _share_prefix(self, sequence: _Sequence, beginnings: _Beginnings) -> bool:
        """Copy the longest cached beginning that ``sequence`` shares with a live session.

        False if it should wait a step, because one of those that this step computes will then have much more of it.
        """
        if sequence.cached or sequence.length < _SHORTEST_FORK:
            return True
        common = beginnings.shared_with(sequence)
        copied = np.minimum(common, beginnings.cached)
        donor = int(copied.argmax())
        shared = int(copied[donor]) if copied[donor] >= _SHORTEST_FORK else 0
        if sequence.waited < 2 and (common[beginnings.coming] >= shared + _SHORTEST_FORK).any():
            # Not for ever: a session that is released at once leaves nothing to copy, and so may the next one.
            sequence.waited += 1
            return False
        if shared:
            # The last token is always computed, because its hidden state gives the next one.
            shared = min(shared, sequence.length - 1)
            self._cache.fork(beginnings.sequences[donor].slot, sequence.slot, shared)
            sequence.cached = shared
        return True

    def _sample(self, scores: torch.Tensor, sequences: list[_Sequence]) -> tuple[list[int], list[float]]:
        """Draw a token for each row of ``scores`` [n, vocabulary]; the tokens and their log-probabilities."""
        samplings = [sequence.request.sampling for sequence in sequences if sequence.request]
        draws = [sequence.uniforms[len(sequence.logprobs)] for sequence in sequences]
        scores = restrict(scores, [sequence.allowed for sequence in sequences])
        log_distribution = distribution(scores, samplings)
        uniforms = torch.tensor(draws, dtype=torch.float64, device=scores.device)
        cumulative = log_distribution.exp().double().cumsum(-1)
        target = uniforms[:, None] * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, target, right=True).clamp_(max=scores.shape[1] - 1)
        greedy = torch.tensor([sampling.temperature == 0 for sampling in samplings], device=scores.device)
        tokens = torch.where(greedy, scores.argmax(-1), tokens[:, 0])
        logprobs = log_distribution.gather(1, tokens[:, None])[:, 0]
        return tokens.tolist(), logprobs.tolist()

    def _finish(self, sequence: _Sequence, token: int) -> Literal["stop", "length", "context"] | None:
        assert sequence.request is not None
        sampling = sequence.request.sampling
        allowed = sequence.allowed
        if token in sampling.stop_ids or (allowed is not None and not len(allowed)):
            return "stop"
        count = len(sequence.logprobs)
        if sampling.stop and self.tokenizer is not None:
            # A stop string ends in the last token, so a tail that is longer than any of them is enough.
            tail = sequence.ids[sequence.start : sequence.length][-(max(map(len, sampling.stop)) * 4 + 8) :]
            text = self.tokenizer.decode(tail)
            if any(stop in text for stop in sampling.stop):
                return "stop"
        if count >= sequence.limit:
            return "length" if count >= sampling.max_tokens else "context"
        return None

    def _complete(self, sequence: _Sequence, finish: Literal["stop", "length", "context"]) -> Completion:
        assert sequence.request is not None
        ids = sequence.ids[sequence.start : sequence.length].copy()
        logprobs = np.array(sequence.logprobs, np.float32)
        completion = Completion(sequence.request.session, ids, logprobs, self.version, finish)
        sequence.request = None
        return completion


def distribution(scores: torch.Tensor, samplings: list[Sampling]) -> torch.Tensor:
    """Log-probabilities [n, vocabulary] of what each row of logits is sampled from; temperature 0 leaves them at 1."""
    temperatures = [sampling.temperature or 1.0 for sampling in samplings]
    if any(temperature != 1.0 for temperature in temperatures):
        scores = scores / torch.tensor(temperatures, device=scores.device)[:, None]
    log_distribution = scores.log_softmax(-1)
    for row, sampling in enumerate(samplings):
        if sampling.top_k or sampling.top_p < 1:
            log_distribution[row] = _truncate(log_distribution[row], sampling.top_k, sampling.top_p)
    return log_distribution


def _truncate(logprobs: torch.Tensor, top_k: int, top_p: float) -> torch.Tensor:
    """Keep the ``top_k`` likeliest tokens and the smallest set of probability ``top_p``; renormalise the rest away."""
    ordered, order = logprobs.sort(descending=True, stable=True)
    before = ordered.exp().double().cumsum(0) - ordered.exp().double()
    keep = before < top_p
    if top_k:
        keep[top_k:] = False
    kept = torch.full_like(logprobs, float("-inf"))
    kept[order[keep]] = ordered[keep]
    return kept.log_softmax(-1)
