"""The main loop: roll out, reward, advantage, rows, step, publish; evaluate and save in between."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from ..agents.packed import load_model
from ..rewards import Reward, parse_reward
from ..rewards.intrinsic import Learning, learning_in
from ..trajectory import Group
from ..trajectory_io import read_trajectories, write_trajectories
from . import checkpoint, recipe, self_imitation, warm_start
from .advantages import ADVANTAGES, Advantage, Remembering, estimator
from .config import Config
from .credit import assign
from .drivers import Alone, Driver
from .evaluation import Result, summarise
from .interrupt import deferred_interrupt
from .learner import Learner
from .losses import LOSSES
from .metrics import Metrics, read_lines, rewrite
from .report import EPISODES, EVALUATIONS, write_report
from .rollout import POLICY
from .self_play import SelfPlay
from .setup import Setup, device_of, prepare

TRAJECTORIES = "trajectories"
REFERENCE = "reference"
"""Folder of the weights that reinforcement learning began with, kept where a KL penalty needs them."""


def train(config: Config) -> None:
    """Run ``config``, from its last checkpoint if it says ``resume``; writes everything to ``config.run``.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the step under way is finished and saved.
        RecipeError, RewardParseError: the config cannot be followed, or its folder holds a run that is not to be
            resumed.
        CheckpointError: there is no whole checkpoint to resume from.
        RewardError: the reward does not fit the environment.
        EnvironmentFault: every episode of a step failed.
        FloatingPointError: the gradient is not finite.
    """
    reward, advantage = parse_reward(config.reward), _advantage(config)
    _named(LOSSES, "objective.loss", config.objective.loss)
    self_imitation.check(config)
    saved = checkpoint.start(config)
    step = _step_of(saved)
    setup = prepare(config, str(saved) if saved else None)
    try:
        with deferred_interrupt() as interrupted:
            driver = SelfPlay(config, setup) if config.self_play else Alone(config, setup)
            _train(config, setup, driver, reward, advantage, saved, step, interrupted)
    finally:
        setup.close()
    if interrupted.is_set():
        raise KeyboardInterrupt


def _train(
    config: Config,
    setup: Setup,
    driver: Driver,
    reward: Reward,
    advantage: Advantage,
    saved: Path | None,
    step: int | None,
    interrupted: threading.Event,
) -> None:
    """The run itself, from the checkpoint ``saved`` after ``step`` steps, or from the start if there is none."""
    run = Path(config.run)
    (run / TRAJECTORIES).mkdir(parents=True, exist_ok=True)
    recipe.save(config)
    with Metrics(run, config.steps, step) as metrics:
        kept = -1 if step is None else step
        rewrite(run / EVALUATIONS, [row for row in read_lines(run / EVALUATIONS) if row["step"] <= kept])
        if step is None:
            _warm_start(config, setup, driver, metrics, interrupted)
            driver.begin()
            _baselines(config, driver, metrics)
            before = _evaluate(config, setup, driver, metrics, 0)
            if config.self_play:
                metrics.log(0, before)
        learners = {name: _learner(config, setup, name, model, saved) for name, model in setup.models.items()}
        memory = _Memory(driver, advantage, learning_in(reward), saved)
        if step is None:
            step = 0
            _save(config, setup, learners, memory, step)
        setup.publish(step)
        while step < config.steps and not interrupted.is_set():
            began = time.monotonic()
            episodes = setup.rollout.collect(driver.jobs(step), setup.sampling(config, config.rollout.temperature))
            rolled_out = time.monotonic()
            values: dict[str, float] = {}
            for name, groups in driver.groups(episodes).items():
                rows, described = assign(groups, reward, advantage, step, _regularised(config))
                learned = learners[name].update(rows, np.random.default_rng((config.seed, step)))
                described |= {f"train/{key}": value for key, value in learned.items()}
                values |= described if len(learners) == 1 else {f"{name}/{key}": described[key] for key in described}
                memory.learn(groups)
            step += 1
            if config.keep_trajectories and step % config.keep_trajectories == 0:
                write_trajectories(_episodes_of(run, step), episodes)
            if config.self_imitation.every and step % config.self_imitation.every == 0:
                values["train/imitated"] = _imitate_self(config, setup, step)
            setup.publish(step)
            values |= driver.after(step, episodes)
            values |= {"time/rollout": rolled_out - began, "time/step": time.monotonic() - began}
            if step % config.evaluation.every == 0 or step == config.steps:
                values |= _evaluate(config, setup, driver, metrics, step)
            metrics.log(step, values)
            if step % config.checkpoint_every == 0 or step == config.steps or interrupted.is_set():
                _save(config, setup, learners, memory, step)
        metrics.say(f"report: {write_report(run)}")


def _episodes_of(run: Path, step: int) -> Path:
    return run / TRAJECTORIES / f"step-{step:06d}.jsonl"


def _imitate_self(config: Config, setup: Setup, step: int) -> float:
    """Clone the solved episodes since the last time, or all; how many they were."""
    first = 1 if config.self_imitation.over == "all" else step - config.self_imitation.every + 1
    files = [_episodes_of(Path(config.run), past) for past in range(first, step + 1)]
    episodes = (episode for file in files for episode in read_trajectories(file))
    return self_imitation.imitate_solved(setup.model, episodes, config, step, setup.workers)


def _regularised(config: Config) -> bool:
    """Whether even episodes that are no better than others have a gradient."""
    return config.self_play and bool(config.objective.entropy or config.objective.kl)


class _Memory:
    """What is remembered beside the policies: by the driver, the advantage, and what in the reward learns."""

    def __init__(self, driver: Driver, advantage: Advantage, learning: list[Learning], saved: Path | None) -> None:
        self._driver = driver
        self._advantage = advantage if isinstance(advantage, Remembering) else None
        self._learning = learning
        if saved is not None:
            _, state = checkpoint.load(saved)
            driver.restore(state.get("driver", {}))
            if self._advantage is not None:
                self._advantage.restore(state["advantage"])
            for each, kept in zip(learning, state.get("reward", []), strict=True):
                each.restore(kept)

    def learn(self, groups: Sequence[Group]) -> None:
        """Let what in the reward learns see the groups of a step."""
        for each in self._learning:
            for members in groups:
                each.update(members)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as values for JSON."""
        state: dict[str, Any] = {}
        if kept := self._driver.snapshot():
            state["driver"] = kept
        if self._advantage is not None:
            state["advantage"] = self._advantage.snapshot()
        if self._learning:
            state["reward"] = [each.snapshot() for each in self._learning]
        return state


