from __future__ import annotations

import numpy as np
import pytest
import torch

from palestra.training.config import Clip
from palestra.training.losses import LOSSES, kl_penalty, register_loss


def arrays(count: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    old = np.log(rng.uniform(0.01, 1.0, count))
    return old + rng.normal(0, 0.5, count), old, rng.normal(0, 2, count)


@pytest.mark.parametrize("clip", [Clip(), Clip(0.2, 0.2), Clip(0.0, 0.0), Clip(0.9, 5.0)])
def test_clipped_is_that_of_the_paper(clip: Clip) -> None:
    new, old, advantages = arrays()
    wanted = np.empty(len(new))
    for index, (a, b, advantage) in enumerate(zip(new, old, advantages, strict=True)):
        ratio = np.exp(a - b)
        bounded = min(max(ratio, 1 - clip.low), 1 + clip.high)
        wanted[index] = -min(ratio * advantage, bounded * advantage)
    got = LOSSES["clipped"](*map(torch.from_numpy, (new, old, advantages)), clip)
    assert np.allclose(got.numpy(), wanted, rtol=1e-12)


def test_clipped_moves_nothing_that_has_moved_enough() -> None:
    logprobs = torch.tensor([0.5, -0.5, 0.5, -0.5, 0.1], dtype=torch.float64, requires_grad=True)
    advantages = torch.tensor([1.0, -1.0, -1.0, 1.0, 1.0], dtype=torch.float64)
    LOSSES["clipped"](logprobs, torch.zeros(5, dtype=torch.float64), advantages, Clip(0.2, 0.2)).sum().backward()
    ratios = np.exp([0.5, -0.5, 0.5, -0.5, 0.1])
    assert logprobs.grad is not None
    assert np.allclose(logprobs.grad.numpy(), -ratios * np.array([0, 0, -1, 1, 1]))


def test_reinforce_is_the_gradient_of_clipped_on_policy() -> None:
    _, old, advantages = (torch.from_numpy(array) for array in arrays())
    gradients = []
    for name in ("clipped", "reinforce"):
        logprobs = old.clone().requires_grad_()
        LOSSES[name](logprobs, old, advantages, Clip()).sum().backward()
        gradients.append(logprobs.grad)
    assert torch.allclose(gradients[0], gradients[1])
    assert torch.equal(LOSSES["reinforce"](old, old + 1, advantages, Clip()), -old * advantages)


def test_kl_penalty_estimates_the_divergence() -> None:
    rng = np.random.default_rng(0)
    policy, reference = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    terms = kl_penalty(torch.from_numpy(np.log(policy)), torch.from_numpy(np.log(reference))).numpy()
    assert (terms > 0).all()
    assert np.isclose((policy * terms).sum(), (policy * np.log(policy / reference)).sum())
    same = torch.from_numpy(np.log(policy))
    assert torch.equal(kl_penalty(same, same), torch.zeros(6, dtype=torch.float64))


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'clipped' is registered already"):
        register_loss("clipped")(LOSSES["clipped"])
