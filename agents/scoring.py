"""How likely texts are to a ``transformers`` model: the scorer that likelihood rewards ask."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..rewards.likelihood import Pair
from .packed import Packing, hidden_states, load_model, logits

_ROWS = 1024
"""Tokens whose distributions over the vocabulary are held at once."""


_Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Of distributions [tokens, vocabulary], as log-probabilities, and the ids drawn [tokens]: a number each."""


def _logprobs(distribution: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return distribution.gather(1, ids[:, None])[:, 0]


def _certainty(distribution: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return -distribution.mean(-1) - math.log(distribution.shape[1])


class ModelScorer:
    """Log-probabilities of texts by a packed model; a :class:`palestra.rewards.likelihood.Scorer`.

    A context and its target are encoded apart and put together, so that a target's tokens are the same in every
    context; before them stands the tokenizer's token for the beginning or, where it has none, for the end of a text.
    Nothing is rendered: chat markup is the context's own affair.

    Args:
        model: loaded by :func:`palestra.agents.packed.load_model`; sharing a trainer's makes the policy score itself.
        tokenizer: the model's.
        max_batch_tokens: most tokens in one forward, unless a single pair has more.

    Raises:
        ValueError: if the tokenizer marks neither the beginning nor the end of a text.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_batch_tokens: int = 8192
    ) -> None:
        begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if begin is None:
            raise ValueError("the tokenizer has no token for the beginning or the end of a text")
        self.model = model
        self.tokenizer = tokenizer
        self.max_batch_tokens = max_batch_tokens
        self.max_context = int(model.config.get_text_config().max_position_embeddings)
        self._begin = [int(begin)]

    @classmethod
    def load(cls, path: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> ModelScorer:
        """A scorer with the model and tokenizer of a folder or the hub; ValueError if there are none to use."""
        return cls(load_model(path, device, dtype), AutoTokenizer.from_pretrained(path))

    def logprobs(self, pairs: Sequence[Pair]) -> list[np.ndarray]:
        """The log-probability of each token of each (context, target) pair's target, one float64 array per pair.

        Raises:
            ValueError: if a context has a picture, or a pair is longer than the model's limit.
        """
        return self._answers(pairs, _logprobs)

    def certainty(self, pairs: Sequence[Pair]) -> list[np.ndarray]:
        """How far from uniform each of the target's tokens was drawn: KL(U || p) = -log V - mean_j log p_j, in nats.

        One float64 array per pair; errors as of :meth:`logprobs`.
        """
        return self._answers(pairs, _certainty)

    def _answers(self, pairs: Sequence[Pair], measure: _Measure) -> list[np.ndarray]:
        encoded = [(self._begin + self._ids(context), self._ids(target)) for context, target in pairs]
        for (_, target), (head, tail) in zip(pairs, encoded, strict=True):
            if len(head) + len(tail) > self.max_context:
                tokens = len(head) + len(tail)
                raise ValueError(
                    f"{target!r:.80} and its context have {tokens} tokens, the limit is {self.max_context}"
                )
        return [answer for batch in self._batches(encoded) for answer in self._score(batch, measure)]

    @torch.no_grad()
    def follow(self, policy: PreTrainedModel, decay: float = 0.995) -> None:
        """Move the weights towards a policy's: decay * own + (1 - decay) * policy's, in place.

        Meant for a scorer that has a copy of its own, as a slowly updated reference; see
        :func:`palestra.rewards.likelihood.ema_update`.
        """
        for own, new in zip(self.model.parameters(), policy.parameters(), strict=True):
            own.lerp_(new.to(own), 1 - decay)

    def _ids(self, text: object) -> list[int]:
        if not isinstance(text, str):
            raise ValueError(f"this scorer reads texts only, not {text!r:.80}")
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _batches(self, encoded: Sequence[tuple[list[int], list[int]]]) -> Iterator[list[tuple[list[int], list[int]]]]:
        batch: list[tuple[list[int], list[int]]] = []
        tokens = 0
        for head, tail in encoded:
            if batch and tokens + len(head) + len(tail) > self.max_batch_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append((head, tail))
            tokens += len(head) + len(tail)
        if batch:
            yield batch

    @torch.no_grad()
    def _score(self, batch: Sequence[tuple[list[int], list[int]]], measure: _Measure) -> list[np.ndarray]:
        device = next(self.model.parameters()).device
        lengths = [len(head) + len(tail) for head, tail in batch]
        ids = torch.tensor([index for head, tail in batch for index in (*head, *tail)], device=device)
        hidden = hidden_states(self.model, ids, Packing(lengths, device=device))
        ends = np.cumsum(lengths)
        targets = np.concatenate([np.arange(end - len(tail), end) for end, (_, tail) in zip(ends, batch, strict=True)])
        places = torch.from_numpy(targets).to(device)
        # A token's distribution stands in the place before it.
        rows = [
            measure(logits(self.model, hidden[chunk - 1]).log_softmax(-1), ids[chunk]) for chunk in places.split(_ROWS)
        ]
        answers = torch.cat(rows).double().cpu().numpy()
        return np.split(answers, np.cumsum([len(tail) for _, tail in batch])[:-1])
