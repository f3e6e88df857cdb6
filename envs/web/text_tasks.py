"""``WebTasksText-v0``: the tasks of ``WebTasks-v0`` without a browser, for small models and fast machines."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

import gymnasium
from gymnasium.error import ResetNeeded

from ..spaces import AnyText
from ..words import Phrases
from .actions import ActionError, action, actions_of, named, parse_actions
from .apps.book import Episode, TaskBook, call
from .apps.reader import Problem, Reader
from .apps.task import LEVELS, SIZES

_TICK = 0.1


class TextActor:
    """Carries out actions on a reader's page: those of a browser that a page without scripts can be used by."""

    def __init__(self, reader: Reader, host: str) -> None:
        self.messages: list[tuple[str, str]] = []
        self._reader = reader
        self._host = host

    @action
    def click(self, bid: str) -> None:
        """Click an element."""
        self._reader.click(named(bid, self._reader.names))

    @action
    def fill(self, bid: str, value: str) -> None:
        """Replace the text of a field."""
        self._reader.fill(named(bid, self._reader.names), value)

    @action
    def select_option(self, bid: str, options: str) -> None:
        """Select an option of a list."""
        self._reader.select(named(bid, self._reader.names), options)

    @action
    def goto(self, url: str) -> None:
        """Go to an address."""
        parts = urlsplit(url)
        if parts.netloc != self._host or parts.scheme not in ("http", "https"):
            raise ActionError(
                f"goto: {url[:80]!r} is out of bounds; the addresses here begin with http://{self._host}/."
            )
        self._reader.visit(f"{parts.path or '/'}?{parts.query}")

    @action
    def go_back(self) -> None:
        """Go to the page before."""
        self._reader.back()

    @action
    def send_msg_to_user(self, text: str) -> None:
        """Say something to the user."""
        self.messages.append(("message", text))

    @action
    def report_infeasible(self, reason: str) -> None:
        """Say that the task cannot be done, and why."""
        self.messages.append(("infeasible", reason))


ACTIONS = actions_of(TextActor)
GUIDE = (
    "You use a web application. The page is shown line by line, what you can use with a name in brackets. Do what the "
    "goal asks, and nothing else; answer a question by a message to the user. Answer with one call of these:\n"
    + "\n".join(f"{each.signature} - {each.description}" for each in ACTIONS.values())
)


class WebTasksText(gymnasium.Env[str, str]):
    """The applications, tasks, rewards and oracle of :class:`~palestra.envs.web.tasks.WebTasks`, page by page as text.

    The pages are read by :class:`~palestra.envs.web.apps.reader.Reader` instead of Chromium: nothing is drawn, scripts
    do not run, and a row of a table is a line of text.  That takes a fraction of the time, and few tokens.  Elements
    are named by their place on the page.

    Args:
        tasks: names of templates, or of applications, to choose tasks from; all by default.
        levels: how much there may be to do.
        sizes: how much there may be in the application besides.
        render_mode: ``"ansi"`` makes :meth:`render` return the page.

    Raises:
        ValueError: an argument has an unknown value.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - as gymnasium.Env has it
    guide = GUIDE

    def __init__(
        self,
        tasks: Collection[str] = (),
        levels: Sequence[int] = LEVELS,
        sizes: Sequence[int] = SIZES,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode must be None or 'ansi', not {render_mode!r}")
        self.render_mode = render_mode
        self.observation_space = AnyText()
        self.action_space = Phrases(("go_back()", "click('a1')", "click('a9')", "fill('a9', 'words')"))
        self._book = TaskBook(tasks, levels, sizes)
        self._episode: Episode | None = None
        self._over = True

    def tasks(self, split: str) -> int:
        """How many tasks a split has.  Raises :class:`ValueError` for an unknown one."""
        return self._book.count(split)

    def axes(self, split: str) -> dict[str, tuple[Any, ...]]:
        """The parameters of the tasks of a split with their values; task numbers count through the last one fastest."""
        return self._book.axes(split)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Open the application of the task that ``options`` name, or a training task's.

        Raises:
            ValueError: an unknown option, split or task.
        """
        super().reset(seed=seed)
        episode = self._begin(self._book.open(options or {}, self.np_random, _TICK))
        self._reader.visit("/")
        return self._observe(), self._info({"success": False, **episode.parameters})

    def _begin(self, episode: Episode) -> Episode:
        self._episode, self._over = episode, False
        self._reader = Reader(episode.app.respond)
        self._actor = TextActor(self._reader, episode.host)
        return episode

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Act.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the end.
        """
        episode, feedback = self._current(), None
        try:
            (wanted,) = parse_actions(action, ACTIONS)
            perform: Callable[..., None] = getattr(self._actor, wanted.name)
            perform(**wanted.arguments)
        except (ActionError, Problem) as error:
            feedback = str(error)
        solved, self._over = episode.judge(self._actor.messages)
        return self._observe(), float(solved), self._over, False, self._info({"success": solved}, feedback)

    def render(self) -> str | None:
        """The page, where ``render_mode`` is ``"ansi"``."""
        return None if self.render_mode is None else self._observe()

    def oracle(self) -> str:
        """The next action of a solver that knows the server's state and the ids of the page."""
        episode = self._current()
        step = episode.step(self._reader.view())
        named = (name for name, element in self._reader.names.items() if element.id == step.target)
        return call(step, next(named, None), episode.start)

    def snapshot(self) -> Any:
        """Everything that the future depends on."""
        generator = self.np_random.bit_generator.state
        if self._episode is None:
            return None, generator
        app = pickle.dumps((self._episode.app.state, self._episode.app.note))
        said = tuple(self._actor.messages)
        return (
            self._episode.parameters,
            self._episode.actions,
            app,
            self._reader.snapshot(),
            said,
            self._over,
        ), generator

    def restore(self, state: Any) -> None:
        """Go back to a :meth:`snapshot` of this environment, or of another one made with the same arguments."""
        held, self.np_random.bit_generator.state = state
        if held is None:
            self._episode, self._over = None, True
            return
        parameters, actions, app, reader, said, over = held
        if self._episode is None or self._episode.parameters != parameters:
            episode = Episode(parameters, _TICK)
        else:
            episode = self._episode
        self._begin(episode)
        episode.actions = actions
        episode.app.state, episode.app.note = pickle.loads(app)
        self._reader.restore(reader)
        self._actor.messages = list(said)
        self._over = over

    def _observe(self) -> str:
        episode = self._episode
        return f"Goal: {'' if episode is None else episode.goal}\n{self._reader.text()}"

    def _info(self, more: dict[str, Any], feedback: str | None = None) -> dict[str, Any]:
        goal = "" if self._episode is None else self._episode.goal
        info: dict[str, Any] = {"goal": goal, "valid_action": feedback is None, **more}
        return info if feedback is None else info | {"feedback": feedback}

    def _current(self) -> Episode:
        if self._episode is None or self._over:
            raise ResetNeeded("there is no episode under way; call reset()")
        return self._episode
