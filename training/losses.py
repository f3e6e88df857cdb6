"""Policy losses: registered functions from per-token quantities to a per-token loss.

All arrays are ``[tokens]`` over the sampled tokens of a batch; the caller sums and divides by the number of such tokens
in the whole batch, so that splitting a batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .config import Clip

Loss = Callable[[Tensor, Tensor, Tensor, Clip], Tensor]

LOSSES: dict[str, Loss] = {}


def register_loss(name: str) -> Callable[[Loss], Loss]:
    """Make a loss available to recipes under ``name``."""

    def register(function: Loss) -> Loss:
        if name in LOSSES:
            raise ValueError(f"a loss named {name!r} is registered already")
        LOSSES[name] = function
        return function

    return register


@register_loss("clipped")
def clipped(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: Clip) -> Tensor:
    """-min(r A, clip(r, 1 - low, 1 + high) A) with r = exp(logprobs - old) (PPO, arXiv:1707.06347, eq. 7); [tokens]."""
    ratio = (logprobs - old_logprobs).exp()
    return -(ratio * advantages).minimum(ratio.clamp(1 - clip.low, 1 + clip.high) * advantages)


@register_loss("reinforce")
def reinforce(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: Clip) -> Tensor:
    """-A log pi (Williams, 1992), for exactly one update per batch; [tokens]."""
    return -logprobs * advantages


def kl_penalty(logprobs: Tensor, reference: Tensor) -> Tensor:
    """The estimator q/p - log(q/p) - 1 of KL(policy || reference), never negative (GRPO, arXiv:2402.03300, eq. 4)."""
    difference = reference - logprobs
    return difference.exp() - difference - 1
