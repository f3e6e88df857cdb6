"""An issue tracker: open, sort, assign, discuss and close reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import numpy as np

from .app import App, NotFound, Redirect, Request, get, positive, post
from .content import ANSWERS, draw, paragraph, people, titles
from .html import Html, area, choice, form, h, line, link, pager, press, table
from .task import Assignment, Step, Template, View, complete, listing, one, page_of, quoted, seen, some, towards

LABELS = ("bug", "feature", "question", "documentation", "design")
PRIORITIES = ("low", "normal", "high", "urgent")
STATES = ("open", "closed")
PER_PAGE = 8


@dataclass
class Issue:
    """One report."""

    number: int
    title: str
    body: str
    author: str
    label: str
    priority: str = "normal"
    assignee: str = ""
    state: str = "open"
    comments: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Tracker:
    """All issues by number, the people, and who is using it."""

    user: str
    people: list[str]
    issues: list[Issue] = field(default_factory=list)

    def facts(self) -> Any:
        """What counts of the issues."""
        return sorted((*tuple(vars(i).values())[1:-1], tuple(i.comments)) for i in self.issues)

    def report(self, title: str, body: str, label: str, priority: str, author: str = "") -> Issue:
        """Open an issue."""
        self.issues.append(Issue(len(self.issues) + 1, title, body, author or self.user, label, priority))
        return self.issues[-1]

    def listed(self, state: str = "open", label: str = "") -> list[Issue]:
        """The issues of a state, and a label if one is given, the newest first."""
        return [i for i in reversed(self.issues) if i.state == state and label in ("", i.label)]


class IssuesApp(App[Tracker]):
    """The pages."""

    name, title, accent = "issues", "Issues", "#5a4fa3"
    menu = (("open", "Open issues", "/"), ("closed", "Closed issues", "/?state=closed"), ("new", "New issue", "/new"))

    @get("/")
    def listed(self, request: Request) -> Html:
        """A list, by state and label."""
        state, label = request.query.get("state", "open"), request.query.get("label", "")
        if state not in STATES:
            raise NotFound
        issues, page = self.state.listed(state, label), positive(request.query.get("page", "1"))
        rows = [
            (
                f"#{issue.number}",
                link(f"issue-{issue.number}", issue.title, f"/issue/{issue.number}"),
                h.span(issue.label, class_="tag"),
                issue.priority,
                issue.assignee or "nobody",
            )
            for issue in issues[(page - 1) * PER_PAGE : page * PER_PAGE]
        ]
        chosen = {"state": state, "label": label}
        return self.page(
            f"{state.capitalize()} issues",
            form(
                "/",
                h.input(type="hidden", name="state", value=state),
                choice("label", "Label", ["", *LABELS], label),
                submit="Filter",
                id_="filter",
                method="get",
            ),
            h.p(f"{len(issues)} {state} issues", f" labelled {label}" if label else "", class_="muted"),
            table(("Number", "Title", "Label", "Priority", "Assigned to"), rows, "Issues") if rows else None,
            pager(len(issues), PER_PAGE, page, lambda number: f"/?{urlencode(chosen | {'page': number})}"),
        )

    @get("/issue/{number}")
    def issue(self, request: Request, number: int) -> Html:
        """One issue."""
        issue = self._find(number)
        shut = issue.state == "closed"
        return self.page(
            f"#{number} {issue.title}",
            h.div(
                h.div(
                    h.article(h.p(issue.author, " wrote:", class_="muted"), h.p(issue.body)),
                    [h.article(h.p(author, class_="muted"), h.p(text)) for author, text in issue.comments],
                    form(f"/comment/{number}", area("comment", "Comment"), submit="Comment", id_="add-comment"),
                ),
                h.div(
                    h.p("This issue is ", issue.state, "."),
                    press("toggle", "Reopen issue" if shut else "Close issue", f"/toggle/{number}"),
                    form(
                        f"/edit/{number}",
                        choice("label", "Label", LABELS, issue.label),
                        choice("priority", "Priority", PRIORITIES, issue.priority),
                        choice("assignee", "Assigned to", ["", *self.state.people], issue.assignee),
                        submit="Save",
                        id_="save",
                    ),
                ),
                class_="columns",
            ),
        )

    @post("/comment/{number}")
    def comment(self, request: Request, number: int) -> Redirect:
        """Add a comment."""
        issue, text = self._find(number), request.form.get("comment", "").strip()
        if text:
            issue.comments.append((self.state.user, text))
        self.note = "Comment added." if text else "Write a comment first."
        return Redirect(f"/issue/{number}")

    @post("/toggle/{number}")
    def toggle(self, request: Request, number: int) -> Redirect:
        """Close or reopen."""
        issue = self._find(number)
        issue.state = "open" if issue.state == "closed" else "closed"
        self.note = f"#{number} is {issue.state}."
        return Redirect(f"/issue/{number}")

    @post("/edit/{number}")
    def edit(self, request: Request, number: int) -> Redirect:
        """Change label, priority and who it is assigned to."""
        issue = self._find(number)
        for name, known in (("label", LABELS), ("priority", PRIORITIES), ("assignee", ("", *self.state.people))):
            if request.form.get(name) in known:
                setattr(issue, name, request.form[name])
        self.note = "Saved."
        return Redirect(f"/issue/{number}")

    @get("/new")
    def new(self, request: Request) -> Html:
        """An empty form."""
        return self._form({}, None)

    def _form(self, values: dict[str, str], error: str | None) -> Html:
        return self.page(
            "New issue",
            form(
                "/new",
                line("title", "Title", values.get("title", ""), error),
                area("body", "Description", values.get("body", "")),
                choice("label", "Label", LABELS, values.get("label", LABELS[0])),
                choice("priority", "Priority", PRIORITIES, values.get("priority", "normal")),
                submit="Create issue",
                id_="create",
            ),
        )

    @post("/new")
    def create(self, request: Request) -> Html | Redirect:
        """Open the issue of the form."""
        values = {name: request.form.get(name, "").strip() for name in ("title", "body", "label", "priority")}
        if not values["title"]:
            return self._form(values, "Give the issue a title.")
        if values["label"] not in LABELS or values["priority"] not in PRIORITIES:
            raise NotFound
        issue = self.state.report(**values)
        self.note = f"Created #{issue.number}."
        return Redirect("/")

    def _find(self, number: int) -> Issue:
        if not 1 <= number <= len(self.state.issues):
            raise NotFound
        return self.state.issues[number - 1]


def populate(rng: np.random.Generator, size: int, now: datetime) -> Tracker:
    """A tracker with 6, 11 or 20 issues, most of them open."""
    user, *others = people(rng, 6)
    tracker = Tracker(user, [user, *others])
    for title in titles(rng, {1: 6, 2: 11, 3: 20}[size]):
        issue = tracker.report(title, paragraph(rng), draw(rng, LABELS), draw(rng, PRIORITIES), draw(rng, others))
        issue.assignee = draw(rng, ["", *tracker.people])
        issue.state = "closed" if rng.random() < 0.15 else "open"
    for issue in tracker.issues[:4]:
        issue.state = "open"
    return tracker


@dataclass(frozen=True)
class Set:
    """Give an issue another state, label, priority or assignee."""

    number: int
    name: str
    value: str

    def apply(self, state: Tracker) -> None:
        """Set it."""
        setattr(state.issues[self.number - 1], self.name, self.value)

    def done(self, state: Tracker) -> bool:
        """Whether it is so."""
        return getattr(state.issues[self.number - 1], self.name) == self.value

    def step(self, view: View, state: Tracker) -> Step:
        """Open it, then press the button or fill in the form."""
        if view.path != f"/issue/{self.number}":
            return _open(view, state, self.number)
        if self.name == "state":
            return Step("click", "toggle")
        return complete(view, {self.name: f"option:{self.value}"}, "save")


@dataclass(frozen=True)
class Comment:
    """Comment on an issue."""

    number: int
    text: str

    def apply(self, state: Tracker) -> None:
        """Add the comment."""
        state.issues[self.number - 1].comments.append((state.user, self.text))

    def done(self, state: Tracker) -> bool:
        """Whether it is there."""
        return (state.user, self.text) in state.issues[self.number - 1].comments

    def step(self, view: View, state: Tracker) -> Step:
        """Open it, write, press the button."""
        if view.path != f"/issue/{self.number}":
            return _open(view, state, self.number)
        return complete(view, {"comment": self.text}, "add-comment")


@dataclass(frozen=True)
class Report:
    """Open an issue."""

    title: str
    body: str
    label: str
    priority: str

    def apply(self, state: Tracker) -> None:
        """Open it."""
        state.report(**vars(self))

    def done(self, state: Tracker) -> bool:
        """Whether there is one like it."""
        wanted = tuple(vars(self).values())
        return any((i.title, i.body, i.label, i.priority) == wanted for i in state.issues)

    def step(self, view: View, state: Tracker) -> Step:
        """Fill in the form."""
        if view.path != "/new":
            return Step("click", "new")
        chosen = {"label": f"option:{self.label}", "priority": f"option:{self.priority}"}
        return complete(view, {"title": self.title, "body": self.body, **chosen}, "create")


def _open(view: View, state: Tracker, number: int) -> Step:
    """Open an issue by way of the list that it is on."""
    issue = state.issues[number - 1]
    place = [listed.number for listed in state.listed(issue.state)].index(number)
    here = view.path == "/" and view.query.get("state", "open") == issue.state and not view.query.get("label")
    listed = "open" if issue.state == "open" else "closed"
    return towards(view, f"issue-{number}", page_of(place, PER_PAGE) if here else listed, listed)


def _issues(state: Tracker, rng: np.random.Generator, level: int) -> list[Issue]:
    return some(rng, state.listed(), level)


def _named(issues: list[Issue]) -> str:
    return f"issue{'s' * (len(issues) > 1)} {listing(quoted(issue.title) for issue in issues)}"


def _close(state: Tracker, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _issues(state, rng, level)
    return Assignment(f"Close the {_named(chosen)}.", tuple(Set(issue.number, "state", "closed") for issue in chosen))


def _close_all(state: Tracker, rng: np.random.Generator, level: int) -> Assignment:
    label = draw(rng, LABELS)
    chosen = _issues(state, rng, level)
    for issue in state.listed(label=label):
        issue.label = one(rng, (other for other in LABELS if other != label))
    for issue in chosen:
        issue.label = label
    changes = tuple(Set(issue.number, "state", "closed") for issue in chosen)
    return Assignment(f"Close every open issue with the label {label}.", changes)


def _setter(name: str, values: Callable[[Tracker], Any], words: str) -> Any:
    def ask(state: Tracker, rng: np.random.Generator, level: int) -> Assignment:
        changes = [
            Set(issue.number, name, one(rng, (value for value in values(state) if value != getattr(issue, name))))
            for issue in _issues(state, rng, level)
        ]
        wishes = [words.format(quoted(state.issues[c.number - 1].title), c.value) for c in changes]
        goal = listing(wishes)
        return Assignment(f"{goal[0].upper()}{goal[1:]}.", tuple(changes))

    return ask


def _comment(state: Tracker, rng: np.random.Generator, level: int) -> Assignment:
    comments = [Comment(issue.number, draw(rng, ANSWERS)) for issue in _issues(state, rng, level)]
    wishes = [f'the issue "{state.issues[c.number - 1].title}" with "{c.text}"' for c in comments]
    return Assignment(f"Comment on {listing(wishes, 'and on')}.", tuple(comments))


def _report(state: Tracker, rng: np.random.Generator, level: int) -> Assignment:
    reports = [
        Report(title, paragraph(rng, 1), draw(rng, LABELS), draw(rng, PRIORITIES)) for title in titles(rng, level)
    ]
    wishes = [
        f'"{r.title}" with the description "{r.body}", label {r.label} and priority {r.priority}' for r in reports
    ]
    return Assignment(f"Create the issue {listing(wishes, 'and the issue')}.", tuple(reports))


def _count(state: Tracker, rng: np.random.Generator, level: int) -> Assignment:
    label = draw(rng, LABELS)
    people_ = some(rng, state.people, level - 1)
    found = [i for i in state.listed(label=label) if not people_ or i.assignee in people_]
    whose = f" and are assigned to {listing(people_, 'or')}" if people_ else ""
    goal = f"How many open issues have the label {label}{whose}? Answer with the number."

    def look(view: View) -> Step | None:
        if view.path == "/" and view.query.get("label") == label and view.query.get("state", "open") == "open":
            return None
        return complete(view, {"label": f"option:{label}"}, "filter") if "filter" in view.ids else Step("click", "open")

    return Assignment(goal, answer=str(len(found)), look=look)


def _who(state: Tracker, rng: np.random.Generator, level: int) -> Assignment:
    # The higher the level, the further down the list.
    listed = state.listed()
    place = int(rng.integers((level - 1) * len(listed) // 4, max(level * len(listed) // 4, 1)))
    issue = listed[place]
    goal = f'Who wrote the issue "{issue.title}"? Answer with the name.'
    look = seen("toggle", f"issue-{issue.number}", page_of(place, PER_PAGE), "open")
    return Assignment(goal, answer=issue.author, look=look)


TEMPLATES = (
    Template("issues-close", IssuesApp, populate, _close),
    Template("issues-close-all", IssuesApp, populate, _close_all),
    Template(
        "issues-assign", IssuesApp, populate, _setter("assignee", lambda s: s.people, "assign the issue {} to {}")
    ),
    Template("issues-label", IssuesApp, populate, _setter("label", lambda s: LABELS, "label the issue {} as {}")),
    Template(
        "issues-priority",
        IssuesApp,
        populate,
        _setter("priority", lambda s: PRIORITIES, "set the priority of the issue {} to {}"),
    ),
    Template("issues-comment", IssuesApp, populate, _comment),
    Template("issues-new", IssuesApp, populate, _report),
    Template("issues-count", IssuesApp, populate, _count),
    Template("issues-who", IssuesApp, populate, _who),
)
