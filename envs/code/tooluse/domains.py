"""What the tools of ToolUse work on: a calendar, files and a shop's orders, each a plain JSON state.

A tool takes the state and changes it, or raises :class:`ToolError` and leaves it as it was.  Ids are drawn by the task,
so that an agent has to look them up; new things get the next free one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ..tools import Tool, ToolError, by_name

State = dict[str, Any]

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday"]


def find_events(state: State, title: str = "", day: str = "", person: str = "") -> list[Any]:
    """List the events whose title has these words, on this day, with this person; all where nothing is given."""
    return [
        {"event_id": key, **event}
        for key, event in sorted(state["events"].items())
        if title.lower() in event["title"].lower() and day in ("", event["day"]) and person in ("", *event["people"])
    ]


def add_event(state: State, title: str, day: Day, start: str, minutes: int, people: list[str]) -> Any:
    """Put an event into the calendar; start is hh:mm."""
    _check_time(start)
    if minutes < 1:
        raise ToolError("minutes must be at least 1")
    key = _new_id(state["events"], "e")
    state["events"][key] = {
        "title": title, "day": day, "start": start, "minutes": minutes, "people": sorted(set(people)),
    }  # fmt: skip
    return {"event_id": key}


def move_event(state: State, event_id: str, day: Day, start: str) -> Any:
    """Move an event to another day or time."""
    _check_time(start)
    _get(state["events"], event_id, "event").update(day=day, start=start)
    return "moved"


def cancel_event(state: State, event_id: str) -> Any:
    """Remove an event."""
    _get(state["events"], event_id, "event")
    del state["events"][event_id]
    return "cancelled"


def set_people(state: State, event_id: str, people: list[str]) -> Any:
    """Say who takes part in an event; whoever is not named no longer does."""
    _get(state["events"], event_id, "event")["people"] = sorted(set(people))
    return "changed"


def list_files(state: State, folder: str = "") -> list[Any]:
    """List the paths of all files in a folder, or of all there are."""
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    return [path for path in sorted(state["files"]) if path.startswith(prefix)]


def read_file(state: State, path: str) -> Any:
    """Read a file."""
    return _get(state["files"], path, "file")


def write_file(state: State, path: str, text: str) -> Any:
    """Write a file, also over an old one."""
    if not path.strip("/ "):
        raise ToolError("a file needs a name")
    state["files"][path] = text
    return "written"


def move_file(state: State, path: str, to: str) -> Any:
    """Move a file to another path, where there must be none yet."""
    text = _get(state["files"], path, "file")
    if to in state["files"]:
        raise ToolError(f"there is a file {to} already")
    if not to.strip("/ "):
        raise ToolError("a file needs a name")
    del state["files"][path]
    state["files"][to] = text
    return "moved"


def delete_file(state: State, path: str) -> Any:
    """Delete a file."""
    _get(state["files"], path, "file")
    del state["files"][path]
    return "deleted"


def find_orders(state: State, customer: str = "") -> list[Any]:
    """List the orders of a customer, or all."""
    orders = sorted(state["orders"].items())
    return [{"order_id": key, **order} for key, order in orders if customer in ("", order["customer"])]


def price_of(state: State, item: str) -> Any:
    """What one piece of an item costs."""
    return _get(state["prices"], item, "item")


def place_order(state: State, customer: str, items: dict[str, int], address: str) -> Any:
    """Order items, by name with how many, for a customer."""
    key = _new_id(state["orders"], "o")
    if not items:
        raise ToolError("an order needs items")
    for item, count in items.items():
        _get(state["prices"], item, "item")
        _check_count(count)
    state["orders"][key] = {"customer": customer, "items": dict(sorted(items.items())), "address": address}
    return {"order_id": key}


def cancel_order(state: State, order_id: str) -> Any:
    """Cancel an order."""
    _get(state["orders"], order_id, "order")
    del state["orders"][order_id]
    return "cancelled"


def set_address(state: State, order_id: str, address: str) -> Any:
    """Say where an order goes."""
    _get(state["orders"], order_id, "order")["address"] = address
    return "changed"


def set_quantity(state: State, order_id: str, item: str, quantity: int) -> Any:
    """Change how many of an item an order has; 0 takes it out."""
    order = _get(state["orders"], order_id, "order")
    _get(state["prices"], item, "item")
    if quantity:
        _check_count(quantity)
    items = {**order["items"], item: quantity}
    items = {name: count for name, count in sorted(items.items()) if count}
    if not items:
        raise ToolError("an order needs items; cancel it instead")
    order["items"] = items
    return "changed"


def _get(things: Mapping[str, Any], key: str, kind: str) -> Any:
    if key not in things:
        raise ToolError(f"there is no {kind} {key!r:.80}")
    return things[key]


def _new_id(things: Mapping[str, Any], letter: str) -> str:
    return f"{letter}{max((int(key[1:]) for key in things), default=100) + 1}"


def _check_time(start: str) -> None:
    hours, colon, minutes = start.partition(":")
    digits = len(hours) == len(minutes) == 2 and (hours + minutes).isascii() and (hours + minutes).isdigit()
    if not (colon and digits and int(hours) < 24 and int(minutes) < 60):
        raise ToolError(f"{start!r:.40} is no time of the form hh:mm")


def _check_count(count: int) -> None:
    if not 1 <= count <= 1000:
        raise ToolError("a quantity is 1 to 1000")


@dataclass(frozen=True)
class Domain:
    """Tools for one kind of state; ``content`` is the part of a state that counts, in which nothing has an id."""

    name: str
    functions: tuple[Callable[..., Any], ...]
    content: Callable[[State], Any]

    @cached_property
    def tools(self) -> dict[str, Tool]:
        """The tools by name; their ``call`` takes the state first."""
        return by_name([Tool.of(function, skip=1) for function in self.functions])


def _without_ids(things: Mapping[str, Any]) -> list[Any]:
    return sorted(things.values(), key=lambda thing: json.dumps(thing, sort_keys=True))


DOMAINS = {
    domain.name: domain
    for domain in (
        Domain(
            "calendar",
            (find_events, add_event, move_event, cancel_event, set_people),
            lambda state: _without_ids(state["events"]),
        ),
        Domain("files", (list_files, read_file, write_file, move_file, delete_file), lambda state: state["files"]),
        Domain(
            "shop",
            (find_orders, price_of, place_order, cancel_order, set_address, set_quantity),
            lambda state: _without_ids(state["orders"]),
        ),
    )
}
"""The domains by name."""
