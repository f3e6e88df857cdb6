"""Images of a scene, without a screen."""

from __future__ import annotations

import atexit
import importlib
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import DependencyNotInstalled

from .scene import COLOURS, GREY, import_mujoco
from .world import World

if TYPE_CHECKING:
    from mujoco import MjvScene

FRAME = (224, 224)
BACKENDS = ("egl", "osmesa")


class Camera:
    """Draws the scenes of a world from one of its cameras; what draws is made when the first image is asked for.

    Shadows and reflections are off: they carry nothing that a policy needs, and cost most of the time.

    Raises :class:`ValueError` for a camera that the scene does not have.
    """

    def __init__(self, world: World, name: str, size: tuple[int, int]) -> None:
        mujoco = import_mujoco()
        model = world.models[0]
        names = [model.camera(index).name for index in range(model.ncam)]
        if name not in names:
            raise ValueError(f"camera must be one of {', '.join(map(repr, names))}, not {name!r}")
        if min(size) < 1 or max(size) > 640:
            raise ValueError(f"an image is 1 to 640 pixels high and wide, not {size}")
        self._world, self._size = world, size
        self._view = mujoco.MjvCamera()
        self._view.type, self._view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera(name).id
        self._made: tuple[Any, Any, MjvScene] | None = None
        self._free: weakref.finalize[..., Any] | None = None

    def image(self, row: int) -> np.ndarray:
        """What the camera sees of a scene: ``[H, W, 3]`` bytes."""
        return self._draw(row)[0]

    def depth(self, row: int) -> np.ndarray:
        """How far everything that it sees is from its plane, in metres: ``[H, W]`` float32."""
        model, depth = self._world.models[row], self._draw(row)[1]
        near, far = (plane * model.stat.extent for plane in (model.vis.map.znear, model.vis.map.zfar))
        return (near / (1.0 - depth * (1.0 - near / far))).astype(np.float32)

    def pixel(self, row: int, point: np.ndarray) -> np.ndarray:
        """Where a point of a scene ``[3]`` is in the image: pixels from the left and from the top, ``[2]``.

        It may be outside of the image.  Raises :class:`ValueError` for a point that is not in front of the camera.
        """
        model, data = self._world.data(row)
        camera = self._view.fixedcamid
        x, y, behind = data.cam_xmat[camera].reshape(3, 3).T @ (point - data.cam_xpos[camera])
        if behind >= 0:
            raise ValueError(f"{point} is not in front of the camera")
        height, width = self._size
        focal = height / 2 / np.tan(np.deg2rad(model.cam_fovy[camera]) / 2)
        return np.array([width / 2 - focal * x / behind, height / 2 + focal * y / behind])

    def close(self) -> None:
        """Free what draws; another image makes it anew."""
        if self._free is not None:
            self._free()
            atexit.unregister(self._free)
            self._made = self._free = None

    def _draw(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Colours ``[H, W, 3]`` and depth buffer ``[H, W]``, from the top row down."""
        mujoco = import_mujoco()
        if self._made is None:
            self._made = self._make()
        context, canvas, scene = self._made
        context.make_current()
        model, data = self._world.data(row)
        mujoco.mjv_updateScene(
            model, data, mujoco.MjvOption(), None, self._view, mujoco.mjtCatBit.mjCAT_ALL.value, scene
        )
        _paint(scene, self._colours(row))
        height, width = self._size
        viewport = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(viewport, scene, canvas)
        image, depth = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32)
        mujoco.mjr_readPixels(image, depth, viewport, canvas)
        return image[::-1].copy(), depth[::-1].copy()

    def _make(self) -> tuple[Any, Any, MjvScene]:
        mujoco = import_mujoco()
        context = open_context(*self._size[::-1])
        context.make_current()
        model = self._world.models[0]
        canvas = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, canvas)
        scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 20)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            scene.flags[flag] = 0
        # Also when nobody calls close().  MuJoCo ends EGL at the program's end, where what was registered last goes
        # first; finalizers may come after that, when it is too late.
        self._free = weakref.finalize(self, _free, context, canvas)
        atexit.register(self._free)
        return context, canvas, scene

    def _colours(self, row: int) -> dict[int, str]:
        """The colour of each geom that the layout names."""
        model, layout = self._world.models[row], self._world.layout(row)
        named = {f"object{number}": name for number, name in enumerate(layout.things)}
        named |= {f"place{number}": name for number, name in enumerate(layout.places)}
        return {model.geom(geom).id: name.split()[0] for geom, name in named.items()}


def open_context(width: int, height: int) -> Any:
    """A drawing context without a screen, by EGL or else by OSMesa, whichever works here.

    ``MUJOCO_GL`` chooses one of them.  Raises gymnasium's ``DependencyNotInstalled`` if none works, with the reasons.
    """
    mujoco = import_mujoco()
    reasons = []
    for backend in BACKENDS:
        try:
            return importlib.import_module(f"{mujoco.__name__}.{backend}").GLContext(width, height)
        except Exception as error:  # noqa: BLE001 - whatever a driver raises, the next one may work
            reasons.append(f"{backend}: {error!r}")
    raise DependencyNotInstalled(
        "No library to draw robots without a screen works here; install Debian's libegl1 and libgl1-mesa-dri, or "
        f"libosmesa6 ({'; '.join(reasons)})"
    )


def _free(context: Any, canvas: Any) -> None:
    canvas.free()
    context.free()


def _paint(scene: MjvScene, colours: dict[int, str]) -> None:
    geom_type = int(import_mujoco().mjtObj.mjOBJ_GEOM)
    for index in range(scene.ngeom):
        geom = scene.geoms[index]
        if geom.objtype == geom_type and geom.objid in colours:
            geom.rgba[:3] = COLOURS.get(colours[geom.objid], GREY)
