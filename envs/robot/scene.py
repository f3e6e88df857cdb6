"""MuJoCo models of the scenes: a file of ``assets/`` with free objects and movable places added to it.

A scene's colours and where its places are do not change its physics, so that they are no part of the model: every
layout of the same shapes shares one, and batches may mix models, whose states are alike.
"""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import DependencyNotInstalled

if TYPE_CHECKING:
    import mujoco

COLOURS = {
    "red": (0.86, 0.15, 0.15),
    "green": (0.2, 0.65, 0.25),
    "blue": (0.15, 0.35, 0.85),
    "yellow": (0.95, 0.8, 0.15),
    "purple": (0.55, 0.25, 0.7),
}
SHAPES = {
    "cube": ("box", (0.02, 0.02, 0.02)),
    "cylinder": ("cylinder", (0.02, 0.02, 0.0)),
    "bar": ("box", (0.018, 0.032, 0.02)),
}
"""What each shape is to MuJoCo: its type, and half its lengths in metres (of a cylinder, radius and half height)."""
GREY = (0.55, 0.55, 0.57)
OBJECT_HEIGHT = 0.04
OBJECT_MASS = 0.08


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of place that layouts put somewhere: its geom, whether things touch it, and how opaque it is."""

    type: str
    size: tuple[float, float, float]
    solid: bool
    alpha: float = 1.0


MARKER = Place("sphere", (0.018, 0.0, 0.0), solid=False)
ZONE = Place("cylinder", (0.05, 0.0008, 0.0), solid=False)
PAD = Place("box", (0.045, 0.045, 0.015), solid=True)
PILLAR = Place("cylinder", (0.15, 0.25, 0.0), solid=True)
BEACON = Place("cylinder", (0.08, 0.2, 0.0), solid=False, alpha=0.6)


@cache
def load_model(file: str, shapes: tuple[str, ...], places: tuple[Place, ...]) -> mujoco.MjModel:
    """The model of ``assets/file`` with an object of each shape, then a body for each place; nobody may change it.

    Objects are bodies ``object0``, ``object1``, ... on free joints, after the joints of the file; places are mocap
    bodies ``place0``, ``place1``, ...  Raises gymnasium's ``DependencyNotInstalled`` without MuJoCo.
    """
    mujoco = import_mujoco()
    assets = importlib.resources.files(__package__) / "assets"
    spec = mujoco.MjSpec.from_string(
        (assets / file).read_text(encoding="utf-8"),
        include={part.name: part.read_bytes() for part in assets.iterdir() if part.name != file},
    )
    for number, place in enumerate(places):
        body = spec.worldbody.add_body(name=f"place{number}", mocap=True)
        touches = int(place.solid)
        body.add_geom(
            name=f"place{number}",
            type=_geom_type(place.type),
            size=place.size,
            contype=touches,
            conaffinity=touches,
            rgba=(*GREY, place.alpha),
        )
    for number, shape in enumerate(shapes):
        kind, size = SHAPES[shape]
        # Apart from one another, since the compiler warns of what overlaps; layouts place them.
        body = spec.worldbody.add_body(name=f"object{number}", pos=(0.4, 0.1 * number, 0.02))
        body.add_freejoint(name=f"object{number}")
        body.add_geom(
            name=f"object{number}",
            type=_geom_type(kind),
            size=size,
            mass=OBJECT_MASS,
            condim=4,
            friction=(0.9, 0.02, 0.001),
            # Softer than the default, which chatters between two fingers at this time step.
            solref=(0.01, 1.0),
        )
    return spec.compile()


def rest_pose(x: float, y: float, yaw: float, height: float = 0.0) -> np.ndarray:
    """The free joint of an object that stands on a surface of that height: position, quaternion ``[7]``."""
    return np.array([x, y, height + OBJECT_HEIGHT / 2, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])


def import_mujoco() -> Any:
    """MuJoCo, or ``DependencyNotInstalled`` that says what to install."""
    try:
        import mujoco
        import mujoco.rollout
    except ImportError as error:
        raise DependencyNotInstalled(
            "The robot environments need MuJoCo; install it with: pip install 'palestra[robot]'"
        ) from error
    return mujoco


def _geom_type(name: str) -> Any:
    return getattr(import_mujoco().mjtGeom, f"mjGEOM_{name.upper()}")
