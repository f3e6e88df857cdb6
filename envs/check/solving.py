"""Does the oracle solve the tasks, by advice alone?"""

from __future__ import annotations

from typing import Any

import gymnasium

from .compare import difference
from .play import Frame, Script, episode_difference, global_seeds, start, step
from .report import Failed, Skipped
from .subject import SPLITS, Subject


def oracle_solves(subject: Subject) -> str:
    """Following the oracle from ``reset`` reaches the score that counts as solved, on sampled tasks of each split.

    The mean score of a split must reach ``min_oracle_score``.  An environment without numbered tasks is sampled by
    seed.
    """
    _need_oracle(subject)
    remarks = []
    for split, scripts in _sampled(subject).items():
        env = subject.make()
        scores = [finish(subject, env, start(env, script)) for script in scripts]
        env.close()
        mean = sum(scores) / len(scores)
        remarks.append(f"{split}: {mean:.3f} on {len(scores)}")
        if not mean >= subject.min_oracle_score:  # so that NaN fails too
            worst = scripts[scores.index(min(scores))]
            raise Failed(
                f"the oracle's mean score on {split} is {mean:.3f}, below {subject.min_oracle_score:g}; "
                f"worst is {min(scores):g} with seed {worst.seed}, options {worst.options}"
            )
    return "mean score " + "; ".join(remarks)


def oracle_recovers(subject: Subject) -> str:
    """After a few other actions the oracle still solves the episode, from where they led.

    The other actions are those that the oracle takes in other episodes.  Where one ends the episode, it is taken back
    by ``restore``, so this is checked only with snapshots.  Where mistakes cannot be made good, lower
    ``min_recovery_score``.
    """
    _need_oracle(subject)
    if not subject.forkable:
        raise Skipped("no snapshots are declared")
    rng, scores = subject.generator(1), []
    for script in next(iter(_sampled(subject).values())):
        env: Any = subject.make_bare()
        frame, wasted = start(env, script), 0.0
        for _ in range(3):
            state = env.snapshot()
            following = step(env, subject.other_action(env, rng))
            if following.done:
                env.restore(state)
            else:
                frame, wasted = following, wasted + float(following.reward)
        scores.append(wasted + finish(subject, env, frame))
        env.close()
    mean = sum(scores) / len(scores)
    if not mean >= subject.min_recovery_score:
        raise Failed(
            f"after three other actions the oracle's mean score is {mean:.3f}, below {subject.min_recovery_score:g}"
        )
    return f"mean score {mean:.3f} on {len(scores)}"


def oracle_only_advises(subject: Subject) -> str:
    """Calling the oracle changes nothing: the same actions, with and without calls to it, give the same episode."""
    _need_oracle(subject)
    for script, frames in zip(subject.scripts, subject.episodes, strict=True):
        with global_seeds(0):
            advised = _play_advised(subject, script)
        found = episode_difference(frames, advised)
        if found:
            raise Failed(f"calling the oracle changed the episode: {found}; it must only look")
    return ""


def _play_advised(subject: Subject, script: Script) -> list[Frame]:
    """Play ``script``, asking the oracle twice before each step without following it."""
    env = subject.make()
    frames = [start(env, script)]
    for action in script.actions:
        first, second = subject.advice(env), subject.advice(env)
        if difference(first, second):
            raise Failed(f"two calls in the same state advise {first!r} and {second!r}")
        if first is not None and not env.action_space.contains(first):
            raise Failed(f"its advice {first!r} is not in the action space")
        frames.append(step(env, action))
        if frames[-1].done:
            break
    env.close()
    return frames


def finish(subject: Subject, env: gymnasium.Env, frame: Frame) -> float:
    """Follow the oracle from ``frame`` to the end of the episode or the step limit; the sum of the rewards."""
    score = 0.0
    for _ in range(subject.step_limit):
        if frame.done:
            break
        frame = step(env, env.unwrapped.oracle())  # type: ignore[attr-defined]
        score += float(frame.reward)
    return score


def _need_oracle(subject: Subject) -> None:
    if not subject.solvable:
        raise Skipped("no oracle is declared")
    subject.scripts  # noqa: B018 - skips if it cannot be played


def _sampled(subject: Subject) -> dict[str, list[Script]]:
    """Episodes to solve, by split."""
    wanted = subject.settings.oracle_tasks
    if not subject.tasked:
        return {"any seed": [Script(subject.settings.seed + offset) for offset in range(wanted)]}
    sampled = {}
    for number, split in enumerate(SPLITS):
        count = subject.probe.unwrapped.tasks(split)  # type: ignore[attr-defined]
        if count:
            chosen = subject.generator(2, number).permutation(count)[:wanted]
            sampled[split] = [Script(subject.settings.seed, options={"task": int(i), "split": split}) for i in chosen]
    return sampled


CHECKS = (oracle_solves, oracle_recovers, oracle_only_advises)
