"""A browser of a few lines for pages without scripts, which lets the applications be tried by the thousand."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from palestra.envs.web.apps.app import App, Request
from palestra.envs.web.apps.task import Step, View


@dataclass
class Control:
    kind: str
    name: str = ""
    value: str = ""
    checked: bool = False
    form: int = -1
    options: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """Links, forms and controls of a page by their ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: dict[str, str] = {}
        self.forms: list[dict[str, str]] = []
        self.controls: dict[str, Control] = {}
        self.text: list[str] = []
        self._open: Control | None = None
        self._stack: list[str] = []
        self.feed(text)
        self.close()
        assert not self._stack, f"not closed: {self._stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag not in ("br", "hr", "img", "input", "meta"):
            self._stack.append(tag)
        if "id" in values:
            assert values["id"] not in self.ids, f"two elements have the id {values['id']}"
            self.ids.add(values["id"])
        form = len(self.forms) - 1 if "form" in self._stack else -1
        id_ = values.get("id", f"?{len(self.controls)}")
        if tag == "a":
            self.links[id_] = values["href"]
        elif tag == "form":
            self.forms.append(values)
        elif tag == "input":
            kind = values.get("type", "text")
            ticked = "checked" in values
            value = values.get("value", "on" if kind == "checkbox" else "")
            self.controls[id_] = Control(kind, values.get("name", ""), value, ticked, form)
        elif tag in ("select", "textarea", "button"):
            self._open = self.controls[id_] = Control(tag, values.get("name", ""), values.get("value", ""), form=form)
        elif tag == "option" and self._open:
            self._open.options.append(values["value"])
            if "selected" in values or len(self._open.options) == 1:
                self._open.value = values["value"]

    def handle_endtag(self, tag: str) -> None:
        assert self._stack.pop() == tag
        if tag in ("select", "textarea", "button"):
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open and self._open.kind == "textarea":
            self._open.value += data.removeprefix("\n") if not self._open.value else data
        elif data.strip() and self._stack[-1] not in ("style", "script"):
            self.text.append(data.strip())


class Reader:
    """Opens the pages of an application and does what an oracle's steps say."""

    def __init__(self, app: App[Any]) -> None:
        self.app = app
        self.told: str | None = None
        self.visit("/")

    def visit(self, address: str, form: dict[str, str] | None = None) -> None:
        target = urlsplit(urljoin(getattr(self, "address", "/"), address))
        method = "GET" if form is None else "POST"
        response = self.app.respond(Request(method, target.path, dict(parse_qsl(target.query, True)), form or {}))
        if response.status == 303:
            self.visit(dict(response.headers)["location"])
            return
        self.status = response.status
        self.address = f"{target.path}?{target.query}"
        self.page = Page(response.body.decode())

    def view(self) -> View:
        target = urlsplit(self.address)
        fields = {
            id_: ("on" if control.checked else "") if control.kind in ("checkbox", "radio") else control.value
            for id_, control in self.page.controls.items()
            if control.kind != "button"
        }
        return View(target.path, dict(parse_qsl(target.query, True)), frozenset(self.page.ids), fields)

    def do(self, step: Step) -> None:
        if step.verb == "tell":
            self.told = step.value
        elif step.target in self.page.links:
            self.visit(self.page.links[step.target])
        else:
            control = self.page.controls[step.target]
            if step.verb == "fill":
                assert control.kind in ("text", "textarea", "email", "password", "search", "tel", "number"), control
                control.value = step.value
            elif step.verb == "select":
                assert step.value in control.options, (step, control)
                control.value = step.value
            elif control.kind == "radio":
                for other in self.page.controls.values():
                    if (other.kind, other.name, other.form) == ("radio", control.name, control.form):
                        other.checked = other is control
            elif control.kind == "checkbox":
                control.checked = not control.checked
            else:
                self._submit(control.form)

    def _submit(self, number: int) -> None:
        form = self.page.forms[number]
        values = {
            control.name: control.value.replace("\n", "\r\n")
            for control in self.page.controls.values()
            if control.form == number
            and control.name
            and control.kind != "button"
            and (control.checked or control.kind not in ("checkbox", "radio"))
        }
        values = {name: value.replace("\r\n", "\n") for name, value in values.items()}
        if form["method"] == "get":
            self.visit(f"{form['action']}?{urlencode(values)}")
        else:
            self.visit(form["action"], values)
