"""A web page as an environment: what is common to all of them, to be made a task by four hooks."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

import gymnasium
from gymnasium.error import ResetNeeded

from ..abilities import EnvironmentFault
from ..words import Phrases
from .actions import ActionError, parse_actions
from .actor import ACTIONS, Actor
from .context import BLANK, Context
from .observation import NamedBy, Names
from .pool import BrowserPool, shared_pool
from .seeing import PIECES, Look, Seen, as_text, observe, pixels, shown
from .site import Site

T = TypeVar("T")
Form = Literal["text", "dict", "text_image"]


@dataclass(frozen=True, slots=True)
class Start:
    """Where an episode begins, and what is to be done."""

    url: str
    goal: str
    info: dict[str, Any] = field(default_factory=dict)
    """What ``reset`` adds to its ``info``."""
    stands: bool = False
    """Whether the page may serve one episode after another, of whichever environment: it is not loaded anew then."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an action was worth, and whether the task is over."""

    reward: float = 0.0
    terminated: bool = False
    info: dict[str, Any] = field(default_factory=dict)


class WebEnv(gymnasium.Env[Any, str]):
    """A browser at a start page, and a goal.

    Actions are BrowserGym's, as text: ``click('a12')``, ``fill('b3', 'text')``, ``goto('http://...')``; ``guide`` lists
    them.  They are parsed and checked, never executed.  A call that is wrong or cannot be carried out changes nothing,
    and ``info["feedback"]`` says what would have been right.

    A task is a subclass with these hooks, each of which may be left as it is:

    - :meth:`begin`: choose the task of this episode from ``self.np_random`` and ``options``;
    - :meth:`prepare`: bring the page into its first state, and set ``self.goal`` if only the page knows it;
    - :meth:`judge`: reward and end after each action;
    - ``oracle()``: the next action of a solver.

    The hooks that are coroutines run on the pool's loop, as do the sites, one at a time with the page at rest.

    Args:
        start_url: the first page.
        goal: what is to be done, in words.
        sites: ASGI applications by host; they answer the page's requests in process.
        hosts: hosts that the page may reach over the network.  To all others there is no way.
        observation: ``"text"``, the ``pieces`` as one text; ``"dict"``, a dictionary of them; or ``"text_image"``, a
            dictionary of that text and the picture, as vision-language models are shown.
        pieces: what is observed, of :data:`~palestra.envs.web.seeing.PIECES`; what is left out costs nothing.
        viewport: width and height of the page in pixels.
        marks: draw the elements' names and outlines on the picture.
        named_by: what elements are called in actions: ``"numbers"``, as BrowserGym calls them (``click('a12')``), or
            ``"words"``, what they say (``click('Sign in')``), so that a name that is told need not be looked up.
        tree_tokens: about how many tokens the tree may take; what is visible is kept first.
        step_ms: milliseconds that pass on the page's clock with each action.
        frames: how many frames are drawn in that time.
        real_time: let the page's clock run by itself, which gives up repeatable episodes.
        multiple_actions: let one action be several calls, one a line, carried out until one fails.
        pool: the browsers to use; by default this process's shared ones.
        render_mode: ``"rgb_array"``, or ``"ansi"`` for the text.

    Raises:
        ValueError: an argument has an unknown value.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 10}  # noqa: RUF012 - as gymnasium.Env has it

    def __init__(
        self,
        start_url: str = BLANK,
        goal: str = "",
        *,
        sites: Mapping[str, Site] | None = None,
        hosts: Collection[str] = (),
        observation: Form = "text",
        pieces: Collection[str] | None = None,
        viewport: tuple[int, int] = (800, 600),
        marks: bool = False,
        named_by: NamedBy = "numbers",
        tree_tokens: int = 4000,
        step_ms: float = 100.0,
        frames: int = 1,
        real_time: bool = False,
        multiple_actions: bool = False,
        pool: BrowserPool | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be None, 'ansi' or 'rgb_array', not {render_mode!r}")
        if named_by not in get_args(NamedBy):
            raise ValueError(f"named_by must be 'numbers' or 'words', not {named_by!r}")
        self.render_mode = render_mode
        self.goal = goal
        self.context: Context
        """The browser context of the episode; hooks that are coroutines may use it."""
        self.actor: Actor
        """What has been done in the episode, messages to the user among it."""
        self.seen: Seen
        """What was last observed, in parts."""
        self._start = Start(start_url, goal)
        self._sites = dict(sites or {})
        self._hosts = frozenset(hosts)
        chosen = PIECES.get(observation, ()) if pieces is None else tuple(pieces)
        self._look = Look(observation, chosen, (int(viewport[0]), int(viewport[1])), marks, tree_tokens)
        self._named_by: NamedBy = named_by
        self._step_ms, self._frames, self._real_time = step_ms, frames, real_time
        self._multiple = multiple_actions
        self._pool = pool
        self._release: weakref.finalize[Any, Any] | None = None
        self._over = True
        self.observation_space = self._look.space
        self.action_space = action_space()

    # Hooks ------------------------------------------------------------------------------------------------------

    def begin(self, options: Mapping[str, Any]) -> Start:
        """Choose the episode's task; called by ``reset`` once ``np_random`` is seeded."""
        if options:
            raise ValueError(f"unknown reset option {min(map(str, options))!r}; there are none")
        return self._start

    async def prepare(self) -> None:
        """Bring the page, which has loaded, into the first state of the episode."""

    async def judge(self) -> Judgement:
        """Judge the state that an action led to."""
        return Judgement()

    # Gymnasium --------------------------------------------------------------------------------------------------

    @property
    def guide(self) -> str:
        """How to act here, in words for a language model."""
        return GUIDE

    @property
    def pool(self) -> BrowserPool:
        """Where the browser comes from."""
        if self._pool is None:
            self._pool = shared_pool(self._hosts)
        return self._pool

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Open the start page in an empty context.

        Raises:
            ValueError: an unknown option.
            EnvironmentFault: the browser cannot be started, or does not answer.
        """
        start = self._begin(seed, options)
        return self._opened(self.pool.run(self._guarded(self._open(start))), start)

    async def areset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As :meth:`reset`, for coroutines."""
        start = self._begin(seed, options)
        return self._opened(await asyncio.wrap_future(self.pool.submit(self._guarded(self._open(start)))), start)

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the end.
            EnvironmentFault: the browser is gone, or the page crashed or hangs.
        """
        self._need_episode()
        return self._acted(*self.pool.run(self._guarded(self._act(action))))

    async def astep(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """As :meth:`step`, for coroutines."""
        self._need_episode()
        return self._acted(*await asyncio.wrap_future(self.pool.submit(self._guarded(self._act(action)))))

    def render(self) -> Any:
        """The page as text or as an array [height, width, 3], by ``render_mode``."""
        if self.render_mode is None:
            return None
        if self._release is None:
            raise ResetNeeded("call reset() first")
        if self.render_mode == "ansi":
            return as_text(self.seen, self._look.pieces)
        return pixels(Seen(image=self.pool.run(self._guarded(self.context.active.picture()))))

    def close(self) -> None:
        """Give the context back to the pool."""
        if self._release is not None:
            self._release()
            self._release = None
        self._over = True

    # Inside -----------------------------------------------------------------------------------------------------

    def _begin(self, seed: int | None, options: dict[str, Any] | None) -> Start:
        super().reset(seed=seed)
        start = self.begin(options or {})
        self.goal = start.goal
        return start

    async def _open(self, start: Start) -> Seen:
        standing = start.url if start.stands else None
        if self._release is not None and not (self.context.usable and self.context.standing == standing):
            self._release.detach()
            self._release = None
            await self.pool.release(self.context)
        if self._release is None:
            self.context = await self.pool.acquire(self._look.viewport, self._real_time, standing)
            self._release = weakref.finalize(self, _give_back, self.pool, self.context)
        self.actor = Actor(self.context)
        self._names = Names(self._named_by)
        await self.context.begin(self._sites, self._hosts)
        await self.enter(start)
        await self.prepare()
        await self._settle(self._step_ms)
        return await self._observe()

    async def enter(self, start: Start) -> None:
        """Empty the context and load the start page."""
        await self.context.clear()
        if problem := await self.context.enter(start.url):
            raise EnvironmentFault(f"the start page {start.url} cannot be opened: {problem}")
        self.context.standing = start.url if start.stands else None

    async def _act(self, action: str) -> tuple[Seen, Judgement, str | None]:
        feedback = None
        self.context.active.kept = None
        try:
            calls = parse_actions(action, ACTIONS, self._multiple)
            for call in calls:
                await self.actor.perform(call)
                await self._settle(self._step_ms + self.actor.wait)
                await self.actor.finish()
        except ActionError as error:
            feedback = str(error)
            self.context.active.kept = None
            await self.actor.finish()
        judgement = await self.judge()
        return await self._observe(feedback), judgement, feedback

    async def _settle(self, milliseconds: float) -> None:
        await self.context.settle(milliseconds, self._frames, image="screenshot" in self._look.pieces)

    async def _observe(self, error: str | None = None) -> Seen:
        return await observe(self._look, self.context, self.actor, self._names, self.goal, error or "")

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        """Await ``work``; if it fails, the context is not used again."""
        try:
            return await work
        except BaseException:
            if self._release is not None:
                self.context.broken = True
            raise

    def _opened(self, seen: Seen, start: Start) -> tuple[Any, dict[str, Any]]:
        self.seen, self._over = seen, False
        return shown(seen, self._look), {"goal": self.goal, "valid_action": True, **start.info}

    def _acted(
        self, seen: Seen, judgement: Judgement, feedback: str | None
    ) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.seen, self._over = seen, judgement.terminated
        info: dict[str, Any] = {"goal": self.goal, "valid_action": feedback is None, **judgement.info}
        if feedback is not None:
            info["feedback"] = feedback
        return shown(seen, self._look), float(judgement.reward), judgement.terminated, False, info

    def _need_episode(self) -> None:
        if self._over:
            raise ResetNeeded("there is no episode under way; call reset()")


def _give_back(pool: BrowserPool, context: Context) -> None:
    pool.submit(pool.release(context))


def action_space() -> gymnasium.Space[str]:
    """Every text; samples are calls that need no element."""
    return Phrases(("noop(100)", "scroll(0, 100)", "scroll(0, -100)", "keyboard_press('Tab')"))


GUIDE = (
    "You act in a web browser. The page is shown as a tree of elements, those you can act on with a name in brackets. "
    "Answer with one call of these, and nothing else:\n"
    + "\n".join(f"{action.signature} - {action.description}" for action in ACTIONS.values())
)
