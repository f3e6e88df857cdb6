"""Gymnasium's own environments, stepped together, are what Gymnasium plays."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from palestra.envs.robot.locomotion import LocomotionVector


@pytest.mark.parametrize("env_id", ["HalfCheetah-v5", "Ant-v5"])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_it_is_gymnasiums_to_the_bit(env_id: str, mode: str) -> None:
    kwargs = {"autoreset_mode": gymnasium.vector.AutoresetMode(mode)}
    theirs = gymnasium.make_vec(
        env_id, num_envs=3, vectorization_mode="sync", vector_kwargs=kwargs, max_episode_steps=25
    )
    ours = gymnasium.make_vec(f"palestra/{env_id}", num_envs=3, max_episode_steps=25, autoreset_mode=mode, threads=2)
    assert ours.single_observation_space == theirs.single_observation_space
    assert np.array_equal(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    rng, ended = np.random.default_rng(0), 0
    for _ in range(70):
        actions = rng.uniform(-1, 1, size=theirs.action_space.shape).astype(np.float32)
        (observations, rewards, *flags, infos), expected = ours.step(actions), theirs.step(actions)
        assert np.array_equal(observations, expected[0])
        assert np.allclose(rewards, expected[1], rtol=1e-6, atol=1e-7)  # their sums are in another order
        assert [flag.tolist() for flag in flags] == [flag.tolist() for flag in expected[2:4]]
        assert np.array_equal(infos["x_position"], expected[4].get("x_position", infos["x_position"]))
        if "final_obs" in infos:
            for kept, other in zip(infos["final_obs"], expected[4]["final_obs"], strict=True):
                assert (kept is None and other is None) or np.array_equal(kept, other)
        ended += int(flags[1].sum())
    assert ended >= 6
    ours.close()
    theirs.close()


def test_another_environment_is_refused() -> None:
    with pytest.raises(ValueError, match="HalfCheetah-v5"):
        LocomotionVector("Walker2d-v5")
