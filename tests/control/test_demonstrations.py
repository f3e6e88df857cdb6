"""What is learned from an oracle before, and beside, the policy's own steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from palestra.training.control import loop
from palestra.training.control.config import Cloning, Demonstrations, Evaluation, Offline, PPOConfig, SACConfig
from palestra.training.control.demonstrations import demonstrate
from palestra.training.control.sac import SAC
from palestra.training.control.vector import make_vector
from palestra.training.recipe import RecipeError

from . import envs  # noqa: F401 - registers them

SPARSE = "ControlSparsePoint-v0"
SMALL = SACConfig(
    SPARSE, num_envs=4, horizon=10, hidden=16, batch_size=32, gamma=0.9, demonstrations=Demonstrations(3, 0.5)
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def learner(config: SACConfig) -> SAC:
    made = SAC(config, make_vector(config))
    made.learn_from(*demonstrate(config), generator())
    made.begin(0)
    return made


def test_demonstrations_are_transitions_with_what_was_meant() -> None:
    shown, meant = demonstrate(SMALL)
    ends = np.flatnonzero(shown.terminated)
    assert len(ends) == 3
    assert shown.rewards[ends].tolist() == [1, 1, 1]
    # The oracle heads straight for the origin; what was done instead is disturbed.
    np.testing.assert_allclose(meant, np.clip(-shown.observations / 0.2, -1, 1), atol=1e-5)
    assert np.abs(shown.actions - meant).max() > 0.3
    np.testing.assert_allclose(shown.next_observations, shown.observations + 0.2 * shown.actions, atol=1e-5)
    lengths = np.diff(ends, prepend=-1)
    expected = np.concatenate([0.9 ** np.arange(length - 1, -1, -1) for length in lengths])
    np.testing.assert_allclose(shown.returns, expected, rtol=1e-5)


def test_their_rewards_are_those_that_the_run_maximises() -> None:
    shown, _ = demonstrate(replace(SMALL, reward="2 * env - 0.5 * turns"))
    np.testing.assert_allclose(shown.rewards, np.where(shown.terminated, 1.5, -0.5))


def test_without_an_oracle_there_are_none() -> None:
    with pytest.raises(RecipeError, match="has no oracle"):
        demonstrate(PPOConfig("ControlChain-v0", demonstrations=Demonstrations(1)))


def test_a_taught_policy_warms_the_buffer_up_and_does_not_change_meanwhile() -> None:
    """WSRL: the first steps are the taught policy's own, learning begins after them, demonstrations are dropped."""
    taught = replace(SMALL, demonstrations=Demonstrations(10, 0.3), cloning=Cloning(updates=1500))
    warming = learner(replace(taught, warm_up=40, learning_rate=1e-6, offline=Offline(updates=2)))
    before = {name: weights.clone() for name, weights in warming.policy.state_dict().items()}
    assert warming.iterate(generator(), 0.0) == {}
    assert all(torch.equal(weights, before[name]) for name, weights in warming.policy.state_dict().items())
    assert 30 <= len(warming.buffer) <= 40
    rows = warming.buffer.draw(200, generator())
    far = np.abs(rows.observations) > 0.2
    # As random actions do half of the time.
    assert (rows.observations * rows.actions < 0)[far].mean() > 0.9
    assert warming._shown is None
    assert "train/value" in warming.iterate(generator(), 0.0)
    assert not all(torch.equal(weights, before[name]) for name, weights in warming.policy.state_dict().items())


def test_a_share_of_each_batch_is_demonstrations() -> None:
    keeping = learner(replace(SMALL, warm_up=0, offline=Offline(share=0.25)))
    keeping.iterate(generator(), 0.0)
    shown, _ = demonstrate(SMALL)
    known = {row.tobytes() for row in shown.observations}
    batch = keeping._draw(generator())
    assert [row.tobytes() in known for row in batch.observations] == [True] * 8 + [False] * 24


def test_conservative_values_put_what_was_shown_above_what_was_not() -> None:
    gaps = []
    for weight in (0.0, 5.0):
        offline = learner(replace(SMALL, learning_rate=3e-3, offline=Offline(updates=150, conservative=weight)))
        shown, _ = demonstrate(SMALL)
        seen, done = torch.from_numpy(shown.observations), torch.from_numpy(shown.actions)
        other = 2 * torch.rand(done.shape, generator=generator()) - 1
        with torch.no_grad():
            gaps.append((offline.critics(seen, done) - offline.critics(seen, other)).mean().item())
    assert gaps[1] > gaps[0] + 0.2


@pytest.mark.slow
def test_a_residual_lifts_a_poor_clone_before_learning_from_scratch_begins_to(tmp_path: Path) -> None:
    config = SACConfig(
        SPARSE,
        steps=600,
        num_envs=8,
        horizon=25,
        gamma=0.95,
        learning_rate=2e-3,
        temperature=0.03,
        hidden=32,
        batch_size=64,
        warm_up=200,
        evaluation=Evaluation(episodes=50, every=600, baselines=False),
    )
    residual = replace(config, residual=0.5, demonstrations=Demonstrations(4), cloning=Cloning(updates=150))
    success = {}
    for name, each in {"scratch": config, "residual": residual}.items():
        loop.train(replace(each, run=str(tmp_path / name)))
        rows = map(json.loads, (tmp_path / name / "evaluations.jsonl").read_text().splitlines())
        success[name] = [row["success"] for row in rows]
    assert 0.2 < success["residual"][0] < 0.7
    assert success["residual"][-1] >= 0.8
    assert success["scratch"][-1] <= 0.2
