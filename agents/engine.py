"""What generates tokens: the protocol that every engine fulfils, and the records that pass through it.

An engine keeps *sessions*: the context of one live episode, to which each request appends.  It takes ids and gives ids;
nothing in it renders or parses text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

Session = Hashable


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next tokens are drawn.

    ``temperature`` 0 takes the most likely token.  ``top_k`` 0 and ``top_p`` 1 leave the distribution whole.
    Generation ends after a token of ``stop_ids``, after text that contains one of ``stop``, or at ``max_tokens``.
    """

    max_tokens: int = 64
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop_ids: tuple[int, ...] = ()
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"temperature and top_k must not be negative and top_p in (0, 1], not {self}")


@dataclass(frozen=True, slots=True)
class Request:
    """Append ``ids`` [n] int32 to ``session`` (made if new) and sample.

    ``seed`` fixes the draws: the same context, weights and seed give the same ids, whatever else is in the batch.
    With ``choices``, replies of ids [a] int32 each, one of them is drawn: at each place from the tokens with which one
    of them goes on, in the proportions of the distribution.
    """

    session: Session
    ids: np.ndarray
    sampling: Sampling = field(default_factory=Sampling)
    seed: tuple[int, ...] = (0,)
    choices: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What a request sampled: ``ids`` [a] int32, the stop token included, and their ``logprobs`` [a] float32.

    The log-probabilities are those of the distribution that was sampled from, after temperature and truncation.
    ``finish`` is ``"stop"``, ``"length"`` (``max_tokens`` reached) or ``"context"`` (no room left; ``ids`` may be
    empty).  ``version`` is the weights' version.
    """

    session: Session
    ids: np.ndarray
    logprobs: np.ndarray
    version: int
    finish: Literal["stop", "length", "context"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do.  Training needs ``logprobs`` (which implies ids) and ``load``."""

    logprobs: bool
    load: bool
    images: bool
    max_context: int
    choices: bool = False
    """Whether it draws one of a request's ``choices``."""


class Engine(Protocol):
    """Generates tokens for many sessions at once."""

    capabilities: Capabilities
    version: int

    def submit(self, request: Request) -> None:
        """Queue a request; its session must have none under way."""
        ...

    def step(self) -> list[Completion]:
        """Do one unit of work for all queued requests; give those that finished (possibly none)."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a request is queued or under way."""
        ...

    def release(self, session: Session) -> None:
        """Forget a session, and any request of it that is under way."""
        ...

    def load(self, weights: Iterable[tuple[str, Any]], version: int) -> None:
        """Replace the weights.  Live sessions go on under the new ones; nothing cached from the old is used."""
        ...


def generate(engine: Engine, requests: Sequence[Request]) -> list[Completion]:
    """Run requests of different sessions to their end; completions in the order of the requests."""
    for request in requests:
        engine.submit(request)
    done: dict[Session, Completion] = {}
    while len(done) < len(requests):
        for completion in engine.step():
            done[completion.session] = completion
    return [done[request.session] for request in requests]
