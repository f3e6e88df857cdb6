"""A browser of a few lines for pages without scripts: it follows links, fills in forms and shows a page as text.

It knows the HTML that :mod:`.html` writes, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from .app import Request, Response
from .task import View

_VOID = frozenset(("br", "hr", "img", "input", "meta"))
_LINES = frozenset(("article", "dl", "dt", "fieldset", "h1", "h2", "legend", "li", "nav", "p", "svg", "table", "tr"))
_SILENT = frozenset(("label", "option", "script", "style", "title"))
_MOST_REDIRECTIONS = 10


@dataclass(eq=False)
class Element:
    """A link, a button or a control, with the form it belongs to (-1 for none) and what it holds."""

    kind: str
    id: str = ""
    name: str = ""
    label: str = ""
    value: str = ""
    checked: bool = False
    form: int = -1
    address: str = ""
    options: list[str] = field(default_factory=list)

    @property
    def ticks(self) -> bool:
        """Whether it is a check box or a radio button."""
        return self.kind in ("checkbox", "radio")

    @property
    def writable(self) -> bool:
        """Whether it is a field for text."""
        return self.kind == "textbox"

    def described(self) -> str:
        """Its kind, label and content, as in an accessibility tree."""
        text = f"{self.kind} '{self.label}'"
        if self.ticks:
            return f"{text} checked" if self.checked else text
        if self.kind in ("textbox", "combobox") and self.value:
            text += f" value='{self.value}'"
        return f"{text} options: {', '.join(filter(None, self.options))}" if self.options else text


class Page(HTMLParser):
    """What is on a page: lines of texts and elements, the forms, and all ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.elements: list[Element] = []
        self.forms: list[dict[str, str]] = []
        self.lines: list[list[str | Element]] = [[]]
        self.title = ""
        self._hidden: list[tuple[int, str, str]] = []
        self._labels: dict[str, str] = {}
        self._label_for = ""
        self._stack: list[str] = []
        self._inside: Element | None = None
        self.feed(text)
        self.close()
        for element in self.elements:
            element.label = element.label or self._labels.get(element.id, "")

    def by_id(self, id_: str) -> Element | None:
        """The element with an id."""
        return next((element for element in self.elements if element.id == id_), None)

    def submitted(self, form: int) -> dict[str, str]:
        """What a form sends."""
        values = {name: value for number, name, value in self._hidden if number == form}
        for element in self.elements:
            if element.form == form and element.name and (element.checked or not element.ticks):
                values[element.name] = element.value
        return values

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        values = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._stack.append(tag)
        if "id" in values:
            self.ids.add(values["id"])
        if tag in _LINES or (tag == "form" and "inline" not in values.get("class", "")):
            self.lines.append([])
        form = len(self.forms) - 1 if "form" in self._stack else -1
        made: Element | None = None
        if tag == "a":
            made = self._inside = Element("link", address=values["href"])
        elif tag == "form":
            self.forms.append(values)
        elif tag == "button":
            made = self._inside = Element("button", form=form)
        elif tag in ("select", "textarea"):
            kind = "combobox" if tag == "select" else "textbox"
            made = self._inside = Element(kind, name=values["name"], form=form)
        elif tag == "option" and self._inside:
            self._inside.options.append(values["value"])
            if "selected" in values or len(self._inside.options) == 1:
                self._inside.value = values["value"]
        elif tag == "label":
            self._label_for = values["for"]
        elif tag in ("td", "th", "dd") and self.lines[-1]:
            self.lines[-1].append(":" if tag == "dd" else "|")
        elif tag == "input" and values.get("type") == "hidden":
            self._hidden.append((form, values["name"], values["value"]))
        elif tag == "input":
            kind = values.get("type", "text")
            made = Element(kind if kind in ("checkbox", "radio") else "textbox", name=values["name"], form=form)
            made.value = values.get("value", "on" if made.ticks else "")
            made.checked = "checked" in values
        if made is not None:
            made.id, made.label = values.get("id", ""), values.get("aria-label", "")
            self.elements.append(made)
            if made.kind not in ("link", "button") and not made.ticks:
                self.lines.append([])
            self.lines[-1].append(made)

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        self._stack.pop()
        if tag in ("a", "button", "select", "textarea"):
            self._inside = None
        if tag in _LINES or tag in ("div", "form"):
            self.lines.append([])

    def handle_data(self, data: str) -> None:
        """Text, of the page, of an element or of a label."""
        within = self._stack[-1] if self._stack else ""
        if within == "textarea" and self._inside:
            self._inside.value += data if self._inside.value else data.removeprefix("\n")
        elif within == "label":
            self._labels[self._label_for] = " ".join(data.split())
        elif within == "title":
            self.title = data
        elif within in _SILENT or not data.strip():
            return
        elif self._inside:
            self._inside.label = self._inside.label or " ".join(data.split())
        else:
            self.lines[-1].append(" ".join(data.split()))


