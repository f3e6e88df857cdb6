"""Skills that are told apart by where they lead, and a critic for each reward (DIAYN, SLIM)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from torch import nn

from palestra.training.control import gae
from palestra.training.control.config import Evaluation, PPOConfig, Skills
from palestra.training.control.evaluation import Evaluator
from palestra.training.control.normalise import Normaliser
from palestra.training.control.ppo import PPO
from palestra.training.control.rollout import Rollout
from palestra.training.control.skills import Discriminator, SkillVector, with_skill
from palestra.training.control.vector import Vector, make_vector
from palestra.training.recipe import RecipeError

from . import envs  # noqa: F401 - registers them

SMALL = PPOConfig(
    "ControlPoint-v0", num_envs=4, horizon=32, minibatches=4, epochs=2, hidden=16, gamma=0.9, skills=Skills(3)
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def iterated(config: PPOConfig, iterations: int) -> PPO:
    vector = make_vector(config)
    learner = PPO(config, vector)
    learner.begin(config.seed)
    for number in range(iterations):
        learner.iterate(generator(1000 * config.seed + number), number / iterations)
    vector.close()
    return learner


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_an_episode_keeps_its_skill_and_the_next_one_draws_another(mode: AutoresetMode) -> None:
    made = gymnasium.make_vec(
        "ControlShortChain-v0", 2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
    )
    vector = SkillVector(Vector(made, "ControlShortChain-v0"), 5)
    runs = []
    for seed in (7, 7, 8):
        vector.begin(seed)
        episodes: list[list[int]] = [[]]
        for _ in range(80):
            before = vector.observations[0]
            step = vector.step(np.zeros((2, 1), np.float32))
            if not step.valid[0]:
                continue
            assert before[1:].sum() == 1
            assert np.array_equal(before[1:], step.next_observations[0, 1:])
            episodes[-1].append(int(before[1:].argmax()))
            if step.ended[0]:
                episodes.append([])
        whole = episodes[:-1]
        assert all(len(set(skills)) == 1 and len(skills) == 3 for skills in whole)
        assert {skills[0] for skills in whole} == set(range(5))
        runs.append(whole)
    assert runs[0] == runs[1] != runs[2]


def walked(position: Any) -> Rollout:
    """A rollout of 3 skills whose observations are [position(skill), noise], without any episode's end."""
    rollout = Rollout.empty(50, 6, 2 + 3, 1)
    skills = np.broadcast_to(np.arange(6) % 3, (50, 6))
    noise = np.random.default_rng(0).normal(size=(50, 6))
    seen = np.stack([position(skills), noise], -1).astype(np.float32)
    rollout.observations[:] = rollout.next_observations[:] = with_skill(seen, skills, 3)
    rollout.valid[:] = True
    return rollout


def test_it_pays_how_surely_a_skill_is_told_from_what_it_sees() -> None:
    """At most log 3 where skills lead to places of their own; 0 where nothing tells them, or it does not look there."""
    apart, alike = walked(lambda skills: skills - 1.0), walked(lambda skills: 0.0 * skills)
    paid, accuracy = [], []
    for rollout, seen in ((apart, ":"), (apart, "0:1"), (apart, "1:2"), (alike, ":")):
        settings = Skills(3, seen, updates=100, batch_size=64, learning_rate=1e-2)
        discriminator = Discriminator(2, 16, settings, Normaliser(5, False), generator())
        with torch.no_grad():
            logits = discriminator.network(torch.from_numpy(rollout.next_observations[..., discriminator._columns]))
        skills = np.arange(6) % 3
        likelihoods = np.log(logits.softmax(-1).numpy()[:, np.arange(6), skills])
        np.testing.assert_allclose(discriminator.pay(rollout), likelihoods + math.log(3), rtol=1e-4, atol=1e-5)
        accuracy.append(discriminator.learn(rollout, generator())["skills/accuracy"])
        paid.append(discriminator.pay(rollout).mean())
    assert min(paid[:2]) > math.log(3) - 0.1
    assert max(map(abs, paid[2:])) < 0.1
    assert min(accuracy[:2]) > 0.9
    assert max(accuracy[2:]) < 0.6


def test_it_must_see_something() -> None:
    with pytest.raises(RecipeError, match="5:7 is none of the 2 entries"):
        iterated(replace(SMALL, skills=Skills(3, "5:7")), 0)


