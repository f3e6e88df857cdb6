from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from palestra.training.control.networks import GaussianPolicy, ResidualPolicy, SquashedGaussian, Stack, log_slope


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_the_squashed_density_is_one_in_all() -> None:
    policy = SquashedGaussian(3, 1, 16, generator()).double()
    observation = torch.randn(1, 3, generator=generator(), dtype=torch.float64)
    # As fine in u as in the action, whose density may be steep at the bounds.
    actions = torch.tanh(torch.linspace(-4.9, 4.9, 20001, dtype=torch.float64))[:, None]
    density = policy.logprobs(observation.expand(len(actions), -1), actions).exp()
    assert torch.trapezoid(density, actions[:, 0]).item() == pytest.approx(1, abs=1e-3)


def test_a_sample_has_the_log_density_that_torch_gives_it() -> None:
    policy = SquashedGaussian(3, 2, 16, generator()).double()
    observations = torch.randn(50, 3, generator=generator(), dtype=torch.float64)
    noise = torch.randn(50, 2, generator=generator(), dtype=torch.float64)
    actions, logprobs = policy.sample(observations, noise)
    mean, log_std = policy.distribution(observations)
    transforms = [torch.distributions.TanhTransform(cache_size=1)]
    known = torch.distributions.TransformedDistribution(torch.distributions.Normal(mean, log_std.exp()), transforms)
    torch.testing.assert_close(logprobs, known.log_prob(actions).sum(-1))
    torch.testing.assert_close(policy.logprobs(observations, actions), logprobs)


def test_the_slope_of_tanh_far_out() -> None:
    """Where 1 - tanh(u)^2 is 0 in float32: log(4) - 2|u|."""
    far = torch.tensor([-40.0, 0.0, 40.0])
    torch.testing.assert_close(log_slope(far), torch.tensor([math.log(4) - 80, 0.0, math.log(4) - 80]))


def test_the_gaussian_density_and_entropy_are_torchs() -> None:
    policy = GaussianPolicy(3, 2, 16, 0.7, generator())
    means, actions = torch.randn(2, 50, 2, generator=generator())
    known = torch.distributions.Normal(means, torch.full((2,), 0.7))
    torch.testing.assert_close(policy.logprobs(means, actions), known.log_prob(actions).sum(-1))
    torch.testing.assert_close(policy.entropy(), known.entropy()[0].sum())


def test_a_stack_is_its_members_one_by_one() -> None:
    stack = Stack(3, [4, 8, 2], True, generator())
    rows = torch.randn(5, 4, generator=generator())
    for member, answer in enumerate(stack(rows)):
        weights = [weight[member] for weight in stack.weights]
        biases = [bias[member] for bias in stack.biases]
        hidden = torch.relu(nn.functional.layer_norm(rows @ weights[0] + biases[0], (8,)))
        torch.testing.assert_close(answer, hidden @ weights[1] + biases[1])


def test_a_residual_that_has_learned_nothing_is_the_frozen_policy() -> None:
    policy = ResidualPolicy(3, 2, 16, 0.5, generator())
    observations = torch.randn(50, 3, generator=generator())
    assert torch.equal(policy(observations), policy.base(observations))
    moved, _ = policy.sample(observations, torch.full((50, 2), np.inf))
    torch.testing.assert_close(moved, (policy.base(observations) + 0.5).clamp(-1, 1))
    assert not any(parameter.requires_grad for parameter in policy.base.parameters())
