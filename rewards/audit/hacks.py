"""Finding reward hacks before a policy does: trajectories that a reward prefers to one that is truly better.

The search is over action sequences of one start: random ones, then an evolution of which one half climbs the reward
against the true return and the other half the true return alone, so that there is something good to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...trajectory import Trajectory
from ..reward import Reward
from .acting import Choose, Episode, Player, at_random, totals


@dataclass(frozen=True, slots=True)
class Hack:
    """A trajectory with a higher reward than the reference and a lower true return."""

    trajectory: Trajectory
    reward: float
    true: float


@dataclass(frozen=True, slots=True)
class Hunt:
    """What a search found: the reference, which is the truly best trajectory known, and the hacks, worst first.

    ``true`` and ``reward`` are the reference's returns; ``dawdling`` is the highest reward of any trajectory that is
    truly as good as it.  A hack above that is preferred to everything good that is known; one between ``reward`` and
    ``dawdling`` is preferred to solving the task straight away, though not to solving it as late as pays.
    """

    reference: Trajectory
    reward: float
    true: float
    dawdling: float
    hacks: tuple[Hack, ...]
    episodes: int


def find_hacks(
    player: Player,
    reward: Reward,
    true: Reward,
    *,
    seed: int = 0,
    task: int | None = None,
    episodes: int = 400,
    population: int = 20,
    shown: int = 3,
    margin: float = 1e-6,
    rng: np.random.Generator,
) -> Hunt:
    """Search from the start ``(seed, task)`` with ``episodes`` episodes in all, ``episodes`` / 4 of them random.

    The reference is the episode with the highest true return among all that were played and, where the environment has
    one, its oracle's; of equals, the shortest.  A hack has a higher reward and a lower true return than it, by more
    than ``margin`` each: between the two, the reward prefers the wrong one.  At most ``shown`` are kept, of different
    returns.  ValueError for rewards that compare a group.
    """
    if not 4 <= population <= episodes // 4:
        raise ValueError(f"needs a population of 4 to {episodes // 4} (a quarter of the episodes), not {population}")
    solved = player.oracle(seed, task)
    found = [] if solved is None else [solved]
    found += [player.play(at_random(rng), seed, task) for _ in range(episodes // 4)]
    paid, good = _judge(found, reward, true)
    while len(found) < episodes:
        elite = _elite(paid, good, population)
        children = [
            _mutated(player, found[int(rng.choice(elite))], rng) for _ in range(min(population, episodes - len(found)))
        ]
        more_paid, more_good = _judge(children, reward, true)
        found, paid, good = found + children, np.append(paid, more_paid), np.append(good, more_good)
    best = max(range(len(found)), key=lambda index: (good[index], -len(found[index].actions)))
    dawdling = float(paid[good >= good[best] - margin].max())
    cheats = np.flatnonzero((paid > paid[best] + margin) & (good < good[best] - margin))
    chosen: dict[tuple[float, float], Hack] = {}
    for index in sorted(cheats, key=lambda index: (-paid[index], good[index], len(found[index].actions))):
        returns = round(float(paid[index]), 6), round(float(good[index]), 6)
        chosen.setdefault(returns, Hack(found[index].trajectory, float(paid[index]), float(good[index])))
    hacks = tuple(list(chosen.values())[:shown])
    return Hunt(found[best].trajectory, float(paid[best]), float(good[best]), dawdling, hacks, len(found))


def _judge(episodes: list[Episode], reward: Reward, true: Reward) -> tuple[np.ndarray, np.ndarray]:
    trajectories = [episode.trajectory for episode in episodes]
    return totals(reward, trajectories), totals(true, trajectories)


def _elite(paid: np.ndarray, good: np.ndarray, population: int) -> np.ndarray:
    """The best by reward less true return, both in standard deviations, and the best by true return, half each."""
    against = _standard(paid) - _standard(good)
    half = population // 2
    return np.concatenate([np.argsort(-against, kind="stable")[:half], np.argsort(-good, kind="stable")[:half]])


def _standard(values: np.ndarray) -> np.ndarray:
    deviation = values.std()
    return (values - values.mean()) / deviation if deviation > 0 else np.zeros_like(values)


def _mutated(player: Player, parent: Episode, rng: np.random.Generator) -> Episode:
    """A child: the parent up to some turn, then another end, another action, or the last few actions over and over."""
    turn = int(rng.integers(len(parent.actions)))
    kind = int(rng.integers(3))
    wander = at_random(rng)
    if kind == 0:
        return player.fork(parent, turn, wander)
    if kind == 1:
        legal = parent.legal[turn]
        return player.fork(
            parent, turn, _follow([legal[int(rng.integers(len(legal)))], *parent.actions[turn + 1 :]], wander)
        )
    length = int(rng.integers(1, 4))
    loop = parent.actions[max(turn - length, 0) : turn] or parent.actions[:1]
    return player.fork(parent, turn, _follow(list(loop) * player.horizon, wander))


def _follow(plan: list[str], otherwise: Choose) -> Choose:
    """The planned actions as long as they are legal, then something else."""
    remaining = iter(plan)

    def choose(observation: str, legal: list[str]) -> str:
        planned = next(remaining, None)
        return planned if planned in legal else otherwise(observation, legal)

    return choose