def test_each_reward_has_advantages_by_its_own_values() -> None:
    learner = iterated(SMALL, 1)
    rollout = learner._collect(generator())
    rewards = np.random.default_rng(0).normal(size=(*rollout.ended.shape, 2)).astype(np.float32)
    batch = learner._batch(rollout, rewards)
    for number, value in enumerate(learner.value):
        alone = iterated(replace(SMALL, skills=replace(SMALL.skills, critics="sum")), 0)
        alone.policy, alone.normaliser, alone.value = learner.policy, learner.normaliser, value
        single = alone._batch(rollout, rewards[..., number])
        assert torch.equal(batch.advantages[:, number], single.advantages[:, 0])
        assert torch.equal(batch.returns[:, number], single.returns[:, 0])
    assert not torch.equal(batch.values[:, 0], batch.values[:, 1])


def test_gae_of_several_rewards_is_that_of_each() -> None:
    rng = np.random.default_rng(0)
    rewards, values, following = rng.normal(size=(3, 20, 4, 2))
    terminated, ended = rng.random((20, 4)) < 0.1, rng.random((20, 4)) < 0.2
    together = gae.advantages(rewards, values, following, terminated[..., None], ended[..., None], 0.9, 0.8)
    for number in range(2):
        parts = (part[..., number] for part in (rewards, values, following))
        assert np.array_equal(together[..., number], gae.advantages(*parts, terminated, ended, 0.9, 0.8))


def changed_by_scale(critics: Literal["each", "sum"]) -> float:
    """How far the weights of the policies lie apart that learn from the same reward on a scale of 1024 and of 1."""
    skills = replace(SMALL.skills, critics=critics)
    learners = [iterated(replace(SMALL, reward=reward, skills=skills), 2) for reward in ("1024 * env", "1 * env")]
    one, other = (nn.utils.parameters_to_vector(learner.policy.parameters()) for learner in learners)
    return (one - other).abs().max().item()


def test_with_a_critic_for_each_the_scale_of_a_reward_does_not_matter() -> None:
    assert changed_by_scale("each") < 1e-5
    assert changed_by_scale("sum") > 1e-3


def test_advantages_are_normalised_each_and_then_weighted() -> None:
    learners = [iterated(replace(SMALL, skills=Skills(3, weight=weight)), 1) for weight in (1.0, 1.0, 4.0)]
    batch = learners[0]._batch(rollout := learners[0]._collect(generator()), np.stack([rollout.rewards] * 2, -1))
    stretched = replace(batch, advantages=batch.advantages * torch.tensor([1000.0, 1.0]) + torch.tensor([0.0, 7.0]))
    after = []
    for learner, rows in zip(learners, (batch, stretched, batch), strict=True):
        # Only a second step tells gradients of other lengths apart, and only these ratios are not all 1.
        learner._descend(rows)
        learner._descend(rows)
        after.append(nn.utils.parameters_to_vector(learner.policy.parameters()))
    torch.testing.assert_close(after[0], after[1], atol=1e-5, rtol=0)
    assert (after[0] - after[2]).abs().max() > 1e-4


def test_evaluated_episodes_go_through_the_skills_in_turn() -> None:
    class Noting:
        def act(self, observation: np.ndarray) -> np.ndarray:
            seen.append(tuple(observation[2:]))
            return np.zeros(2, np.float32)

    seen: list[tuple[float, ...]] = []
    evaluator = Evaluator(replace(SMALL, evaluation=Evaluation(episodes=4)))
    for _ in range(2):
        seen.clear()
        evaluator.policy(Noting(), 0)
        assert [skill.index(1.0) for skill in seen[::20]] == [0, 1, 2, 0]
        assert len(set(seen[:20])) == 1
    evaluator.close()


def places(seed: int, critics: Literal["each", "sum"]) -> int:
    """On how many squares of a grid, 0.4 wide, the most likely actions of eight skills leave the object."""
    config = PPOConfig(
        "ControlPusher-v0",
        num_envs=16,
        horizon=50,
        minibatches=4,
        epochs=5,
        gamma=0.95,
        learning_rate=2e-3,
        hidden=32,
        seed=seed,
        skills=Skills(8, "2:4", critics=critics),
        evaluation=Evaluation(episodes=8),
    )
    evaluator = Evaluator(config)
    episodes = evaluator.episodes(iterated(config, 50))
    evaluator.close()
    # Neither way forgets what the task pays for.
    assert np.mean([episode.score for episode in episodes]) > -400
    return len({tuple(np.round(np.array(episode.turns[-1].info["object"]) / 0.4)) for episode in episodes})


@pytest.mark.slow
def test_skills_leave_the_object_at_more_places_with_a_critic_for_each_reward() -> None:
    """What the task pays is on a scale of 100, and drowns what skills are paid where the two are summed."""
    each, summed = (np.array([places(seed, critics) for seed in range(20)]) for critics in ("each", "sum"))
    print(each.mean(), each, summed.mean(), summed)
    # Seeds differ by several squares: three do not tell the two ways apart.
    assert each.mean() - summed.mean() > 2 * math.sqrt((each.var(ddof=1) + summed.var(ddof=1)) / 20)
