"""Telling an expert from the learner: the loss by hand, and imitation with and without a bound on the slope."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from palestra.rewards.learned.adversarial import adversarial_loss, discriminator, logits, slopes
from palestra.rewards.learned.encoders import FrameEncoder
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.learned.reward import learned

from .bench import episode, generator
from .imitation import imitate


def straight(weights: list[float]) -> RewardModel:
    """A discriminator whose logit is linear in the features."""
    model = discriminator("features", len(weights), hidden=())
    model.head.weight.data, model.head.bias.data = torch.tensor([weights]), torch.zeros(1)
    return model


def test_it_pays_minus_the_log_of_the_doubt_on_every_turn() -> None:
    [paid] = learned(straight([2.0, 0.0]))([episode([[1, 5], [-1, 5]])])
    wanted = [-math.log(1 - 1 / (1 + math.exp(-score))) for score in (2, -2)]
    np.testing.assert_allclose(paid, wanted, rtol=1e-5)  # type: ignore[arg-type]


def test_the_loss_by_hand() -> None:
    model = straight([3.0, 4.0])
    expert, learner = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.0], [-1.0, 0.0]])
    told = np.mean([math.log1p(math.exp(-3)) + math.log(2), math.log1p(math.exp(-4)) + math.log1p(math.exp(-3))])
    assert slopes(model, expert).tolist() == [5, 5]
    for penalty, target, extra in ((0.0, 1.0, 0.0), (10.0, 1.0, 10 * 4**2), (10.0, 5.5, 0.0), (2.0, 3.0, 2 * 2**2)):
        loss = adversarial_loss(model, expert, learner, generator=generator(), penalty=penalty, target=target)
        assert loss.item() == pytest.approx(told + extra, rel=1e-5)
    with pytest.raises(ValueError, match="as many rows"):
        adversarial_loss(model, expert, learner[:1], generator=generator())
    with pytest.raises(TypeError, match="a model on features"):
        logits(RewardModel(FrameEncoder(4, 4)), expert)


def test_the_penalty_holds_the_slope_near_its_target() -> None:
    rng = np.random.default_rng(0)
    expert = torch.tensor(rng.normal(0.1, 0.01, (64, 2)), dtype=torch.float32)
    learner = torch.tensor(rng.normal(-0.1, 0.01, (64, 2)), dtype=torch.float32)
    found = []
    for penalty in (10.0, 0.0):
        model = discriminator("features", 2, (16,))
        optimizer, noise = torch.optim.Adam(model.parameters(), lr=0.01), generator()
        for _ in range(150):
            optimizer.zero_grad()
            adversarial_loss(model, expert, learner, generator=noise, penalty=penalty).backward()
            optimizer.step()
        found.append(slopes(model, (expert + learner) / 2).mean().item())
    assert found[0] < 1.5
    assert found[1] > 5


@pytest.mark.slow
def test_works_lipschitz_gail() -> None:
    """Off-policy imitation of a point that goes straight home, paid by the discriminator alone."""
    found = np.array([[imitate(seed, penalty) for penalty in (10.0, 0.0)] for seed in range(5)])
    for name, rows in (("with the penalty", found[:, 0]), ("without", found[:, 1])):
        print(f"{name}: share of the expert's return and slope {rows.round(2).tolist()}")
    assert found[:, 0, 0].mean() > 0.8
    assert found[:, 0, 0].min() > 0.7
    assert np.abs(found[:, 0, 1] - 1).max() < 0.3
    assert (found[:, 1, 0] < 0.8).sum() >= 3
