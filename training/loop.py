"""The main loop: roll out, reward, advantage, rows, step, publish; evaluate and save in between."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..agents.packed import load_model
from ..agents.scripted import OracleAgent, RandomAgent, play
from ..envs.abilities import Solvable
from ..rewards import Reward, parse_reward
from ..rewards.intrinsic import Learning, learning_in
from ..trajectory_io import write_trajectories
from . import checkpoint, recipe, warm_start
from .advantages import ADVANTAGES, Advantage, estimator
from .config import Config
from .credit import assign, group
from .evaluation import Result, summarise
from .learner import Learner
from .losses import LOSSES
from .metrics import Metrics, read_lines, rewrite
from .report import EPISODES, EVALUATIONS, write_report
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
    saved = _saved(config)
    step = _step_of(saved)
    setup = prepare(config, str(saved) if saved else None)
    try:
        with _deferred_interrupt() as interrupted:
            _train(config, setup, reward, advantage, saved, step, interrupted)
    finally:
        setup.close()
    if interrupted.is_set():
        raise KeyboardInterrupt


def _train(
    config: Config,
    setup: Setup,
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
            _warm_start(config, setup, metrics, interrupted)
            _baselines(config, setup, metrics)
            _evaluate(config, setup, metrics, 0)
        learner, learning = _learner(config, setup, saved), _learning(reward, saved)
        if step is None:
            step = 0
            _save(config, setup, learner, learning, step)
        setup.engine.load([], step)
        while step < config.steps and not interrupted.is_set():
            began = time.monotonic()
            jobs = setup.tasks.training(step, config.rollout.groups, config.rollout.group_size)
            episodes = setup.rollout.collect(jobs, setup.sampling(config, config.rollout.temperature))
            rolled_out = time.monotonic()
            groups = group(episodes, config.rollout.group_size)
            rows, values = assign(groups, reward, advantage, step)
            for each in learning:
                for members in groups:
                    each.update(members)
            learned = learner.update(rows, np.random.default_rng((config.seed, step)))
            values |= {f"train/{name}": value for name, value in learned.items()}
            step += 1
            setup.engine.load([], step)
            values |= {"time/rollout": rolled_out - began, "time/step": time.monotonic() - began}
            if config.keep_trajectories and step % config.keep_trajectories == 0:
                write_trajectories(run / TRAJECTORIES / f"step-{step:06d}.jsonl", episodes)
            if step % config.evaluation.every == 0 or step == config.steps:
                values |= _evaluate(config, setup, metrics, step)
            metrics.log(step, values)
            if step % config.checkpoint_every == 0 or step == config.steps or interrupted.is_set():
                _save(config, setup, learner, learning, step)
        metrics.say(f"report: {write_report(run)}")


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


def _saved(config: Config) -> Path | None:
    """The checkpoint to go on from."""
    saved = checkpoint.latest(config.run)
    if config.resume:
        if saved is None:
            raise checkpoint.CheckpointError(f"{config.run} has no checkpoint to resume from")
        return saved
    if saved is not None:
        raise recipe.RecipeError(f"{config.run} holds a run: go on with it by --resume, or choose another --run")
    return None


def _step_of(saved: Path | None) -> int | None:
    return None if saved is None else int(checkpoint.load(saved)[1]["step"])


def _learner(config: Config, setup: Setup, saved: Path | None) -> Learner:
    reference = None
    if config.objective.kl:
        folder = Path(config.run) / REFERENCE
        with checkpoint.no_progress_bar():
            if saved is None:
                setup.model.save_pretrained(folder)
            reference = load_model(str(folder), device_of(config), getattr(torch, config.dtype)).requires_grad_(False)
    updates = config.steps * config.objective.epochs * config.objective.minibatches
    temperature = config.rollout.temperature
    learner = Learner(setup.model, config.optimizer, config.objective, updates, reference, temperature)
    if saved is not None:
        learner.restore(checkpoint.load(saved)[0])
    return learner


def _learning(reward: Reward, saved: Path | None) -> list[Learning]:
    """What in the reward learns from the episodes, as the checkpoint left it."""
    learning = learning_in(reward)
    if learning and saved is not None:
        for each, state in zip(learning, checkpoint.load(saved)[1]["reward"], strict=True):
            each.restore(state)
    return learning


def _save(config: Config, setup: Setup, learner: Learner, learning: list[Learning], step: int) -> None:
    state = {"reward": [each.snapshot() for each in learning]} if learning else {}
    checkpoint.save(config.run, step, setup.model, setup.tokenizer, learner.state(), state)


def _warm_start(config: Config, setup: Setup, metrics: Metrics, interrupted: threading.Event) -> None:
    """Clone the oracle's behaviour, if the config asks for demonstrations.

    Raises:
        KeyboardInterrupt: after Ctrl-C; nothing is saved yet.
    """
    settings = config.warm_start
    if not settings.demonstrations:
        return
    if not isinstance(setup.env.unwrapped, Solvable):
        raise recipe.RecipeError(f"{config.env} has no oracle() to learn from: set warm_start.demonstrations to 0")
    jobs = setup.tasks.shown(settings.demonstrations)
    shown = warm_start.demonstrate(setup.env, jobs, settings.disturbance)
    planned = warm_start.batches(shown, setup.renderer, settings, np.random.default_rng((config.seed, 2**32)))
    total = len(planned)
    objective = replace(config.objective, kl=0.0)
    learner = Learner(setup.model, settings.optimizer, objective, total)
    metrics.say(f"warm start: {len(shown)} demonstrations, {total} steps")

    def on_step(number: int, loss: float) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        if (number + 1) % max(1, total // 10) == 0:
            metrics.say(f"warm start: step {number + 1} of {total}, cross-entropy {loss:.3f}")

    warm_start.imitate(learner, planned, settings.context_weight, on_step)


def _baselines(config: Config, setup: Setup, metrics: Metrics) -> None:
    """Play a random agent and the oracle on the held-out tasks, for comparison."""
    if not config.evaluation.baselines:
        return
    jobs = setup.tasks.held_out(config.evaluation.split, config.evaluation.tasks)
    agents: dict[str, Any] = {"random": RandomAgent(config.seed)}
    if isinstance(setup.env.unwrapped, Solvable):
        agents["oracle"] = OracleAgent()
    for name, agent in agents.items():
        turns = config.rollout.max_turns
        episodes = [play(setup.env, agent, seed=job.seed, options=job.options, max_turns=turns) for job in jobs]
        _record(config, metrics, summarise(name, 0, config.evaluation.split, episodes))


def _evaluate(config: Config, setup: Setup, metrics: Metrics, step: int) -> dict[str, float]:
    """Play the policy on the held-out tasks; what the step's metrics should say of it."""
    setup.engine.load([], step)
    jobs = setup.tasks.held_out(config.evaluation.split, config.evaluation.tasks)
    episodes = setup.rollout.collect(jobs, setup.sampling(config, config.evaluation.temperature))
    result = summarise("policy", step, config.evaluation.split, episodes)
    _record(config, metrics, result)
    write_trajectories(Path(config.run) / EPISODES, episodes)
    return {"evaluation/success": result.success, "evaluation/score": result.score, "evaluation/turns": result.turns}


def _record(config: Config, metrics: Metrics, result: Result) -> None:
    """Append a result to the run's results, and say it."""
    with (Path(config.run) / EVALUATIONS).open("a") as file:
        file.write(json.dumps(result.as_dict()) + "\n")
    metrics.say(
        f"{result.agent} at step {result.step}: success {result.success:.1%} "
        f"({result.success_low:.1%} to {result.success_high:.1%}), score {result.score:.3f}, "
        f"{result.tasks} {result.split} tasks"
    )


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C into an event, so that the step under way ends whole; a second one stops at once."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def on_signal(number: int, frame: Any) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        print("\nStopping after this step; press Ctrl-C again to stop at once, without saving.", flush=True)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
