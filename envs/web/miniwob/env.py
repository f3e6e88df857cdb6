"""``MiniWoB/<task>-v0``: one small page, one instruction, some seconds to follow it."""

from __future__ import annotations

import difflib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ...abilities import EnvironmentFault
from ..env import Judgement, Start, WebEnv
from ..site import Folder
from .names import RELOADED, TASKS
from .oracle import next_action, solved_tasks

HOST = "miniwob.test"
PIECES = {
    "text": ("goal", "tree"),
    "text_image": ("goal", "tree", "screenshot"),
    "dict": ("goal", "tree", "screenshot", "focused", "error"),
}
_SIZE, _FLIGHT_SIZE = (160, 210), (375, 667)
_PREPARE = """((seed, mode, milliseconds) => {
  if (!document.getElementById('palestra')) {
    const style = document.createElement('style');
    style.id = 'palestra';
    style.dataset.limit = core.EPISODE_MAX_TIME;
    style.textContent = '#reward-display, #click-canvas, #sync-task-cover, #query-wrap {display: none !important}';
    document.head.append(style);
    const query = document.getElementById('query');
    if (query) query.ariaHidden = 'true';
  }
  core.setDataMode(mode);
  core.EPISODE_MAX_TIME = milliseconds ?? Number(document.getElementById('palestra').dataset.limit);
  Math.seedrandom(seed);
  core.endEpisode(0);
  core.startEpisodeReal();
})"""
# Whether the document is that of the episode before, at rest.  The window has the focus again, which Tab may have moved
# out of it, and Tab begins at the top, not where the mouse was last.
_STANDING = """((url) => {
  if (!document.getElementById('palestra') || location.href.split('#')[0] !== url) return false;
  window.focus();
  const root = document.documentElement;
  root.tabIndex = -1;
  root.focus({preventScroll: true});
  root.blur();
  root.removeAttribute('tabindex');
  return true;
})"""
_UTTERANCE = """(() => {
  const said = core.getUtterance();
  return [WOB_TASK_READY, typeof said === 'string' ? said : said.utterance];
})()"""
_JUDGE = "[WOB_DONE_GLOBAL, WOB_RAW_REWARD_GLOBAL, WOB_REWARD_GLOBAL, WOB_REWARD_REASON]"


@cache
def pages_folder() -> Path:
    """Where the package ``miniwob`` keeps its pages.

    Raises:
        EnvironmentFault: it is not installed.
    """
    found = importlib.util.find_spec("miniwob")
    if found is None or not found.submodule_search_locations:
        raise EnvironmentFault("MiniWoB's pages come with the package miniwob: pip install 'palestra[web]'")
    return Path(next(iter(found.submodule_search_locations))) / "html"


class MiniWoB(WebEnv):
    """A task of MiniWoB++, or several of them.

    The reward is the page's own, between -1 and 1, when it says that the episode is over, as it does after a number of
    seconds on the page's clock (10 on most pages) with a reward of -1.  ``info["success"]`` is true if and only if the
    raw reward is 1: some pages pay a little for wrong or partial answers.

    ``info`` holds ``task``, ``goal`` and ``valid_action``, and at the end ``success``, ``raw_reward`` and ``reason``.

    Args:
        tasks: names of tasks; each episode draws one of them.
        time_decay: pay the reward that shrinks with the time used, as MiniWoB does, rather than the raw one.
        data_mode: ``"train"`` or ``"test"``, for the tasks that have instructions of both kinds.
        time_limit_ms: milliseconds on the page's clock; by default the page's own limit.
        options: arguments of :class:`~palestra.envs.web.env.WebEnv`.

    Raises:
        ValueError: an argument has an unknown value.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        time_decay: bool = False,
        data_mode: Literal["train", "test"] = "train",
        time_limit_ms: float | None = None,
        **options: Any,
    ) -> None:
        tasks = [tasks] if isinstance(tasks, str) else list(tasks)
        for task in tasks:
            if task not in TASKS:
                near = difflib.get_close_matches(task, TASKS, n=1, cutoff=0.0)[0]
                raise ValueError(f"there is no MiniWoB task {task!r}; the nearest one is {near!r}")
        if not tasks:
            raise ValueError("MiniWoB needs at least one task")
        if data_mode not in ("train", "test"):
            raise ValueError(f"data_mode must be 'train' or 'test', not {data_mode!r}")
        flying = any(task.startswith("flight.") for task in tasks)
        options.setdefault("viewport", _FLIGHT_SIZE if flying else _SIZE)
        options.setdefault("pieces", PIECES.get(options.get("observation", "text")))
        super().__init__(sites={HOST: Folder(pages_folder())}, **options)
        self.task = tasks[0]
        """The task of this episode."""
        self._tasks = tasks
        self._time_decay, self._data_mode, self._time_limit = time_decay, data_mode, time_limit_ms
        self._seed = 0
        # As an instance attribute, so that only tasks that have a solver declare one.
        if solved_tasks().issuperset(tasks):
            self.oracle = self._oracle

    def begin(self, options: Mapping[str, Any]) -> Start:
        """Draw a task, and the seed of its page."""
        if options:
            raise ValueError(f"unknown reset option {min(map(str, options))!r}; there are none")
        self.task = self._tasks[int(self.np_random.integers(len(self._tasks)))]
        self._seed = int(self.np_random.integers(2**31))
        place = self.task.replace(".", "/") + "/wrapper" if self.task.startswith("flight.") else f"miniwob/{self.task}"
        # With one task the page stands in the environment's own context already.
        shared = len(self._tasks) > 1 and self.task not in RELOADED
        return Start(f"http://{HOST}/{place}.html", "", {"task": self.task}, stands=shared)

    async def enter(self, start: Start) -> None:
        """Load the page, or go on with the one that stands there: most are fresh with each episode."""
        tab = self.context.active
        if self.task not in RELOADED and await tab.evaluate(f"{_STANDING}({json.dumps(start.url)})"):
            await tab.call("Page.resetNavigationHistory")
        else:
            await super().enter(start)
        await tab.wind_back(keep_document=True)

    async def prepare(self) -> None:
        """Start the episode that the seed stands for."""
        tab = self.context.active
        arguments = ", ".join(map(json.dumps, (str(self._seed), self._data_mode, self._time_limit)))
        await tab.evaluate(f"{_PREPARE}({arguments})")
        for _ in range(100):
            ready, goal = await tab.evaluate(_UTTERANCE)
            if ready:
                self.goal = goal
                return
            await self.context.settle(20, 1)
        raise EnvironmentFault(f"the page of {self.task} does not get ready")

    async def judge(self) -> Judgement:
        """What the page pays, once it says that the episode is over."""
        done, raw, decayed, reason = await self.context.active.evaluate(_JUDGE)
        if not done:
            return Judgement(info={"task": self.task})
        info = {"task": self.task, "success": raw == 1, "raw_reward": float(raw), "reason": reason}
        return Judgement(float(decayed if self._time_decay else raw), True, info)

    def _oracle(self) -> str:
        """The next action of a scripted solver."""
        return self.pool.run(next_action(self.context.active, self.actor, self.task, self.goal))
