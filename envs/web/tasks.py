"""``WebTasks-v0``: things to be done in eight small web applications, judged by what the server then holds."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gymnasium.error import ResetNeeded

from .apps.book import Episode, TaskBook, call
from .apps.task import LEVELS, SIZES, Step, View
from .env import Judgement, Start
from .replay import ReplayedEnv

_LOOK = """(() => {
  const fields = {};
  for (const e of document.querySelectorAll('input[id], select[id], textarea[id]'))
    fields[e.id] = ['checkbox', 'radio'].includes(e.type) ? (e.checked ? 'on' : '') : e.value;
  return [location.href, [...document.querySelectorAll('[id]')].map(e => e.id), fields];
})()"""


class WebTasks(ReplayedEnv):
    """A task in one of eight applications: mail, calendar, issue tracker, forum, table, map, store, control panel.

    The applications run in this process and start every episode with seeded contents.  What is asked for is either a
    change, and the episode ends with reward 1 as soon as the server's state is the one that was asked for, nothing
    added and nothing lacking; or it is a question, and the first message to the user is the answer, which is right or
    not.  ``report_infeasible`` gives up.  ``info["success"]`` says whether the task is solved; ``info`` of ``reset``
    holds the task's parameters.

    Args:
        tasks: names of templates, or of applications, to choose tasks from; all by default.
        levels: how much there may be to do.
        sizes: how much there may be in the application besides.
        **options: as for :class:`~palestra.envs.web.env.WebEnv`.

    Raises:
        ValueError: a name is unknown; the message lists those that there are.
    """

    def __init__(
        self,
        tasks: Collection[str] = (),
        levels: Sequence[int] = LEVELS,
        sizes: Sequence[int] = SIZES,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._book = TaskBook(tasks, levels, sizes)
        self._episode: Episode | None = None

    def tasks(self, split: str) -> int:
        """How many tasks a split has.  Raises :class:`ValueError` for an unknown one."""
        return self._book.count(split)

    def axes(self, split: str) -> dict[str, tuple[Any, ...]]:
        """The parameters of the tasks of a split with their values; task numbers count through the last one fastest."""
        return self._book.axes(split)

    def begin(self, options: Mapping[str, Any]) -> Start:
        """Open the application of the task that ``options`` name, or a training task's."""
        return self._start_of(self._book.open(options, self.np_random, self._step_ms / 1000))

    def _start_of(self, episode: Episode) -> Start:
        self._episode = episode
        self._sites = {episode.host: episode.app}
        return Start(episode.start, episode.goal, {"success": False, **episode.parameters})

    async def judge(self) -> Judgement:
        """1 and the end where the task is solved; the end without it after a wrong answer."""
        solved, over = self._current().judge(self.actor.messages)
        return Judgement(float(solved), over, {"success": solved})

    def oracle(self) -> str:
        """The next action of a solver that knows the server's state and the ids of the page."""
        self._need_episode()
        return self.pool.run(self._advise(self._current()))

    async def _advise(self, episode: Episode) -> str:
        tab = self.context.active
        address, ids, fields = await tab.evaluate(_LOOK)
        parts = urlsplit(address)
        if parts.netloc != episode.host:
            return call(Step("click"), None, episode.start)
        step = episode.step(View(parts.path, dict(parse_qsl(parts.query, True)), frozenset(ids), fields))
        name = None
        if step.target in ids:
            found = await tab.call("Runtime.evaluate", expression=f"document.getElementById({json.dumps(step.target)})")
            node = await tab.call("DOM.describeNode", objectId=found["result"]["objectId"])
            name = self._names.by_node.get(node["node"]["backendNodeId"])
        return call(step, name, episode.start)

    def key(self) -> dict[str, Any] | None:
        """The parameters of the task."""
        return None if self._episode is None else self._episode.parameters

    def reopen(self, key: dict[str, Any]) -> Start:
        """Open the task of these parameters."""
        return self._start_of(Episode(key, self._step_ms / 1000))

    def _current(self) -> Episode:
        if self._episode is None:
            raise ResetNeeded("call reset() first")
        return self._episode
