"""A batch of scenes of one task family: their states as arrays, and the one physics call that steps them all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import ResetNeeded

from .scene import Place, import_mujoco, load_model

if TYPE_CHECKING:
    from mujoco import MjData, MjModel

SUBSTEPS = 10
"""Physics steps of 4 ms in each step of an environment, which is 40 ms."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one task opens.

    ``instructions`` follow each other; most layouts have one.  ``things`` and ``places`` name the objects and places in
    words, the colour first, in the order of the model's bodies: first what the task is about.  ``qpos`` are all joints
    ``[nq]``, ``positions`` those of the places ``[P, 3]``.
    """

    instructions: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[str, ...]
    qpos: np.ndarray
    positions: np.ndarray

    @property
    def shapes(self) -> tuple[str, ...]:
        """The shape of each object."""
        return tuple(name.split()[-1] for name in self.things)


class World:
    """``size`` scenes side by side.

    The simulator's state, the last command, the places and the phase (which of the layout's instructions holds) are all
    there is; equal arrays have equal futures, whatever is beside them: the solver starts cold at each step rather than
    from what a previous step left in it.

    Args:
        file: the scene in ``assets/``.
        places: the kind of each place.
        shapes: shapes of the objects to start with, as many as every layout has.
        size: how many scenes.
        threads: threads of the physics; 0 steps in the calling thread.
    """

    def __init__(
        self, file: str, places: tuple[Place, ...], shapes: tuple[str, ...], size: int = 1, threads: int = 0
    ) -> None:
        mujoco = import_mujoco()
        self._file, self._kinds = file, places
        model = load_model(file, shapes, places)
        self.size = size
        self.models: list[MjModel] = [model] * size
        self.layouts: list[Layout | None] = [None] * size
        self.time_step = float(model.opt.timestep) * SUBSTEPS
        self.objects = len(shapes)
        self._joints, self._speeds = model.nq - 7 * len(shapes), model.nv - 6 * len(shapes)
        self._nq = model.nq
        self.state = np.zeros((size, mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
        self.command = np.zeros((size, model.nu))
        self.phase = np.zeros(size, dtype=np.int64)
        self._mocap = np.zeros((size, 7 * model.nmocap))
        self._control_spec = int(mujoco.mjtState.mjSTATE_CTRL) | int(mujoco.mjtState.mjSTATE_MOCAP_POS)
        self._control_spec |= int(mujoco.mjtState.mjSTATE_MOCAP_QUAT)
        self._data = [mujoco.MjData(model) for _ in range(max(1, threads))]
        self._rollout = mujoco.rollout.Rollout(nthread=threads)
        self._path = np.empty((size, SUBSTEPS, self.state.shape[1]))

    @property
    def joints(self) -> np.ndarray:
        """Positions of the scene's own joints, before those of the objects, ``[N, J]``: a view."""
        return self.state[:, 1 : 1 + self._joints]

    @property
    def joint_speeds(self) -> np.ndarray:
        """Their velocities, ``[N, V]``, of a free joint one less than positions: a view."""
        return self.state[:, 1 + self._nq : 1 + self._nq + self._speeds]

    def object_pose(self, number: int) -> np.ndarray:
        """Position and quaternion of an object, ``[N, 7]``: a view."""
        start = 1 + self._joints + 7 * number
        return self.state[:, start : start + 7]

    def object_position(self, number: int) -> np.ndarray:
        """Position of an object's centre, ``[N, 3]``: a view."""
        return self.object_pose(number)[:, :3]

    def object_speed(self, number: int) -> np.ndarray:
        """Linear velocity of an object, ``[N, 3]``: a view."""
        start = 1 + self._nq + self._speeds + 6 * number
        return self.state[:, start : start + 3]

    def place_position(self, number: int) -> np.ndarray:
        """Where a place's centre is, ``[N, 3]``: a view."""
        return self._mocap[:, 3 * number : 3 * number + 3]

    def layout(self, row: int) -> Layout:
        """The layout of a scene.  Raises gymnasium's ``ResetNeeded`` if no task has been opened in it."""
        found = self.layouts[row]
        if found is None:
            raise ResetNeeded("call reset() first")
        return found

    def instruction(self, row: int) -> str:
        """What is asked for now."""
        return self.layout(row).instructions[self.phase[row]]

    def set_layout(self, row: int, layout: Layout, command: np.ndarray) -> None:
        """Open a task in one of the scenes, with everything at rest."""
        self.models[row] = load_model(self._file, layout.shapes, self._kinds)
        self.layouts[row] = layout
        count = len(layout.positions)
        self.state[row] = 0.0
        self.state[row, 1 : 1 + self._nq] = layout.qpos
        self.command[row] = command
        self.phase[row] = 0
        self._mocap[row, : 3 * count] = layout.positions.ravel()
        self._mocap[row, 3 * count :] = np.tile((1.0, 0.0, 0.0, 0.0), count)

    def advance(self) -> None:
        """Let :data:`SUBSTEPS` physics steps pass in every scene, under its command."""
        control = np.concatenate([self.command, self._mocap], axis=1)
        self._rollout.rollout(
            self.models,
            self._data,
            self.state,
            np.repeat(control[:, None], SUBSTEPS, axis=1),
            control_spec=self._control_spec,
            nstep=SUBSTEPS,
            state=self._path,
            skip_checks=False,
        )
        self.state = self._path[:, -1].copy()

    def data(self, row: int) -> tuple[MjModel, MjData]:
        """One scene as MuJoCo has it, with everything computed: for cameras and tests."""
        mujoco = import_mujoco()
        model = self.models[row]
        data = mujoco.MjData(model)
        mujoco.mj_setState(model, data, self.state[row], int(mujoco.mjtState.mjSTATE_FULLPHYSICS))
        control = np.concatenate([self.command[row], self._mocap[row]])
        mujoco.mj_setState(model, data, control, self._control_spec)
        mujoco.mj_forward(model, data)
        return model, data

    def snapshot(self, row: int) -> dict[str, Any]:
        """All of a scene but its layout."""
        return {
            "state": self.state[row].copy(),
            "command": self.command[row].copy(),
            "mocap": self._mocap[row].copy(),
            "phase": int(self.phase[row]),
        }

    def restore(self, row: int, layout: Layout, state: dict[str, Any]) -> None:
        """Bring a scene back to a snapshot of one with this layout."""
        self.set_layout(row, layout, state["command"])
        self.state[row], self._mocap[row], self.phase[row] = state["state"], state["mocap"], state["phase"]

    def close(self) -> None:
        """Stop the threads."""
        if self._rollout.rollout_ is not None:
            self._rollout.close()


def usable_threads() -> int:
    """How many threads a batch uses by default: one for each processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
