"""``Rearrange-v0``: put an object on one pad, then on the other, and so on without a reset."""

from __future__ import annotations

import numpy as np

from ..world import World
from .pick_place import PickPlace
from .placing import CENTRE_ON_PAD


class Rearrange(PickPlace):
    """The scene of ``PickPlace-v0``, whose instruction changes to the other pad whenever the object is in its place.

    So each task undoes the one before, and learning needs nobody to put things back, as in RoboFuME (Yang et al. 2023,
    https://arxiv.org/abs/2310.15145).  Each completion is paid 1, and only the step limit ends an episode.
    """

    env_id = "Rearrange-v0"
    endless = True

    def instructions(self, things: tuple[str, ...], places: tuple[str, ...]) -> tuple[str, ...]:
        """Two, in turn: the object, to the one pad and to the other."""
        return tuple(f"Put the {things[0]} on the {place}." for place in places)

    def goal(self, world: World) -> np.ndarray:
        """The pad of the instruction that holds now."""
        pads = np.stack([world.place_position(0), world.place_position(1)], axis=1)
        return pads[np.arange(world.size), world.phase] + CENTRE_ON_PAD

    def features(self, world: World) -> np.ndarray:
        """As ever, with the way from the object to where it belongs now (3) at the end."""
        return np.concatenate([super().features(world), self.goal(world) - world.object_position(0)], axis=1)
