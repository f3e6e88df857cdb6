"""Rewards of several agents out of demonstrations: for each a soft critic that is marginal over what the others do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from .encoders import seeded

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

Policies = Callable[[Tensor], Sequence[Tensor]]
"""From states [n, size] to the probabilities of each agent's actions, [n, actions of agent i]."""


@dataclass(frozen=True)
class JointSteps:
    """What all agents did at each of n steps of one or more episodes.

    ``states`` and ``following`` [n, size] float are what there was before and after, in features that say all there is
    to know; ``actions`` [n, agents] int are numbers of actions, and ``chances`` [n, agents] float the probabilities
    with which they were taken; ``over`` [n] bool says that the episode terminated there, so that nothing follows (not
    that it was truncated).  Raises ValueError for other shapes, or a chance of 0.
    """

    states: Tensor
    actions: Tensor
    chances: Tensor
    following: Tensor
    over: Tensor

    def __post_init__(self) -> None:
        count = len(self.states)
        if self.following.shape != self.states.shape or self.over.shape != (count,):
            raise ValueError("states and following must be [n, size], and over [n]")
        if self.actions.ndim != 2 or len(self.actions) != count or self.chances.shape != self.actions.shape:
            raise ValueError("actions and chances must be [n, agents]")
        if not (self.chances > 0).all():
            raise ValueError("what was done cannot have had a chance of 0")

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: Tensor | slice) -> JointSteps:
        """Some of the steps."""
        return JointSteps(*(getattr(self, field.name)[rows] for field in fields(self)))


def concatenated(parts: Sequence[JointSteps]) -> JointSteps:
    """All steps of several records, in order."""
    return JointSteps(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(JointSteps)))


def play(
    env: ParallelEnv[str, Any, Any],
    policies: Policies,
    encode: Callable[[Mapping[str, Any]], Sequence[float]],
    seed: int,
) -> JointSteps:
    """An episode of a PettingZoo environment whose agents act at the same time and all to the end.

    ``encode`` makes a state's features of the agents' observations; the agents are in the order of
    ``env.possible_agents``, their actions numbers from 0.  Raises ValueError where some of the agents have left.
    """
    rng, agents, rows = np.random.default_rng(seed), env.possible_agents, []
    observations, _ = env.reset(seed=seed)
    state = torch.tensor(encode(observations), dtype=torch.float32)
    while env.agents:
        if env.agents != agents:
            raise ValueError(f"only {', '.join(env.agents)} of {', '.join(agents)} are left; all must stay to the end")
        with torch.no_grad():
            chances = [one[0].double().numpy() for one in policies(state[None])]
        chosen = [int(rng.choice(len(one), p=one / one.sum())) for one in chances]
        observations, _, terminations, _, _ = env.step(dict(zip(agents, chosen, strict=True)))
        following = torch.tensor(encode(observations), dtype=torch.float32)
        taken = torch.tensor([one[action] for one, action in zip(chances, chosen, strict=True)])
        # What was drawn had some chance, even if single precision has no number for it.
        taken = taken.float().clamp(min=torch.finfo(torch.float32).tiny)
        rows.append((state, torch.tensor(chosen), taken, following, all(terminations.values())))
        state = following
    states, actions, probabilities, after, ends = zip(*rows, strict=True)
    return JointSteps(
        states=torch.stack(states),
        actions=torch.stack(actions),
        chances=torch.stack(probabilities),
        following=torch.stack(after),
        over=torch.tensor(ends),
    )


