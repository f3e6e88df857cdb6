"""Robots in MuJoCo: tasks that language, vision and control agents share."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

INTERFACES = ("control", "skills", "tokens")


def make(family: str, interface: str = "control", **kwargs: Any) -> gymnasium.Env:
    """A robot task: by numbers (``"control"``), skills in words (``"skills"``) or action tokens (``"tokens"``).

    Further arguments are those of :class:`~palestra.envs.robot.env.Robot` or
    :class:`~palestra.envs.robot.skills.Skills`; with tokens also ``bins`` and ``chunk`` of
    :class:`~palestra.envs.robot.tokens.ActionTokens`.  Raises :class:`ValueError` for an unknown interface.
    """
    if interface == "tokens":
        from .tokens import ActionTokens

        form = {name: kwargs.pop(name) for name in ("bins", "chunk") if name in kwargs}
        return ActionTokens(make(family, **kwargs), **form)
    if interface == "control":
        from .env import Robot

        return Robot(family, **kwargs)
    if interface == "skills":
        from .skills import Skills

        return Skills(family, **kwargs)
    raise ValueError(f"interface must be one of {', '.join(map(repr, INTERFACES))}, not {interface!r}")


def make_vector(family: str, num_envs: int = 1, interface: str = "control", **kwargs: Any) -> VectorEnv:
    """Many robot tasks that are stepped together, see :class:`~palestra.envs.robot.vector.RobotVector`.

    Raises :class:`ValueError` for an interface that is not batched.
    """
    from .vector import RobotVector

    if interface != "control":
        raise ValueError(f"{interface!r} is not batched; make the vector with vectorization_mode='sync' or 'async'")
    return RobotVector(family, num_envs, **kwargs)