def _named(known: Mapping[str, Any], key: str, name: str) -> Any:
    if name not in known:
        raise recipe.RecipeError(f"{key} must be one of {', '.join(sorted(known))}, not {name!r}")
    return known[name]


def _advantage(config: Config) -> Advantage:
    _named(ADVANTAGES, "advantage", config.advantage)
    try:
        return estimator(config.advantage, config.advantage_options)
    except ValueError as error:
        raise recipe.RecipeError(f"advantage_options: {error}") from error


def _step_of(saved: Path | None) -> int | None:
    return None if saved is None else int(checkpoint.load(saved)[1]["step"])


def _learner(config: Config, setup: Setup, name: str, model: PreTrainedModel, saved: Path | None) -> Learner:
    """The learner of a policy, as the checkpoint left it."""
    reference = None
    if config.objective.kl:
        folder = Path(config.run) / REFERENCE / ("" if name == POLICY else name)
        with checkpoint.no_progress_bar():
            if saved is None:
                model.save_pretrained(folder)
            reference = load_model(str(folder), device_of(config), getattr(torch, config.dtype)).requires_grad_(False)
    updates = config.steps * config.objective.epochs * config.objective.minibatches
    temperature = config.rollout.temperature
    learner = Learner(model, config.optimizer, config.objective, updates, reference, temperature, setup.workers)
    if saved is not None:
        kept, _ = checkpoint.load(saved)
        others = kept.pop(checkpoint.OTHERS, {})
        if name in others:
            model.load_state_dict(others[name]["weights"])
        learner.restore(others.get(name, kept))
    return learner


def _save(config: Config, setup: Setup, learners: Mapping[str, Learner], memory: _Memory, step: int) -> None:
    """The first policy is the checkpoint's model; any others are beside its optimiser."""
    (_, first), *others = learners.items()
    trainer = first.state()
    if others:
        trainer[checkpoint.OTHERS] = {
            name: {"weights": each.model.state_dict(), **each.state()} for name, each in others
        }
    checkpoint.save(config.run, step, [setup.model, setup.tokenizer], trainer, memory.state())


def _warm_start(config: Config, setup: Setup, driver: Driver, metrics: Metrics, interrupted: threading.Event) -> None:
    """Clone what the driver has shown, if the config asks for demonstrations; every policy begins with the result.

    Raises:
        KeyboardInterrupt: after Ctrl-C; nothing is saved yet.
    """
    settings = config.warm_start
    if not settings.demonstrations:
        return
    shown = driver.demonstrations()
    planned = warm_start.batches(shown, setup.renderer, settings, np.random.default_rng((config.seed, 2**32)))
    total = len(planned)
    objective = replace(config.objective, kl=0.0)
    learner = Learner(setup.model, settings.optimizer, objective, total, workers=setup.workers)
    metrics.say(f"warm start: {len(shown)} demonstrations, {total} steps")

    def on_step(number: int, loss: float) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        if (number + 1) % max(1, total // 10) == 0:
            metrics.say(f"warm start: step {number + 1} of {total}, cross-entropy {loss:.3f}")

    warm_start.imitate(learner, planned, settings.context_weight, on_step)
    for model in setup.models.values():
        model.load_state_dict(setup.model.state_dict())


def _baselines(config: Config, driver: Driver, metrics: Metrics) -> None:
    """Have others play the held-out tasks, for comparison."""
    if config.evaluation.baselines:
        for name, episodes in driver.baselines():
            _record(config, metrics, summarise(name, 0, config.evaluation.split, episodes))


def _evaluate(config: Config, setup: Setup, driver: Driver, metrics: Metrics, step: int) -> dict[str, float]:
    """Play the policy on the held-out tasks; what the step's metrics should say of it."""
    setup.publish(step)
    episodes = driver.evaluation()
    result = summarise("policy", step, config.evaluation.split, episodes)
    _record(config, metrics, result)
    write_trajectories(Path(config.run) / EPISODES, episodes)
    measured = {
        "evaluation/success": result.success,
        "evaluation/score": result.score,
        "evaluation/turns": result.turns,
    }
    return measured | driver.measures()


def _record(config: Config, metrics: Metrics, result: Result) -> None:
    """Append a result to the run's results, and say it."""
    with (Path(config.run) / EVALUATIONS).open("a") as file:
        file.write(json.dumps(result.as_dict()) + "\n")
    metrics.say(
        f"{result.agent} at step {result.step}: success {result.success:.1%} "
        f"({result.success_low:.1%} to {result.success_high:.1%}), score {result.score:.3f}, "
        f"{result.tasks} {result.split} tasks"
    )
