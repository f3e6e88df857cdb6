"""Mail: folders, messages, stars, search; write, reply and forward."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np

from .app import App, NotFound, Redirect, Request, get, positive, post
from .content import ANSWERS, draw, paragraph, people, titles
from .html import Html, area, choice, form, h, line, link, pager, press, slug, table
from .task import Assignment, Step, Template, View, complete, listing, one, page_of, quoted, seen, some, towards

FOLDERS = ("Inbox", "Archive", "Travel", "Bills", "Sent", "Trash")
PER_PAGE = 8


@dataclass
class Message:
    """One message; ``sender`` and ``to`` are names."""

    number: int
    folder: str
    sender: str
    to: str
    subject: str
    body: str
    date: datetime
    starred: bool = False
    read: bool = False


@dataclass
class Mailbox:
    """All messages, the oldest first, and the people that one can write to."""

    owner: str
    contacts: list[str]
    messages: list[Message] = field(default_factory=list)

    def facts(self) -> Any:
        """What counts of the messages; whether they have been read does not."""
        return sorted((m.folder, m.sender, m.to, m.subject, m.body, m.starred) for m in self.messages)

    def folder(self, name: str) -> list[Message]:
        """The messages of a folder, the newest first."""
        return [message for message in reversed(self.messages) if message.folder == name]

    def send(self, to: str, subject: str, body: str, date: datetime) -> None:
        """Put a message into Sent."""
        number = len(self.messages) + 1
        self.messages.append(Message(number, "Sent", self.owner, to, subject, body, date, read=True))


class MailApp(App[Mailbox]):
    """The pages."""

    name, title, accent = "mail", "Mail", "#2f6fb3"
    menu = (
        *((slug("folder", name), name, f"/?folder={name}") for name in FOLDERS),
        ("compose", "Compose", "/compose"),
    )

    @get("/")
    def folder(self, request: Request) -> Html:
        """A folder, a page of it."""
        name = request.query.get("folder", "Inbox")
        if name not in FOLDERS:
            raise NotFound
        return self._list(name, self.state.folder(name), request, f"/?folder={name}")

    @get("/search")
    def search(self, request: Request) -> Html:
        """Messages of all folders that hold the words."""
        words = request.query.get("words", "").casefold().split()
        found = [
            message
            for message in reversed(self.state.messages)
            if all(word in f"{message.sender} {message.subject} {message.body}".casefold() for word in words)
        ]
        return self._list("Search", found, request, f"/search?{urlencode({'words': ' '.join(words)})}")

    def _list(self, title: str, messages: list[Message], request: Request, href: str) -> Html:
        page = positive(request.query.get("page", "1"))
        shown = messages[(page - 1) * PER_PAGE : page * PER_PAGE]
        rows = [
            (
                message.to if message.folder == "Sent" else message.sender,
                link(f"open-{message.number}", message.subject, f"/message/{message.number}", _weight(message)),
                message.date.strftime("%d %b"),
                self._star(message, request),
            )
            for message in shown
        ]
        words = line("words", "Search mail", request.query.get("words", ""))
        return self.page(
            title,
            form("/search", words, submit="Search", id_="search", method="get"),
            table(("From", "Subject", "Date", "Star"), rows, title) if rows else h.p("No messages.", class_="muted"),
            pager(len(messages), PER_PAGE, page, lambda number: f"{href}&page={number}"),
        )

    def _star(self, message: Message, request: Request) -> Html:
        back = f"{request.path}?{urlencode(request.query)}"
        text, class_ = ("Starred", "on") if message.starred else ("Star", None)
        return press(f"star-{message.number}", text, f"/star/{message.number}", class_, back=back)

    @get("/message/{number}")
    def message(self, request: Request, number: int) -> Html:
        """One message, which is read from now on."""
        message = self._find(number)
        message.read = True
        move = choice("folder", "Move to", FOLDERS, message.folder)
        return self.page(
            message.subject,
            h.dl(
                *(h.dt("From"), h.dd(message.sender), h.dt("To"), h.dd(message.to)),
                *(h.dt("Date"), h.dd(message.date.strftime("%d %b %Y, %H:%M"))),
            ),
            h.article([h.p(line) for line in message.body.split("\n")]),
            h.div(
                link(f"reply-{number}", "Reply", f"/compose?reply={number}", "button"),
                link(f"forward-{number}", "Forward", f"/compose?forward={number}", "button"),
                self._star(message, request),
                press(f"archive-{number}", "Archive", f"/move/{number}", folder="Archive"),
                press(f"delete-{number}", "Delete", f"/move/{number}", folder="Trash"),
                class_="actions",
            ),
            form(f"/move/{number}", move, submit="Move", id_="move"),
        )

    @get("/compose")
    def compose(self, request: Request) -> Html:
        """The form for a new message, an answer, or a message to be passed on."""
        to, subject, body = "", "", ""
        if "reply" in request.query:
            message = self._find(positive(request.query["reply"]))
            to, subject = message.sender, f"Re: {message.subject}"
        elif "forward" in request.query:
            message = self._find(positive(request.query["forward"]))
            subject, body = f"Fwd: {message.subject}", message.body
        return self._form(to, subject, body, {})

    def _form(self, to: str, subject: str, body: str, errors: dict[str, str]) -> Html:
        return self.page(
            "Compose",
            form(
                "/send",
                choice("to", "To", ["", *self.state.contacts], to, errors.get("to")),
                line("subject", "Subject", subject, errors.get("subject")),
                area("body", "Message", body, rows=6),
                submit="Send",
                id_="send",
            ),
        )

    @post("/send")
    def send(self, request: Request) -> Html | Redirect:
        """Send what the form holds."""
        to, subject, body = (request.form.get(name, "").strip() for name in ("to", "subject", "body"))
        errors = {} if to in self.state.contacts else {"to": "Choose who is to get it."}
        if not subject:
            errors["subject"] = "Write a subject."
        if errors:
            return self._form(to, subject, body, errors)
        self.state.send(to, subject, body, self.now)
        self.note = f"Sent to {to}."
        return Redirect("/?folder=Inbox")

    @post("/star/{number}")
    def star(self, request: Request, number: int) -> Redirect:
        """Put a star on a message, or take it away."""
        message = self._find(number)
        message.starred = not message.starred
        back = request.form.get("back", "/")
        return Redirect(back if back.startswith("/") and not back.startswith("//") else "/")

    @post("/move/{number}")
    def move(self, request: Request, number: int) -> Redirect:
        """Put a message into another folder."""
        message, folder = self._find(number), request.form.get("folder", "")
        if folder not in FOLDERS:
            raise NotFound
        came_from, message.folder = message.folder, folder
        self.note = f"Moved to {folder}."
        return Redirect(f"/?folder={came_from}")

    def _find(self, number: int) -> Message:
        if not 1 <= number <= len(self.state.messages):
            raise NotFound
        return self.state.messages[number - 1]


def _weight(message: Message) -> str | None:
    return None if message.read else "unread"


def populate(rng: np.random.Generator, size: int, now: datetime) -> Mailbox:
    """A mailbox with 5, 10 or 16 messages in the inbox and a few elsewhere."""
    owner, *others = people(rng, 8)
    mailbox = Mailbox(owner, others)
    count = {1: 5, 2: 10, 3: 16}[size]
    date = now - timedelta(days=count + 3)
    for number, title in enumerate(titles(rng, count + 3), 1):
        date += timedelta(minutes=int(rng.integers(30, 1400)))
        folder = "Inbox" if number > 3 else draw(rng, ("Archive", "Travel", "Bills"))
        body = f"{paragraph(rng)}\nReference {int(rng.integers(10000, 99999))}."
        mailbox.messages.append(Message(number, folder, draw(rng, others), owner, title, body, date))
    return mailbox


@dataclass(frozen=True)
class Star:
    """Put a star on a message."""

    number: int

    def apply(self, state: Mailbox) -> None:
        """Star it."""
        state.messages[self.number - 1].starred = True

    def done(self, state: Mailbox) -> bool:
        """Whether it is starred."""
        return state.messages[self.number - 1].starred

    def step(self, view: View, state: Mailbox) -> Step:
        """Click its star where it is listed."""
        return towards(view, f"star-{self.number}", *_way(view, state, self.number))


@dataclass(frozen=True)
class Move:
    """Put a message into a folder."""

    number: int
    folder: str

    def apply(self, state: Mailbox) -> None:
        """Move it."""
        state.messages[self.number - 1].folder = self.folder

    def done(self, state: Mailbox) -> bool:
        """Whether it is there."""
        return state.messages[self.number - 1].folder == self.folder

    def step(self, view: View, state: Mailbox) -> Step:
        """Open it, and press the button or choose the folder."""
        if view.path != f"/message/{self.number}":
            return towards(view, f"open-{self.number}", *_way(view, state, self.number))
        if self.folder in ("Archive", "Trash"):
            return Step("click", f"{'archive' if self.folder == 'Archive' else 'delete'}-{self.number}")
        return complete(view, {"folder": f"option:{self.folder}"}, "move")


@dataclass(frozen=True)
class Write:
    """Send a message: a new one, or as ``kind`` says a ``reply`` to or ``forward`` of message ``number``."""

    to: str
    subject: str
    body: str
    kind: str = ""
    number: int = 0

    def apply(self, state: Mailbox) -> None:
        """Send it."""
        state.send(self.to, self.subject, self.body, datetime.min)

    def done(self, state: Mailbox) -> bool:
        """Whether it is among those sent."""
        wanted = self.to, self.subject, self.body
        return any((m.to, m.subject, m.body) == wanted for m in state.folder("Sent"))

    def step(self, view: View, state: Mailbox) -> Step:
        """Open the form from the message, or the menu, and fill it in."""
        if view.path in ("/compose", "/send") and view.query.get(self.kind, "") == (str(self.number) * bool(self.kind)):
            return complete(view, {"to": f"option:{self.to}", "subject": self.subject, "body": self.body}, "send")
        if not self.kind:
            return Step("click", "compose")
        return towards(view, f"{self.kind}-{self.number}", f"open-{self.number}", *_way(view, state, self.number))


def _way(view: View, state: Mailbox, number: int) -> tuple[str, str]:
    """Ids that lead to the list that shows a message."""
    folder = state.messages[number - 1].folder
    place = [message.number for message in state.folder(folder)].index(number)
    page, listed = page_of(place, PER_PAGE), slug("folder", folder)
    here = view.path == "/" and view.query.get("folder", "Inbox") == folder
    return (page, listed) if here else (listed, listed)


def _inbox(state: Mailbox, rng: np.random.Generator, level: int) -> list[Message]:
    return some(rng, state.folder("Inbox"), level)


def _named(messages: list[Message]) -> str:
    noun = "message" if len(messages) == 1 else "messages"
    return f"{noun} {listing(quoted(message.subject) for message in messages)}"


def _star(state: Mailbox, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _inbox(state, rng, level)
    return Assignment(f"Star the {_named(chosen)}.", tuple(Star(message.number) for message in chosen))


def _mover(folder: str, words: str) -> Any:
    def ask(state: Mailbox, rng: np.random.Generator, level: int) -> Assignment:
        chosen = _inbox(state, rng, level)
        return Assignment(words.format(_named(chosen)), tuple(Move(message.number, folder) for message in chosen))

    return ask


def _send(state: Mailbox, rng: np.random.Generator, level: int) -> Assignment:
    sent = [
        Write(to, title, draw(rng, ANSWERS))
        for to, title in zip(some(rng, state.contacts, level), titles(rng, level), strict=True)
    ]
    wishes = [f'to {write.to} with the subject "{write.subject}" and the text "{write.body}"' for write in sent]
    return Assignment(f"Write a message {listing(wishes, 'and one')}.", tuple(sent))


def _reply(state: Mailbox, rng: np.random.Generator, level: int) -> Assignment:
    sent = [
        Write(message.sender, f"Re: {message.subject}", draw(rng, ANSWERS), "reply", message.number)
        for message in _inbox(state, rng, level)
    ]
    wishes = [f'"{write.subject[4:]}" with "{write.body}"' for write in sent]
    return Assignment(f"Reply to the message {listing(wishes, 'and to')}.", tuple(sent))


def _forward(state: Mailbox, rng: np.random.Generator, level: int) -> Assignment:
    sent = [
        Write(one(rng, state.contacts), f"Fwd: {message.subject}", message.body, "forward", message.number)
        for message in _inbox(state, rng, level)
    ]
    wishes = [f'the message "{write.subject[5:]}" to {write.to}' for write in sent]
    return Assignment(f"Forward {listing(wishes)}.", tuple(sent))


def _count(state: Mailbox, rng: np.random.Generator, level: int) -> Assignment:
    names = some(rng, state.contacts, level)
    count = sum(message.sender in names for message in state.folder("Inbox"))
    goal = f"How many messages in the inbox are from {listing(names, 'or')}? Answer with the number."
    last = page_of(len(state.folder("Inbox")) - 1, PER_PAGE)
    ending = f"open-{state.folder('Inbox')[-1].number}"
    return Assignment(goal, answer=str(count), look=seen(ending, last, "folder-inbox"))


def _reference(state: Mailbox, rng: np.random.Generator, level: int) -> Assignment:
    # The question is about one message; the level is how far down it is.
    inbox = state.folder("Inbox")
    place = min(len(inbox) - 1, int(rng.integers(level * len(inbox) // 4, (level + 1) * len(inbox) // 4 + 1)))
    message = inbox[place]
    goal = f'What is the reference number in the message "{message.subject}"? Answer with the number.'
    answer = message.body.rpartition("Reference ")[2].rstrip(".")
    number = message.number
    look = seen(f"reply-{number}", f"open-{number}", page_of(place, PER_PAGE), "folder-inbox")
    return Assignment(goal, answer=answer, look=look)


TEMPLATES = (
    Template("mail-star", MailApp, populate, _star),
    Template("mail-archive", MailApp, populate, _mover("Archive", "Archive the {}.")),
    Template("mail-delete", MailApp, populate, _mover("Trash", "Delete the {}.")),
    Template("mail-travel", MailApp, populate, _mover("Travel", "Move the {} to the folder Travel.")),
    Template("mail-send", MailApp, populate, _send),
    Template("mail-reply", MailApp, populate, _reply),
    Template("mail-forward", MailApp, populate, _forward),
    Template("mail-count", MailApp, populate, _count),
    Template("mail-reference", MailApp, populate, _reference),
)
