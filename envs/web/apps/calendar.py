"""A calendar: weeks of events, which are made, moved, given guests, and removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from .app import App, NotFound, Redirect, Request, get, post
from .content import ROOMS, draw, people, titles
from .html import Html, choice, form, h, line, link, press
from .task import Assignment, Step, Template, View, complete, listing, one, quoted, some

TIMES = tuple(f"{hour:02}:{minute:02}" for hour in range(7, 21) for minute in (0, 30))
LENGTHS = ("30 minutes", "60 minutes", "90 minutes", "120 minutes")
_WEEKS = 20
"""How many weeks one may leaf from the present one."""


@dataclass
class Event:
    """One event; ``day`` is an ISO date."""

    number: int
    title: str
    day: str
    time: str
    length: str
    place: str
    guests: list[str] = field(default_factory=list)


@dataclass
class Calendar:
    """All events, in the order in which they were made."""

    today: date
    contacts: list[str]
    events: dict[int, Event] = field(default_factory=dict)
    last: int = 0

    def facts(self) -> Any:
        """What counts of the events."""
        return sorted((e.title, e.day, e.time, e.length, e.place, sorted(e.guests)) for e in self.events.values())

    def add(self, title: str, day: str, time: str, length: str, place: str) -> Event:
        """Make an event."""
        self.last += 1
        event = self.events[self.last] = Event(self.last, title, day, time, length, place)
        return event

    def on(self, day: date) -> list[Event]:
        """The events of a day, by time."""
        found = [event for event in self.events.values() if event.day == day.isoformat()]
        return sorted(found, key=lambda event: event.time)

    def week_of(self, day: str) -> int:
        """How many weeks after the present one a day is."""
        return (monday(date.fromisoformat(day)) - monday(self.today)).days // 7


def monday(day: date) -> date:
    """The first day of the week."""
    return day - timedelta(days=day.weekday())


class CalendarApp(App[Calendar]):
    """The pages."""

    name, title, accent = "calendar", "Calendar", "#1f7a5c"
    menu = (("this-week", "This week", "/"), ("new", "New event", "/new"))

    @get("/")
    def week(self, request: Request) -> Html:
        """Seven days and their events."""
        number = _week(request)
        start = monday(self.state.today) + timedelta(weeks=number)
        days = []
        for offset in range(7):
            day = start + timedelta(days=offset)
            events = [
                h.li(event.time, " ", link(f"open-{event.number}", event.title, f"/event/{event.number}"), " ", place)
                for event in self.state.on(day)
                for place in [h.span(event.place, class_="tag")]
            ]
            days.append(h.div(h.h2(day.strftime("%A %d %B")), h.ul(events) if events else None, class_="card"))
        return self.page(
            f"Week from {start:%d %B %Y}",
            h.div(
                link("previous", "Previous week", f"/?week={number - 1}", "button"),
                link("next", "Next week", f"/?week={number + 1}", "button"),
                class_="actions",
            ),
            h.div(days, class_="cards"),
        )

    @get("/event/{number}")
    def event(self, request: Request, number: int) -> Html:
        """One event, as a form."""
        event = self._find(number)
        return self._form(event.title, f"/event/{number}", vars(event), {}, self._guests(event))

    def _guests(self, event: Event) -> Html:
        guests = [
            h.li(guest, " ", press(f"remove-{place}", "Remove", f"/uninvite/{event.number}", guest=guest))
            for place, guest in enumerate(event.guests)
        ]
        absent = [name for name in self.state.contacts if name not in event.guests]
        return h.div(
            h.h2("Guests"),
            h.ul(guests) if guests else h.p("Nobody is invited.", class_="muted"),
            form(f"/invite/{event.number}", choice("guest", "Guest", ["", *absent]), submit="Invite", id_="invite"),
            press("delete", "Delete event", f"/delete/{event.number}"),
        )

    @get("/new")
    def new(self, request: Request) -> Html:
        """An empty form."""
        return self._form("New event", "/new", {"day": self.state.today.isoformat()}, {}, None)

    def _form(self, title: str, path: str, values: dict[str, Any], errors: dict[str, str], beside: Html | None) -> Html:
        controls = [
            line("title", "Title", values.get("title", ""), errors.get("title")),
            line("day", "Day (year-month-day)", values.get("day", ""), errors.get("day")),
            choice("time", "Time", TIMES, values.get("time", "09:00"), errors.get("time")),
            choice("length", "Length", LENGTHS, values.get("length", "60 minutes"), errors.get("length")),
            choice("place", "Place", ROOMS, values.get("place", ""), errors.get("place")),
        ]
        return self.page(title, h.div(form(path, *controls, submit="Save", id_="save"), beside, class_="columns"))

    @post("/new")
    def create(self, request: Request) -> Html | Redirect:
        """Make the event of the form."""
        values, errors = _checked(request)
        if errors:
            return self._form("New event", "/new", values, errors, None)
        event = self.state.add(**values)
        self.note = f"Added {event.title}."
        return Redirect(f"/?week={self.state.week_of(event.day)}")

    @post("/event/{number}")
    def change(self, request: Request, number: int) -> Html | Redirect:
        """Change the event as the form says."""
        event = self._find(number)
        values, errors = _checked(request)
        if errors:
            return self._form(event.title, f"/event/{number}", values, errors, self._guests(event))
        for name, value in values.items():
            setattr(event, name, value)
        self.note = f"Saved {event.title}."
        return Redirect(f"/?week={self.state.week_of(event.day)}")

    @post("/delete/{number}")
    def delete(self, request: Request, number: int) -> Redirect:
        """Remove an event."""
        event = self._find(number)
        del self.state.events[number]
        self.note = f"Deleted {event.title}."
        return Redirect(f"/?week={self.state.week_of(event.day)}")

    @post("/invite/{number}")
    def invite(self, request: Request, number: int) -> Redirect:
        """Invite a guest."""
        event, guest = self._find(number), request.form.get("guest", "")
        if guest in self.state.contacts and guest not in event.guests:
            event.guests.append(guest)
            self.note = f"Invited {guest}."
        return Redirect(f"/event/{number}")

    @post("/uninvite/{number}")
    def uninvite(self, request: Request, number: int) -> Redirect:
        """Take an invitation back."""
        event, guest = self._find(number), request.form.get("guest", "")
        if guest in event.guests:
            event.guests.remove(guest)
        return Redirect(f"/event/{number}")

    def _find(self, number: int) -> Event:
        if number not in self.state.events:
            raise NotFound
        return self.state.events[number]


def _week(request: Request) -> int:
    text = request.query.get("week", "0")
    digits = text.removeprefix("-")
    number = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 0
    return max(-_WEEKS, min(_WEEKS, number))


def _checked(request: Request) -> tuple[dict[str, str], dict[str, str]]:
    """What the form holds, and what is wrong with it."""
    values = {name: request.form.get(name, "").strip() for name in ("title", "day", "time", "length", "place")}
    errors = {} if values["title"] else {"title": "Give the event a title."}
    try:
        values["day"] = date.fromisoformat(values["day"]).isoformat()
    except ValueError:
        errors["day"] = "Write the day as in 2031-05-24."
    for name, known in (("time", TIMES), ("length", LENGTHS), ("place", ROOMS)):
        if values[name] not in known:
            errors[name] = "Choose one of the list."
    return values, errors


def populate(rng: np.random.Generator, size: int, now: datetime) -> Calendar:
    """A calendar with 5, 10 or 18 events in one, two or three weeks."""
    calendar = Calendar(now.date(), people(rng, 6))
    for title in titles(rng, {1: 5, 2: 10, 3: 18}[size]):
        day = monday(calendar.today) + timedelta(days=int(rng.integers(7 * size)))
        event = calendar.add(title, day.isoformat(), draw(rng, TIMES), draw(rng, LENGTHS), draw(rng, ROOMS))
        event.guests = some(rng, calendar.contacts, int(rng.integers(3)))
    return calendar


@dataclass(frozen=True)
class Add:
    """Make an event."""

    title: str
    day: str
    time: str
    length: str
    place: str

    def apply(self, state: Calendar) -> None:
        """Make it."""
        state.add(**vars(self))

    def done(self, state: Calendar) -> bool:
        """Whether there is one like it."""
        wanted = tuple(vars(self).values())
        return any((e.title, e.day, e.time, e.length, e.place) == wanted for e in state.events.values())

    def step(self, view: View, state: Calendar) -> Step:
        """Fill in the form."""
        if view.path != "/new":
            return Step("click", "new")
        return complete(view, {name: _value(name, value) for name, value in vars(self).items()}, "save")


@dataclass(frozen=True)
class Change:
    """Give an event another title, day, time or place."""

    number: int
    name: str
    value: str

    def apply(self, state: Calendar) -> None:
        """Change it."""
        setattr(state.events[self.number], self.name, self.value)

    def done(self, state: Calendar) -> bool:
        """Whether it is so."""
        return self.number in state.events and getattr(state.events[self.number], self.name) == self.value

    def step(self, view: View, state: Calendar) -> Step:
        """Open it, write the new value, save."""
        if view.path == f"/event/{self.number}":
            return complete(view, {self.name: _value(self.name, self.value)}, "save")
        return _open(view, state, self.number)


@dataclass(frozen=True)
class Invite:
    """Invite a guest to an event."""

    number: int
    guest: str

    def apply(self, state: Calendar) -> None:
        """Invite."""
        state.events[self.number].guests.append(self.guest)

    def done(self, state: Calendar) -> bool:
        """Whether the guest is invited."""
        return self.number in state.events and self.guest in state.events[self.number].guests

    def step(self, view: View, state: Calendar) -> Step:
        """Open the event, choose the guest, press the button."""
        if view.path == f"/event/{self.number}":
            return complete(view, {"guest": f"option:{self.guest}"}, "invite")
        return _open(view, state, self.number)


@dataclass(frozen=True)
class Delete:
    """Remove an event."""

    number: int

    def apply(self, state: Calendar) -> None:
        """Remove it."""
        del state.events[self.number]

    def done(self, state: Calendar) -> bool:
        """Whether it is gone."""
        return self.number not in state.events

    def step(self, view: View, state: Calendar) -> Step:
        """Open it and press the button."""
        if view.path == f"/event/{self.number}":
            return Step("click", "delete")
        return _open(view, state, self.number)


def _value(name: str, value: str) -> str:
    return value if name in ("title", "day") else f"option:{value}"


def _open(view: View, state: Calendar, number: int) -> Step:
    """Leaf to the week of an event and open it; where it is gone there is nothing to be done any more."""
    if number not in state.events:
        return Step("click", "this-week")
    return _leaf(view, state.week_of(state.events[number].day)) or Step("click", f"open-{number}")


def _leaf(view: View, week: int) -> Step | None:
    """The next click towards the page of a week, None on it."""
    if view.path != "/":
        return Step("click", "this-week")
    here = int(view.query.get("week", "0"))
    return None if here == week else Step("click", "next" if here < week else "previous")


def _leafing(state: Calendar, day: str) -> Callable[[View], Step | None]:
    return lambda view: _leaf(view, state.week_of(day))


def _events(state: Calendar, rng: np.random.Generator, level: int) -> list[Event]:
    return some(rng, state.events.values(), level)


def _add(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
    added = []
    for title in titles(rng, level):
        day = state.today + timedelta(days=int(rng.integers(1, 20)))
        added.append(Add(title, day.isoformat(), draw(rng, TIMES), draw(rng, LENGTHS), draw(rng, ROOMS)))
    wishes = [f'"{add.title}" on {add.day} at {add.time} for {add.length}, place {add.place}' for add in added]
    return Assignment(f"Add the event {listing(wishes, 'and the event')}.", tuple(added))


def _move(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
    moved = []
    for event in _events(state, rng, level):
        day = date.fromisoformat(event.day) + timedelta(days=int(rng.integers(1, 12)))
        moved.append(Change(event.number, "day", day.isoformat()))
    wishes = [f'"{state.events[change.number].title}" to {change.value}' for change in moved]
    return Assignment(f"Move the event {listing(wishes, 'and the event')}.", tuple(moved))


def _changer(name: str, known: Any, words: str) -> Any:
    def ask(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
        changed = []
        for event in _events(state, rng, level):
            others = [value for value in known if value != getattr(event, name)]
            changed.append(Change(event.number, name, one(rng, others)))
        wishes = [words.format(quoted(state.events[change.number].title), change.value) for change in changed]
        return Assignment(f"Change {listing(wishes)}.", tuple(changed))

    return ask


def _rename(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
    names = [title for title in titles(rng, 3 * level + 20) if title not in {e.title for e in state.events.values()}]
    changed = [
        Change(event.number, "title", name) for event, name in zip(_events(state, rng, level), names, strict=False)
    ]
    wishes = [f'"{state.events[change.number].title}" into "{change.value}"' for change in changed]
    return Assignment(f"Rename the event {listing(wishes, 'and the event')}.", tuple(changed))


def _invite(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
    invited = []
    for event in _events(state, rng, level):
        absent = [name for name in state.contacts if name not in event.guests]
        invited.append(Invite(event.number, one(rng, absent)))
    wishes = [f'{invite.guest} to "{state.events[invite.number].title}"' for invite in invited]
    return Assignment(f"Invite {listing(wishes)}.", tuple(invited))


def _delete(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _events(state, rng, level)
    goal = f"Delete the event{'s' * (level > 1)} {listing(quoted(event.title) for event in chosen)}."
    return Assignment(goal, tuple(Delete(event.number) for event in chosen))


def _when(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
    # The later the week, the more leafing.
    by_day = sorted(state.events.values(), key=lambda event: (event.day, event.time))
    low, high = (level - 1) * len(by_day) // 4, level * len(by_day) // 4
    event = by_day[int(rng.integers(low, max(high, low + 1)))]
    goal = f'At what time does "{event.title}" start? Answer as in 09:30.'
    return Assignment(goal, answer=event.time, look=_leafing(state, event.day))


def _busy(state: Calendar, rng: np.random.Generator, level: int) -> Assignment:
    week = min(level - 1, 3)
    day = monday(state.today) + timedelta(weeks=week, days=int(rng.integers(7)))
    for title in titles(rng, int(rng.integers(4))):
        state.add(title, day.isoformat(), draw(rng, TIMES), draw(rng, LENGTHS), draw(rng, ROOMS))
    goal = f"How many events are there on {day:%A %d %B}? Answer with the number."
    return Assignment(goal, answer=str(len(state.on(day))), look=_leafing(state, day.isoformat()))


TEMPLATES = (
    Template("calendar-add", CalendarApp, populate, _add),
    Template("calendar-move", CalendarApp, populate, _move),
    Template("calendar-time", CalendarApp, populate, _changer("time", TIMES, "the time of {} to {}")),
    Template("calendar-place", CalendarApp, populate, _changer("place", ROOMS, "the place of {} to {}")),
    Template("calendar-rename", CalendarApp, populate, _rename),
    Template("calendar-invite", CalendarApp, populate, _invite),
    Template("calendar-delete", CalendarApp, populate, _delete),
    Template("calendar-when", CalendarApp, populate, _when),
    Template("calendar-busy", CalendarApp, populate, _busy),
)
