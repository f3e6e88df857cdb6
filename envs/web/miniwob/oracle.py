"""The solvers of MiniWoB's tasks: scripts that look at the page, and their answers as actions."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from ..actor import Actor
from ..protocol import ProtocolError
from ..tab import Tab

_ASK = """((task, goal, wanted) => {
  const solvers = SOLVERS;
  const [name, ...args] = solvers[task](goal);
  if (wanted !== null) return args[wanted];
  return [name, args.map((arg) => {
    if (!(arg instanceof Element)) return {value: arg};
    const box = arg.getBoundingClientRect();
    return {place: [box.x + box.width / 2, box.y + box.height / 2]};
  })];
})"""


@cache
def solvers() -> str:
    """The script: an expression whose value is an object of functions by task."""
    return files(__package__).joinpath("oracles.js").read_text("utf-8")


@cache
def solved_tasks() -> frozenset[str]:
    """The tasks that have a solver."""
    table = solvers().rpartition("  return {\n")[2]
    return frozenset(re.findall(r"'([\w-]+)': ", table))


async def next_action(tab: Tab, actor: Actor, task: str, goal: str) -> str:
    """The solver's next action in the state of the page, as text."""
    ask = _ASK.replace("SOLVERS", solvers())

    def expression(wanted: int | None) -> str:
        return f"{ask}({json.dumps(task)}, {json.dumps(goal)}, {json.dumps(wanted)})"

    name, arguments = await tab.evaluate(expression(None))
    names = {node: called for called, node in actor.elements.items()}
    written: list[Any] = []
    for number, argument in enumerate(arguments):
        if "place" not in argument:
            written.append(argument["value"])
            continue
        called = await _called(tab, expression(number), names)
        if called is None:
            # What the tree does not show is still there to be pointed at.
            written += [round(float(part), 1) for part in argument["place"]]
            name = {"click": "mouse_click", "hover": "mouse_move", "drag_and_drop": "mouse_drag_and_drop"}[name]
        else:
            written.append(called)
    return f"{name}({', '.join(map(repr, written))})"


async def _called(tab: Tab, expression: str, names: dict[int, str]) -> str | None:
    """What the element that the expression gives, or a text right inside it, is called on the page."""
    handle = (await tab.call("Runtime.evaluate", expression=expression))["result"]["objectId"]
    try:
        node = (await tab.call("DOM.describeNode", objectId=handle, depth=2))["node"]
    except ProtocolError:
        return None
    finally:
        tab.send("Runtime.releaseObject", objectId=handle)
    texts = node.get("children", ())
    return next((names[part["backendNodeId"]] for part in (node, *texts) if part["backendNodeId"] in names), None)
