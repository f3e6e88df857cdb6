"""The main loop of continuous control: iterate; evaluate and save in between."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from .. import checkpoint, recipe
from ..interrupt import deferred_interrupt
from ..metrics import Metrics, read_lines, rewrite
from ..report import EVALUATIONS
from .buffer import Transitions
from .config import ControlConfig, PPOConfig, SACConfig, check
from .demonstrations import demonstrate
from .evaluation import Evaluator
from .film import film
from .ppo import PPO
from .report import write_report
from .sac import SAC
from .vector import Ended, Vector, make_vector


class Learner(Protocol):
    """An algorithm at work on the steps of a vector environment."""

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        ...

    def learn_from(self, shown: Transitions, meant: np.ndarray, generator: torch.Generator) -> dict[str, float]:
        """Learn from demonstrations, before the first iteration; ``meant`` [rows, actions] is what to imitate."""
        ...

    def iterate(self, generator: torch.Generator, done: float) -> dict[str, float]:
        """Take ``horizon`` steps of every environment and learn; ``done`` is the share of the run before."""
        ...

    def act(self, observation: np.ndarray) -> np.ndarray:
        """The most likely action for a raw observation."""
        ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: tensors, numbers and containers of them."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` gave; :meth:`begin` comes after."""
        ...


LEARNERS: dict[type[ControlConfig], Callable[[Any, Vector], Learner]] = {PPOConfig: PPO, SACConfig: SAC}


def train(config: ControlConfig) -> None:
    """Run ``config``, from its last checkpoint if it says ``resume``; writes everything to ``config.run``.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the iteration under way is finished and saved.
        RecipeError, RewardParseError: the config cannot be followed, or its folder holds a run that is not to be
            resumed.
        CheckpointError: there is no whole checkpoint to resume from.
        FloatingPointError: the loss is not finite.
    """
    # Layers this small are slower on several threads, and their sums would depend on how many there are.
    torch.set_num_threads(1)
    if complaint := check(config):
        raise recipe.RecipeError(complaint)
    saved = checkpoint.start(config)
    vector = make_vector(config)
    evaluator = Evaluator(config)
    try:
        with deferred_interrupt() as interrupted:
            _train(config, LEARNERS[type(config)](config, vector), vector, evaluator, saved, interrupted)
    finally:
        evaluator.close()
        vector.close()
    if interrupted.is_set():
        raise KeyboardInterrupt


def _train(
    config: ControlConfig,
    learner: Learner,
    vector: Vector,
    evaluator: Evaluator,
    saved: Path | None,
    interrupted: threading.Event,
) -> None:
    """The run itself, from the checkpoint ``saved``, or from the start if there is none."""
    run = Path(config.run)
    run.mkdir(parents=True, exist_ok=True)
    recipe.save(config)
    kept, state = checkpoint.load(saved) if saved else ({}, {})
    step = int(state.get("step", 0))
    with Metrics(run, config.steps, step if saved else None) as metrics:
        before = step if saved else -1
        rewrite(run / EVALUATIONS, [row for row in read_lines(run / EVALUATIONS) if row["step"] <= before])
        if saved:
            learner.restore(kept)
        else:
            for row in evaluator.baselines() if config.evaluation.baselines else []:
                _record(run, metrics, row)
            if config.demonstrations.episodes:
                shown, meant = demonstrate(config)
                measured = learner.learn_from(shown, meant, torch.Generator().manual_seed(_drawn(config.seed, 0, 2)))
                metrics.say(f"demonstrations: {len(meant)} steps{_listed(measured)}")
            _record(run, metrics, evaluator.policy(learner, 0))
            checkpoint.save(run, 0, [], learner.state(), {})
        learner.begin(_drawn(config.seed, step, 0))
        while step < config.steps and not interrupted.is_set():
            began, previous = time.monotonic(), step
            vector.training_step = step
            generator = torch.Generator().manual_seed(_drawn(config.seed, step, 1))
            values = learner.iterate(generator, step / config.steps)
            step += config.horizon * config.num_envs
            values |= _described(vector.finished()) | {"time/step": time.monotonic() - began}
            last = step >= config.steps or interrupted.is_set()
            if last or _passed(config.evaluation.every, previous, step):
                row = evaluator.policy(learner, step)
                _record(run, metrics, row)
                values |= {f"evaluation/{_NAMES[key]}": row[key] for key in _NAMES if key in row}
            metrics.log(step, values)
            if last or _passed(config.checkpoint_every, previous, step):
                checkpoint.save(run, step, [], learner.state(), {})
                learner.begin(_drawn(config.seed, step, 0))
        if config.evaluation.film and (missing := film(config, learner, run)):
            metrics.say(f"no pictures: {missing}")
        metrics.say(f"report: {write_report(run)}")


_NAMES = {"score": "return", "success": "success", "turns": "turns"}


def _drawn(seed: int, step: int, use: int) -> int:
    """A seed for one use after so many steps, so that nothing random has to be saved."""
    return int(np.random.default_rng((seed, step, use)).integers(2**31))


def _listed(measured: Mapping[str, float]) -> str:
    return "".join(f", {name} {value:.4g}" for name, value in measured.items())


def _passed(every: int, previous: int, step: int) -> bool:
    return step // every > previous // every


def _described(ended: Sequence[Ended]) -> dict[str, float]:
    """The episodes that ended in an iteration, if any did."""
    if not ended:
        return {}
    values = {
        "train/return": float(np.mean([episode.reward for episode in ended])),
        "train/env_return": float(np.mean([episode.score for episode in ended])),
        "train/turns": float(np.mean([episode.steps for episode in ended])),
        "train/episodes": float(len(ended)),
    }
    successes = [episode.success for episode in ended if episode.success is not None]
    if successes:
        values["train/success"] = float(np.mean(successes))
    return values


def _record(run: Path, metrics: Metrics, row: dict[str, Any]) -> None:
    """Append a result to the run's results, and say it."""
    with (run / EVALUATIONS).open("a") as file:
        file.write(json.dumps(row) + "\n")
    success = f", success {row['success']:.1%}" if "success" in row else ""
    metrics.say(f"{row['agent']} at step {row['step']}: return {row['score']:.4g}{success}, {row['tasks']} episodes")
