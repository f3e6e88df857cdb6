"""One robot task as a Gymnasium environment with continuous actions."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from ..spaces import AnyText
from .camera import FRAME
from .core import Core
from .episode import Episode
from .family import Control

Observation = Literal["state", "rgb", "rgbd"]
OBSERVATIONS = ("state", "rgb", "rgbd")


class Robot(Episode):
    """A task of a family, driven by numbers.

    Actions are ``Box(-1, 1)``: moves of the grip in x, y and z (an action of 1 is 2.5 cm), or turns of the five joints
    (0.08 rad), then the gripper, from closed (-1) to open (1); other bodies' families say in ``guide`` what theirs are.
    A step is 40 ms.  An action that is not finite or has another shape is invalid: it changes nothing, and
    ``info["feedback"]`` says why.

    The reward is sparse: 1 for the step that solves the task, which ends the episode.  ``info`` has ``instruction``,
    ``success``, ``stage`` (how many stages are behind), ``progress`` (in [0, 1]) and ``valid_action``, of which
    :mod:`palestra.rewards.robot` makes other rewards; and what the family's ``meanings`` name of the scene.

    Args:
        family: the id of the family, such as ``"Reach-v0"``.
        control: for the arm ``"end_effector"`` (the default) or ``"joint"``, for the base ``"velocity"``,
            for the four-legged body ``"joint"``.
        observation: ``"state"``, a vector of the robot and all objects with the task's in fixed roles; or ``"rgb"``, a
            dictionary of ``text`` (the instruction), ``image`` and ``state``, the robot's own alone; or ``"rgbd"``,
            which adds ``depth`` in metres.
        camera: which camera images are of: ``"front"``, ``"top"`` or ``"wrist"``, but of bodies on a floor
            ``"eye"``.
        size: height and width of images, in pixels.
        render_mode: ``"rgb_array"`` or ``"depth_array"`` makes :meth:`render` return an image of that camera.

    Raises:
        ValueError: an argument has an unknown value.
        gymnasium.error.DependencyNotInstalled: MuJoCo is missing, or, with images, a library to draw with.
    """

    metadata = {"render_modes": ["rgb_array", "depth_array"], "render_fps": 25}  # noqa: RUF012 - as gymnasium.Env

    def __init__(
        self,
        family: str,
        control: Control | None = None,
        observation: Observation = "state",
        camera: str = "front",
        size: tuple[int, int] = FRAME,
        render_mode: str | None = None,
    ) -> None:
        if observation not in OBSERVATIONS:
            raise ValueError(f"observation must be one of {', '.join(map(repr, OBSERVATIONS))}, not {observation!r}")
        super().__init__(Core(family, control), camera, size, render_mode)
        self.guide = self.core.family.guide
        self.action_space = self.core.action_space
        self._observation = observation
        self.observation_space: spaces.Space[Any] = self.core.observation_space
        if observation != "state":
            parts: dict[str, spaces.Space[Any]] = {
                "text": AnyText(),
                "image": spaces.Box(0, 255, (*size, 3), np.uint8),
                "state": self.core.feeling_space,
            }
            if observation == "rgbd":
                parts["depth"] = spaces.Box(0.0, np.inf, size, np.float32)
            self.observation_space = spaces.Dict(parts)

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act for 40 ms.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the end of an episode.
        """
        self._need_open()
        numbers, feedback = self._read(action)
        if feedback:
            return self._refuse(feedback)
        judged, _ = self.core.act(numbers[None])
        solved = bool(judged.success[0])
        self._over = solved and not self.core.family.endless
        return self._observe(), float(solved), self._over, False, self._info(judged)

    def oracle(self) -> np.ndarray:
        """The action of the family's script, from wherever the episode is."""
        core = self.core
        core.world.layout(0)
        return core.family.oracle(core.world, 0, core.control)

    def _read(self, action: Any) -> tuple[np.ndarray, str | None]:
        """The action's numbers, or what is wrong with it."""
        count = self.core.family.controls[self.core.control]
        try:
            numbers = np.asarray(action, dtype=np.float64)
        except (TypeError, ValueError):
            return np.zeros(0), f"An action is {count} numbers, not {type(action).__name__}."
        if numbers.shape != (count,):
            return numbers, f"An action is {count} numbers, not an array of shape {numbers.shape}."
        if not np.isfinite(numbers).all():
            return numbers, "An action's numbers must be finite."
        return numbers, None

    def _observe(self) -> Any:
        if self._observation == "state":
            return self.core.observe()[0]
        shown: dict[str, Any] = {
            "text": self.core.world.instruction(0),
            "image": self.camera.image(0),
            "state": self.core.feel()[0],
        }
        if self._observation == "rgbd":
            shown["depth"] = self.camera.depth(0)
        return shown
