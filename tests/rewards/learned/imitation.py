"""A small off-policy imitator: an actor and a critic that learn from a replay buffer, paid by a discriminator alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from palestra.rewards.learned.adversarial import adversarial_loss, discriminator, logits, slopes
from palestra.rewards.learned.encoders import seeded

HORIZON, DISCOUNT = 25, 0.9
WARM_UP = 200
"""Steps of random actions before learning begins."""


def expert(state: np.ndarray) -> np.ndarray:
    """Straight to the origin, as fast as allowed."""
    return np.clip(-5.0 * state, -1, 1)


def start(rng: np.random.Generator) -> np.ndarray:
    """Uniform in a square."""
    return rng.uniform(-1, 1, 2)


def move(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """A point on a table: actions in [-1, 1] are its speed."""
    return np.clip(state + 0.2 * np.clip(action, -1, 1), -2, 2)


def worth(act: object, episodes: int, seed: int) -> float:
    """The mean true return: minus the distances to the origin."""
    rng, total = np.random.default_rng(seed), 0.0
    for _ in range(episodes):
        state = start(rng)
        for _ in range(HORIZON):
            state = move(state, act(state))  # type: ignore[operator]
            total -= float(np.linalg.norm(state[:2]))
    return total / episodes


def demonstrations(episodes: int, seed: int) -> torch.Tensor:
    """The expert's states and actions, [steps, 4]."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(episodes):
        state = start(rng)
        for _ in range(HORIZON):
            action = expert(state)
            rows.append(np.concatenate([state, action]))
            state = move(state, action)
    return torch.tensor(np.array(rows), dtype=torch.float32)


def net(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs))


def imitate(seed: int, penalty: float, episodes: int = 80) -> tuple[float, float]:
    """Learn by DDPG (one update a step) from 4 demonstrations.

    Returns the share of the expert's return, where a random policy's is 0, and the reward's mean slope on what was
    played last.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    with seeded(seed):
        actor, critic, old_actor, old_critic = net(2, 2), net(4, 1), net(2, 2), net(4, 1)
    old_actor.load_state_dict(actor.state_dict())
    old_critic.load_state_dict(critic.state_dict())
    judge = discriminator("features", 4, seed=seed)
    tools = [torch.optim.Adam(part.parameters(), lr=2e-3) for part in (actor, critic, judge)]
    shown, buffer = demonstrations(4, 1000 + seed), np.zeros((episodes * HORIZON, 6), np.float32)

    def act(state: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return actor(torch.tensor(state, dtype=torch.float32)).tanh().numpy()

    filled = 0
    for _ in range(episodes):
        state = start(rng)
        for _ in range(HORIZON):
            drawn = rng.uniform(-1, 1, 2) if filled < WARM_UP else act(state) + rng.normal(0, 0.3, 2)
            action = np.clip(drawn, -1, 1)
            following = move(state, action)
            buffer[filled] = np.concatenate([state, action, following])
            filled, state = filled + 1, following
            if filled < WARM_UP:
                continue
            batch = torch.from_numpy(buffer[rng.integers(filled, size=64)])
            played, after = batch[:, :4], batch[:, 4:]
            tools[2].zero_grad()
            seen = shown[torch.from_numpy(rng.integers(len(shown), size=64))]
            adversarial_loss(judge, seen, played, generator=generator, penalty=penalty).backward()
            tools[2].step()
            with torch.no_grad():
                reward = functional.softplus(logits(judge, played))
                ahead = old_critic(torch.cat([after, old_actor(after).tanh()], 1)).squeeze(1)
            tools[1].zero_grad()
            functional.mse_loss(critic(played).squeeze(1), reward + DISCOUNT * ahead).backward()
            tools[1].step()
            tools[0].zero_grad()
            (-critic(torch.cat([played[:, :2], actor(played[:, :2]).tanh()], 1)).mean()).backward()
            tools[0].step()
            for old, new in ((old_actor, actor), (old_critic, critic)):
                for one, other in zip(old.parameters(), new.parameters(), strict=True):
                    one.data.lerp_(other.data, 0.02)
    idle = np.random.default_rng(seed)
    low, high = worth(lambda _: idle.uniform(-1, 1, 2), 50, 1), worth(expert, 50, 1)
    slope = float(slopes(judge, torch.from_numpy(buffer[filled - 500 : filled, :4])).mean().detach())
    return (worth(act, 50, 1) - low) / (high - low), slope
