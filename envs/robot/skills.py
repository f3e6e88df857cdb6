"""Robot tasks by skills in words, for language agents."""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from ..spaces import AnyText
from .arm_skills import ArmSkills
from .base_skills import BaseSkills
from .camera import FRAME
from .core import Core
from .episode import Episode
from .families.navigate import Navigate
from .manipulation import Manipulation
from .skill import Refused, SkillSet
from .walker_skills import WalkerSkills

PATIENCE = 120
"""After how many control steps a skill gives up: 4.8 s."""
LONGEST = 200
"""Characters of an action that are read."""
_CALL = re.compile(r"\s*([a-z_]+)\s*\(([^()]*)\)\s*")


class Skills(Episode):
    """A task of a family whose actions are skills such as ``move_to(red cube)``, ``grasp()`` and ``release()``.

    Each drives the robot for as long as it takes and says in words what came of it.  What is no skill, or cannot be
    done here, is an invalid action: nothing happens, ``info["valid_action"]`` is False and ``info["feedback"]`` says
    why.  Rewards, ``info`` and tasks are those of :class:`~palestra.envs.robot.env.Robot`.

    Args:
        family: the id of the family, such as ``"Sort-v0"``.
        observation: ``"text"``, which says where everything is; or ``"rgb"``, a dictionary of ``text`` without that and
            ``image``, in which it can be seen.
        camera: which camera images are of.
        size: height and width of images, in pixels.
        render_mode: ``"rgb_array"`` makes :meth:`render` return an image.

    Raises :class:`ValueError` for an argument with an unknown value.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 1}  # noqa: RUF012 - as gymnasium.Env

    def __init__(
        self,
        family: str,
        observation: Literal["text", "rgb"] = "text",
        camera: str = "front",
        size: tuple[int, int] = FRAME,
        render_mode: str | None = None,
    ) -> None:
        if observation not in ("text", "rgb"):
            raise ValueError(f"observation must be 'text' or 'rgb' with skills, not {observation!r}")
        super().__init__(Core(family, None), camera, size, render_mode)
        self._set = skill_set(self.core)
        self.guide = self._set.guide
        self._sees = observation == "rgb"
        self.action_space = AnyText()
        self.observation_space: spaces.Space[Any] = AnyText()
        if self._sees:
            self.observation_space = spaces.Dict({"text": AnyText(), "image": spaces.Box(0, 255, (*size, 3), np.uint8)})

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Do a skill.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the end of an episode.
        """
        self._need_open()
        try:
            name, arguments = self._read(action)
            actions = self._set.skills[name].start(*arguments)
        except Refused as refused:
            return self._refuse(str(refused))
        reward, judged = 0.0, self.core.assess()
        for _, numbers in zip(range(PATIENCE), actions, strict=False):
            judged, _ = self.core.act(numbers[None])
            reward += float(judged.success[0])
            if reward:
                break
        self._told = self._set.skills[name].told(*arguments)
        self._over = bool(reward) and not self.core.family.endless
        return self._observe(), reward, self._over, False, self._info(judged)

    def oracle(self) -> str:
        """The skill of the family's script, from wherever the episode is."""
        self.core.world.layout(0)
        return self._set.next()

    def _read(self, action: Any) -> tuple[str, list[str]]:
        """The name of a skill and its arguments; raises :class:`Refused` for what is none."""
        usages = ", ".join(skill.usage for skill in self._set.skills.values())
        if not isinstance(action, str):
            raise Refused(f"An action is a skill in words, not {type(action).__name__}; there are {usages}.")
        call = _CALL.fullmatch(action) if len(action) <= LONGEST else None
        if call is None or call[1] not in self._set.skills:
            raise Refused(f"{action[:40]!r} is no skill; there are {usages}.")
        arguments = [part.strip().lower() for part in call[2].split(",")] if call[2].strip() else []
        skill = self._set.skills[call[1]]
        if len(arguments) != len(inspect.signature(skill.start).parameters):
            raise Refused(f"Write {skill.usage}.")
        return call[1], arguments

    def _observe(self) -> Any:
        judged = self.core.assess()
        lines = [f"Task: {self.core.world.instruction(0)}"]
        if self._told:
            lines.append(self._told)
        lines.append(f"Stages done: {judged.stage[0]} of {len(self.core.family.stages)}")
        if self._sees:
            return {"text": "\n".join(lines), "image": self.camera.image(0)}
        return "\n".join([*lines, *self._set.describe()])


def skill_set(core: Core) -> SkillSet:
    """The skills of the body of a core's family."""
    if isinstance(core.family, Manipulation):
        return ArmSkills(core, core.family)
    return BaseSkills(core) if isinstance(core.family, Navigate) else WalkerSkills(core)
