"""``Svg-v0``: write a program that draws what is described."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...svg import MAX_CHARACTERS, SvgError, render_svg
from ..base import Key, Outcome, TextTask, numbered, split_of, task_generator
from .scenes import SIZE, Scene, make_scene

PIXELS = 64
"""Width and height that drawings are compared at."""
SUCCESS = 0.95
"""The similarity from which a drawing counts as right."""
_CELLS = 4
_SHOWN_CELLS = 3
_SVG = re.compile(r"<svg\b.*?</svg\s*>|<svg\b[^>]*/>", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What to draw, and how it looks: uint8 [PIXELS, PIXELS, 3]."""

    scene: Scene
    target: np.ndarray


@dataclass(frozen=True, slots=True)
class State:
    """The last program that could be drawn, how similar its drawing is, and what the agent sees."""

    program: str = ""
    similarity: float = 0.0
    page: str = ""


class Svg(TextTask[Task, State]):
    """Descriptions of drawings, drawn by SVG programs over several turns.

    A program is rendered by :func:`palestra.envs.svg.render_svg`; the answer says how similar the drawing is to the
    described one, and in which places it differs most.  The action ``submit`` ends the episode and pays the similarity
    of the last drawing, within [0, 1].  What does not render is feedback, so that it can be mended, and is worth
    nothing.  The similarity is :func:`ink_similarity`, for which a blank canvas is worth 0.

    Sources: SGP (arXiv:2509.05208) pays for what renders by its similarity to what was asked for; RRVF
    (arXiv:2507.20766) shows the differences in words and lets the model draw again.

    Args:
        train, validation, test: how many tasks each split has.
        seed: another seed gives other tasks.
    """

    guide = (
        f"Draw what is described, by an SVG program on a white canvas of {SIZE} by {SIZE} units with the origin at the "
        f'top left: <svg viewBox="0 0 {SIZE} {SIZE}">...</svg>. There are rect, circle, ellipse, line, polygon '
        "and path, with fill, stroke, stroke-width and opacity; colours are named. Text, transformations and gradients "
        "are not supported. After each program you read how similar the drawing is, from 0 to 1, and where it differs. "
        "When you are content with your last drawing, send: submit"
    )

    def __init__(self, train: int = 4000, validation: int = 400, test: int = 400, seed: int = 0) -> None:
        super().__init__(numbered(train, validation, test))
        self._seed = seed

    def make_task(self, key: Key) -> Task:
        """Draw a scene that belongs to the split."""
        rng = task_generator(self._seed, key)
        scene = make_scene(rng)
        while split_of(scene.text) != key[0]:
            scene = make_scene(rng)
        return Task(scene, render_svg(scene.svg, PIXELS, PIXELS))

    def begin(self, task: Task) -> State:
        """Nothing is drawn yet."""
        return State(page=task.scene.text)

    def act(self, task: Task, state: State, action: str) -> Outcome[State]:
        """Draw, or submit the last drawing."""
        if action.strip().lower().rstrip(".;") == "submit":
            if not state.program:
                return Outcome(state, feedback="There is nothing to submit: nothing has been drawn yet.")
            success = state.similarity >= SUCCESS
            page = f"Submitted, with a similarity of {state.similarity:.3f}."
            return Outcome(
                State(state.program, state.similarity, page),
                reward=state.similarity,
                done=True,
                info={"success": success},
            )
        if len(action) > 2 * MAX_CHARACTERS:
            return Outcome(state, feedback=f"An action has at most {2 * MAX_CHARACTERS} characters.")
        program = _SVG.search(action)
        if program is None:
            return Outcome(state, feedback="Write a program, <svg ...>...</svg>, or submit.")
        try:
            image = render_svg(program[0], PIXELS, PIXELS)
        except SvgError as error:
            return Outcome(state, feedback=f"It cannot be drawn: {error}.")
        similarity = ink_similarity(image, task.target)
        return Outcome(State(program[0], similarity, _compared(image, task.target, similarity)))

    def show(self, task: Task, state: State) -> str:
        """The description, or how the last drawing compares."""
        return state.page

    def advise(self, task: Task, state: State) -> str:
        """The reference program, then ``submit``."""
        return "submit" if state.program == task.scene.svg else task.scene.svg

    def about(self, task: Task, state: State) -> dict[str, Any]:
        """The family of the scene, and the similarity of the last drawing."""
        return {"family": task.scene.family, "similarity": state.similarity}


def ink_similarity(image: np.ndarray, target: np.ndarray) -> float:
    """1 - sum |image - target| / (sum |white - image| + sum |white - target|) over all pixels and channels.

    1 for equal images, and 0 where the two have no ink in common, as where one is blank.  Both uint8 [height, width,
    3], of the same shape and not both white.  It is the similarity of Bray and Curtis, of amounts of ink.
    """
    ink, wanted = 255 - image.astype(np.int64), 255 - target.astype(np.int64)
    return 1 - int(np.abs(ink - wanted).sum()) / int(ink.sum() + wanted.sum())


def _compared(image: np.ndarray, target: np.ndarray, similarity: float) -> str:
    """How alike they are, and the places that differ most, in words."""
    lines = [f"The similarity is {similarity:.3f}."]
    cell, wide = PIXELS // _CELLS, SIZE // _CELLS
    cells = []
    for row in range(_CELLS):
        for column in range(_CELLS):
            there = np.s_[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
            wrong = float(np.abs(image[there].astype(int) - target[there]).mean()) / 255
            cells.append((-wrong, row, column, _mean(image[there]), _mean(target[there])))
    for wrong, row, column, found, wanted in sorted(cells)[:_SHOWN_CELLS]:
        if wrong < 0:
            x, y = column * wide, row * wide
            lines.append(f"From ({x}, {y}) to ({x + wide}, {y + wide}): on average {found}, should be {wanted}.")
    return "\n".join(lines)


def _mean(pixels: np.ndarray) -> str:
    return "#" + "".join(f"{round(float(channel)):02x}" for channel in pixels.reshape(-1, 3).mean(axis=0))
