"""Rewards of several agents from demonstrations: the loss by hand, records of episodes, and two who carry a table."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from palestra.rewards.learned.inverse_q import JointSteps, MarginalCritics, concatenated, inverse_q_loss, play

from .carry import (
    ACTIONS,
    DISCOUNT,
    EVERY,
    HORIZON,
    PAYS,
    STATES,
    TEMPERATURE,
    Carry,
    ahead,
    canonical,
    encode,
    equilibrium,
    expected_return,
    over_others,
)


def table(*critics: list[list[float]], temperature: float = 1.0, discount: float = 0.5) -> MarginalCritics:
    """Critics whose Q_i of state s and action a is ``critics[i][s][a]``."""
    made = MarginalCritics(
        len(critics[0]), [len(one[0]) for one in critics], (), temperature=temperature, discount=discount
    )
    for net, values in zip(made.nets, critics, strict=True):
        net[0].weight.data, net[0].bias.data = torch.tensor(values).T, torch.zeros(len(values[0]))  # type: ignore[index, union-attr]
    return made


def steps(*rows: tuple[int, tuple[int, ...], tuple[float, ...], int, bool], states: int = 2) -> JointSteps:
    before, actions, chances, after, over = zip(*rows, strict=True)
    every = torch.eye(states)
    return JointSteps(
        every[list(before)], torch.tensor(actions), torch.tensor(chances), every[list(after)], torch.tensor(over)
    )


def test_rewards_and_the_loss_by_hand() -> None:
    critics = table([[2.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [3.0, 0.0]])
    shown = steps((0, (0, 1), (0.5, 0.5), 1, False))
    played = steps((1, (1, 0), (0.25, 0.5), 0, True), (0, (1, 0), (0.5, 0.5), 1, False))

    def soft(first: float, second: float) -> float:
        return math.log(math.exp(first) + math.exp(second))

    values = np.array([[soft(2, 0), soft(0, 0)], [soft(1, 1), soft(3, 0)]])
    explained = np.array([2, 0]) - 0.5 * values[1]
    rewards = np.array([[1, 3], np.array([0, 0]) - 0.5 * values[1]])
    np.testing.assert_allclose(critics.rewards(shown)[0].detach(), explained, rtol=1e-5)
    np.testing.assert_allclose(critics.rewards(played).detach(), rewards, rtol=1e-5)
    advances = np.array([values[1], values[0] - 0.5 * values[1]])
    # pi of the other's action over the chance it had.
    ratios = np.array(
        [[math.exp(3 - values[1, 1]) / 0.5, 0.5 / 0.25], [0.5 / 0.5, math.exp(0 - values[0, 0]) / 0.5]],
    )
    for marginal, most in ((True, 10.0), (True, 1.5), (False, 10.0)):
        weights = np.minimum(ratios, most) if marginal else np.ones((2, 2))
        weights = weights / weights.mean(0)
        loss = -explained + (values[0] - 0.5 * values[1] + (weights * advances).mean(0)) / 2
        loss = loss + (explained**2 + (weights * rewards**2).mean(0)) / (8 * 0.25)
        found = inverse_q_loss(critics, shown, played, alpha=0.25, marginal=marginal, most=most)
        assert found.item() == pytest.approx(loss.sum(), rel=1e-5)


def test_policies_are_boltzmann_ones() -> None:
    [first, second] = table([[1.0, 0.0]], [[0.0, 2.0, 0.0]], temperature=0.5).policies(torch.eye(1))
    np.testing.assert_allclose(first[0].detach(), np.exp([2, 0]) / np.exp([2, 0]).sum(), rtol=1e-5)
    np.testing.assert_allclose(second[0].detach(), np.exp([0, 4, 0]) / np.exp([0, 4, 0]).sum(), rtol=1e-5)


def test_an_optimum_explains_what_was_shown() -> None:
    """One state, two agents: the policies come to be the shown shares."""
    critics = MarginalCritics(1, (2, 2), (), discount=0.0)
    rows = [(0, (int(k < 3), int(k < 1)), (0.5, 0.5), 0, False) for k in range(4)]
    shown = steps(*rows, states=1)
    played = steps(*[(0, (a, b), (0.5, 0.5), 0, False) for a in (0, 1) for b in (0, 1)], states=1)
    optimizer = torch.optim.Adam(critics.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        inverse_q_loss(critics, shown, played, alpha=100.0).backward()
        optimizer.step()
    first, second = (policy[0, 1].item() for policy in critics.policies(torch.eye(1)))
    assert first == pytest.approx(0.75, abs=0.02)
    assert second == pytest.approx(0.25, abs=0.02)


def test_an_episode_is_recorded_as_it_was_played() -> None:
    env = Carry()

    def policies(states: Tensor) -> list[Tensor]:
        even = torch.full((len(states), ACTIONS), 1 / ACTIONS)
        return [even, torch.eye(ACTIONS)[[4] * len(states)]]

    record = play(env, policies, encode, seed=3)
    assert len(record) == HORIZON
    assert not record.over.any()
    assert (record.actions[:, 1] == 4).all()
    assert torch.equal(record.chances[0], torch.tensor([1 / ACTIONS, 1.0]))
    assert torch.equal(record.states[1:], record.following[:-1])
    env.reset(seed=3)
    for action, following in zip(record.actions.tolist(), record.following, strict=True):
        observations, *_ = env.step(dict(zip(("first", "second"), action, strict=True)))
        assert following[observations["first"]] == 1
    assert torch.equal(play(env, policies, encode, seed=3).actions, record.actions)


def test_agents_must_stay_to_the_end() -> None:
    class Leaves(Carry):
        def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
            result = super().step(actions)
            self.agents = ["second"]
            return result

    even = [torch.full((1, ACTIONS), 1 / ACTIONS)] * 2
    with pytest.raises(ValueError, match="only second of first, second"):
        play(Leaves(), lambda states: even, encode, seed=0)


def test_what_makes_no_sense_is_refused() -> None:
    good = steps((0, (0, 1), (0.5, 0.5), 1, False))
    with pytest.raises(ValueError, match="chance of 0"):
        replace(good, chances=torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"\[n, agents\]"):
        replace(good, chances=torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"\[n, size\]"):
        replace(good, following=torch.eye(3)[:1])
    with pytest.raises(ValueError, match="temperature"):
        MarginalCritics(2, (2, 2), temperature=0)
    critics = MarginalCritics(2, (2,))
    with pytest.raises(ValueError, match="2 agents for critics of 1"):
        critics.rewards(good)
    with pytest.raises(ValueError, match="alpha"):
        inverse_q_loss(critics, good, good, alpha=0)


def imitated(seed: int, demonstrations: int, marginal: bool) -> tuple[float, list[float]]:
    """The return of what is learned, and for each agent how its marginal reward correlates with the true one."""
    expert, env, rng = equilibrium(), Carry(), np.random.default_rng(seed)

    def experts(states: Tensor) -> list[Tensor]:
        return [torch.from_numpy(one)[states.argmax(1)] for one in expert]

    def idle(states: Tensor) -> list[Tensor]:
        return [torch.full((len(states), ACTIONS), 1 / ACTIONS)] * 2

    def draw(record: JointSteps) -> JointSteps:
        return record[torch.from_numpy(rng.integers(len(record), size=128))]

    shown = concatenated([play(env, experts, encode, 1000 * seed + k) for k in range(demonstrations)])
    buffer = concatenated([play(env, idle, encode, 1000 * seed + 100 + k) for k in range(100)])
    critics = MarginalCritics(STATES, (ACTIONS, ACTIONS), (), temperature=TEMPERATURE, discount=DISCOUNT, seed=seed)
    optimizer = torch.optim.Adam(critics.parameters(), lr=0.01)
    for step in range(1500):
        if step % 20 == 0:
            fresh = [play(env, critics.policies, encode, 10_000 * (seed + 1) + 4 * step + k) for k in range(4)]
            buffer = concatenated([buffer, *fresh])
        optimizer.zero_grad()
        inverse_q_loss(critics, draw(shown), draw(buffer), marginal=marginal).backward()
        optimizer.step()
    with torch.no_grad():
        learned = [policy.double().numpy() for policy in critics.policies(EVERY)]
        values = [critic.double() for critic in critics(EVERY)]
    found = []
    for agent, critic in enumerate(values):
        soft = TEMPERATURE * torch.logsumexp(critic / TEMPERATURE, 1).numpy()
        guessed = critic.numpy() - DISCOUNT * over_others(ahead(soft), learned, agent)
        true = over_others(PAYS[..., agent], expert, agent)
        pair = [canonical(true, expert, agent).ravel(), canonical(guessed, learned, agent).ravel()]
        found.append(float(np.corrcoef(pair)[0, 1]))
    return expected_return(learned), found


@pytest.mark.slow
def test_works_mamql() -> None:
    """From 3 and 5 demonstrations of two who carry a table: rewards that correlate, and more than by independent IQ."""
    even = [np.full((STATES, ACTIONS), 1 / ACTIONS)] * 2
    print(f"mean return: expert {expected_return(equilibrium()):.2f}, random {expected_return(even):.2f}")
    for demonstrations in (3, 5):
        marginal, single = ([imitated(seed, demonstrations, kind) for seed in range(5)] for kind in (True, False))
        gains = [ours[0] - theirs[0] for ours, theirs in zip(marginal, single, strict=True)]
        correlations = np.array([each[1] for each in marginal])
        print(f"{demonstrations} demonstrations: {[round(each[0], 2) for each in marginal]}, independent", end=" ")
        print(f"{[round(each[0], 2) for each in single]}; correlations {correlations.round(2).tolist()}")
        assert np.mean(gains) > 0
        assert sum(gain > 0 for gain in gains) >= 4
        assert correlations.min() > 0
        assert correlations.mean() > 0.25
