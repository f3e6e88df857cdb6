"""Same seed and same actions, same episode: here, elsewhere, and beside other environments.

Each check holds everything fixed but the one thing that it is about, so that the check that fails names the cause.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium
from gymnasium.utils.seeding import np_random

from .compare import difference
from .play import Frame, Script, episode_difference, global_seeds, global_states, play, play_on, reopen, start, step
from .report import Failed, Skipped
from .subject import Subject

OWN_CLOCK = "keep time in steps, or in a clock that the environment owns"


def same_seed_same_episode(subject: Subject) -> str:
    """Two new instances, reset with the same seed and given the same actions, return the same.

    Observations, rewards, flags and infos are compared exactly.  Draw from ``self.np_random`` only, after
    ``super().reset(seed=seed)``.
    """
    if subject.unrepeatable:
        raise Failed(f"a second instance plays another episode: {subject.unrepeatable}")
    return ""


def reset_forgets(subject: Subject) -> str:
    """After ``reset(seed)`` nothing of earlier episodes is left, whether they ended or were broken off."""
    env = subject.make()
    for script, frames in zip(subject.scripts, subject.episodes, strict=True):
        for earlier in (subject.scripts[-1], Script(script.seed + 1, script.actions[: len(script.actions) // 2])):
            subject.replay(earlier, env)
            found = episode_difference(frames, subject.replay(script, env))
            if found:
                raise Failed(f"an instance that has played before plays another episode: {found}; clear it in reset()")
    env.close()
    return ""


def seeds_matter(subject: Subject) -> str:
    """Different seeds reach the generator, and draw different training tasks where tasks are numbered."""
    actions = subject.scripts[-1].actions
    episodes, states, has_drawn = [], [], False
    for offset in range(12):
        env = subject.make()
        script = Script(subject.settings.seed + offset, actions)
        with global_seeds(0):
            frames = [start(env, script)]
            states.append(_generator_state(env))
            episodes.append([*frames, *play_on(env, actions)])
        has_drawn = has_drawn or _has_drawn(env, script.seed)
        env.close()
    alike = all(episode_difference(episodes[0], frames) is None for frames in episodes[1:])
    if has_drawn and all(difference(states[0], state) is None for state in states[1:]):
        raise Failed(f"{len(states)} seeds left the same np_random; pass the seed on: super().reset(seed=seed)")
    if alike and subject.tasked and subject.probe.unwrapped.tasks("train") > 1:  # type: ignore[attr-defined]
        raise Failed(f"{len(episodes)} seeds gave the same episode; draw the task from self.np_random")
    if not has_drawn:
        raise Skipped("it draws nothing from np_random")
    return "" if not alike else f"{len(episodes)} seeds gave the same episode, though it draws"


def reset_without_seed_goes_on(subject: Subject) -> str:
    """``reset()`` without a seed goes on with the same generator.

    So a seeded ``reset`` decides the whole series of episodes, and the episodes of a series differ.
    """
    subject.episodes  # noqa: B018 - skips if they cannot be compared
    first, states, has_drawn = _series(subject)
    for number, pair in enumerate(zip(first, _series(subject)[0], strict=True)):
        found = episode_difference(*pair)
        if found:
            raise Failed(f"episode {number} after one seeded reset is not repeatable: {found}")
    if has_drawn and all(difference(states[0], state) is None for state in states[1:]):
        raise Failed(f"reset() without a seed set np_random back {len(states) - 1} times; leave it as it is")
    return ""


def other_process(subject: Subject) -> str:
    """Another process plays the same episodes, as does a third, both under one hash seed."""
    first, second = subject.elsewhere["a process"], subject.elsewhere["a second process"]
    found = _first_difference(first, second)
    if found:
        raise Failed(f"two processes differ: {found}; look for object ids, process ids and unseeded draws")
    for place in ("another hash seed", "a third hash seed"):
        if _first_difference(first, subject.elsewhere[place]):
            raise Skipped("the hash seed already changes the episode, see other_hash_seed")
    found = _first_difference(subject.episodes, first)
    if found:
        raise Failed(f"this process and a new one differ: {found}; look for state outside the instance")
    return ""


def other_hash_seed(subject: Subject) -> str:
    """Another ``PYTHONHASHSEED`` changes nothing: no result depends on the order of a set or on ``hash()``."""
    remedy = "sort what comes out of sets, and do not use hash()"
    for place in ("another hash seed", "a third hash seed"):  # a small set may come out in the same order twice
        _same_as_first_process(subject, place, remedy)
    return ""


def other_clock(subject: Subject) -> str:
    """Another date and time of day change nothing, nor does the clock going fast: time is the environment's own.

    It is played with ``time.time``, ``time.localtime`` and ``datetime`` far ahead, and jumping on at every look.
    """
    return _same_as_first_process(subject, "another clock", OWN_CLOCK)


def other_pace(subject: Subject) -> str:
    """Resting between the steps changes nothing: no reward or observation depends on how fast the agent is."""
    return _same_as_first_process(subject, "another pace", OWN_CLOCK)


def instances_apart(subject: Subject) -> str:
    """Instances do not touch each other: an episode is the same when another instance is stepped in between."""
    for script, frames in zip(subject.scripts, subject.episodes, strict=True):
        with global_seeds(0):
            found = episode_difference(frames, _interleaved(subject, script))
        if found:
            raise Failed(f"stepping another instance changed the episode: {found}; keep state in the instance")
    return ""


def global_generators_left_alone(subject: Subject) -> str:
    """The global generators of ``random`` and ``numpy.random`` neither influence it nor are changed by it."""
    subject.episodes  # noqa: B018 - skips if they cannot be compared
    for script in subject.scripts:
        episodes = []
        for seed in (1, 2):
            env = subject.make()
            with global_seeds(seed):
                before = global_states()
                episodes.append(play(env, script))
                changed = difference(before, global_states()) is not None
            env.close()
            if changed:
                raise Failed("it draws from or seeds the global generators; use self.np_random")
        found = episode_difference(*episodes)
        if found:
            raise Failed(f"the global generators' seed changed the episode: {found}; use self.np_random")
    return ""


def _same_as_first_process(subject: Subject, place: str, remedy: str) -> str:
    first = subject.elsewhere["a process"]
    if _first_difference(first, subject.elsewhere["a second process"]):
        raise Skipped("any two processes differ already, see other_process")
    found = _first_difference(first, subject.elsewhere[place])
    if found:
        raise Failed(f"{place} changes the episode: {found}; {remedy}")
    return ""


def _first_difference(left: list[list[Frame]], right: list[list[Frame]]) -> str | None:
    for number, pair in enumerate(zip(left, right, strict=True)):
        found = episode_difference(*pair)
        if found:
            return f"episode {number}, {found}"
    return None


def _series(subject: Subject) -> tuple[list[list[Frame]], list[Any], bool]:
    """Six episodes after one seeded reset, the generator's state after each reset, and whether anything was drawn."""
    env, actions = subject.make(), subject.scripts[-1].actions
    episodes, states = [], []
    with global_seeds(0):
        for number in range(6):
            frame = reopen(env) if number else start(env, Script(subject.settings.seed))
            states.append(_generator_state(env))
            episodes.append([frame, *play_on(env, actions)])
    has_drawn = _has_drawn(env, subject.settings.seed)
    env.close()
    return episodes, states, has_drawn


def _generator_state(env: gymnasium.Env) -> Any:
    return deepcopy(env.unwrapped.np_random.bit_generator.state)


def _has_drawn(env: gymnasium.Env, seed: int) -> bool:
    """Whether the environment's generator has moved since it was seeded with ``seed``."""
    return difference(_generator_state(env), np_random(seed)[0].bit_generator.state) is not None


def _interleaved(subject: Subject, script: Script) -> list[Frame]:
    env, other = subject.make(), subject.make()
    partner = Script(script.seed + 1, script.actions[::-1])
    with global_seeds(0):
        start(other, partner)
    frames = [start(env, script)]
    with global_seeds(0):
        start(other, partner)
    over = False
    for action, other_action in zip(script.actions, partner.actions, strict=True):
        with global_seeds(0):  # what the other one draws globally is another check's matter
            if over:
                start(other, partner)
            over = step(other, other_action).done
        frames.append(step(env, action))
        if frames[-1].done:
            break
    env.close()
    other.close()
    return frames


CHECKS = (
    same_seed_same_episode,
    reset_forgets,
    seeds_matter,
    reset_without_seed_goes_on,
    other_process,
    other_hash_seed,
    other_clock,
    other_pace,
    instances_apart,
    global_generators_left_alone,
)
