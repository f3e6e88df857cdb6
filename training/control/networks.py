"""The networks of continuous control: perceptrons, a Gaussian and a squashed Gaussian policy, and stacked critics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
LOG_STD_RANGE = (-5.0, 2.0)
"""Of a squashed Gaussian."""
CLONED_LOG_STD = math.log(0.3)
"""Of one that was told what to do, which leaves it something to find out."""


def perceptron(sizes: Sequence[int], gain: float, generator: torch.Generator) -> nn.Sequential:
    """Linear layers with tanh between them, orthogonal weights and zero biases; the last layer's weights have ``gain``.

    What Engstrom et al. (arXiv:2005.12729) and Andrychowicz et al. (arXiv:2006.05990) found to matter for PPO.
    """
    layers: list[nn.Module] = []
    for number, (incoming, outgoing) in enumerate(pairwise(sizes), 2):
        linear = nn.Linear(incoming, outgoing)
        last = number == len(sizes)
        nn.init.orthogonal_(linear.weight, gain if last else math.sqrt(2), generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, nn.Tanh()]
    return nn.Sequential(*layers)


class Parallel(nn.ModuleList):
    """Networks on the same rows, whose outputs stand side by side."""

    def forward(self, rows: Tensor) -> Tensor:
        """[..., all outputs] for [..., inputs]."""
        return torch.cat([network(rows) for network in self], -1)


class GaussianPolicy(nn.Module):
    """Actions from a normal distribution whose standard deviation does not depend on the observation."""

    def __init__(self, inputs: int, outputs: int, hidden: int, std: float, generator: torch.Generator) -> None:
        super().__init__()
        self.mean = perceptron([inputs, hidden, hidden, outputs], 0.01, generator)
        self.log_std = nn.Parameter(torch.full((outputs,), math.log(std)))

    def forward(self, observations: Tensor) -> Tensor:
        """The most likely actions, [..., outputs]."""
        return self.mean(observations)

    def logprobs(self, means: Tensor, actions: Tensor) -> Tensor:
        """Log-densities [...] of ``actions`` [..., outputs] where the most likely ones are ``means``."""
        distance = (actions - means) * torch.exp(-self.log_std)
        return -0.5 * distance.square().sum(-1) - self.log_std.sum() - LOG_SQRT_2PI * actions.shape[-1]

    def imitation_loss(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Mean squared error: cloning leaves the standard deviation, which exploration needs, as it is."""
        return (self(observations) - actions).square().mean()

    def entropy(self) -> Tensor:
        """In nats, the same for every observation."""
        return self.log_std.sum() + (0.5 + LOG_SQRT_2PI) * len(self.log_std)


