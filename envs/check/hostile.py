"""What happens when an agent writes nonsense?  It gets feedback: never an exception, never a reward."""

from __future__ import annotations

import gymnasium

from .interface import describe
from .play import Frame, start, step
from .report import Failed, Skipped
from .solving import finish
from .subject import Subject

HOSTILE = {
    "an empty action": "",
    "white space": " \t\r\n\u00a0\u2003 ",
    "a megabyte": "a" * 1_000_000,
    "a megabyte of brackets": "[" * 1_000_000,
    "a megabyte of digits": "9" * 1_000_000,
    "a megabyte of words": "search " * 140_000,
    "control characters": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "a null character": "click\x00[buy now]",
    "Arabic": "\u0627\u0628\u062d\u062b \u0639\u0646 \u062d\u0630\u0627\u0621",
    "Chinese": "\u641c\u7d22[\u7ea2\u8272\u7684\u978b]",
    "emoji": "\U0001f6d2[\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1ee\U0001f1f9]",
    "direction marks": "\u202esearch\u202c[\u200f\u2066shoes\u2069]\ufeff",
    "combining marks": "se" + "\u0301" * 500 + "arch[shoes]",
    "a lone surrogate": "search[\ud800]\udfff",
    "unbalanced brackets": "search[[shoes",
    "brackets the wrong way round": "]search[ ]",
    "nothing in brackets": "search[] click[]",
    "format fields": "%s %d %n {} {0} {self} {0.__class__} ${HOME}",
    "a pattern": "(a+)+$ .* \\d{1,9999} [^",
    "a path": "../../../../etc/passwd",
    "markup": "</s><|im_end|><|endoftext|><script>alert(1)</script>",
    "SQL": "'; DROP TABLE products; --",
    "a number": "1e999",
    "JSON": '{"action": null, "reward": 1e308}',
    "a line break": "search[shoes]\nclick[buy now]\r\nreward: 1",
}
"""Actions that no environment means, by what they are."""


def hostile_actions_are_answered(subject: Subject) -> str:
    """Nonsense of every kind is answered by a valid observation; it raises nothing and does not end the episode.

    Among it are an empty action, a megabyte, control characters, other scripts, lone surrogates, unbalanced brackets
    and format fields.  Only for environments with text actions: others need not accept what is outside their space.
    """
    _need_text_actions(subject)
    for what, action in HOSTILE.items():
        env = subject.make()
        for when in ("at the start", "later in the episode"):
            before = _go(env, subject, when)
            if before.done:
                continue
            try:
                frame = step(env, action)
            except Exception as error:
                raise Failed(f"{what} {when} raised {describe(error)}; answer it with feedback") from error
            if not env.observation_space.contains(frame.observation):
                raise Failed(f"{what} {when} was answered by an observation outside observation_space")
            if frame.terminated:
                raise Failed(f"{what} {when} ended the episode; answer it with feedback and go on")
        env.close()
    return f"{len(HOSTILE)} kinds"


def hostile_actions_are_not_rewarded(subject: Subject) -> str:
    """Nonsense is paid nothing, nor is it when repeated: a positive reward for it would teach it."""
    _need_text_actions(subject)
    for what, action in HOSTILE.items():
        env = subject.make()
        frame = _go(env, subject, "later in the episode")
        for _ in range(2):
            if not frame.done:
                frame = _try(env, action)
                if float(frame.reward) > 0:
                    raise Failed(f"{what} was paid {frame.reward}; pay nothing for an invalid action")
        env.close()
    return ""


def hostile_actions_do_no_harm(subject: Subject) -> str:
    """After nonsense the episode can still be solved: the oracle goes on from there as if nothing had happened."""
    _need_text_actions(subject)
    if not subject.solvable:
        raise Skipped("no oracle is declared")
    env = subject.make()
    if not finish(subject, env, start(env, subject.scripts[0])) >= subject.min_oracle_score:
        raise Skipped("the oracle does not solve the episode anyway, see oracle_solves")
    for what, action in HOSTILE.items():
        env = subject.make()
        frame = start(env, subject.scripts[0])
        answer = _try(env, action)
        if answer.done:
            raise Skipped("it ends the episode, see hostile_actions_are_answered")
        score = finish(subject, env, frame)
        env.close()
        if not score >= subject.min_oracle_score:
            raise Failed(f"after {what} the oracle scored {score:g}; an invalid action must change nothing")
    return ""


def _need_text_actions(subject: Subject) -> None:
    if not speaks_text(subject.probe.action_space):
        raise Skipped(f"its actions are {type(subject.probe.action_space).__name__}, not text")
    subject.scripts  # noqa: B018 - skips if it cannot be played


def speaks_text(space: gymnasium.Space) -> bool:
    """Whether the space's members are texts."""
    return isinstance(space.sample(), str)


def _go(env: gymnasium.Env, subject: Subject, when: str) -> Frame:
    """Start an episode, and for ``"later ..."`` take its first two steps, but not those that end it."""
    script = subject.scripts[0]
    frame = start(env, script)
    if when == "at the start":
        return frame
    for action in script.actions[: min(2, len(script.actions) - 1)]:
        frame = step(env, action)
    return frame


def _try(env: gymnasium.Env, action: str) -> Frame:
    try:
        return step(env, action)
    except Exception as error:
        raise Skipped("it raises, see hostile_actions_are_answered") from error


CHECKS = (hostile_actions_are_answered, hostile_actions_are_not_rewarded, hostile_actions_do_no_harm)
