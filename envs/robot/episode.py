"""One episode as a Gymnasium environment, whatever its actions are: what numbers and skills have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from .camera import Camera
from .core import Core
from .family import Assessment


class Episode(gymnasium.Env[Any, Any]):
    """A core of one scene, and a camera on it.

    Raises :class:`ValueError` for a ``render_mode`` that ``metadata`` does not have, and for an unknown camera or size.
    """

    def __init__(self, core: Core, camera: str, size: tuple[int, int], render_mode: str | None) -> None:
        modes = self.metadata["render_modes"]
        if render_mode not in (None, *modes):
            raise ValueError(f"render_mode must be None or one of {', '.join(map(repr, modes))}, not {render_mode!r}")
        self.render_mode = render_mode
        self.core = core
        self.camera = Camera(core.world, camera, size)
        self._told = ""
        self._over = False

    @abstractmethod
    def _observe(self) -> Any:
        """What the agent sees now."""

    def tasks(self, split: str) -> int:
        """How many tasks a split has."""
        return self.core.tasks.count(split)

    def axes(self, split: str) -> Mapping[str, Sequence[Any]]:
        """What tasks are numbered along: the combination of words, and the variation of the layout."""
        return self.core.tasks.axes(split)

    @property
    def meanings(self) -> dict[str, str]:
        """What ``info`` says of the scene, in words, by name."""
        family = self.core.family
        said = {name: family.meanings[name] for name in family.named(self.core.world)}
        return {**said, "success": "whether the task is solved"}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Open a task, a drawn one for training unless ``options`` name a ``task`` and a ``split``.

        Raises :class:`ValueError` for options that name none.
        """
        super().reset(seed=seed)
        self.core.open(0, options, self.np_random)
        self._told, self._over = "", False
        return self._observe(), self._info(self.core.assess())

    def snapshot(self) -> dict[str, Any]:
        """The episode as plain values; :meth:`restore` brings it back to the bit."""
        return {
            "layout": self.core.world.layout(0),
            "world": self.core.world.snapshot(0),
            "told": self._told,
            "over": self._over,
            "np_random": deepcopy(self.np_random.bit_generator.state),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a snapshot, of this or another instance that was made with the same arguments."""
        self.core.world.restore(0, state["layout"], state["world"])
        self._told, self._over = state["told"], state["over"]
        self.np_random.bit_generator.state = deepcopy(state["np_random"])

    def render(self) -> Any:
        """An image of the camera: ``[H, W, 3]`` bytes, or ``[H, W]`` metres for ``"depth_array"``."""
        self.core.world.layout(0)
        if self.render_mode is None:
            raise ValueError("make the environment with render_mode='rgb_array' to render it")
        return self.camera.image(0) if self.render_mode == "rgb_array" else self.camera.depth(0)

    def close(self) -> None:
        """Free what draws and what computes."""
        self.camera.close()
        self.core.world.close()

    def _need_open(self) -> None:
        self.core.world.layout(0)
        if self._over:
            raise ResetNeeded("the episode is over; call reset()")

    def _refuse(self, feedback: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """What ``step`` returns for an invalid action."""
        return self._observe(), 0.0, False, False, self._info(self.core.assess(), feedback)

    def _info(self, judged: Assessment, feedback: str | None = None) -> dict[str, Any]:
        facts = self.core.facts(judged, np.array([feedback is None]))
        info: dict[str, Any] = {name: values[0].tolist() for name, values in facts.items()}
        info["instruction"] = self.core.world.instruction(0)
        if feedback is not None:
            info["feedback"] = feedback
        return info
