from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

from palestra.training.control.config import PPOConfig
from palestra.training.control.normalise import LIMIT, Moments, Normaliser, ReturnScale
from palestra.training.control.ppo import PPO, Batch
from palestra.training.control.vector import Vector

from . import envs  # noqa: F401 - registers them


def test_merging_batches_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = 1e6 + rng.normal(size=(1000, 3)) * [1e-2, 1, 100]
    moments = Moments(3)
    for part in np.split(rows, [0, 1, 3, 200, 201, 900]):
        moments.update(part)
    np.testing.assert_allclose(moments.mean, rows.mean(0), rtol=1e-14)
    np.testing.assert_allclose(moments.variance, rows.var(0), rtol=1e-7)
    assert moments.count == 1000


def test_observations_are_normalised_by_what_was_taken_in_and_clipped() -> None:
    rows = np.random.default_rng(0).normal(5, 3, (1000, 2)).astype(np.float32)
    normaliser = Normaliser(2, True)
    assert np.array_equal(normaliser(rows), np.clip(rows, -LIMIT, LIMIT))
    normaliser.update(rows)
    np.testing.assert_allclose(normaliser(rows).mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normaliser(rows).std(0), 1, rtol=1e-4)
    assert normaliser(np.full(2, 1e9, np.float32)).tolist() == [LIMIT, LIMIT]
    assert np.array_equal(Normaliser(2, False)(rows), rows)


def test_rewards_are_divided_by_the_deviation_of_the_returns_so_far() -> None:
    rng = np.random.default_rng(0)
    rewards, ended = rng.normal(2, 1, (60, 3)), rng.random((60, 3)) < 0.1
    scale = ReturnScale(3, 0.9, True)
    parts = [scale(rewards[part], ended[part]) for part in (slice(0, 25), slice(25, 60))]
    sums, running = [], np.zeros(3)
    for step in range(60):
        for env in range(3):
            running[env] = 0.9 * running[env] + rewards[step, env]
            sums.append(running[env])
            if ended[step, env]:
                running[env] = 0.0
    np.testing.assert_allclose(parts[0], rewards[:25] / np.std(sums[: 25 * 3]), rtol=1e-5)
    np.testing.assert_allclose(parts[1], rewards[25:] / np.std(sums), rtol=1e-5)


def test_statistics_come_back_from_a_checkpoint() -> None:
    rows = np.random.default_rng(0).normal(5, 3, (100, 2)).astype(np.float32)
    first, second = Normaliser(2, True), Normaliser(2, True)
    first.update(rows)
    second.restore(first.state())
    first.update(rows + 1)
    second.update(rows + 1)
    assert np.array_equal(first(rows), second(rows))
    assert torch.equal(first.state()["mean"], second.state()["mean"])


def test_a_policy_learns_from_its_first_steps_in_units_that_these_give(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Batch] = []
    made = gymnasium.make_vec("ControlChain-v0", 2, vectorization_mode="sync")
    config = PPOConfig(env="ControlChain-v0", num_envs=2, horizon=24, minibatches=4, epochs=1)
    learner = PPO(config, Vector(made, "ControlChain-v0"))
    learn = learner._learn

    def remember(batch: Batch, generator: torch.Generator) -> dict[str, float]:
        seen.append(batch)
        return learn(batch, generator)

    monkeypatch.setattr(learner, "_learn", remember)
    learner.begin(0)
    for number in range(2):
        learner.iterate(torch.Generator().manual_seed(number), 0.0)
        assert learner.normaliser.state()["count"] == sum(len(batch.observations) for batch in seen)
    varied = seen[0].observations.std(0) > 0
    assert varied.any()
    np.testing.assert_allclose(seen[0].observations.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen[0].observations.std(0, unbiased=False)[varied], 1, rtol=1e-4)
