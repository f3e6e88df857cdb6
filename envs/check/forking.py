"""Can an episode be forked anywhere?  The same actions after ``restore`` must give the same future."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .interface import describe
from .play import Frame, Script, episode_difference, global_seeds, play_on, start
from .report import Failed, Skipped
from .subject import Subject


@dataclass(slots=True)
class Fork:
    """A point of an episode: an instance that stands there, and the actions and frames that follow."""

    env: Any
    script: Script
    future: list[Any]
    frames: list[Frame]


def snapshot_pickles(subject: Subject) -> str:
    """A snapshot can be pickled, so that a fork can be sent to another process; its speed is reported."""
    taking, restoring, sizes = [], [], []
    for fork in _forks(subject):
        began = time.perf_counter()
        state = fork.env.snapshot()
        taken = time.perf_counter()
        fork.env.restore(state)
        restoring.append(time.perf_counter() - taken)
        taking.append(taken - began)
        try:
            sizes.append(len(pickle.dumps(state)))
            pickle.loads(pickle.dumps(state))
        except Exception as error:
            raise Failed(f"a snapshot cannot be pickled: {describe(error)}; hold plain values only") from error
    middle = len(sizes) // 2
    micro = [f"{sorted(times)[middle] * 1e6:.0f}" for times in (taking, restoring)]
    return f"median {micro[0]} us to take, {micro[1]} us to restore, {sorted(sizes)[middle]} bytes"


def restore_repeats_the_future(subject: Subject) -> str:
    """Restored in the same instance, after other steps and after another episode, it goes on as it did."""
    for fork in _forks(subject):
        copy = _pickled(fork.env.snapshot())
        _play_future(fork)
        fork.env.restore(pickle.loads(copy))
        _expect(fork, fork.frames, "after steps and restore()")
        start(fork.env, Script(_seed(fork) + 17))
        play_on(fork.env, fork.script.actions[:3])
        fork.env.restore(pickle.loads(copy))
        _expect(fork, fork.frames, "after another episode and restore()")
    return ""


def restore_in_another_instance(subject: Subject) -> str:
    """Restored in a new instance that was made with the same arguments, it goes on as it did."""
    for fork in _forks(subject):
        state = pickle.loads(_pickled(fork.env.snapshot()))
        fork.env = subject.make_bare()
        start(fork.env, Script(_seed(fork) + 17))
        fork.env.restore(state)
        _expect(fork, fork.frames, "in another instance")
    return ""


def snapshot_does_not_change(subject: Subject) -> str:
    """Neither steps after ``snapshot`` nor steps after ``restore`` change it: it can be restored many times."""
    for fork in _forks(subject):
        state = fork.env.snapshot()
        copy = _pickled(state)
        play_on(fork.env, fork.future)
        fork.env.restore(pickle.loads(copy))
        if not _goes_on(fork):
            raise Skipped("restoring a copy fails already, see restore_repeats_the_future")
        for time_ in ("steps after snapshot()", "steps after restore()"):
            fork.env.restore(state)
            _expect(fork, fork.frames, f"after {time_}: the snapshot shares what steps change; copy it")
    return ""


def snapshot_changes_nothing(subject: Subject) -> str:
    """Taking snapshots at every step leaves the episode as it is without."""
    _need_snapshots(subject)
    for script in subject.scripts:
        plain, env = subject.replay(script, subject.make_bare()), subject.make_bare()
        with global_seeds(0):
            frames = [start(env, script)]
            for action in script.actions:
                if frames[-1].done:
                    break
                env.snapshot()  # type: ignore[attr-defined]
                frames += play_on(env, [action])
        found = episode_difference(plain, frames)
        if found:
            raise Failed(f"taking snapshots changed the episode: {found}; snapshot() must only look")
    return ""


def _forks(subject: Subject) -> Iterator[Fork]:
    """Random points of the scripts' episodes, the first and the last possible one among them."""
    _need_snapshots(subject)
    for number, script in enumerate(subject.scripts):
        frames = subject.replay(script, subject.make_bare())
        length = len(frames) - 1
        points = {0, length - 1, *subject.generator(3, number).integers(0, max(length, 1), 3).tolist()}
        for point in sorted(point for point in points if point >= 0):
            env = subject.make_bare()
            with global_seeds(0):
                start(env, script)
                play_on(env, script.actions[:point])
            yield Fork(env, script, script.actions[point:length], frames[point + 1 :])
            env.close()


def _expect(fork: Fork, frames: list[Frame], when: str) -> None:
    found = episode_difference(frames, _play_future(fork))
    if found:
        raise Failed(f"{when}, the same actions give another future: {found}")


def _goes_on(fork: Fork) -> bool:
    return episode_difference(fork.frames, _play_future(fork)) is None


def _play_future(fork: Fork) -> list[Frame]:
    with global_seeds(0):
        return play_on(fork.env, fork.future)


def _pickled(state: Any) -> bytes:
    try:
        return pickle.dumps(state)
    except Exception as error:
        raise Skipped("a snapshot cannot be pickled, see snapshot_pickles") from error


def _seed(fork: Fork) -> int:
    return fork.script.seed or 0


def _need_snapshots(subject: Subject) -> None:
    if not subject.forkable:
        raise Skipped("no snapshots are declared")
    subject.episodes  # noqa: B018 - skips if they cannot be compared


CHECKS = (
    snapshot_pickles,
    restore_repeats_the_future,
    restore_in_another_instance,
    snapshot_does_not_change,
    snapshot_changes_nothing,
)
