"""What each action does to a page: real input events at the place where the element is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import functions
from .actions import Action, ActionError, Button, Call, Modifier, action, actions_of, named
from .context import BLANK, Context
from .keys import MODIFIERS, key_event, split_combination
from .protocol import ProtocolError
from .tab import Tab

_BUTTON_BITS = {"left": 1, "right": 2, "middle": 4}


@dataclass
class Actor:
    """Carries out actions in a context.  An action that cannot be carried out raises :class:`ActionError`.

    ``elements`` are the backend ids of the elements that the agent has been shown, by their names.
    """

    context: Context
    elements: Mapping[str, int] = field(default_factory=dict)
    messages: list[tuple[str, str]] = field(default_factory=list)
    """What the agent said in this episode: ``("message", text)`` or ``("infeasible", reason)``."""
    wait: float = 0.0
    """Milliseconds that the last action wants to pass besides the usual."""
    mouse: tuple[float, float] = (0.0, 0.0)
    _pressed: int = 0
    _held: int = 0
    _pending: list[asyncio.Future[Any]] = field(default_factory=list)
    _moves: int = 0
    """How many of the last input events are moves of the mouse."""

    async def perform(self, call: Call) -> None:
        """Carry out a checked call until the page has taken its input; what that sets off takes the page's time."""
        self.wait = 0.0
        await getattr(self, call.name)(**call.arguments)
        await self._arrive()

    async def finish(self) -> None:
        """Wait for the moves of the mouse that the page has taken with the last frame."""
        self._moves = 0
        await self._arrive()

    @property
    def _tab(self) -> Tab:
        return self.context.active

    # Talking ----------------------------------------------------------------------------------------------------

    @action
    async def noop(self, wait_ms: float = 1000) -> None:
        """Do nothing and wait."""
        if not 0 <= wait_ms <= 60_000:
            raise ActionError("noop: wait_ms must be from 0 to 60000.")
        self.wait = wait_ms

    @action
    async def send_msg_to_user(self, text: str) -> None:
        """Say something to the user."""
        self.messages.append(("message", text))

    @action
    async def report_infeasible(self, reason: str) -> None:
        """Say that the task cannot be done, and why."""
        self.messages.append(("infeasible", reason))

    # Elements ---------------------------------------------------------------------------------------------------

    @action
    async def click(self, bid: str, button: Button = "left", modifiers: list[Modifier] = []) -> None:  # noqa: B006
        """Click an element."""
        await self._click(*await self._place(bid), button, 1, _bits(modifiers))

    @action
    async def dblclick(self, bid: str, button: Button = "left", modifiers: list[Modifier] = []) -> None:  # noqa: B006
        """Double-click an element."""
        await self._click(*await self._place(bid), button, 2, _bits(modifiers))

    @action
    async def fill(self, bid: str, value: str) -> None:
        """Replace the text of a field."""
        done = await self._on(bid, functions.PREPARE_FILL, value)
        if isinstance(done, str):
            raise ActionError(f"fill: {bid!r} cannot be filled, {done}.")
        if not done and value:
            self._later("Input.insertText", text=value)
        elif not done:
            await self._key("Delete")

    @action
    async def clear(self, bid: str) -> None:
        """Empty a field."""
        await self.fill(bid, "")

    @action
    async def check(self, bid: str) -> None:
        """Tick a checkbox, radio button or switch."""
        await self._set_checked("check", bid, True)

    @action
    async def uncheck(self, bid: str) -> None:
        """Remove the tick of a checkbox or switch."""
        await self._set_checked("uncheck", bid, False)

    @action
    async def select_option(self, bid: str, options: str | list[str]) -> None:
        """Select options of a list by their texts or values."""
        problem = await self._on(bid, functions.SELECT, [options] if isinstance(options, str) else options)
        if problem:
            raise ActionError(f"select_option: {bid!r} cannot be selected from, {problem}.")

    @action
    async def hover(self, bid: str) -> None:
        """Move the mouse over an element."""
        self._move(*await self._place(bid))

    @action
    async def focus(self, bid: str) -> None:
        """Give an element the keyboard."""
        await self._on(bid, functions.FOCUS)

    @action
    async def press(self, bid: str, key_comb: str) -> None:
        """Focus an element and press a key such as 'Enter', or a combination such as 'Control+a'."""
        modifiers, key = split_combination(key_comb)
        key_event(key)
        await self._on(bid, functions.FOCUS)
        await self._combination(modifiers, key)

    @action
    async def drag_and_drop(self, from_bid: str, to_bid: str) -> None:
        """Drag one element to another."""
        start, end = await self._place(from_bid), await self._place(to_bid)
        await self._drag(start, end)

    @action
    async def upload_file(self, bid: str, file: str | list[str]) -> None:
        """Choose files for a file field."""
        raise ActionError("upload_file: there are no files here.")

    # Mouse ------------------------------------------------------------------------------------------------------

    @action
    async def scroll(self, delta_x: float, delta_y: float) -> None:
        """Scroll the page by pixels."""
        width, height = self.context.viewport
        await self.scroll_at(width / 2, height / 2, delta_x, delta_y)

    @action
    async def scroll_at(self, x: float, y: float, dx: float, dy: float) -> None:
        """Scroll what is at a place by pixels."""
        self._inside(x, y)
        await self._tab.evaluate(f"({functions.SCROLL})({x}, {y}, {dx}, {dy})")

    @action
    async def mouse_move(self, x: float, y: float) -> None:
        """Move the mouse."""
        self._inside(x, y)
        self._move(x, y)

    @action
    async def mouse_down(self, x: float, y: float, button: Button = "left") -> None:
        """Move the mouse and press a button."""
        self._inside(x, y)
        self._move(x, y)
        self._button("mousePressed", button)

    @action
    async def mouse_up(self, x: float, y: float, button: Button = "left") -> None:
        """Move the mouse and release a button."""
        self._inside(x, y)
        self._move(x, y)
        self._button("mouseReleased", button)

    @action
    async def mouse_click(self, x: float, y: float, button: Button = "left") -> None:
        """Click at a place, in pixels from the top left corner."""
        self._inside(x, y)
        await self._click(x, y, button, 1)

    @action
    async def mouse_dblclick(self, x: float, y: float, button: Button = "left") -> None:
        """Double-click at a place."""
        self._inside(x, y)
        await self._click(x, y, button, 2)

    @action
    async def mouse_drag_and_drop(self, from_x: float, from_y: float, to_x: float, to_y: float) -> None:
        """Drag from one place to another."""
        self._inside(from_x, from_y)
        self._inside(to_x, to_y)
        await self._drag((from_x, from_y), (to_x, to_y))

    # Keyboard ---------------------------------------------------------------------------------------------------

    @action
    async def keyboard_press(self, key: str) -> None:
        """Press a key or combination where the keyboard's focus is."""
        await self._combination(*split_combination(key))

    @action
    async def keyboard_down(self, key: str) -> None:
        """Press a key and hold it."""
        event = key_event(key, self._held)
        self._held |= MODIFIERS.get(key, 0)
        self._later("Input.dispatchKeyEvent", type="keyDown", **event)

    @action
    async def keyboard_up(self, key: str) -> None:
        """Release a key."""
        self._held &= ~MODIFIERS.get(key, 0)
        self._later("Input.dispatchKeyEvent", type="keyUp", **_without_text(key_event(key, self._held)))

    @action
    async def keyboard_type(self, text: str) -> None:
        """Type a text, key by key."""
        for sign in text:
            if sign.isprintable() or sign in "\n\t":
                await self._key({"\n": "Enter", "\t": "Tab"}.get(sign, sign))

    @action
    async def keyboard_insert_text(self, text: str) -> None:
        """Insert a text at once, as pasting does."""
        self._later("Input.insertText", text=text)

    # Tabs and addresses -----------------------------------------------------------------------------------------

    @action
    async def goto(self, url: str) -> None:
        """Go to an address."""
        if not self.context.allows(url):
            hosts = sorted({*self.context.sites, *self.context.hosts})
            raise ActionError(
                f"goto: {url[:80]!r} is out of bounds; the addresses here begin with "
                + (" or ".join(f"http://{host}/" for host in hosts[:10]) if hosts else BLANK)
                + "."
            )
        if problem := await self._tab.navigate(url):
            raise ActionError(f"goto: {url[:80]!r} cannot be opened, {problem}.")

    @action
    async def go_back(self) -> None:
        """Go to the page before."""
        await self._travel(-1)

    @action
    async def go_forward(self) -> None:
        """Go forward to the page from which you came back."""
        await self._travel(1)

    @action
    async def new_tab(self) -> None:
        """Open an empty tab and go to it."""
        await self.context.new_tab()

    @action
    async def tab_close(self) -> None:
        """Close this tab."""
        if len(self.context.tabs) == 1:
            raise ActionError("tab_close: the last tab cannot be closed.")
        await self.context.close_tab(self._tab)

    @action
    async def tab_focus(self, index: int) -> None:
        """Go to the tab of that number, counted from 0."""
        if not 0 <= index < len(self.context.tabs):
            raise ActionError(f"tab_focus: there are tabs 0 to {len(self.context.tabs) - 1}.")
        await self.context.activate(self.context.tabs[index])

    # How it is done ---------------------------------------------------------------------------------------------

    def _later(self, method: str, **params: Any) -> None:
        """Send an input event."""
        self._pending.append(self._tab.send(method, **params))
        self._moves = self._moves + 1 if params.get("type") == "mouseMoved" else 0

    async def _arrive(self) -> None:
        """Wait until the page has taken the input, but for moves at its end, which wait for the next frame.

        On a busy machine the page's time could be over before a click has reached it.
        """
        taken = len(self._pending) - self._moves
        pending, self._pending = self._pending[:taken], self._pending[taken:]
        for command in pending:
            await self._tab.connection.answer(command, "the input")

    async def _on(self, bid: str, function: str, *arguments: Any) -> Any:
        """What a function of the page returns for an element."""
        return await self._call(bid, functions.ON_ELEMENT.replace("FUNCTION", function), *arguments)

    async def _call(self, bid: str, function: str, *arguments: Any) -> Any:
        try:
            return await self._tab.call_on(named(bid, self.elements), function, *arguments)
        except ProtocolError as error:
            raise ActionError(f"The element {bid!r} cannot be used: {_first_line(error)}.") from None

    async def _place(self, bid: str) -> tuple[float, float]:
        """A place in the viewport, to which the element is scrolled, where it is on top: its middle if possible."""
        node = named(bid, self.elements)
        free = await self._call(bid, functions.UNCOVERED)
        if isinstance(free, str):
            raise ActionError(f"The element {bid!r} is covered by {free}.")
        try:
            quads = (await self._tab.call("DOM.getContentQuads", backendNodeId=node))["quads"]
        except ProtocolError as error:
            raise ActionError(f"The element {bid!r} cannot be used: {_first_line(error)}.") from None
        box, x, y = free
        if not quads:
            raise ActionError(f"The element {bid!r} has no place on the page: it is hidden or empty.")
        quad = quads[min(box, len(quads) - 1)]
        left, right, top, bottom = min(quad[::2]), max(quad[::2]), min(quad[1::2]), max(quad[1::2])
        width, height = self.context.viewport
        return (
            min(max(left + x * (right - left), 0), width - 1),
            min(max(top + y * (bottom - top), 0), height - 1),
        )

    def _inside(self, x: float, y: float) -> None:
        width, height = self.context.viewport
        if not (0 <= x < width and 0 <= y < height):
            raise ActionError(f"({x:g}, {y:g}) is outside the page's {width} x {height} pixels.")

    def _move(self, x: float, y: float) -> None:
        self.mouse = (x, y)
        self._later(
            "Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, buttons=self._pressed, modifiers=self._held
        )

    def _button(self, kind: str, button: str, count: int = 1, modifiers: int = 0) -> None:
        bit = _BUTTON_BITS[button]
        self._pressed = self._pressed | bit if kind == "mousePressed" else self._pressed & ~bit
        x, y = self.mouse
        self._later(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button=button,
            buttons=self._pressed,
            clickCount=count,
            modifiers=modifiers | self._held,
        )

    async def _click(self, x: float, y: float, button: str, times: int, modifiers: int = 0) -> None:
        self._move(x, y)
        for count in range(1, times + 1):
            self._button("mousePressed", button, count, modifiers)
            self._button("mouseReleased", button, count, modifiers)

    async def _drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._move(*start)
        self._button("mousePressed", "left")
        await self._arrive()
        for part in (0.1, 0.5, 1.0):
            self._move(start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1]))
            # A page that follows the mouse does so frame by frame.
            await self._tab.pass_time(1000 / 60)
        if (data := self._tab.dragged) is not None:
            for kind in ("dragEnter", "dragOver", "drop"):
                self._later("Input.dispatchDragEvent", type=kind, x=end[0], y=end[1], data=data)
            self._tab.dragged = None
        self._button("mouseReleased", "left")

    async def _set_checked(self, name: str, bid: str, wanted: bool) -> None:
        state = await self._on(bid, functions.CHECKED)
        if state is None:
            raise ActionError(f"{name}: {bid!r} is neither a checkbox nor a radio button.")
        if state != wanted:
            await self.click(bid)

    async def _combination(self, modifiers: list[str], key: str) -> None:
        bits = _bits(modifiers)
        event = key_event(key, bits | self._held)
        for name in modifiers:
            self._later("Input.dispatchKeyEvent", type="keyDown", **key_event(name, bits))
        self._later("Input.dispatchKeyEvent", type="keyDown", **event)
        self._later("Input.dispatchKeyEvent", type="keyUp", **_without_text(event))
        for name in reversed(modifiers):
            self._later("Input.dispatchKeyEvent", type="keyUp", **key_event(name, 0))

    async def _key(self, key: str) -> None:
        await self._combination([], key)

    async def _travel(self, by: int) -> None:
        history = await self._tab.call("Page.getNavigationHistory")
        place = history["currentIndex"] + by
        if not 0 <= place < len(history["entries"]) or not self.context.allows(history["entries"][place]["url"]):
            raise ActionError(f"There is no page to go {'back' if by < 0 else 'forward'} to.")
        await self._tab.travel(history["entries"][place]["id"])


ACTIONS: dict[str, Action] = actions_of(Actor)
"""Every action by its name."""


def _bits(modifiers: list[Any]) -> int:
    return sum({MODIFIERS["Control" if name == "ControlOrMeta" else name] for name in modifiers})


def _without_text(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("text", "commands")}


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
