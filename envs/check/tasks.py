"""Are the tasks numbered, split, and the same for everyone who asks for the same number?"""

from __future__ import annotations

from typing import Any

import gymnasium

from .compare import difference
from .interface import describe
from .play import Frame, Script, start, step
from .report import Failed, Skipped
from .subject import SPLITS, Subject

MOST_OPENED = 500


def splits_are_counted(subject: Subject) -> str:
    """``tasks(split)`` is a whole number for each split, at least 1 for training; another split is a ``ValueError``.

    The error's message names the splits.
    """
    env = _tasked(subject)
    counts = {split: env.tasks(split) for split in SPLITS}
    for split, count in counts.items():
        if type(count) is not int or count < (1 if split == "train" else 0):
            raise Failed(f"tasks({split!r}) is {count!r}; return how many tasks the split has")
    _expect_refusal("tasks('no such split')", lambda: env.tasks("no such split"), SPLITS)
    return ", ".join(f"{split} {count}" for split, count in counts.items())


def task_is_the_same_for_all(subject: Subject) -> str:
    """``reset(options={"task": i, "split": s})`` opens with the same observation whatever the seed and the instance."""
    _tasked(subject)
    used = subject.make()
    for options in _sampled(subject, 5):
        instances = (used, used, subject.make())
        opened = [start(env, Script(seed, options=options)) for seed, env in enumerate(instances)]
        for other in opened[1:]:
            found = difference(opened[0].observation, other.observation, "observation")
            if found:
                raise Failed(f"{options} opens differently with another seed or in another instance: {found}")
    return ""


def tasks_differ(subject: Subject) -> str:
    """Different numbers are different tasks: they open differently, or the oracle solves them differently."""
    env = _tasked(subject)
    if env.tasks("train") < 2:
        raise Skipped("there is only one training task")
    options = [option for option in _sampled(subject, 8) if option["split"] == "train"]
    if _alike_at_first(subject, options) and not subject.solvable:
        raise Skipped("all tasks open alike, and without an oracle they cannot be told apart")
    if len({_identity(subject, option) for option in options}) < 2:
        raise Failed(f"the training tasks {[option['task'] for option in options]} are all the same")
    return ""


def bad_options_are_refused(subject: Subject) -> str:
    """A task out of range, an unknown split and an unknown option are a ``ValueError`` that says what is allowed.

    The message names the range, the splits, or the option.  The environment can be reset properly afterwards.
    """
    tasked = _tasked(subject)
    env = subject.make()
    for split in SPLITS:
        count = tasked.tasks(split)
        for task in (count, -1, count + 10**9):
            named = (str(count), str(count - 1)) if count else (split,)
            _expect_bad(env, {"task": task, "split": split}, named)
    _expect_bad(env, {"task": 0, "split": "no such split"}, SPLITS)
    _expect_bad(env, {"no such option": 1}, ("no such option",))
    for task in ("first", 0.5, None):
        _expect_bad(env, {"task": task, "split": "train"}, (), (ValueError, TypeError))
    start(env, Script(0))
    start(env, Script(0, options={"task": 0, "split": "train"}))
    return ""


def draws_from_train(subject: Subject) -> str:
    """Without options ``reset`` draws a training task: what it opens with is how some training task opens.

    Where there are too many training tasks to open them all, it must at least not open like a held-out task.
    """
    env = _tasked(subject)
    train = _openings(subject, "train")
    known = {opening for opening, _ in train}
    complete = len(train) == env.tasks("train")
    held_out = {opening for split in SPLITS[1:] for opening, _ in _openings(subject, split)} - known
    drawn = [_opening(start(env, Script(seed))) for seed in range(30)]
    for seed, opening in enumerate(drawn):
        if (complete and opening not in known) or opening in held_out:
            raise Failed(f"reset(seed={seed}) opened no training task: {opening[:200]}")
    return f"{len(set(drawn))} different openings in {len(drawn)}"


