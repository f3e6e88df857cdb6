"""The environment under test: how to make it, what it declares, and the episodes that the checks play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np

from ..abilities import Forkable, Guided, Solvable, Tasked
from .child import Place, play_elsewhere
from .maker import Maker
from .play import Frame, Script, episode_difference, global_seeds, play, start, step
from .report import Skipped
from .table import TableMaker

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Settings:
    """How much to play.

    ``min_oracle_score`` is the mean score that the oracle must reach on the tasks of each split; ``None`` stands for
    the ``reward_threshold`` that the environment was registered with, or 0.98 without one.  ``min_recovery_score`` is
    what it must reach after a few other actions; ``None`` stands for the same, which suits environments where no action
    but the last is final.
    """

    seed: int = 0
    episodes: int = 3
    steps: int = 40
    oracle_tasks: int = 10
    min_oracle_score: float | None = None
    min_recovery_score: float | None = None

    def __post_init__(self) -> None:
        for name in ("episodes", "steps", "oracle_tasks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass
class Subject:
    """The environment under test."""

    make: Maker | TableMaker
    settings: Settings = field(default_factory=Settings)

    def make_bare(self) -> gymnasium.Env:
        """A new instance without a time limit, whose whole state is the environment's own."""
        return self.make(max_episode_steps=-1).unwrapped

    @cached_property
    def probe(self) -> gymnasium.Env:
        """An instance to ask for its spaces and abilities; never stepped."""
        try:
            return self.make()
        except Exception as error:
            raise Skipped("the environment cannot be made, see can_be_played") from error

    @property
    def guided(self) -> bool:
        """Whether a guide is declared."""
        return isinstance(self.probe.unwrapped, Guided)

    @property
    def solvable(self) -> bool:
        """Whether an oracle is declared."""
        return isinstance(self.probe.unwrapped, Solvable)

    @property
    def forkable(self) -> bool:
        """Whether snapshots are declared."""
        return isinstance(self.probe.unwrapped, Forkable)

    @property
    def tasked(self) -> bool:
        """Whether numbered tasks are declared."""
        return isinstance(self.probe.unwrapped, Tasked)

    @property
    def min_oracle_score(self) -> float:
        """The mean score that the oracle has to reach."""
        if self.settings.min_oracle_score is not None:
            return self.settings.min_oracle_score
        return 0.98 if self.make.spec.reward_threshold is None else self.make.spec.reward_threshold

    @property
    def min_recovery_score(self) -> float:
        """The mean score that the oracle has to reach after a few other actions."""
        asked = self.settings.min_recovery_score
        return self.min_oracle_score if asked is None else asked

    @property
    def step_limit(self) -> int:
        """How many steps an oracle may take."""
        return self.make.spec.max_episode_steps or 1000

    def generator(self, *key: int) -> np.random.Generator:
        """A generator for the checker's own choices."""
        return np.random.default_rng([self.settings.seed, *key])

    @cached_property
    def scripts(self) -> list[Script]:
        """The episodes that the checks replay: the first by the oracle alone, the others with other actions too."""
        try:
            self.probe  # noqa: B018 - raises if it cannot be made
            with global_seeds(0):
                return [self._explore(number) for number in range(self.settings.episodes)]
        except Skipped:
            raise
        except Exception as error:
            raise Skipped("the environment cannot be played, see can_be_played") from error

    @cached_property
    def pool(self) -> list[Any]:
        """Actions that the oracle takes in other episodes: legal somewhere, and not always the best one here."""
        pool: list[Any] = []
        if self.solvable:
            env = self.make()
            for number in range(8):
                frame = start(env, Script(self.settings.seed + 1000 + number))
                for _ in range(self.settings.steps):
                    if frame.done or (action := self.advice(env)) is None:
                        break
                    pool.append(action)
                    frame = step(env, action)
            env.close()
        return pool

    def advice(self, env: gymnasium.Env) -> Any:
        """The oracle's action, or ``None`` if there is none or it raises, which the checks of the oracle report."""
        if not self.solvable:
            return None
        oracle: Callable[[], Any] = env.unwrapped.oracle  # type: ignore[attr-defined]
        try:
            return oracle()
        except Exception:  # noqa: BLE001 - oracle_solves reports it
            return None

    def other_action(self, env: gymnasium.Env, rng: np.random.Generator) -> Any:
        """An action from the pool, or a sample of the action space if there is no oracle to fill it."""
        return self.pool[int(rng.integers(len(self.pool)))] if self.pool else env.action_space.sample()

    def _explore(self, number: int) -> Script:
        script, rng, env = Script(self.settings.seed + number), self.generator(0, number), self.make()
        env.action_space.seed(script.seed)
        frame = start(env, script)
        while not frame.done and len(script.actions) < self.settings.steps:
            follow = number == 0 or rng.random() < 0.5
            action = self.advice(env) if follow else None
            if action is None:
                action = self.other_action(env, rng)
            script.actions.append(action)
            frame = step(env, action)
        env.close()
        return script

    @cached_property
    def recorded(self) -> list[list[Frame]]:
        """What the scripts led to, each in an instance of its own."""
        return [self.replay(script) for script in self.scripts]

    @cached_property
    def unrepeatable(self) -> str | None:
        """How a second recording differs from the first, if it does."""
        for script, frames in zip(self.scripts, self.recorded, strict=True):
            found = episode_difference(frames, self.replay(script))
            if found:
                return f"with seed {script.seed}, {found}"
        return None

    @property
    def episodes(self) -> list[list[Frame]]:
        """What was recorded, to compare with; skips the check if not even playing it again gives the same."""
        if self.unrepeatable:
            raise Skipped("the same seed and actions give different episodes, see same_seed_same_episode")
        return self.recorded

    @cached_property
    def elsewhere(self) -> dict[str, list[list[Frame]]]:
        """What the scripts led to in other processes, by what is different there."""
        self.episodes  # noqa: B018 - skips if they cannot be compared
        places = {
            "a process": Place(),
            "a second process": Place(),
            "another hash seed": Place(hash_seed=2),
            "a third hash seed": Place(hash_seed=3),
            "another clock": Place(other_clock=True),
            "another pace": Place(rest=0.25),
        }
        played = play_elsewhere(self.make, self.scripts, list(places.values()))
        return dict(zip(places, played, strict=True))

    def replay(self, script: Script, env: gymnasium.Env | None = None) -> list[Frame]:
        """Play ``script`` in ``env``, or in a new instance, with the global generators held fixed."""
        with global_seeds(0):
            if env is not None:
                return play(env, script)
            env = self.make()
            frames = play(env, script)
            env.close()
            return frames
