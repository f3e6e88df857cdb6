"""Requests: what a person asks for, the state that it begins in, and the state that it is to end in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from . import domains
from .domains import DOMAINS, Domain, State

T = TypeVar("T")

DAYS: tuple[domains.Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
PEOPLE = ("ana", "ben", "carla", "dmitri", "elif", "farid", "greta", "hugo")
TITLES = (
    "budget review",
    "design meeting",
    "lunch",
    "interview",
    "planning",
    "training",
    "status call",
    "retrospective",
)
FOLDERS = ("notes", "drafts", "reports", "letters")
WORDS = ("apple", "bridge", "cotton", "delta", "ember", "forest", "garnet", "harbour", "island", "jasmine")
ITEMS = ("lamp", "chair", "kettle", "blanket", "clock", "basket", "mirror", "vase")
STREETS = ("mill lane 4", "park road 12", "high street 31", "river walk 7", "station square 2", "hill side 9")


Look = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Request:
    """A task: ``text`` is asked for in the ``domain``; it is done when the state's content is that of ``goal``.

    A question also has an ``answer``.  ``look`` is a call (name and arguments) whose result one has to know.
    """

    domain: Domain
    text: str
    state: State
    goal: State
    answer: str | None = None
    look: Look | None = None


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def some(rng: np.random.Generator, items: Sequence[T], least: int, most: int) -> list[T]:
    """Some different items, in a drawn order."""
    count = int(rng.integers(least, most + 1))
    return [items[index] for index in rng.permutation(len(items))[:count]]


def _ids(rng: np.random.Generator, letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in rng.choice(np.arange(101, 1000), size=count, replace=False)]


def _time(rng: np.random.Generator) -> str:
    return f"{int(rng.integers(8, 18)):02}:{pick(rng, ('00', '15', '30', '45'))}"


def _calendar(rng: np.random.Generator) -> State:
    titles = some(rng, TITLES, 3, 5)
    events = {
        key: {
            "title": title,
            "day": pick(rng, DAYS),
            "start": _time(rng),
            "minutes": pick(rng, (15, 30, 45, 60, 90)),
            "people": sorted(some(rng, PEOPLE, 1, 3)),
        }
        for key, title in zip(_ids(rng, "e", len(titles)), titles, strict=True)
    }
    return {"events": events}


def _files(rng: np.random.Generator) -> State:
    paths = [f"{folder}/{name}.txt" for folder in some(rng, FOLDERS, 2, 3) for name in some(rng, WORDS, 1, 3)]
    return {"files": {path: " ".join(some(rng, WORDS, 2, 5)) for path in paths}}


def _shop(rng: np.random.Generator) -> State:
    prices = {item: int(rng.integers(3, 60)) for item in ITEMS}
    customers = some(rng, PEOPLE, 3, 4)
    orders = {
        key: {
            "customer": customer,
            "items": {item: int(rng.integers(1, 6)) for item in sorted(some(rng, ITEMS, 1, 3))},
            "address": pick(rng, STREETS),
        }
        for key, customer in zip(_ids(rng, "o", len(customers)), customers, strict=True)
    }
    return {"prices": prices, "orders": orders}


Change = Callable[[State], Any]


def _request(domain: str, state: State, text: str, *changes: Change, look: Look | None = None) -> Request:
    goal = copy.deepcopy(state)
    for change in changes:
        change(goal)
    return Request(DOMAINS[domain], text, state, goal, look=look)


def _event(rng: np.random.Generator, state: State) -> tuple[str, dict[str, Any]]:
    key = pick(rng, sorted(state["events"]))
    return key, state["events"][key]


def move(rng: np.random.Generator) -> Request:
    """An event at another time."""
    state = _calendar(rng)
    key, event = _event(rng, state)
    day, start = pick(rng, [day for day in DAYS if day != event["day"]]), _time(rng)
    text = pick(
        rng,
        [
            f"Move the {event['title']} to {day} at {start}.",
            f"The {event['title']} has to be on {day}, {start}, instead.",
            f"Can we have the {event['title']} on {day} at {start}?",
        ],
    )
    return _request("calendar", state, text, lambda goal: domains.move_event(goal, key, day, start))


def add(rng: np.random.Generator) -> Request:
    """A new event."""
    state = _calendar(rng)
    taken = {event["title"] for event in state["events"].values()}
    title = pick(rng, [title for title in TITLES if title not in taken])
    day, start, minutes, people = pick(rng, DAYS), _time(rng), pick(rng, (15, 30, 60)), sorted(some(rng, PEOPLE, 1, 2))
    with_whom = " and ".join(people)
    text = pick(
        rng,
        [
            f"Put a {title} with {with_whom} into the calendar, on {day} at {start} for {minutes} minutes.",
            f"I need {minutes} minutes with {with_whom} on {day} from {start}: {title}.",
        ],
    )
    return _request("calendar", state, text, lambda goal: domains.add_event(goal, title, day, start, minutes, people))


def cancel(rng: np.random.Generator) -> Request:
    """An event less."""
    state = _calendar(rng)
    key, event = _event(rng, state)
    text = pick(rng, [f"Cancel the {event['title']}.", f"The {event['title']} does not take place. Remove it."])
    return _request("calendar", state, text, lambda goal: domains.cancel_event(goal, key))


def clear_day(rng: np.random.Generator) -> Request:
    """A day without events."""
    state = _calendar(rng)
    day = _event(rng, state)[1]["day"]
    text = pick(rng, [f"Remove all that I have on {day}.", f"I am ill on {day}: cancel everything on that day."])
    keys = [key for key, event in state["events"].items() if event["day"] == day]
    return _request("calendar", state, text, *[_cancelled(key) for key in keys], look=("find_events", {"day": day}))


def _cancelled(key: str) -> Change:
    return lambda goal: domains.cancel_event(goal, key)


def invite(rng: np.random.Generator) -> Request:
    """One more person in an event."""
    state = _calendar(rng)
    key, event = _event(rng, state)
    person = pick(rng, [person for person in PEOPLE if person not in event["people"]])
    text = pick(rng, [f"Add {person} to the {event['title']}.", f"{person} also comes to the {event['title']}."])
    return _request("calendar", state, text, lambda goal: domains.set_people(goal, key, [*event["people"], person]))


def when(rng: np.random.Generator) -> Request:
    """A question about an event."""
    state = _calendar(rng)
    _, event = _event(rng, state)
    text, answer = pick(
        rng,
        [
            (f"On which day is the {event['title']}?", event["day"]),
            (f"At what time does the {event['title']} start?", event["start"]),
            (f"How many minutes does the {event['title']} take?", str(event["minutes"])),
        ],
    )
    look = ("find_events", {"title": event["title"]})
    return Request(DOMAINS["calendar"], text, state, state, answer, look)


def _path(rng: np.random.Generator, state: State) -> str:
    return pick(rng, sorted(state["files"]))


def _read(path: str) -> Look:
    return "read_file", {"path": path}


def rename(rng: np.random.Generator) -> Request:
    """A file under another name."""
    state = _files(rng)
    path, folder = _path(rng, state), pick(rng, FOLDERS)
    to = f"{folder}/{pick(rng, ('old', 'final', 'new'))}-{path.rpartition('/')[2]}"
    text = pick(rng, [f"Move the file {path} to {to}.", f"{path} should be called {to}."])
    return _request("files", state, text, lambda goal: domains.move_file(goal, path, to))


def remove(rng: np.random.Generator) -> Request:
    """A folder without files."""
    state = _files(rng)
    folder = _path(rng, state).partition("/")[0]
    paths = domains.list_files(state, folder)
    text = pick(rng, [f"Delete all files in {folder}.", f"I no longer need anything in {folder}; remove it."])
    return _request("files", state, text, *[_deleted(path) for path in paths], look=("list_files", {"folder": folder}))


def _deleted(path: str) -> Change:
    return lambda goal: domains.delete_file(goal, path)


def write(rng: np.random.Generator) -> Request:
    """A new file."""
    state = _files(rng)
    path, content = f"{pick(rng, FOLDERS)}/todo.txt", " ".join(some(rng, WORDS, 2, 4))
    text = pick(rng, [f"Make a file {path} with the text: {content}", f'Write "{content}" into {path}.'])
    return _request("files", state, text, lambda goal: domains.write_file(goal, path, content))


def copy_file(rng: np.random.Generator) -> Request:
    """The text of a file in another one, too."""
    state = _files(rng)
    path = _path(rng, state)
    to = f"{pick(rng, FOLDERS)}/copy-{path.rpartition('/')[2]}"
    content = state["files"][path]
    text = pick(rng, [f"Copy {path} to {to}.", f"I need the text of {path} in {to} as well."])
    return _request("files", state, text, lambda goal: domains.write_file(goal, to, content), look=_read(path))


def replace_word(rng: np.random.Generator) -> Request:
    """A word in a file becomes another one."""
    state = _files(rng)
    path = _path(rng, state)
    content = state["files"][path]
    old = pick(rng, content.split())
    new = pick(rng, [word for word in WORDS if word not in content])
    text = pick(rng, [f"In {path}, write {new} for {old}.", f"Replace the word {old} by {new} in {path}."])
    return _request(
        "files", state, text, lambda goal: domains.write_file(goal, path, content.replace(old, new)), look=_read(path)
    )


def how_many_words(rng: np.random.Generator) -> Request:
    """A question about a file."""
    state = _files(rng)
    path = _path(rng, state)
    words = state["files"][path].split()
    text, answer = pick(
        rng,
        [(f"What is the first word in {path}?", words[0]), (f"What is the last word in {path}?", words[-1])],
    )
    return Request(DOMAINS["files"], text, state, state, answer, _read(path))


def _order(rng: np.random.Generator, state: State) -> tuple[str, dict[str, Any]]:
    key = pick(rng, sorted(state["orders"]))
    return key, state["orders"][key]


def cancel_order(rng: np.random.Generator) -> Request:
    """An order less."""
    state = _shop(rng)
    key, order = _order(rng, state)
    text = pick(
        rng, [f"{order['customer']} does not want the order any more.", f"Cancel what {order['customer']} ordered."]
    )
    return _request("shop", state, text, lambda goal: domains.cancel_order(goal, key))


def send_elsewhere(rng: np.random.Generator) -> Request:
    """An order to another address."""
    state = _shop(rng)
    key, order = _order(rng, state)
    address = pick(rng, [street for street in STREETS if street != order["address"]])
    text = pick(
        rng,
        [
            f"Send {order['customer']}'s order to {address}.",
            f"{order['customer']} has moved to {address}: change the order.",
        ],
    )
    return _request("shop", state, text, lambda goal: domains.set_address(goal, key, address))


def change_quantity(rng: np.random.Generator) -> Request:
    """More or fewer of an item."""
    state = _shop(rng)
    key, order = _order(rng, state)
    item = pick(rng, ITEMS)
    count = pick(rng, [count for count in range(1, 9) if count != order["items"].get(item)])
    text = pick(
        rng,
        [
            f"{order['customer']} wants {count} of the item {item} in the order.",
            f"Set the {item} in {order['customer']}'s order to {count}.",
        ],
    )
    return _request("shop", state, text, lambda goal: domains.set_quantity(goal, key, item, count))


def order_again(rng: np.random.Generator) -> Request:
    """A new order."""
    state = _shop(rng)
    customer = pick(rng, [name for name in PEOPLE if name not in {o["customer"] for o in state["orders"].values()}])
    items = {item: int(rng.integers(1, 5)) for item in some(rng, ITEMS, 1, 2)}
    address = pick(rng, STREETS)
    wanted = " and ".join(f"{count} {item}" for item, count in items.items())
    text = pick(rng, [f"Order {wanted} for {customer}, {address}.", f"{customer}, {address}, would like {wanted}."])
    return _request("shop", state, text, lambda goal: domains.place_order(goal, customer, items, address))


def price(rng: np.random.Generator) -> Request:
    """A question about prices."""
    state = _shop(rng)
    item, count = pick(rng, ITEMS), int(rng.integers(1, 5))
    text = pick(rng, [f"What do {count} of the item {item} cost?", f"How much would I pay for {count} {item}?"])
    answer = str(count * state["prices"][item])
    return Request(DOMAINS["shop"], text, state, state, answer, ("price_of", {"item": item}))


KINDS: tuple[Callable[[np.random.Generator], Request], ...] = (
    move,
    add,
    cancel,
    clear_day,
    invite,
    when,
    rename,
    remove,
    write,
    copy_file,
    replace_word,
    how_many_words,
    cancel_order,
    send_elsewhere,
    change_quantity,
    order_again,
    price,
)
"""Every kind of request."""