def splits_are_apart(subject: Subject) -> str:
    """No held-out task is also a training task.

    Tasks that open alike are told apart by the oracle's way through them; without an oracle they are not compared.
    """
    train: dict[str, list[dict[str, Any]]] = {}
    for opening, options in _openings(subject, "train"):
        train.setdefault(opening, []).append(options)
    compared = 0
    for split in SPLITS[1:]:
        for opening, options in _openings(subject, split)[:100]:
            if opening in train and not subject.solvable:
                raise Skipped("tasks of different splits open alike, and without an oracle they cannot be told apart")
            way = _way(subject, options) if opening in train else ""
            for twin in train.get(opening, []):
                if _way(subject, twin) == way:
                    raise Failed(f"{options} is the same task as {twin}; held-out tasks must not be trained on")
            compared += 1
    return f"{compared} held-out tasks"


def _tasked(subject: Subject) -> Any:
    if not subject.tasked:
        raise Skipped("no tasks are declared")
    subject.scripts  # noqa: B018 - skips if it cannot be played
    return subject.make().unwrapped


def _sampled(subject: Subject, number: int) -> list[dict[str, Any]]:
    """Options for up to ``number`` tasks of each split, the first and the last among them."""
    env, sampled = _tasked(subject), []
    for index, split in enumerate(SPLITS):
        count = env.tasks(split)
        middle = subject.generator(4, index).integers(0, max(count, 1), number).tolist()
        sampled += [{"task": i, "split": split} for i in dict.fromkeys([0, count - 1, *middle][:number]) if count]
    return sampled


def _openings(subject: Subject, split: str) -> list[tuple[str, dict[str, Any]]]:
    """How tasks of a split open, at most :data:`MOST_OPENED` of them, evenly spread."""
    env = _tasked(subject)
    count = env.tasks(split)
    number = min(count, MOST_OPENED)
    options = [{"task": index * count // number, "split": split} for index in range(number)]
    return [(_opening(start(env, Script(0, options=option))), option) for option in options]


def _opening(frame: Frame) -> str:
    return repr(frame.observation)


def _alike_at_first(subject: Subject, options: list[dict[str, Any]]) -> bool:
    env = _tasked(subject)
    return len({_opening(start(env, Script(0, options=option))) for option in options}) == 1


def _identity(subject: Subject, options: dict[str, Any]) -> str:
    opening = _opening(start(subject.make(), Script(0, options=options)))
    return opening + (_way(subject, options) if subject.solvable else "")


def _way(subject: Subject, options: dict[str, Any]) -> str:
    """The oracle's actions through a task."""
    env = subject.make()
    frame = start(env, Script(0, options=options))
    actions: list[Any] = []
    while not frame.done and len(actions) < subject.step_limit and (action := subject.advice(env)) is not None:
        actions.append(action)
        frame = step(env, action)
    env.close()
    return repr(actions)


def _expect_bad(
    env: gymnasium.Env,
    options: dict[str, Any],
    named: tuple[str, ...],
    errors: tuple[type[Exception], ...] = (ValueError,),
) -> None:
    _expect_refusal(f"reset(options={options})", lambda: env.reset(options=dict(options)), named, errors)


def _expect_refusal(
    what: str, act: Any, named: tuple[str, ...], errors: tuple[type[Exception], ...] = (ValueError,)
) -> None:
    """``act`` must raise one of ``errors`` with a message that holds one of ``named``, if any are given."""
    expected = " or ".join(error.__name__ for error in errors)
    try:
        act()
    except errors as error:
        if named and not any(name in str(error) for name in named):
            raise Failed(f"{what} is refused by {str(error)!r}, which should name {' or '.join(named)}") from error
    except Exception as error:
        raise Failed(f"{what} raised {describe(error)}; raise a {expected} that says what is allowed") from error
    else:
        raise Failed(f"{what} was accepted; raise a {expected} that says what is allowed")


CHECKS = (
    splits_are_counted,
    task_is_the_same_for_all,
    tasks_differ,
    bad_options_are_refused,
    draws_from_train,
    splits_are_apart,
)
