"""A small environment that keeps every promise, and many that each break one.

Every class below :class:`Boxes` is registered under its own name, with the checks that it must fail in :data:`MUTANTS`.
"""

from __future__ import annotations

import datetime
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium
import numpy as np

from palestra.envs.spaces import AnyText

MUTANTS: dict[str, set[str]] = {}
"""The checks that each broken environment fails, all of them."""

SPLITS = {"train": (0, 20), "validation": (20, 5), "test": (25, 5)}
"""First box and number of boxes of each split."""


class Boxes(gymnasium.Env[str, str]):
    """A box holds a number from 0 to 63, to be found by guessing.

    The answer to a wrong guess says where to look, and repeats a rumour, drawn at random, which means nothing.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}
    guide = "Answer `guess N`, with N from 0 to 63."
    splits: ClassVar[dict[str, tuple[int, int]]] = SPLITS

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space: gymnasium.Space = AnyText()
        self.action_space: gymnasium.Space = AnyText()
        self.box, self.tries, self.guesses = 0, 0, []

    def tasks(self, split: str) -> int:
        if split not in self.splits:
            raise ValueError(f"split must be one of {', '.join(self.splits)}, not {split!r}")
        return self.splits[split][1]

    def open(self, split: str, task: int) -> int:
        """The box of a task."""
        if not 0 <= task < self.tasks(split):
            raise ValueError(f"task must be from 0 to {self.tasks(split) - 1}, not {task}")
        return self.splits[split][0] + task

    def draw(self) -> int:
        """A box for training."""
        return self.open("train", int(self.np_random.integers(self.tasks("train"))))

    def chosen(self, options: dict[str, Any]) -> int:
        """The box that the options ask for."""
        unknown = options.keys() - {"task", "split"}
        if unknown:
            raise ValueError(f"unknown options: {', '.join(unknown)}")
        if not isinstance(options.get("task"), int):
            raise TypeError("task must be an int")
        return self.open(options.get("split", "train"), options["task"])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.box = self.chosen(options) if options else self.draw()
        self.tries, self.guesses = 0, []
        return f"What is in box {self.box}?", self.info()

    @property
    def number(self) -> int:
        """What is in the box."""
        return (self.box * 37 + 11) % 64

    def info(self) -> dict[str, Any]:
        return {"guesses": list(self.guesses), "tries": self.tries}

    def guess(self, action: str) -> int | None:
        """The number that the action means, or ``None``."""
        verb, _, number = action.partition(" ")
        valid = verb == "guess" and len(number) <= 2 and number.isascii() and number.isdigit() and int(number) < 64
        return int(number) if valid else None

    def rumour(self) -> int:
        return int(self.np_random.integers(1000))

    def step(self, action: str) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        guess = self.guess(action)
        if guess is None:
            return self.invalid(action)
        self.tries += 1
        self.guesses.append(guess)
        if guess == self.number:
            return self.solved()
        where = "higher" if guess < self.number else "lower"
        return f"Try {self.tries}: {where}. Some say {self.rumour()}.", 0.0, False, False, self.info()

    def solved(self) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        return f"Try {self.tries}: right.", 1.0, True, False, self.info()

    def invalid(self, action: str) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        return "Answer `guess N`.", 0.0, False, False, self.info()

    def bounds(self) -> tuple[int, int]:
        low = max([0, *(guess + 1 for guess in self.guesses if guess < self.number)])
        high = min([63, *(guess - 1 for guess in self.guesses if guess > self.number)])
        return low, high

    def oracle(self) -> str:
        low, high = self.bounds()
        return f"guess {(low + high) // 2}"

    def snapshot(self) -> Any:
        return self.box, self.tries, list(self.guesses), self.np_random.bit_generator.state

    def restore(self, state: Any) -> None:
        self.box, self.tries, guesses, generator = state
        self.guesses = list(guesses)
        self.np_random.bit_generator.state = generator

    def render(self) -> Any:
        return f"box {self.box}: {self.guesses}"


def breaks(*checks: str) -> Callable[[type[Boxes]], type[Boxes]]:
    """Register a class and the checks that it fails."""

    def add(mutant: type[Boxes]) -> type[Boxes]:
        MUTANTS[mutant.__name__] = set(checks)
        gymnasium.register(f"{mutant.__name__}-v0", entry_point=mutant, max_episode_steps=50)
        return mutant

    return add


gymnasium.register("Boxes-v0", entry_point=Boxes, max_episode_steps=50)


class Chatty(Boxes):
    """Keeps every promise, and prints while it does."""

    def rumour(self) -> int:
        print("a rumour")
        os.write(1, b"another")
        return super().rumour()


gymnasium.register("Chatty-v0", entry_point=Chatty, max_episode_steps=50)


# Seeds and generators.


@breaks("same_seed_same_episode", "gymnasium_check_env")
class DroppedSeed(Boxes):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(options=options)


@breaks("seeds_matter", "gymnasium_check_env", "reset_without_seed_goes_on")
class FixedSeed(Boxes):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=7, options=options)


@breaks("seeds_matter")
class OwnGenerator(Boxes):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.generator = np.random.default_rng(0)
        return super().reset(seed=seed, options=options)

    def draw(self) -> int:
        return int(self.generator.integers(20))

    def rumour(self) -> int:
        return 0


@breaks("reset_without_seed_goes_on")
class SeedsAgain(Boxes):
    last: int | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.last = self.last if seed is None else seed
        return super().reset(seed=self.last, options=options)


@breaks(
    "global_generators_left_alone",
    "terminal_observation_sync",
    "terminal_observation_async",
    "restore_repeats_the_future",
    "restore_in_another_instance",
)
class DrawsGlobally(Boxes):
    def rumour(self) -> int:
        return random.randrange(1000)


@breaks("global_generators_left_alone")
class SeedsGlobally(Boxes):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        np.random.seed(seed)  # noqa: NPY002
        return super().reset(seed=seed, options=options)


@breaks("same_seed_same_episode")
class SharedGenerator(Boxes):
    generator = np.random.default_rng(0)

    def rumour(self) -> int:
        return int(self.generator.integers(1000))


@breaks("instances_apart", "terminal_observation_sync", "restore_repeats_the_future", "restore_in_another_instance")
class SharedSeededGenerator(Boxes):
    generator = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed is not None:
            type(self).generator = np.random.default_rng(seed)
        return super().reset(seed=seed, options=options)

    def rumour(self) -> int:
        return int(self.generator.integers(1000))


@breaks("instances_apart", "terminal_observation_sync", "restore_repeats_the_future", "restore_in_another_instance")
class SharedState(Boxes):
    shared: ClassVar[dict[str, int]] = {"tries": 0}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.shared["tries"] = 0
        return super().reset(seed=seed, options=options)

    def rumour(self) -> int:
        self.shared["tries"] += 1
        return self.shared["tries"]


@breaks("same_seed_same_episode")
class CountsInstances(Boxes):
    made = 0

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        type(self).made += 1
        self.mine = self.made

    def rumour(self) -> int:
        return super().rumour() + self.mine


@breaks("reset_forgets", "restore_repeats_the_future", "restore_in_another_instance")
class RemembersTries(Boxes):
    total = 0

    def rumour(self) -> int:
        self.total += 1
        return self.total


# Processes and clocks.


@breaks("other_hash_seed")
class HashOrder(Boxes):
    def rumour(self) -> int:
        return int("".join({"17", "23", "42", "58", "71", "99"}))


@breaks("other_process", "terminal_observation_async")
class ProcessNumber(Boxes):
    def rumour(self) -> int:
        return os.getpid()


@breaks("other_clock")
class Today(Boxes):
    def rumour(self) -> int:
        return datetime.date.today().toordinal()


@breaks("other_clock")
class ThisHour(Boxes):
    def rumour(self) -> int:
        return int(time.time() // 7200)


@breaks("other_pace")
class RewardsHaste(Boxes):
    last = 0.0

    def step(self, action: str) -> Any:
        waited, self.last = time.monotonic() - self.last, time.monotonic()
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "slow": 0.2 < waited < 10.0}


@breaks("remade_from_spec")
class NotToBeSent(Boxes):
    pass


def locked(lock: Any) -> Callable[..., Boxes]:
    def make(render_mode: str | None = None) -> Boxes:
        with lock:
            return NotToBeSent(render_mode)

    make.metadata = Boxes.metadata  # type: ignore[attr-defined]
    return make


gymnasium.registry["NotToBeSent-v0"].entry_point = locked(threading.Lock())


# What is returned by reset and step.


@breaks("rewards_are_finite_numbers", "oracle_solves", "oracle_recovers")
class NotANumber(Boxes):
    def solved(self) -> Any:
        observation, _, terminated, truncated, info = super().solved()
        return observation, float("nan"), terminated, truncated, info


@breaks("rewards_are_finite_numbers")
class FlagReward(Boxes):
    def solved(self) -> Any:
        observation, _, terminated, truncated, info = super().solved()
        return observation, True, terminated, truncated, info


@breaks("flags_are_bools", "gymnasium_check_env")
class IntFlags(Boxes):
    def step(self, action: str) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, int(terminated), int(truncated), info


@breaks("observations_in_space", "terminal_observation_async")
class NothingAtTheEnd(Boxes):
    def solved(self) -> Any:
        return None, *super().solved()[1:]


@breaks("info_is_json")
class SetInInfo(Boxes):
    def info(self) -> dict[str, Any]:
        return {"guesses": set(self.guesses)}


@breaks("info_is_json")
class NumberKeys(Boxes):
    def info(self) -> dict[str, Any]:
        return {"tries": {str(guess) if guess < 0 else guess: True for guess in self.guesses}}


@breaks("returned_values_are_kept", "returned_values_are_copies")
class SharedInfo(Boxes):
    def info(self) -> dict[str, Any]:
        return {"guesses": self.guesses}


@breaks("returned_values_are_kept", "gymnasium_check_env", "terminal_observation_sync", "terminal_observation_async")
class ReusedPicture(Boxes):
    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        picture = gymnasium.spaces.Box(0, 255, (64,), np.uint8)
        self.observation_space = gymnasium.spaces.Dict({"text": AnyText(), "image": picture})
        self.picture = np.zeros(64, np.uint8)

    def show(self, text: str) -> dict[str, Any]:
        self.picture[:] = 0
        self.picture[self.guesses] = 255
        return {"text": text, "image": self.picture}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        text, info = super().reset(seed=seed, options=options)
        return self.show(text), info

    def step(self, action: str) -> Any:
        text, *rest = super().step(action)
        return self.show(text), *rest


@breaks("terminal_observation_is_final")
class ResetsItself(Boxes):
    def solved(self) -> Any:
        _, reward, terminated, truncated, info = super().solved()
        observation, _ = self.reset()
        return observation, reward, terminated, truncated, info


@breaks("terminal_observation_sync", "terminal_observation_async")
class NoneInInfo(Boxes):
    def info(self) -> dict[str, Any]:
        return {"last": self.guesses[-1] if self.guesses else None, "first": None if self.guesses else 0}


# Nonsense.


@breaks("hostile_actions_are_not_rewarded")
class PaysNonsense(Boxes):
    def invalid(self, action: str) -> Any:
        return "Answer `guess N`.", 0.01, False, False, self.info()


@breaks("hostile_actions_are_answered", "gymnasium_check_env")
class RaisesOnNonsense(Boxes):
    def invalid(self, action: str) -> Any:
        raise ValueError(f"{action!r} is not a guess")


@breaks("hostile_actions_are_answered")
class RaisesOnNothing(Boxes):
    def invalid(self, action: str) -> Any:
        return f"{action.split()[0]} is not known.", 0.0, False, False, self.info()


@breaks("hostile_actions_are_answered")
class RaisesOnMuch(Boxes):
    def invalid(self, action: str) -> Any:
        return f"{int(action) if action.isdigit() else 0} is too much.", 0.0, False, False, self.info()


@breaks("hostile_actions_are_answered")
class RaisesOnSurrogates(Boxes):
    def invalid(self, action: str) -> Any:
        return f"{len(action.encode())} bytes of nonsense.", 0.0, False, False, self.info()


@breaks("hostile_actions_are_answered")
class RaisesOnFormatFields(Boxes):
    def invalid(self, action: str) -> Any:
        shown = action.format(self=self) if "{self}" in action else "That"
        return f"{shown} is not known.", 0.0, False, False, self.info()


@breaks("hostile_actions_are_answered")
class EndsOnNonsense(Boxes):
    def invalid(self, action: str) -> Any:
        return "You lose.", 0.0, True, False, self.info()


@breaks("hostile_actions_do_no_harm")
class LosesOnNonsense(Boxes):
    lost = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.lost = False
        return super().reset(seed=seed, options=options)

    def invalid(self, action: str) -> Any:
        self.lost = True
        return super().invalid(action)

    def solved(self) -> Any:
        observation, reward, terminated, truncated, info = super().solved()
        return observation, 0.0 if self.lost else reward, terminated, truncated, info


# Snapshots.


@breaks("snapshot_does_not_change")
class SharesSnapshot(Boxes):
    def snapshot(self) -> Any:
        return self.box, self.tries, self.guesses, self.np_random.bit_generator.state


@breaks("snapshot_does_not_change")
class SharesRestored(Boxes):
    def restore(self, state: Any) -> None:
        super().restore(state)
        self.guesses = state[2]


@breaks("restore_repeats_the_future", "restore_in_another_instance")
class SnapshotWithoutGenerator(Boxes):
    def restore(self, state: Any) -> None:
        self.box, self.tries, guesses, _ = state
        self.guesses = list(guesses)


@breaks("restore_repeats_the_future", "restore_in_another_instance")
class RestoresNothing(Boxes):
    def restore(self, state: Any) -> None:
        pass


@breaks("restore_in_another_instance")
class SnapshotStaysHere(Boxes):
    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.states: list[Any] = []

    def snapshot(self) -> Any:
        self.states.append(super().snapshot())
        return len(self.states) - 1

    def restore(self, state: Any) -> None:
        super().restore(self.states[state])


@breaks("snapshot_pickles")
class SnapshotWithLock(Boxes):
    def snapshot(self) -> Any:
        return (*super().snapshot(), threading.Lock())

    def restore(self, state: Any) -> None:
        super().restore(state[:4])


@breaks("snapshot_changes_nothing")
class SnapshotDraws(Boxes):
    def snapshot(self) -> Any:
        state = super().snapshot()
        self.rumour()
        return state


# Oracles.


@breaks("oracle_solves", "oracle_recovers")
class WrongOracle(Boxes):
    def oracle(self) -> str:
        return "guess 0"


@breaks("oracle_only_advises")
class CheatingOracle(Boxes):
    moved: int | None = None

    @property
    def number(self) -> int:
        return super().number if self.moved is None else self.moved

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.moved = None
        return super().reset(seed=seed, options=options)

    def oracle(self) -> str:
        self.moved = 5
        return "guess 5"


@breaks("oracle_only_advises")
class DrawingOracle(Boxes):
    def oracle(self) -> str:
        self.rumour()
        return super().oracle()


@breaks("oracle_recovers")
class BlindOracle(Boxes):
    """Knows its own way to the number, and no other."""

    def oracle(self) -> str:
        low, high = 0, 63
        for guess in self.guesses:
            middle = (low + high) // 2
            if guess != middle:
                return "guess 0"
            low, high = (middle + 1, high) if middle < self.number else (low, middle - 1)
        return f"guess {(low + high) // 2}"


# Tasks.


@breaks("bad_options_are_refused")
class OneTooMany(Boxes):
    def open(self, split: str, task: int) -> int:
        return super().open(split, task - 1 if task == self.tasks(split) else task)


@breaks("bad_options_are_refused")
class CountsFromTheEnd(Boxes):
    def open(self, split: str, task: int) -> int:
        return super().open(split, task % self.tasks(split) if task == -1 else task)


@breaks("bad_options_are_refused")
class SilentAboutRange(Boxes):
    def open(self, split: str, task: int) -> int:
        if split in self.splits and not 0 <= task < self.tasks(split):
            raise ValueError("no such task")
        return super().open(split, task)


@breaks("bad_options_are_refused")
class IgnoresOptions(Boxes):
    def chosen(self, options: dict[str, Any]) -> int:
        known = {name: value for name, value in options.items() if name in ("task", "split")}
        return super().chosen(known) if known else self.draw()


@breaks("splits_are_counted", "bad_options_are_refused")
class AnySplit(Boxes):
    def tasks(self, split: str) -> int:
        return super().tasks(split if split in self.splits else "train")

    def open(self, split: str, task: int) -> int:
        return super().open(split if split in self.splits else "train", task)


@breaks("splits_are_apart")
class LeakingSplit(Boxes):
    splits: ClassVar[dict[str, tuple[int, int]]] = {**SPLITS, "test": (15, 5)}


@breaks("draws_from_train")
class DrawsFromAll(Boxes):
    def draw(self) -> int:
        return int(self.np_random.integers(30))


@breaks("task_is_the_same_for_all")
class SeededTask(Boxes):
    def chosen(self, options: dict[str, Any]) -> int:
        box = super().chosen(options)
        return box if box >= 20 else (box + int(self.np_random.integers(20))) % 20


@breaks("tasks_differ", "draws_from_train")
class OneTask(Boxes):
    def chosen(self, options: dict[str, Any]) -> int:
        super().chosen(options)
        return self.splits[options["split"]][0]


# The rest.


@breaks("close_twice")
class ClosesOnce(Boxes):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


@breaks("time_limit_is_the_wrappers")
class OwnLimit(Boxes):
    def step(self, action: str) -> Any:
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, terminated, self.tries >= 20, info


@breaks("render_modes")
class BlankPicture(Boxes):
    def render(self) -> Any:
        return None


@breaks("guide_is_text")
class EmptyGuide(Boxes):
    guide = "  "


@breaks("can_be_played", "gymnasium_check_env")
class RaisesOnGuess(Boxes):
    def step(self, action: str) -> Any:
        raise KeyError(action)
