"""``python -m palestra audit``: what a reward would teach in an environment, before anything is trained on it."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from ...envs.abilities import Tasked
from ...trajectory import Trajectory
from ..parse import parse_reward
from ..reward import Reward
from .acting import Player, at_random, totals
from .controls import controls
from .hacks import Hunt, find_hacks
from .sampled import reward_distance

CLEAN = "palestra.rewards.audit.arithmetic:RandomCalculation-v0"
"""Where a reward is audited unless another environment is named: arithmetic that nobody has seen."""
LONGEST = 100
"""Characters of an observation that are printed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is played: random ``episodes``, ``steps`` of each control, ``starts`` and ``budget`` of the hunt."""

    seed: int = 0
    episodes: int = 64
    steps: int = 60
    starts: int = 3
    budget: int = 400
    horizon: int = 50
    discount: float = 0.95


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    plain = Settings()
    parser.add_argument("--reward", required=True, help='the reward to audit, such as "success + 0.1*valid_action"')
    parser.add_argument("--true", default="env", help="the reward that is truly meant (default: env)")
    parser.add_argument("--env", default=CLEAN, help="environment id, or module:id (default: generated arithmetic)")
    parser.add_argument("--seed", type=int, default=plain.seed, help="seed of all that is played")
    parser.add_argument("--episodes", type=int, default=plain.episodes, help="random episodes of the comparison")
    parser.add_argument("--steps", type=int, default=plain.steps, help="learning steps of each control; 0: no controls")
    parser.add_argument("--starts", type=int, default=plain.starts, help="starts to search for hacks from")
    parser.add_argument("--budget", type=int, default=plain.budget, help="episodes of the search from each; 0: none")
    parser.add_argument("--horizon", type=int, default=plain.horizon, help="most turns of an episode")


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings among parsed options."""
    names = ("seed", "episodes", "steps", "starts", "budget", "horizon")
    return Settings(**{name: getattr(options, name) for name in names})


def audit(env: str, reward: str, true: str, kwargs: dict[str, Any], settings: Settings) -> Iterator[str]:
    """The lines of the report, as they are found.

    Raises ValueError for an unknown environment, one that does not list its actions, expressions that are no rewards,
    and rewards that compare the episodes of a group.
    """
    audited, meant = parse_reward(reward), parse_reward(true)
    made = _make(env, kwargs)
    player = Player(made, settings.horizon)
    unwrapped = made.unwrapped
    tasks = unwrapped.tasks("train") if isinstance(unwrapped, Tasked) else None
    yield f"{player.name}: {audited}, against {meant}"
    rng = np.random.default_rng(settings.seed)
    starts = [(int(rng.integers(2**31)), None if tasks is None else int(rng.integers(tasks))) for _ in range(10_000)]
    yield from _comparison(player, audited, meant, starts, rng, settings)
    if settings.steps:
        yield f"learners of {settings.steps} steps, mean true return before and after"
        for name, control in controls(
            player, audited, meant, steps=settings.steps, tasks=tasks, seed=settings.seed
        ).items():
            yield f"  {name:<9}{control.before:>9.3f}{control.after:>9.3f}"
    if settings.budget:
        for seed, task in starts[: settings.starts]:
            hunt = find_hacks(player, audited, meant, seed=seed, task=task, episodes=settings.budget, rng=rng)
            yield from _hunted(hunt)


def _make(name: str, kwargs: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    from ...envs import register_all

    register_all()
    module, colon, _ = name.partition(":")
    if colon:
        importlib.import_module(module)
    try:
        return gymnasium.make(name, **kwargs)
    except gymnasium.error.Error as error:
        raise ValueError(str(error)) from error


def _comparison(
    player: Player,
    reward: Reward,
    true: Reward,
    starts: list[tuple[int, int | None]],
    rng: np.random.Generator,
    settings: Settings,
) -> Iterator[str]:
    """The two rewards on random episodes."""
    episodes = [player.play(at_random(rng), *starts[n]) for n in range(settings.episodes)]
    played = [episode.trajectory for episode in episodes]
    paid, good = totals(reward, played), totals(true, played)
    yield f"{'on ' + str(len(played)) + ' random episodes':<24}{'mean':>9}{'deviation':>11}{'least':>9}{'most':>9}"
    for name, values in (("true return", good), ("reward", paid)):
        yield f"  {name:<22}{values.mean():>9.3f}{values.std():>11.3f}{values.min():>9.3f}{values.max():>9.3f}"
    varied = paid.std() > 0 and good.std() > 0
    yield (
        f"  {'correlation':<22}{np.corrcoef(paid, good)[0, 1]:>9.3f}"
        if varied
        else "  correlation: one of them never varies"
    )
    distance = reward_distance(reward, true, played, discount=settings.discount)
    yield f"  {'STARC distance':<22}{distance:>9.3f}   0: the same policies are better, 1: the opposite ones"


def _hunted(hunt: Hunt) -> Iterator[str]:
    start = f"seed {hunt.reference.seed}" + ("" if hunt.reference.task is None else f", task {hunt.reference.task}")
    known = f"best known: true return {hunt.true:.3f}, reward {hunt.reward:.3f} to {hunt.dawdling:.3f}"
    count = f"{len(hunt.hacks)} hack{'' if len(hunt.hacks) == 1 else 's'}" if hunt.hacks else "no hack"
    yield f"{count} in {hunt.episodes} episodes from {start} ({known})"
    for number, hack in enumerate(hunt.hacks, 1):
        yield f"  hack {number}: reward {hack.reward:.3f}, true return {hack.true:.3f}"
        yield from _story(hack.trajectory)


def _story(trajectory: Trajectory) -> Iterator[str]:
    """Every turn on a line, with equal ones in a row written once."""
    last, count = "", 0
    for turn in [*trajectory.turns, None]:
        line = ""
        if turn is not None:
            seen = turn.observation if isinstance(turn.observation, str) else turn.observation["text"]
            seen = " ".join(seen.split())
            line = f"    {seen if len(seen) <= LONGEST else seen[: LONGEST - 3] + '...'}  ->  {turn.action}"
        if line == last:
            count += 1
            continue
        if last:
            yield last + (f"  ({count} times)" if count > 1 else "")
        last, count = line, 1
    yield f"    {trajectory.status}"
