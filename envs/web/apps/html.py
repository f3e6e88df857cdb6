"""HTML from Python values: elements as calls, escaped, and the frame that the pages of an application share."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_VOID = frozenset(("br", "hr", "img", "input", "meta"))
_STYLE = (Path(__file__).parent / "style.css").read_text()


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def render(value: Any) -> str:
    """HTML of a child: itself if it is :class:`Html`, a list's one after the other, nothing for None, else escaped."""
    if isinstance(value, Html):
        return value
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return html.escape(str(value), quote=False)
    if isinstance(value, Iterable):
        return "".join(map(render, value))
    raise TypeError(f"a {type(value).__name__} cannot stand in a page")


def element(name: str, /, *children: Any, **attributes: Any) -> Html:
    """``<name attributes>children</name>``.

    ``class_`` stands for ``class`` and ``aria_label`` for ``aria-label``; True gives a bare attribute, None and False
    none.
    """
    written = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(key)
        elif value is not None and value is not False:
            written.append(f'{key}="{html.escape(str(value))}"')
    start = f"<{' '.join(written)}>"
    return Html(start if name in _VOID else f"{start}{render(children)}</{name}>")


class _Elements:
    def __getattr__(self, name: str) -> Callable[..., Html]:
        return lambda *children, **attributes: element(name, *children, **attributes)


h = _Elements()
"""``h.p("text", class_="note")`` is ``<p class="note">text</p>``."""


def link(id_: str, text: Any, href: str, class_: str | None = None, **attributes: Any) -> Html:
    """A link; the id is what an oracle finds it by."""
    return h.a(text, id=id_, href=href, class_=class_, **attributes)


def press(id_: str, text: Any, path: str, class_: str | None = None, /, **values: Any) -> Html:
    """A button that posts ``values`` to ``path`` when it is clicked."""
    hidden = [h.input(type="hidden", name=name, value=value) for name, value in values.items()]
    return h.form(hidden, h.button(text, id=id_, class_=class_), method="post", action=path, class_="inline")


def line(name: str, label: str, value: Any = "", error: str | None = None, **attributes: Any) -> Html:
    """A labelled line of text, whose id is its name; ``error`` says what is wrong with it."""
    return _labelled(name, label, h.input(**_control(name, error), value=value, **attributes), error)


def area(name: str, label: str, value: str = "", error: str | None = None, rows: int = 4) -> Html:
    """A labelled text of several lines."""
    # A line break right after the tag is not part of the text.
    return _labelled(name, label, h.textarea("\n", value, **_control(name, error), rows=rows), error)


def choice(name: str, label: str, options: Iterable[str], chosen: str = "", error: str | None = None) -> Html:
    """A labelled drop-down list."""
    listed = [h.option(option, value=option, selected=option == chosen) for option in options]
    return _labelled(name, label, h.select(listed, **_control(name, error)), error)


def tick(name: str, label: str, ticked: bool = False) -> Html:
    """A check box; the form has ``name=on`` where it is ticked."""
    box = h.input(type="checkbox", id=name, name=name, checked=ticked)
    return h.div(box, h.label(label, for_=name), class_="tick")


def radios(name: str, label: str, options: Iterable[str], chosen: str = "") -> Html:
    """A group of radio buttons; the one for ``"By post"`` has the id ``name-by-post``."""
    buttons = [
        h.div(
            h.input(type="radio", id=slug(name, option), name=name, value=option, checked=option == chosen),
            h.label(option, for_=slug(name, option)),
            class_="tick",
        )
        for option in options
    ]
    return h.fieldset(h.legend(label), buttons)


def slug(*parts: str) -> str:
    """``("radio", "By post")`` -> ``"radio-by-post"``."""
    return "-".join("-".join("".join(c if c.isalnum() else " " for c in part.lower()).split()) for part in parts)


def form(path: str, *children: Any, submit: str, id_: str = "submit", method: str = "post") -> Html:
    """A form with its button below it."""
    # The server validates and says what is wrong on the page, where the text form shows it too.
    return h.form(children, h.button(submit, id=id_, class_="primary"), method=method, action=path, novalidate=True)


def table(head: Iterable[Any], rows: Iterable[Iterable[Any]], label: str) -> Html:
    """A table with a heading for each column."""
    return h.table(
        h.thead(h.tr([h.th(cell, scope="col") for cell in head])),
        h.tbody([h.tr([h.td(cell) for cell in row]) for row in rows]),
        aria_label=label,
    )


def pager(count: int, per_page: int, page: int, href: Callable[[int], str]) -> Html | None:
    """Links to the pages of a long list, numbered from 1 with the ids ``page-1``, ...; nothing for a single page."""
    pages = -(-count // per_page)
    if pages < 2:
        return None
    links = [
        h.span(number, class_="here") if number == page else link(f"page-{number}", f"Page {number}", href(number))
        for number in range(1, pages + 1)
    ]
    return h.nav(links, class_="pager", aria_label="Pages")


def document(
    *, application: str, accent: str, title: str, menu: Iterable[Any], body: Any, note: str = "", time: str = ""
) -> Html:
    """A whole page: the application's bar with its menu, a note on what just happened, and the body."""
    head = h.head(
        h.meta(charset="utf-8"),
        h.meta(name="viewport", content="width=device-width"),
        h.title(f"{title} - {application}"),
        h.style(Html(f":root {{ --accent: {accent} }}\n{_STYLE}")),
    )
    bar = h.header(h.span(application, class_="brand"), h.nav(menu, aria_label="Menu"), h.span(time, class_="time"))
    main = h.main(h.p(note, role="status", class_="note") if note else None, h.h1(title), body)
    return Html(f"<!DOCTYPE html>\n{h.html(head, h.body(bar, main), lang='en')}")


def _control(name: str, error: str | None) -> dict[str, Any]:
    return {"id": name, "name": name, "aria_invalid": "true" if error else None}


def _labelled(name: str, label: str, control: Html, error: str | None) -> Html:
    return h.div(h.label(label, for_=name), control, h.p(error, class_="error") if error else None, class_="field")
