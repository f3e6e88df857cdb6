"""A user's latent: the bound by hand, and users of opposite tastes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from palestra.rewards.learned.data import Pair
from palestra.rewards.learned.encoders import FeatureEncoder
from palestra.rewards.learned.fit import accuracy, fit, preference_loss
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.learned.reward import learned
from palestra.rewards.learned.saved import load, save
from palestra.rewards.learned.users import UserRewardModel, standard_kl, user_loss

from .bench import episode, generator


def taste(sign: float, count: int, rng: np.random.Generator) -> list[Pair]:
    """Preferences of somebody who likes (sign 1) or dislikes (-1) the first feature; the second matters to nobody."""
    pairs = []
    for _ in range(count):
        one, other = (rng.normal(size=(1, 2)) for _ in range(2))
        better, worse = (one, other) if sign * (one - other)[0, 0] > 0 else (other, one)
        pairs.append(Pair(episode(better), episode(worse)))
    return pairs


def model(seed: int = 0, kind: str = "outcome") -> UserRewardModel:
    return UserRewardModel(FeatureEncoder("features", 2, seed=seed), kind, latent=2, hidden=16, seed=seed)


def test_the_divergence_by_hand() -> None:
    assert standard_kl(torch.zeros(3), torch.zeros(3)).item() == 0
    found = standard_kl(torch.tensor([1.0, 0.0]), torch.tensor([0.0, math.log(4)])).item()
    assert found == pytest.approx(0.5 * 1 + 0.5 * (4 - 1 - math.log(4)))


def test_the_posterior_is_the_prior_without_pairs_and_ignores_their_order() -> None:
    made, pairs = model(), taste(1.0, 3, np.random.default_rng(0))
    for part in made.posterior([]):
        assert part.tolist() == [0, 0]
    for one, other in zip(made.posterior(pairs), made.posterior(pairs[::-1]), strict=True):
        torch.testing.assert_close(one, other)
    flipped = made.posterior([Pair(pair.rejected, pair.preferred) for pair in pairs])
    assert not torch.allclose(flipped[0], made.posterior(pairs)[0], atol=1e-3)


def test_the_bound_by_hand() -> None:
    made, pairs = model(), taste(1.0, 1, np.random.default_rng(0))
    mean, log_variance = made.posterior(pairs)
    noise = generator(5)
    torch.randperm(1, generator=noise), torch.randint(1, (1,), generator=noise)
    latent = mean + (0.5 * log_variance).exp() * torch.randn(2, generator=noise)
    surprise = torch.nn.functional.softplus(-made.margins(pairs, latent)).mean()
    wanted = surprise + 0.3 * standard_kl(mean, log_variance)
    torch.testing.assert_close(user_loss(4, 0.3, generator(5))(made, [pairs]), wanted)


def test_information_is_the_entropy_that_an_answer_takes_away() -> None:
    made, rng = model(), np.random.default_rng(0)
    candidates = taste(1.0, 4, rng)
    found = made.information([], candidates, 500, generator())
    assert ((found >= -1e-6) & (found <= math.log(2))).all()
    same = episode([[1.0, 1.0]])
    assert made.information([], [Pair(same, same)], 50, generator()).item() == pytest.approx(0, abs=1e-6)
    for part in made.decoder:  # one whose reward does not depend on the user has nothing to ask
        if isinstance(part, torch.nn.Linear) and part.in_features != 16:
            part.weight.data[:, -2:] = 0
    torch.testing.assert_close(made.information([], candidates, 50, generator()), torch.zeros(4), atol=1e-6, rtol=0)


def test_a_personal_model_is_a_copy_and_comes_back_from_disk(tmp_path: Path) -> None:
    made, pairs = model(kind="process"), taste(1.0, 3, np.random.default_rng(0))
    mine = made.for_user(pairs)
    assert made.user.tolist() == [0, 0] != mine.user.tolist()
    trajectory = episode([[1.0, 2.0], [3.0, 4.0]])
    save(mine, tmp_path)
    [paid], [again] = learned(mine)([trajectory]), learned(str(tmp_path))([trajectory])
    np.testing.assert_allclose(paid, again)  # type: ignore[arg-type]
    assert not np.allclose(paid, learned(made)([trajectory])[0])  # type: ignore[arg-type]
    assert isinstance(load(tmp_path), UserRewardModel)
    with pytest.raises(ValueError, match="kind must be"):
        model(kind="steps")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_works_vpl(seed: int) -> None:
    """Half of the users like what the other half dislikes; both models see the same 24 users of 10 pairs."""
    rng = np.random.default_rng(seed)
    users = [taste(sign, 10, rng) for _ in range(12) for sign in (1.0, -1.0)]
    personal, single = model(seed), RewardModel(FeatureEncoder("features", 2, seed=seed))
    bound = user_loss(6, 0.01, generator(seed))
    fit(personal, users, bound, epochs=30, batch_size=8, learning_rate=1e-2, generator=generator())
    pairs = [pair for user in users for pair in user]
    fit(single, pairs, preference_loss, epochs=5, learning_rate=1e-2, generator=generator())
    right, alone, latents = [], [], []
    signs = np.array([1.0, -1.0] * 10)
    for sign in signs:
        context, held_out = taste(sign, 4, rng), taste(sign, 20, rng)
        mine = personal.for_user(context)
        latents.append(mine.user.numpy())
        right.append(accuracy(mine, held_out))
        alone.append(accuracy(single, held_out))
    points = np.array(latents)
    distance = np.linalg.norm(points[:, None] - points[None, :], axis=-1) + np.diag(np.full(len(points), np.inf))
    own = (signs[distance.argmin(axis=1)] == signs).mean()
    print(f"personal {np.mean(right):.3f}, single {np.mean(alone):.3f}, nearest latent of the same taste {own:.2f}")
    assert np.mean(right) > 0.9
    assert 0.35 < np.mean(alone) < 0.65
    assert own > 0.9
