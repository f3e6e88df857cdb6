"""The call that brings a state nearer to the one that is wanted, found by comparing the two."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from .domains import State
from .requests import Request

Call = tuple[str, dict[str, Any]]


def next_call(request: Request, state: State, made: Collection[Call], ids: Collection[str]) -> Call | None:
    """The next call towards the goal, None if nothing is left to be done.

    ``made`` are the calls so far and ``ids`` those that their results have shown: what is used is looked up first.
    """
    if request.look is not None and request.look not in made:
        return request.look
    call = _CHANGES[request.domain.name](state, request.goal)
    if call is None:
        return None
    name, arguments = call
    for argument, (look, key, things) in _LOOK_UPS.items():
        if argument in arguments and arguments[argument] not in ids:
            thing = state[things][arguments[argument]]
            return look, {key: thing[key]}
    return name, arguments


def solution(request: Request) -> list[Call]:
    """All calls from the start to the goal."""
    state, made, ids = copy.deepcopy(request.state), list[Call](), set[str]()
    while (call := next_call(request, state, made, ids)) is not None:
        name, arguments = call
        ids |= shown_ids(request.domain.tools[name].call(state, **arguments))
        made.append(call)
    return made


def shown_ids(result: Any) -> set[str]:
    """The ids that the result of a call shows."""
    found = result if isinstance(result, list) else [result]
    return {item[key] for item in found if isinstance(item, dict) for key in _LOOK_UPS if key in item}


_LOOK_UPS = {
    "event_id": ("find_events", "title", "events"),
    "order_id": ("find_orders", "customer", "orders"),
}


def _of_calendar(state: State, goal: State) -> Call | None:
    extra, missing = _difference(state["events"], goal["events"])
    for key, event in extra.items():
        for wanted in missing.values():
            if event["title"] != wanted["title"] or event["minutes"] != wanted["minutes"]:
                continue
            if event["people"] != wanted["people"]:
                return "set_people", {"event_id": key, "people": wanted["people"]}
            return "move_event", {"event_id": key, "day": wanted["day"], "start": wanted["start"]}
        return "cancel_event", {"event_id": key}
    for wanted in missing.values():
        return "add_event", wanted
    return None


def _of_files(state: State, goal: State) -> Call | None:
    old, new = state["files"], goal["files"]
    for path in sorted(old.keys() - new.keys()):
        for to in sorted(new.keys() - old.keys()):
            if old[path] == new[to]:
                return "move_file", {"path": path, "to": to}
        return "delete_file", {"path": path}
    for path, text in sorted(new.items()):
        if old.get(path) != text:
            return "write_file", {"path": path, "text": text}
    return None


def _of_shop(state: State, goal: State) -> Call | None:
    extra, missing = _difference(state["orders"], goal["orders"])
    for key, order in extra.items():
        for wanted in missing.values():
            if order["customer"] != wanted["customer"]:
                continue
            if order["address"] != wanted["address"]:
                return "set_address", {"order_id": key, "address": wanted["address"]}
            item = next(
                i for i in sorted({**wanted["items"], **order["items"]}) if _count(order, i) != _count(wanted, i)
            )
            if _count(wanted, item) or len(order["items"]) > 1:
                return "set_quantity", {"order_id": key, "item": item, "quantity": _count(wanted, item)}
        return "cancel_order", {"order_id": key}
    for wanted in missing.values():
        return "place_order", wanted
    return None


def _count(order: Mapping[str, Any], item: str) -> int:
    return int(order["items"].get(item, 0))


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is in ``old`` and not in ``new``, and the other way round, whatever the ids; as often as it is there."""
    missing, extra = dict(sorted(new.items())), {}
    for key, thing in sorted(old.items()):
        twin = next((other for other, wanted in missing.items() if wanted == thing), None)
        if twin is None:
            extra[key] = thing
        else:
            del missing[twin]
    return extra, missing


_CHANGES = {"calendar": _of_calendar, "files": _of_files, "shop": _of_shop}
