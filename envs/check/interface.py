"""Does it keep to Gymnasium's interface, from making it to closing it?"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable

import gymnasium
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.passive_env_checker import env_render_passive_checker
from gymnasium.vector.utils import CloudpickleWrapper

from .play import Frame, Script, episode_difference, play, start, step
from .report import Failed, Skipped
from .subject import Subject

# Advice about training on unbounded boxes, not a breach of the interface.
HARMLESS = ("This is probably too low", "This is probably too high", "we recommend using a symmetric and normalized")


def can_be_played(subject: Subject) -> str:
    """It can be made, reset and stepped with legal actions without raising anything.

    The actions are the oracle's where there is one, otherwise samples of the action space.  The other checks replay
    these episodes, so they are skipped if this one fails.
    """
    try:
        episodes = [len(script.actions) for script in subject.scripts]
    except Skipped as skipped:
        raise Failed(f"playing legal actions raised {describe(skipped.__cause__)}") from skipped.__cause__
    return f"{len(episodes)} episodes of {', '.join(map(str, episodes))} steps"


def gymnasium_check_env(subject: Subject) -> str:
    """It passes Gymnasium's own ``check_env``; what Gymnasium only warns about counts as a failure too.

    Not counted is its advice on unbounded or unnormalised ``Box`` spaces.  Rendering and closing have checks of their
    own.
    """
    env = subject.make().unwrapped
    # Each sampled action of an environment that is not text is legal; the sample must not depend on the day.
    env.action_space.seed(subject.settings.seed)
    found = _warnings(lambda: check_env(env, skip_render_check=True, skip_close_check=True))
    env.close()
    if found:
        raise Failed("Gymnasium warns: " + "; ".join(found))
    return ""


def remade_from_spec(subject: Subject) -> str:
    """Its specification survives pickling, and what is made from the copy plays the same episode.

    Worker processes receive an environment in this way.
    """
    try:
        make = pickle.loads(pickle.dumps(CloudpickleWrapper(subject.make))).fn
    except Exception as error:
        raise Failed(f"its specification cannot be pickled: {describe(error)}; use arguments that can") from error
    found = episode_difference(subject.episodes[0], Subject(make, subject.settings).replay(subject.scripts[0]))
    if found:
        raise Failed(f"an instance made from its pickled specification plays another episode: {found}")
    return ""


def close_twice(subject: Subject) -> str:
    """It can be closed before it was ever reset, in the middle of an episode, and a second time."""
    for stage in ("before the first reset", "in the middle of an episode"):
        env = subject.make()
        if stage != "before the first reset":
            start(env, subject.scripts[0])
        for time in ("", " a second time"):
            try:
                env.close()
            except Exception as error:
                raise Failed(f"closing{time} {stage} raised {describe(error)}; close() must be repeatable") from error
    return ""


def render_modes(subject: Subject) -> str:
    """Every declared render mode gives what Gymnasium asks of it, after ``reset`` and after a step.

    The mode ``"human"`` needs a screen and is left out; so is a mode whose library is not installed.
    """
    modes = [mode for mode in subject.probe.metadata.get("render_modes", []) if mode != "human"]
    if not modes:
        raise Skipped("it declares no render mode that works without a screen")
    missing = []
    for mode in modes:
        try:
            found = _warnings(lambda mode=mode: _render(subject, mode))  # type: ignore[misc]
        except DependencyNotInstalled as error:
            missing.append(f"{mode} was not checked: {error}")
            continue
        if found:
            raise Failed(f"render mode {mode!r}: " + "; ".join(found))
    if len(missing) == len(modes):
        raise Skipped("; ".join(missing))
    return "; ".join([", ".join(modes), *missing])


def time_limit_is_the_wrappers(subject: Subject) -> str:
    """Only Gymnasium's ``TimeLimit`` truncates, exactly at the limit; the environment itself has no step limit.

    So whoever makes it chooses the limit: ``gymnasium.make(id, max_episode_steps=n)``.
    """
    script = subject.scripts[0]
    bare = subject.make(max_episode_steps=-1)
    count = (subject.make.spec.max_episode_steps or 100) + 5
    filler = (script.actions[:1] or [bare.action_space.sample()]) * count
    for actions in (filler, script.actions):
        for number, frame in enumerate(play(bare, Script(script.seed, actions))):
            if frame.truncated:
                raise Failed(f"without a time limit it truncated at step {number}; leave that to max_episode_steps")
    bare.close()
    limited = subject.make(max_episode_steps=2)
    frames = play(limited, Script(script.seed, script.actions[:2]))
    limited.close()
    if not any(frame.terminated for frame in frames):
        flags = [bool(frame.truncated) for frame in frames[1:]]
        if len(flags) == 2 and flags != [False, True]:
            raise Failed(f"with max_episode_steps=2 the truncated flags were {flags}")
    return ""


def guide_is_text(subject: Subject) -> str:
    """Its ``guide``, the words that tell a language model how to act, is a text that is not empty."""
    if not subject.guided:
        raise Skipped("no guide is declared")
    guide = subject.probe.unwrapped.guide  # type: ignore[attr-defined]
    if not isinstance(guide, str) or not guide.strip():
        raise Failed(f"guide must be a text that is not empty, not {type(guide).__name__} {guide!r}")
    return f"{len(guide.split())} words"


def describe(error: BaseException | None) -> str:
    """An exception in one line, with the place that raised it."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
    text = str(error)
    return f"{type(error).__name__}: {text if len(text) <= 200 else text[:200] + '...'}{where}"


def _render(subject: Subject, mode: str) -> None:
    env: gymnasium.Env = subject.make(render_mode=mode)
    try:
        frame: Frame = start(env, subject.scripts[0])
        env_render_passive_checker(env)
        if subject.scripts[0].actions and not frame.done:
            step(env, subject.scripts[0].actions[0])
            env_render_passive_checker(env)
    finally:
        env.close()


def _warnings(act: Callable[[], None]) -> list[str]:
    """What Gymnasium warns of while ``act`` runs, without the colours; an assertion of its counts as a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            act()
        except AssertionError as error:
            return [str(error)]
    texts = [re.sub(r"\x1b\[[0-9;]*m", "", str(warning.message)) for warning in caught]
    found = [text.removeprefix("WARN: ") for text in texts if text.startswith("WARN: ")]
    return [text for text in dict.fromkeys(found) if not any(harmless in text for harmless in HARMLESS)]


CHECKS = (
    can_be_played,
    gymnasium_check_env,
    remade_from_spec,
    close_twice,
    render_modes,
    time_limit_is_the_wrappers,
    guide_is_text,
)