class MarginalCritics(nn.Module):
    """For each agent i a soft critic Q_i(s, a_i) of its own actions, marginal over what the others do.

    Its policy is a Boltzmann one, pi_i(a_i | s) proportional to exp(Q_i(s, a_i) / temperature), its value V_i(s) =
    temperature * log sum exp(Q_i(s, .) / temperature).  Source: MAMQL (arXiv:2503.04679).

    Args:
        inputs: size of a state's features.
        actions: how many actions each agent has.
        hidden: widths of the layers; none makes a table of one-hot features.
        temperature: of the policies, above 0.
        discount: gamma, in [0, 1).
        seed: of the weights; torch's own generator is left as it was.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(
        self,
        inputs: int,
        actions: Sequence[int],
        hidden: Sequence[int] = (64, 64),
        *,
        temperature: float = 1.0,
        discount: float = 0.95,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not temperature > 0 or not 0 <= discount < 1 or not actions:
            raise ValueError(f"temperature {temperature} must be above 0, discount {discount} in [0, 1), with an agent")
        self.actions, self.temperature, self.discount = tuple(actions), temperature, discount
        with seeded(seed):
            self.nets = nn.ModuleList(_net([inputs, *hidden, size]) for size in self.actions)

    def forward(self, states: Tensor) -> list[Tensor]:
        """Q_i of each agent i, [n, actions of agent i]."""
        return [net(states) for net in self.nets]

    def policies(self, states: Tensor) -> list[Tensor]:
        """The probability of each action of each agent i, [n, actions of agent i]."""
        return [torch.softmax(critic / self.temperature, 1) for critic in self(states)]

    def rewards(self, steps: JointSteps) -> Tensor:
        """What each agent seems to have been paid for each step, [n, agents]: r_i = Q_i(s, a_i) - gamma V_i(s').

        A policy tells rewards only up to what changes no policy: r + gamma f(s') - f(s) explains it as well.  Their
        mean over what the others do is the marginal reward; single ones have the noise of V_i(s').
        """
        return self._parts(steps)[0]

    def _parts(self, steps: JointSteps) -> tuple[Tensor, Tensor, Tensor]:
        """Rewards, V_i(s) - gamma V_i(s'), and log pi_i(a_i | s), each [n, agents]."""
        if steps.actions.shape[1] != len(self.actions):
            raise ValueError(f"steps of {steps.actions.shape[1]} agents for critics of {len(self.actions)}")
        critics = self(steps.states)
        values = self._values(critics)
        ahead = self.discount * torch.where(steps.over[:, None], 0.0, self._values(self(steps.following)))
        taken = [critic.gather(1, action[:, None]) for critic, action in zip(critics, steps.actions.T, strict=True)]
        chosen = torch.cat(taken, 1)
        return chosen - ahead, values - ahead, (chosen - values) / self.temperature

    def _values(self, critics: Sequence[Tensor]) -> Tensor:
        soft = [self.temperature * torch.logsumexp(critic / self.temperature, 1) for critic in critics]
        return torch.stack(soft, 1)


def _net(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def inverse_q_loss(
    critics: MarginalCritics,
    shown: JointSteps,
    played: JointSteps,
    *,
    alpha: float = 0.5,
    marginal: bool = True,
    most: float = 10.0,
) -> Tensor:
    """The soft inverse-Q criterion on each agent's marginal critic, summed over agents; to be minimised.

    -E_shown[r_i] + E[V_i(s) - gamma V_i(s')] + E[r_i^2] / (4 alpha), r_i as in :meth:`MarginalCritics.rewards`, and E
    the mean over ``shown`` and ``played`` in equal parts: the chi-squared form of IQ-Learn (arXiv:2106.12142), which
    MAMQL applies to marginal critics (arXiv:2503.04679).  ``played`` are steps of any policies, such as random ones and
    earlier ones of these critics; they say what comes of actions that nobody showed.

    A marginal critic is the mean over what the others do *now*, and what they did in ``played`` is not that: its steps
    weigh prod_j pi_j(a_j | s) / chance_j over the others j, at most ``most``, in proportion.  These importance weights
    are ours, in place of the paper's fresh samples.  ``marginal=False`` leaves them out, which is independent
    single-agent inverse Q-learning, to compare with.

    Raises:
        ValueError: ``alpha`` or ``most`` is not above 0, or the steps are of another number of agents.
    """
    if not alpha > 0 or not most > 0:
        raise ValueError(f"alpha {alpha} and most {most} must be above 0")
    explained, advance, _ = critics._parts(shown)
    rewards, advances, logits = critics._parts(played)
    weights = _others(logits.detach() - played.chances.log(), most) if marginal else torch.ones_like(rewards)
    loss = -explained.mean(0)
    loss = loss + (advance.mean(0) + (weights * advances).mean(0)) / 2
    loss = loss + (explained.square().mean(0) + (weights * rewards.square()).mean(0)) / (8 * alpha)
    return loss.sum()


def _others(ratios: Tensor, most: float) -> Tensor:
    """Weights of mean 1 [n, agents] out of the log-ratios of all agents: for each the product of the others'."""
    products = (ratios.sum(1, keepdim=True) - ratios).exp().clamp(max=most)
    return products / products.mean(0, keepdim=True)
