"""What answers a page's requests: ASGI applications, called in process, without a socket.

A site is any ASGI application (https://asgi.readthedocs.io), so one of Starlette, FastAPI or Django will do.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Site = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
"""An ASGI application."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a page asks for."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What it is answered."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


async def respond(site: Site, request: Request) -> Response:
    """Call an ASGI application with one request; whatever it raises is raised."""
    parts = urlsplit(request.url)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme,
        "path": unquote(parts.path) or "/",
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
        "client": ("palestra", 0),
        "server": (parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)),
    }
    status, headers, body = 500, [], bytearray()

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await site(scope, receive, send)
    pairs = tuple((bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers)
    return Response(status, pairs, bytes(body))


async def reply(
    send: Send,
    body: bytes | str,
    content_type: str = "text/html; charset=utf-8",
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
) -> None:
    """Send a whole response from inside an ASGI application."""
    pairs = [("content-type", content_type), *headers]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body.encode() if isinstance(body, str) else body})


class Folder:
    """The files below a folder, as an ASGI application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Send the file of that path, or a 404."""
        path = (self.folder / scope["path"].lstrip("/")).resolve()
        if not path.is_relative_to(self.folder) or not path.is_file():
            await reply(send, "not found", "text/plain", 404)
            return
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        await reply(send, path.read_bytes(), f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
