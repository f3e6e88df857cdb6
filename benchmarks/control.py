"""PPO and SAC against Stable-Baselines3 at equal steps, networks and settings: curves, and seconds of one thread.

    python benchmarks/control.py [--task Reach-v0/ppo ...] [--seed 0 ...] [--scale 1.0]
    python benchmarks/control.py --task Reach-v0/sac --seed 1 --side palestra --results curves.jsonl

Both sides play the same number of environments and are paid by the same reward, and the two take turns, seed by seed.
Seconds are those in which the process computed (CPU time), of training alone.  In between and afterwards the most
likely actions of both play the same held-out episodes.

With ``--results`` each training is added to a file as soon as it is done, those that are there are not repeated, the
table covers all of them, and their curves are drawn beside the file, as ``curves.png``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium
import matplotlib
import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
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
    "HalfCheetah-v5/ppo": PPOConfig(
        "HalfCheetah-v5", steps=204_800, num_envs=16, horizon=128, evaluation=Evaluation(episodes=5)
    ),
    "Reach-v0/ppo": PPOConfig(
        "Reach-v0", {"threads": 1}, DENSE, steps=102_400, num_envs=16, horizon=128, evaluation=EVALUATION
    ),
    "Push-v0/ppo": PPOConfig(
        "Push-v0", {"threads": 1}, DENSE, steps=102_400, num_envs=16, horizon=128, evaluation=EVALUATION
    ),
    "Reach-v0/sac": SACConfig(
        "Reach-v0",
        {"threads": 1},
        DENSE,
        steps=12_800,
        num_envs=16,
        horizon=32,
        warm_up=2048,
        temperature=0.05,
        evaluation=EVALUATION,
    ),
}


POINTS = 6
"""How often a policy is measured."""


@dataclass(frozen=True)
class Trained:
    """What one training came to; ``curve`` has ``(steps, return, success or None)``, the last after all steps."""

    task: str
    side: str
    seed: int
    steps: int
    seconds: float
    curve: list[tuple[int, float, float | None]]


class Meter:
    """Measures policies on the same held-out episodes, by the environment's own reward, while a clock stands still."""

    def __init__(self, config: ControlConfig) -> None:
        self._evaluator, self._steps = Evaluator(single_form(config)), config.steps
        self._began = time.process_time()
        self._measuring = 0.0
        self.curve: list[tuple[int, float, float | None]] = []

    def __call__(self, steps: int, act: Callable[[np.ndarray], np.ndarray]) -> None:
        """Note how a policy does after so many steps, if a point of the curve is due."""
        if steps * POINTS // self._steps <= len(self.curve):
            return

        class Policy:
            def act(self, observation: np.ndarray) -> np.ndarray:
                return act(observation)

        began = time.process_time()
        row = self._evaluator.policy(Policy(), steps)
        self.curve.append((steps, row["score"], row.get("success")))
        self._measuring += time.process_time() - began

    def seconds(self) -> float:
        """Processor time since the beginning, measuring left out."""
        self._evaluator.close()
        return time.process_time() - self._began - self._measuring


def ours(config: ControlConfig) -> Meter:
    vector = make_vector(config)
    learner: Any = LEARNERS[type(config)](config, vector)
    learner.begin(config.seed)
    meter, each = Meter(config), config.num_envs * config.horizon
    for step in range(0, config.steps, each):
        learner.iterate(torch.Generator().manual_seed(config.seed * 10**6 + step), step / config.steps)
        meter(step + each, learner.act)
    vector.close()
    return meter


