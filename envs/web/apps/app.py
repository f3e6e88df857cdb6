"""What an application is: a state, and handlers that answer requests with pages.

An application is an ASGI application too, so that any ASGI server can show it to a person, and a browser environment
can answer its browser's requests with it without a socket.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from .html import Html, document, h, link

State = TypeVar("State")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LARGEST_BODY = 1 << 20
"""Bytes that a form may have."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser asks for; of a name that ``query`` or ``form`` have several times, the last value counts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)


class Response(NamedTuple):
    """What it gets."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Redirect(str):
    """Where a handler sends the browser on to."""

    __slots__ = ()


class NotFound(Exception):
    """There is no such page."""


Handler = Callable[..., Html | Redirect]


def get(pattern: str) -> Callable[[Handler], Handler]:
    """Marks the method that answers GET for a path such as ``/message/{number}``; a part in braces is digits."""
    return _route("GET", pattern)


def post(pattern: str) -> Callable[[Handler], Handler]:
    """The same for POST."""
    return _route("POST", pattern)


def _route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    expression = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]{1,9})", pattern))

    def mark(handler: Handler) -> Handler:
        handler.route = (method, expression)  # type: ignore[attr-defined]
        return handler

    return mark


class App(Generic[State]):
    """An application over a state, which holds all that it remembers.

    Args:
        state: what it shows and changes.
        now: when it was opened; the pages show this time and what ``clock`` has moved since.
        clock: seconds since then.  The machine's clock is never looked at.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    accent: ClassVar[str]
    menu: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    """Id, text and address of the links in the bar."""
    routes: ClassVar[tuple[tuple[str, re.Pattern[str], str], ...]] = ()

    def __init__(self, state: State, now: datetime, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.state = state
        self.opened = now
        self.clock = clock
        self.note = ""

    def __init_subclass__(cls) -> None:
        marked = [(*value.route, name) for name, value in vars(cls).items() if hasattr(value, "route")]
        cls.routes = (*cls.routes, *marked)

    @property
    def now(self) -> datetime:
        """The time in the application's world."""
        return self.opened + timedelta(seconds=self.clock())

    def respond(self, request: Request) -> Response:
        """Answer a request: a page, a redirection after a change, or a page that says what is wrong."""
        for method, expression, name in self.routes:
            match = expression.fullmatch(request.path)
            if match and method == request.method:
                return self._handle(getattr(self, name), request, {k: int(v) for k, v in match.groupdict().items()})
        return self._missing()

    def _handle(self, handler: Handler, request: Request, numbers: dict[str, int]) -> Response:
        try:
            answer = handler(request, **numbers)
        except NotFound:
            return self._missing()
        if isinstance(answer, Redirect):
            return Response(303, (("location", answer),), b"")
        return _page(200, answer)

    def _missing(self) -> Response:
        return _page(404, self.page("Page not found", h.p("There is no such page here.")))

    def page(self, title: str, *body: Any) -> Html:
        """A page in the application's frame; it shows and forgets the note that the last change left."""
        note, self.note = self.note, ""
        return document(
            application=self.title,
            accent=self.accent,
            title=title,
            menu=self.bar(),
            body=body,
            note=note,
            time=self.now.strftime("%a %d %b %Y, %H:%M"),
        )

    def bar(self) -> Iterable[Any]:
        """What is in the bar on top of every page."""
        return [link(id_, text, address) for id_, text, address in self.menu]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request (https://asgi.readthedocs.io); nothing but ``http`` is spoken.

        Raises:
            ValueError: another kind of connection is asked for.
        """
        if scope["type"] != "http":
            raise ValueError(f"{self.title} answers http, not {scope['type']}")
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if len(body) > LARGEST_BODY or not message.get("more_body", False):
                break
        if len(body) > LARGEST_BODY:
            response = _page(413, self.page("Too much", h.p("That is more than a form may hold.")))
        else:
            query, form = _decoded(scope["query_string"]), _decoded(body)
            response = self.respond(Request(scope["method"], scope["path"], query, form))
        headers = [(name.encode(), value.encode()) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})


def positive(text: str) -> int:
    """The whole number from 1 to a billion that ``text`` writes, 1 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0 else 1


def _decoded(encoded: bytes) -> dict[str, str]:
    pairs = parse_qsl(encoded.decode("utf-8", "replace"), keep_blank_values=True)
    # A browser sends every line break of a text as CR LF.
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def _page(status: int, content: Html) -> Response:
    headers = (("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store"))
    # What an agent typed may hold half a surrogate pair, which no encoding takes.
    return Response(status, headers, content.encode("utf-8", "replace"))
