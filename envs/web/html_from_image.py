"""``HtmlFromImage-v0``: write the page that a picture shows, see how it comes out, and mend it."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from ..code.base import Key, Outcome, TextTask, numbered, split_of, task_generator
from ..spaces import AnyText
from .env import WebEnv
from .layouts import draw_page
from .pool import BrowserPool
from .site import Receive, Send, reply

WIDTH, HEIGHT = 320, 240
SUCCESS = 0.95
"""The similarity from which a page counts as right."""
MAX_CHARACTERS = 20_000
_HOST = "page.example"
_TAG = re.compile(r"<[a-zA-Z!][^>]*>")
_CELL = 80
_SHOWN_CELLS = 3
# Nothing that the page names is fetched or run.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A page and its picture, uint8 [HEIGHT, WIDTH, 3]."""

    source: str
    target: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The last page that was written, its picture, how similar that is, and what the agent reads of it."""

    source: str = ""
    image: np.ndarray | None = None
    similarity: float = 0.0
    words: str = ""


class HtmlFromImage(TextTask[Task, State]):
    """Pictures of web pages, to be written as HTML over several turns.

    An observation is ``{"text": str, "image": uint8 array [240, 640, 3]}``: on the left of the image is what the page
    should look like, on the right what the agent's last page looks like in Chromium.  An action is the HTML of a whole
    page; the text then says how similar the two are and where they differ most.  ``submit`` ends the episode and pays
    the :func:`similarity` of the last page, within [0, 1].  The reward comes from the pictures alone, so pages whose
    source nobody knows would do as well.

    This is the loop of RRVF (arXiv:2507.20766): reason, render, compare, mend.  There a vision-language model judges
    the similarity; here the pixels do, at several scales.

    Args:
        train, validation, test: how many tasks each split has.
        seed: another seed gives other tasks.
        pool: the browsers to use; by default this process's shared ones.
    """

    guide = (
        f"On the left of the picture is a web page of {WIDTH} by {HEIGHT} pixels. Write the HTML of a page that looks "
        "the same, with all styles in it; scripts and addresses do not work. The right of the picture then shows your "
        "page, and you read how similar it is, from 0 to 1, and where it differs. Send a better page, or, when you are "
        "content with the last one: submit"
    )

    def __init__(
        self,
        train: int = 4000,
        validation: int = 400,
        test: int = 400,
        seed: int = 0,
        pool: BrowserPool | None = None,
    ) -> None:
        super().__init__(numbered(train, validation, test))
        picture = spaces.Box(0, 255, (HEIGHT, 2 * WIDTH, 3), np.uint8)
        self.observation_space = spaces.Dict({"text": AnyText(), "image": picture})  # type: ignore[assignment]
        self._seed = seed
        self._source = ""
        self._browser = WebEnv(
            f"http://{_HOST}/",
            sites={_HOST: self._site},
            observation="dict",
            pieces=("screenshot",),
            viewport=(WIDTH, HEIGHT),
            pool=pool,
        )

    def close(self) -> None:
        """Give the browser back."""
        self._browser.close()

    def make_task(self, key: Key) -> Task:
        """Draw a page that belongs to the split, and its picture."""
        rng = task_generator(self._seed, key)
        source = draw_page(rng)
        while split_of(source) != key[0]:
            source = draw_page(rng)
        return Task(source, self.render_page(source))

    def render_page(self, source: str) -> np.ndarray:
        """What a page looks like in Chromium, uint8 [HEIGHT, WIDTH, 3]."""
        self._source = source
        picture: np.ndarray = self._browser.reset()[0]["screenshot"]
        return picture

    def begin(self, task: Task) -> State:
        """Nothing has been written."""
        return State(words="Write this page.")

    def act(self, task: Task, state: State, action: str) -> Outcome[State]:
        """Render a page, or submit the last one."""
        if action.strip().lower().rstrip(".;") == "submit":
            if state.image is None:
                return Outcome(state, feedback="There is nothing to submit: no page has been written yet.")
            final = State(state.source, state.image, state.similarity, f"Submitted at {state.similarity:.3f}.")
            return Outcome(final, state.similarity, True, info={"success": state.similarity >= SUCCESS})
        if (problem := _problem(action)) is not None:
            return Outcome(state, feedback=problem)
        image = self.render_page(action)
        alike = similarity(image, task.target)
        return Outcome(State(action, image, alike, _compared(image, task.target, alike)))

    def show(self, task: Task, state: State) -> Any:
        """Both pictures side by side, and the comparison in words."""
        image = np.full_like(task.target, 255) if state.image is None else state.image
        return {"text": state.words, "image": np.concatenate([task.target, image], axis=1)}

    def advise(self, task: Task, state: State) -> str:
        """The page's own source, then ``submit``."""
        return "submit" if state.source == task.source else task.source

    def about(self, task: Task, state: State) -> dict[str, Any]:
        """The similarity of the last page."""
        return {"similarity": state.similarity}

    async def _site(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await reply(send, self._source, headers=[("content-security-policy", _POLICY), ("cache-control", "no-store")])


def _problem(source: str) -> str | None:
    """What keeps a text from being a page."""
    if len(source) > MAX_CHARACTERS:
        return f"A page has at most {MAX_CHARACTERS} characters, not {len(source)}."
    if not _TAG.search(source):
        return "Write the HTML of a page, or submit."
    if not source.isprintable() and any(ord(sign) < 32 and sign not in "\t\n\r" for sign in source):
        return "A page has no control characters."
    if any("\ud800" <= sign <= "\udfff" for sign in source):
        return "A page has no halves of surrogate pairs."
    if "http-equiv" in source.lower():
        return "A page has no http-equiv."
    return None


def similarity(image: np.ndarray, target: np.ndarray) -> float:
    """How alike two pictures are: the mean of :func:`ink_overlap` at full size and in blocks of 4, 16 and 40 pixels.

    1 for equal pictures only; 0 for a page that is as empty as the target's background.  Coarse scales reward what
    stands nearly in its place.  Both are uint8 [height, width, 3] with sides that 80 divides.
    """
    background = _background(target)
    scales = [ink_overlap(_blocks(image, size), _blocks(target, size), background) for size in (1, 4, 16, 40)]
    return float(np.mean(scales))


def ink_overlap(image: np.ndarray, target: np.ndarray, background: np.ndarray) -> float:
    """``1 - sum |image - target| / (sum |image - background| + sum |target - background|)``.

    It is the similarity of Bray and Curtis (1957) of how much is drawn upon the background.
    """
    drawn = np.abs(image - background).sum() + np.abs(target - background).sum()
    return 1.0 if drawn == 0 else float(1 - np.abs(image - target).sum() / drawn)


def _blocks(image: np.ndarray, size: int) -> np.ndarray:
    """The means of square blocks, float64 [height / size, width / size, 3]."""
    height, width, _ = image.shape
    return image.reshape(height // size, size, width // size, size, 3).astype(np.float64).mean(axis=(1, 3))


def _background(image: np.ndarray) -> np.ndarray:
    """The most frequent colour, float64 [3]."""
    colours, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    return colours[counts.argmax()].astype(np.float64)


def _compared(image: np.ndarray, target: np.ndarray, alike: float) -> str:
    """How alike they are, and the places that differ most, in words."""
    lines = [f"The similarity is {alike:.3f}."]
    wrong = np.abs(_blocks(image, 1) - target).reshape(HEIGHT // _CELL, _CELL, WIDTH // _CELL, _CELL, 3)
    amounts = wrong.mean(axis=(1, 3, 4))
    found, wanted = _blocks(image, _CELL), _blocks(target, _CELL)
    for place in np.argsort(-amounts, axis=None, kind="stable")[:_SHOWN_CELLS].tolist():
        row, column = divmod(place, WIDTH // _CELL)
        if amounts[row, column] > 0:
            x, y = column * _CELL, row * _CELL
            colours = f"on average {_hex(found[row, column])}, should be {_hex(wanted[row, column])}"
            lines.append(f"From ({x}, {y}) to ({x + _CELL}, {y + _CELL}): {colours}.")
    return "\n".join(lines)


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in colour.tolist())
