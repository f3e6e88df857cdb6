"""What a policy does, as probabilities: read off the model, not sampled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from .choices import Choices
from .packed import Packing, hidden_states, logits
from .renderer import Renderer

Asked = tuple[str, tuple[str, ...]]
"""An observation and the actions that are legal there."""


class ModelStrategy:
    """The probabilities with which a model that reads one observation, and no more, chooses among legal actions.

    They are those of an engine that is given the actions as a request's ``choices``: at each token, the share of those
    that may follow.  A call is a :data:`palestra.envs.multi.tree.Strategy`.

    Args:
        model: a packed model (see :func:`palestra.agents.packed.load_model`), as it is when asked for the first time.
        renderer: the policy's.
        temperature: of the sampling; 0 takes the likeliest token.
        max_batch_tokens: most tokens in one forward.
    """

    def __init__(
        self, model: PreTrainedModel, renderer: Renderer, temperature: float = 1.0, max_batch_tokens: int = 8192
    ) -> None:
        self._model = model
        self._renderer = renderer
        self._temperature = temperature
        self._max_batch_tokens = max_batch_tokens
        self._known: dict[Asked, np.ndarray] = {}

    def __call__(self, observation: str, actions: Sequence[str]) -> np.ndarray:
        """The probability of each action, [actions] float64."""
        asked = (str(observation), tuple(actions))
        if asked not in self._known:
            self.read([asked])
        return self._known[asked]

    def read(self, asked: Iterable[Asked]) -> None:
        """Work out many at once, which later calls then know."""
        todo = [item for item in dict.fromkeys(asked) if item not in self._known]
        replies = [[tuple(self._renderer.reply(action).tolist()) for action in actions] for _, actions in todo]
        trees = [Choices([np.array(reply) for reply in each]) for each in replies]
        places = [(number, prefix) for number, tree in enumerate(trees) for prefix in tree.branches()]
        contexts = [np.array([*self._renderer.start(todo[number][0]), *prefix]) for number, prefix in places]
        shares: list[dict[tuple[int, ...], float]] = [{} for _ in todo]
        for (number, prefix), scores in zip(places, self._scores(contexts), strict=True):
            following = trees[number].after(prefix)
            chances = self._chances(scores[torch.from_numpy(following)])
            for token, chance in zip(following.tolist(), chances, strict=True):
                shares[number][(*prefix, token)] = chance
        for item, each, share in zip(todo, replies, shares, strict=True):
            products = [np.prod([share.get(reply[:end], 1.0) for end in range(1, len(reply) + 1)]) for reply in each]
            self._known[item] = np.array(products, np.float64)

    def _chances(self, scores: torch.Tensor) -> list[float]:
        if not self._temperature:
            return [float(index == int(scores.argmax())) for index in range(len(scores))]
        chances: list[float] = (scores.double() / self._temperature).softmax(0).tolist()
        return chances

    @torch.inference_mode()
    def _scores(self, contexts: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """The logits [vocabulary] after each context."""
        device = next(self._model.parameters()).device
        scores: list[torch.Tensor] = []
        batch: list[np.ndarray] = []
        for number, context in enumerate(contexts):
            batch.append(context)
            following = len(contexts[number + 1]) if number + 1 < len(contexts) else self._max_batch_tokens
            lengths = [len(each) for each in batch]
            if sum(lengths) + following > self._max_batch_tokens:
                ids = torch.from_numpy(np.concatenate(batch).astype(np.int64)).to(device)
                hidden = hidden_states(self._model, ids, Packing(lengths, device=device))
                last = torch.tensor(np.cumsum(lengths) - 1, device=device)
                scores += list(logits(self._model, hidden[last]).cpu())
                batch = []
        return scores
