"""One robot task as a Gymnasium environment with continuous actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces

from ..spaces import AnyText
from .camera import FRAME, Camera
from .core import Core
from .family import Assessment, Control

Observation = Literal["state", "rgb", "rgbd"]
OBSERVATIONS = ("state", "rgb", "rgbd")


class Robot(gymnasium.Env[Any, np.ndarray]):
    """A task of a family, driven by numbers.

    Actions are ``Box(-1, 1)``: moves of the grip in x, y and z (an action of 1 is 2.5 cm), or turns of the five joints
    (0.08 rad), then the gripper, from closed (-1) to open (1).  A step is 40 ms.  An action that is not finite or has
    another shape is invalid: it changes nothing, and ``info["feedback"]`` says why.

    The reward is sparse: 1 for the step that solves the task, which ends the episode.  ``info`` has ``instruction``,
    ``success``, ``stage`` (how many stages are behind), ``progress`` (in [0, 1]) and ``valid_action``;
    :mod:`palestra.rewards.robot` makes other rewards of them.

    Args:
        family: the id of the family, such as ``"Reach-v0"``.
        control: for the arm ``"end_effector"`` (the default) or ``"joint"``, for the base ``"velocity"``.
        observation: ``"state"``, a vector of the robot and all objects with the task's in fixed roles; or ``"rgb"``, a
            dictionary of ``text`` (the instruction), ``image`` and ``state``, the robot's own alone; or ``"rgbd"``,
            which adds ``depth`` in metres.
        camera: which camera images are of: ``"front"``, ``"top"`` or ``"wrist"``.
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
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be None, 'rgb_array' or 'depth_array', not {render_mode!r}")
        self.render_mode = render_mode
        self.core = Core(family, control)
        self.guide = self.core.family.guide
        self.action_space = self.core.action_space
        self._observation = observation
        self._camera = Camera(self.core.world, camera, size)
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
        self._over = False

    def tasks(self, split: str) -> int:
        """How many tasks a split has."""
        return self.core.tasks.count(split)

    def axes(self, split: str) -> Mapping[str, Sequence[Any]]:
        """What tasks are numbered along: the combination of words, and the variation of the layout."""
        return self.core.tasks.axes(split)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Open a task, a drawn one for training unless ``options`` name a ``task`` and a ``split``.

        Raises :class:`ValueError` for options that name none.
        """
        super().reset(seed=seed)
        self.core.open(0, options, self.np_random)
        self._over = False
        return self._observe(), self._info(self.core.assess())

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act for 40 ms.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the end of an episode.
        """
        self.core.world.layout(0)
        if self._over:
            raise gymnasium.error.ResetNeeded("the episode is over; call reset()")
        numbers, feedback = self._read(action)
        if feedback:
            return self._observe(), 0.0, False, False, self._info(self.core.assess(), feedback)
        judged, _ = self.core.act(numbers[None])
        solved = bool(judged.success[0])
        self._over = solved and not self.core.family.endless
        return self._observe(), float(solved), self._over, False, self._info(judged)

    def oracle(self) -> np.ndarray:
        """The action of the family's script, from wherever the episode is."""
        core = self.core
        core.world.layout(0)
        return core.family.oracle(core.world, 0, core.control)

    def snapshot(self) -> dict[str, Any]:
        """The episode as plain values; :meth:`restore` brings it back to the bit."""
        return {
            "layout": self.core.world.layout(0),
            "world": self.core.world.snapshot(0),
            "over": self._over,
            "np_random": deepcopy(self.np_random.bit_generator.state),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a snapshot, of this or another instance that was made with the same arguments."""
        self.core.world.restore(0, state["layout"], state["world"])
        self._over = state["over"]
        self.np_random.bit_generator.state = deepcopy(state["np_random"])

    def render(self) -> Any:
        """An image of the camera: ``[H, W, 3]`` bytes, or ``[H, W]`` metres for ``"depth_array"``."""
        self.core.world.layout(0)
        if self.render_mode is None:
            raise ValueError("make the environment with render_mode='rgb_array' or 'depth_array' to render it")
        return self._camera.image(0) if self.render_mode == "rgb_array" else self._camera.depth(0)

    def close(self) -> None:
        """Free what draws and what computes."""
        self._camera.close()
        self.core.world.close()

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
            "image": self._camera.image(0),
            "state": self.core.feel()[0],
        }
        if self._observation == "rgbd":
            shown["depth"] = self._camera.depth(0)
        return shown

    def _info(self, judged: Assessment, feedback: str | None = None) -> dict[str, Any]:
        facts = self.core.facts(judged, np.array([feedback is None]))
        info: dict[str, Any] = {name: values[0].item() for name, values in facts.items()}
        info["instruction"] = self.core.world.instruction(0)
        if feedback is not None:
            info["feedback"] = feedback
        return info