def theirs(config: ControlConfig) -> Meter:
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
            ent_coef=f"auto_{config.temperature}",
            gamma=config.gamma,
            learning_rate=config.learning_rate,
            seed=config.seed,
            device="cpu",
        )
    seen = envs.normalize_obs if isinstance(envs, VecNormalize) else (lambda observation: observation)
    box = envs.action_space

    def act(observation: np.ndarray) -> np.ndarray:
        action, _ = model.predict(seen(observation), deterministic=True)
        return np.asarray((action - box.low) / (box.high - box.low) * 2 - 1, np.float32)

    meter = Meter(config)

    class Measure(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            meter(self.num_timesteps, act)  # what was collected before has been learned from by now

    model.learn(config.steps, callback=Measure())
    meter(config.steps, act)
    envs.close()
    return meter


SIDES: dict[str, Callable[[ControlConfig], Meter]] = {"palestra": ours, "stable-baselines3": theirs}


def single_form(config: ControlConfig) -> ControlConfig:
    """Without what only a vector environment takes."""
    return replace(config, env_options={})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", choices=TASKS, help="which (may be repeated); default: all")
    parser.add_argument("--seed", action="append", type=int, help="which (may be repeated); default: 0, 1 and 2")
    parser.add_argument("--side", action="append", choices=SIDES, help="which (may be repeated); default: both")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the steps that are trained")
    parser.add_argument("--results", type=Path, help="file of trainings, to go on with")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "gymnasium", "mujoco", "stable-baselines3"))
    print(f"{platform.processor() or platform.machine()}, 1 thread; {names}")
    done: list[Trained] = []
    if options.results and options.results.exists():
        done = [Trained(**json.loads(line)) for line in options.results.read_text().splitlines()]
    for task in options.task or TASKS:
        config = TASKS[task]
        each = config.num_envs * config.horizon
        config = replace(config, steps=max(1, round(config.steps * options.scale / each)) * each)
        print(f"\n{task}, {config.steps:,} steps in {config.num_envs} environments, paid {config.reward}", flush=True)
        for seed in options.seed or range(3):
            for side in options.side or SIDES:
                if (task, side, seed, config.steps) in {(one.task, one.side, one.seed, one.steps) for one in done}:
                    continue
                meter = SIDES[side](replace(config, seed=seed))
                done.append(Trained(task, side, seed, config.steps, meter.seconds(), meter.curve))
                print(f"  seed {seed}  {side:18}  {_described(done[-1:])}", flush=True)
                if options.results:
                    with options.results.open("a") as file:
                        file.write(json.dumps(asdict(done[-1])) + "\n")
    summarise(done)
    if options.results:
        draw(done, options.results.with_suffix(".png"))


def summarise(done: list[Trained]) -> None:
    """Print the means over seeds of each side."""
    for task, steps in sorted({(one.task, one.steps) for one in done}):
        print(f"\n{task}, after {steps:,} steps")
        sides = {
            side: [one for one in done if (one.task, one.steps, one.side) == (task, steps, side)] for side in SIDES
        }
        for side, results in sides.items():
            if results:
                print(f"  {side:18}  {_described(results)}   ({len(results)} seeds)")
        if all(sides.values()):
            mine, known = (np.mean([one.seconds for one in results]) for results in sides.values())
            print(f"  palestra takes {mine / known:.2f} of the time")


def _described(results: list[Trained]) -> str:
    seconds = np.mean([one.seconds for one in results])
    text = f"{seconds:7.1f} s   return {np.mean([one.curve[-1][1] for one in results]):8.3f}"
    known = [success for one in results if (success := one.curve[-1][2]) is not None]
    return text + (f"   success {np.mean(known):.1%}" if known else "")


def draw(done: list[Trained], path: Path) -> None:
    """Draw the curves of every seed, a panel for each task: success where there is such a thing, else the return."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    tasks = sorted({one.task for one in done})
    figure, axes = pyplot.subplots(1, len(tasks), figsize=(3.6 * len(tasks), 3), squeeze=False, layout="constrained")
    for task, axis in zip(tasks, axes[0], strict=True):
        judged = any(one.curve[-1][2] is not None for one in done if one.task == task)
        for number, side in enumerate(SIDES):
            for index, one in enumerate([one for one in done if (one.task, one.side) == (task, side)]):
                points = [(steps, success if judged else score) for steps, score, success in one.curve]
                axis.plot(*zip(*points, strict=True), color=f"C{number}", alpha=0.8, label="" if index else side)
        axis.set_title(task)
        axis.set_xlabel("environment steps")
        axis.set_ylabel("success" if judged else "return")
        axis.grid(alpha=0.3)
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
