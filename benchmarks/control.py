"""PPO and SAC against Stable-Baselines3: equal steps, networks and settings; returns, and seconds of one thread.

    python benchmarks/control.py [--task Reach-v0/ppo ...] [--seeds 3] [--scale 1.0]

Both sides play the same number of environments and are paid by the same reward, and the two take turns, seed by seed.
Seconds are those in which the process computed (CPU time), of training alone.  Afterwards the most likely actions of
both play the same 20 held-out episodes.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import palestra  # noqa: F401 - registers the environments
from palestra.rewards import RewardWrapper, parse_reward
from palestra.training.control.config import ControlConfig, Evaluation, PPOConfig, SACConfig
from palestra.training.control.evaluation import Evaluator
from palestra.training.control.loop import LEARNERS
from palestra.training.control.vector import make_single, make_vector

DENSE = "palestra.rewards.robot:dense"
EVALUATION = Evaluation(episodes=20)
TASKS: dict[str, ControlConfig] = {
    "HalfCheetah-v5/ppo": PPOConfig("HalfCheetah-v5", steps=204_800, evaluation=EVALUATION),
    "Reach-v0/ppo": PPOConfig(
        "Reach-v0", {"threads": 1}, DENSE, steps=102_400, num_envs=16, horizon=128, evaluation=EVALUATION
    ),
    "Push-v0/ppo": PPOConfig(
        "Push-v0", {"threads": 1}, DENSE, steps=102_400, num_envs=16, horizon=128, evaluation=EVALUATION
    ),
    "Reach-v0/sac": SACConfig(
        "Reach-v0", {"threads": 1}, DENSE, steps=12_800, num_envs=16, horizon=32, warm_up=2048, evaluation=EVALUATION
    ),
}


@dataclass(frozen=True)
class Trained:
    """What one training came to."""

    seconds: float
    score: float
    success: float | None


def ours(config: ControlConfig) -> Trained:
    vector = make_vector(config)
    learner: Any = LEARNERS[type(config)](config, vector)
    learner.begin(config.seed)
    began = time.process_time()
    for step in range(0, config.steps, config.num_envs * config.horizon):
        learner.iterate(torch.Generator().manual_seed(config.seed * 10**6 + step), step / config.steps)
    seconds = time.process_time() - began
    vector.close()
    return measured(config, learner.act, seconds)


def theirs(config: ControlConfig) -> Trained:
    single = single_form(config)

    def make() -> gymnasium.Env[Any, Any]:
        env = make_single(single)
        return env if config.reward == "env" else RewardWrapper(env, parse_reward(config.reward))

    envs: Any = DummyVecEnv([make] * config.num_envs)
    if isinstance(config, PPOConfig):
        envs = VecNormalize(envs, gamma=config.gamma)
        model: Any = stable_baselines3.PPO(
            "MlpPolicy",
            envs,
            n_steps=config.horizon,
            batch_size=config.num_envs * config.horizon // config.minibatches,
            n_epochs=config.epochs,
            gamma=config.gamma,
            learning_rate=lambda left: config.learning_rate * left,
            seed=config.seed,
            device="cpu",
        )
    else:
        assert isinstance(config, SACConfig)
        model = stable_baselines3.SAC(
            "MlpPolicy",
            envs,
            learning_starts=config.warm_up,
            gradient_steps=-1,
            gamma=config.gamma,
            learning_rate=config.learning_rate,
            seed=config.seed,
            device="cpu",
        )
    began = time.process_time()
    model.learn(config.steps)
    seconds = time.process_time() - began
    seen = envs.normalize_obs if isinstance(envs, VecNormalize) else (lambda observation: observation)
    box = envs.action_space

    def act(observation: np.ndarray) -> np.ndarray:
        action, _ = model.predict(seen(observation), deterministic=True)
        return np.asarray((action - box.low) / (box.high - box.low) * 2 - 1, np.float32)

    envs.close()
    return measured(config, act, seconds)


def measured(config: ControlConfig, act: Callable[[np.ndarray], np.ndarray], seconds: float) -> Trained:
    """How a policy does on held-out episodes, by the environment's own reward."""

    class Policy:
        def act(self, observation: np.ndarray) -> np.ndarray:
            return act(observation)

    evaluator = Evaluator(single_form(config))
    row = evaluator.policy(Policy(), config.steps)
    evaluator.close()
    return Trained(seconds, row["score"], row.get("success"))


def single_form(config: ControlConfig) -> ControlConfig:
    """Without what only a vector environment takes."""
    return replace(config, env_options={})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", choices=TASKS, help="which (may be repeated); default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the steps that are trained")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "gymnasium", "mujoco", "stable-baselines3"))
    print(f"{platform.processor() or platform.machine()}, 1 thread; {names}")
    for task in options.task or TASKS:
        config = TASKS[task]
        each = config.num_envs * config.horizon
        config = replace(config, steps=max(1, round(config.steps * options.scale / each)) * each)
        print(f"\n{task}, {config.steps:,} steps in {config.num_envs} environments, paid {config.reward}")
        sides: dict[str, list[Trained]] = {"palestra": [], "stable-baselines3": []}
        for seed in range(options.seeds):
            for name, train in zip(sides, (ours, theirs), strict=True):
                sides[name].append(train(replace(config, seed=seed)))
                print(f"  seed {seed}  {name:18}  {_described([sides[name][-1]])}", flush=True)
        for name, results in sides.items():
            print(f"  mean    {name:18}  {_described(results)}")
        mine, known = (np.mean([each.seconds for each in results]) for results in sides.values())
        print(f"  palestra takes {mine / known:.2f} of the time")


def _described(results: list[Trained]) -> str:
    seconds, score = (np.mean([getattr(each, name) for each in results]) for name in ("seconds", "score"))
    text = f"{seconds:7.1f} s   return {score:8.3f}"
    known = [each.success for each in results if each.success is not None]
    return text + (f"   success {np.mean(known):.1%}" if known else "")


if __name__ == "__main__":
    main()