class SquashedGaussian(nn.Module):
    """Actions tanh(u) in (-1, 1) with u from a normal distribution that the observation decides (arXiv:1812.05905)."""

    def __init__(self, inputs: int, outputs: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self._layers = Stack(1, [inputs, hidden, hidden, 2 * outputs], False, generator)
        self._outputs = outputs

    def start_at_zero(self) -> None:
        """Make u's mean 0 and its deviation 1 for every observation."""
        for parameter in (self._layers.weights[-1], self._layers.biases[-1]):
            nn.init.zeros_(parameter)

    def distribution(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation of u, each [rows, outputs], for observations [rows, inputs]."""
        mean, log_std = self._layers(observations)[0].chunk(2, -1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    def forward(self, observations: Tensor) -> Tensor:
        """The most likely u, squashed: [rows, outputs]."""
        return torch.tanh(self.distribution(observations)[0])

    def sample(self, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [rows, outputs] for standard normal ``noise`` of their shape, and their log-densities [rows]."""
        mean, log_std = self.distribution(observations)
        unsquashed = mean + log_std.exp() * noise
        normal = (-0.5 * noise.square() - log_std - LOG_SQRT_2PI).sum(-1)
        return torch.tanh(unsquashed), normal - log_slope(unsquashed).sum(-1)

    def logprobs(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Log-densities [rows] of ``actions`` [rows, outputs], which count as just inside the bounds where at them."""
        mean, log_std = self.distribution(observations)
        unsquashed = torch.atanh(actions.clamp(-1 + 1e-4, 1 - 1e-4))
        distance = (unsquashed - mean) * torch.exp(-log_std)
        normal = (-0.5 * distance.square() - log_std - LOG_SQRT_2PI).sum(-1)
        return normal - log_slope(unsquashed).sum(-1)

    def imitation_loss(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Mean squared error of the most likely actions, and of log_std from a modest one.

        Likelihood would do badly here: where an oracle goes to the bounds, a very wide u makes both bounds likely.
        """
        mean, log_std = self.distribution(observations)
        return (torch.tanh(mean) - actions).square().mean() + (log_std - CLONED_LOG_STD).square().mean()


class ResidualPolicy(nn.Module):
    """What is added to the actions of a frozen policy, a = base(s) + scale * tanh(u), kept within the bounds.

    u is normal with a mean and a deviation that depend on s and base(s) (Ankile et al., arXiv:2509.19301).  As long as
    nothing is learned its mean is 0, and the most likely action is the base's, to the bit.

    Args:
        scale: how far an action may be moved; the bounds are -1 and 1.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        self.base = ClonedPolicy(inputs, outputs, hidden, generator)
        self.base.requires_grad_(False)
        self._scale = scale
        self._residual = SquashedGaussian(inputs + outputs, outputs, hidden, generator)
        self._residual.start_at_zero()

    def forward(self, observations: Tensor) -> Tensor:
        """The most likely actions, [rows, outputs]."""
        base = self.base(observations)
        return (base + self._scale * self._residual(torch.cat([observations, base], -1))).clamp(-1, 1)

    def sample(self, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [rows, outputs] for standard normal ``noise``, and the log-densities [rows] of tanh(u)."""
        base = self.base(observations)
        residual, logprobs = self._residual.sample(torch.cat([observations, base], -1), noise)
        return (base + self._scale * residual).clamp(-1, 1), logprobs


class ClonedPolicy(nn.Module):
    """One action for each observation, within -1 and 1, learned from demonstrations alone."""

    def __init__(self, inputs: int, outputs: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self._layers = perceptron([inputs, hidden, hidden, outputs], 0.01, generator)

    def forward(self, observations: Tensor) -> Tensor:
        """[rows, outputs] for [rows, inputs]."""
        return torch.tanh(self._layers(observations))

    def imitation_loss(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Mean squared error."""
        return (self(observations) - actions).square().mean()


def log_slope(unsquashed: Tensor) -> Tensor:
    """log(1 - tanh(u)^2), the logarithm of the derivative of tanh at u, without cancellation far out."""
    return 2 * (math.log(2) - unsquashed - functional.softplus(-2 * unsquashed))


class Stack(nn.Module):
    """Several perceptrons of one shape on the same rows, with ReLU between their layers, computed together.

    Weights and biases begin uniform within 1 / sqrt(inputs), as torch's own linear layers do.  ``layer_norm``
    normalises each hidden layer before its ReLU.
    """

    def __init__(self, members: int, sizes: Sequence[int], layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self._layer_norm = layer_norm
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for incoming, outgoing in pairwise(sizes):
            bound = 1 / math.sqrt(incoming)
            for parameters, rows in ((self.weights, incoming), (self.biases, 1)):
                drawn = torch.rand(members, rows, outgoing, generator=generator)
                parameters.append(nn.Parameter(bound * (2 * drawn - 1)))

    def forward(self, rows: Tensor) -> Tensor:
        """[members, rows, outputs] for [rows, inputs]."""
        flowing = rows.expand(len(self.weights[0]), *rows.shape)
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if number:
                if self._layer_norm:
                    flowing = functional.layer_norm(flowing, flowing.shape[-1:])
                flowing = functional.relu(flowing)
            flowing = torch.baddbmm(bias, flowing, weight)
        return flowing


class Critics(nn.Module):
    """Several estimates of the value of an action (twin critics, arXiv:1802.09477; more of them, arXiv:2101.05982)."""

    def __init__(self, members: int, inputs: int, hidden: int, layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self._layers = Stack(members, [inputs, hidden, hidden, 1], layer_norm, generator)

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """[members, rows]."""
        return self._layers(torch.cat([observations, actions], -1)).squeeze(-1)
