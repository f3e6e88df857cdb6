"""The robot environments, registered with Gymnasium by name."""

from __future__ import annotations

import gymnasium

STEPS = {
    "Reach-v0": 100,
    "Push-v0": 200,
    "PickPlace-v0": 200,
    "Stack-v0": 200,
    "OpenDrawer-v0": 200,
    "Sort-v0": 500,
    "Navigate-v0": 300,
    "Walk-v0": 300,
    "Rearrange-v0": 500,
}
"""The step limit of each environment, in control steps of 40 ms."""

LOCOMOTION = ("HalfCheetah-v5", "Ant-v5")
"""Gymnasium's environments that are also here in batches, under the same name after ``palestra/``."""


def register_robots() -> None:
    """Register every robot environment; MuJoCo is imported when one is made."""
    for env_id, limit in STEPS.items():
        gymnasium.register(
            env_id,
            entry_point="palestra.envs.robot:make",
            vector_entry_point="palestra.envs.robot:make_vector",
            max_episode_steps=limit,
            reward_threshold=0.95,
            kwargs={"family": env_id},
        )
    for env_id in LOCOMOTION:
        gymnasium.register(
            f"palestra/{env_id}",
            entry_point="palestra.envs.robot.locomotion:make",
            vector_entry_point="palestra.envs.robot.locomotion:LocomotionVector",
            max_episode_steps=1000,
            reward_threshold=gymnasium.spec(env_id).reward_threshold,
            kwargs={"env_id": env_id},
        )
