"""A finished reward program as a reward: ``program("rewards/door.py")``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ...sandbox import SandboxUnavailable
from ..combinator import Operation, combinator
from ..reward import Episodes, Reward, RewardError, Scope, Values
from .evaluator import ProgramError, shared_evaluator
from .schema import states_of

__all__ = ["program"]


@combinator(Scope.TURN)
def program(
    path: str, *, component: str | None = None, digest: str | None = None, seconds: float = 2.0, megabytes: int = 256
) -> Operation:
    """What the function ``reward`` in the file at ``path`` gives for the state of each turn.

    The program's parameters name what it reads of a turn: keys of ``info``, ``observation``, ``action``,
    ``env_reward``.  It is never run in this process; see :mod:`.language` for what it may say and :mod:`.evaluator` for
    its limits, of which ``seconds`` is the processor time for all turns of a group.  With ``component`` it pays that
    component of the program's dictionary instead of the total.  ``digest``, as :func:`digest_of` gives it, pins the
    file's content.

    ValueError for a file that is missing, changed, or no program, and where there is no sandbox; RewardError, with the
    line and the state, where it fails on a turn.  A program that says how far along a turn is belongs inside ``delta``.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"program: there is no file {path!r}")
    source = file.read_text(encoding="utf-8")
    if digest is not None and digest != digest_of(source):
        raise ValueError(f"program: {path} has the digest {digest_of(source)!r}, not {digest!r}: it was changed")
    evaluator = shared_evaluator(seconds, megabytes)
    try:
        evaluator.parameters(source)
    except SandboxUnavailable as error:
        raise ValueError(f"program: {error}") from error

    def operation(episodes: Episodes) -> Values:
        try:
            outputs = evaluator.run(source, states_of(episodes))
        except ProgramError as error:
            raise RewardError(f"program {path}: {error}") from error
        values = outputs.values
        if component is not None and len(values):
            if component not in outputs.components:
                known = ", ".join(outputs.components) or "none"
                raise RewardError(f"program {path}: no component {component!r}; there are {known}")
            values = outputs.components[component]
        return np.split(values, np.cumsum([len(trajectory.turns) for trajectory in episodes])[:-1])

    return operation


def digest_of(source: str) -> str:
    """Sixteen hexadecimal digits of the source's SHA-256."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def from_source(source: str, path: Path | str) -> Reward:
    """Write a program to ``path`` and give it as a reward that a recipe can name; ValueError where it is none.

    The folder must exist.  The reward pins the content: a file that is changed later is refused, not used.
    """
    Path(path).write_text(source, encoding="utf-8")
    return program(str(path), digest=digest_of(source))