class Problem(ValueError):
    """Something cannot be done on this page; the message says why."""


class Reader:
    """One tab, on the sites of ``respond``.

    Args:
        respond: answers a request of the one host that there is.
    """

    def __init__(self, respond: Callable[[Request], Response]) -> None:
        self._respond = respond
        self.history: list[str] = []
        self.address = ""
        self._source = ""
        self.page = Page("")
        self.names: dict[str, Element] = {}

    def visit(self, address: str, form: Mapping[str, str] | None = None) -> None:
        """Open an address of the site, or post a form to it."""
        for _ in range(_MOST_REDIRECTIONS):
            target = urlsplit(urljoin(self.address or "/", address))
            method = "GET" if form is None else "POST"
            query = dict(parse_qsl(target.query, True))
            response = self._respond(Request(method, target.path or "/", query, form or {}))
            if response.status != 303:
                break
            address, form = dict(response.headers)["location"], None
        self.history.append(f"{target.path or '/'}?{target.query}")
        self._open(self.history[-1], response.body.decode())

    def back(self) -> None:
        """Open the page before again."""
        if len(self.history) < 2:
            raise Problem("There is no page to go back to.")
        self.history.pop()
        self.visit(self.history.pop())

    def _open(self, address: str, source: str) -> None:
        self.address, self._source = address, source
        self.page = Page(source)
        self.names = {f"a{number}": element for number, element in enumerate(self.page.elements, 1)}

    def click(self, element: Element) -> None:
        """Follow a link, press a button, or tick a box."""
        if element.kind == "link":
            self.visit(element.address)
        elif element.kind == "button":
            self.submit(element.form)
        elif element.kind == "checkbox":
            element.checked = not element.checked
        elif element.kind == "radio":
            for other in self.page.elements:
                if (other.kind, other.name, other.form) == ("radio", element.name, element.form):
                    other.checked = other is element

    def submit(self, form: int) -> None:
        """Send a form."""
        values, attributes = self.page.submitted(form), self.page.forms[form]
        if attributes["method"] == "get":
            self.visit(f"{attributes['action']}?{urlencode(values)}")
        else:
            self.visit(attributes["action"], values)

    def fill(self, element: Element, text: str) -> None:
        """Replace the text of a field."""
        if not element.writable:
            raise Problem(f"A {element.kind} is not a field for text.")
        element.value = text

    def select(self, element: Element, option: str) -> None:
        """Choose an option of a list."""
        if element.kind != "combobox":
            raise Problem(f"A {element.kind} is not a list to select from.")
        if option not in element.options:
            raise Problem(f"There is no option {option[:60]!r}; there are {', '.join(map(repr, element.options))}.")
        element.value = option

    def view(self) -> View:
        """What an oracle wants to know of the page."""
        target = urlsplit(self.address)
        fields = {
            element.id: ("on" if element.checked else "") if element.ticks else element.value
            for element in self.page.elements
            if element.kind not in ("link", "button")
        }
        return View(target.path, dict(parse_qsl(target.query, True)), frozenset(self.page.ids), fields)

    def text(self) -> str:
        """The page as lines of text, with a name in brackets before everything that can be used."""
        by_element = {id(element): name for name, element in self.names.items()}
        lines = []
        for line in self.page.lines:
            parts = [part if isinstance(part, str) else f"[{by_element[id(part)]}] {part.described()}" for part in line]
            text = " ".join(parts).strip("| ")
            if text:
                lines.append(text)
        return "\n".join(lines)

    def snapshot(self) -> Any:
        """The page with what its controls hold, and the history."""
        controls = tuple((element.value, element.checked) for element in self.page.elements)
        return self.address, self._source, controls, tuple(self.history)

    def restore(self, state: Any) -> None:
        """Go back to a :meth:`snapshot`."""
        address, source, controls, history = state
        self._open(address, source)
        for element, (value, checked) in zip(self.page.elements, controls, strict=True):
            element.value, element.checked = value, checked
        self.history = list(history)
