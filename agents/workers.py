"""Threads that each compute a share of a batch.

PyTorch's own threads split every single operation and meet again after it.  In a small model an operation takes less
time than such a meeting, all the more where something else uses the cores.  Shares of a batch meet once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from transformers import PreTrainedModel

from ..sandbox.lane import Lane

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """``count`` threads, the calling one among them; if there are several, PyTorch's own are off in each of them.

    What is computed depends on their number and never on which of them is faster.
    """

    def __init__(self, count: int = 1) -> None:
        if count < 1:
            raise ValueError(f"there must be at least one worker, not {count}")
        self.count = count
        self._lanes = [Lane("worker") for _ in range(count - 1)]
        if count > 1:
            torch.set_num_threads(1)
            for lane in self._lanes:
                lane.submit(torch.set_num_threads, 1).result()  # a thread has a number of its own

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``function`` of each of at most ``count`` items, at once; returns, or raises what one raised, after all."""
        if len(items) > self.count:
            raise ValueError(f"{len(items)} items for {self.count} workers")
        inference = torch.is_inference_mode_enabled()

        def work(item: Item) -> Result:
            with torch.inference_mode(inference):
                return function(item)

        others = [lane.submit(work, item) for lane, item in zip(self._lanes, items[1:], strict=False)]
        try:
            results = [function(item) for item in items[:1]]
        finally:
            for other in others:
                other.exception()
        return results + [other.result() for other in others]

    def close(self) -> None:
        """End the threads."""
        for lane in self._lanes:
            lane.close()


def shares(items: Sequence[Item], size: Callable[[Item], int], count: int) -> list[list[Item]]:
    """Items in at most ``count`` lists of about the same total size, none empty; each keeps the items' order."""
    totals = [0] * count
    place = {}
    for index in sorted(range(len(items)), key=lambda index: -size(items[index])):
        place[index] = lightest = totals.index(min(totals))
        totals[lightest] += size(items[index])
    parts = [[item for index, item in enumerate(items) if place[index] == number] for number in range(count)]
    return [part for part in parts if part]


class Replicas:
    """Models with the same weights, and gradients of their own: one for each worker, the ``model`` itself first."""

    def __init__(self, model: PreTrainedModel, count: int) -> None:
        self.models = [model, *(copy.deepcopy(model) for _ in range(count - 1))]
        for replica in self.models[1:]:
            for own, shared in zip(replica.parameters(), model.parameters(), strict=True):
                own.data, own.grad = shared.data, None

    @torch.no_grad()
    def gather(self) -> None:
        """Add the replicas' gradients to the model's."""
        model, *replicas = self.models
        for replica in replicas:
            for own, total in zip(replica.parameters(), model.parameters(), strict=True):
                if own.grad is not None:
                    total.grad = own.grad if total.grad is None else total.grad.add_(own.grad)
                    own.grad = None
