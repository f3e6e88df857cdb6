"""What an agent sees of a page: its accessibility tree as text with names for elements, and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .protocol import ProtocolError
from .tab import Tab

# Roles that say nothing that their children do not say.
_TRANSPARENT = {"generic", "none", "LabelText", "ListMarker", "Unknown"}
_SILENT = {"InlineTextBox", "LineBreak"}
_FLAGS = ("focused", "disabled", "required", "readonly", "selected", "multiselectable", "modal", "busy")
_STATES = ("checked", "pressed", "expanded", "invalid")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree."""

    depth: int
    text: str
    node: int | None
    """The backend id of its DOM node."""


@dataclass
class Names:
    """Names of elements that stay theirs while a page lives: a letter for the frame and a number, as in ``a12``."""

    page: int | None = None
    by_node: dict[int, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def name(self, frame: str, node: int) -> str:
        """The name of a node of that frame, a new one if it has none."""
        if node not in self.by_node:
            self.counts[frame] = self.counts.get(frame, 0) + 1
            self.by_node[node] = f"{frame}{self.counts[frame]}"
        return self.by_node[node]


@dataclass(frozen=True, slots=True)
class FrameTree:
    """The accessibility nodes of a frame, and the element that holds it, if it is not the main frame."""

    nodes: list[dict[str, Any]]
    owner: int | None


async def read_trees(tab: Tab) -> list[FrameTree]:
    """The trees of all frames, the main frame's first."""
    frames = list(tab.frames)
    owners = [tab.send("DOM.getFrameOwner", frameId=frame) for frame in frames[1:]]
    commands = [tab.send("Accessibility.getFullAXTree", frameId=frame) for frame in frames]
    trees = []
    for frame, command in zip(frames, commands, strict=True):
        try:
            nodes = (await command)["nodes"]
            owner = (await owners[len(trees) - 1])["backendNodeId"] if trees else None
        except ProtocolError:
            if frame == tab.main_frame:
                raise
            continue  # a frame that is just being replaced
        trees.append(FrameTree(nodes, owner))
    return trees


def tree_lines(trees: list[FrameTree], names: Names) -> list[Line]:
    """The trees of all frames as lines, each inside its element; elements get their names from ``names``."""
    page = trees[0].nodes[0].get("backendDOMNodeId")
    if page != names.page:
        names.page = page
        names.by_node.clear()
        names.counts.clear()
    inside = {tree.owner: (letters(number), tree.nodes) for number, tree in enumerate(trees)}
    lines: list[Line] = []
    _walk(*inside.pop(None), 0, names, lines, inside)
    return lines


def letters(number: int) -> str:
    """``0`` is a, ``25`` is z, ``26`` is aa: the name of a frame."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("a") + rest) + name
    return name


def _walk(
    letter: str,
    nodes: list[dict[str, Any]],
    depth: int,
    names: Names,
    lines: list[Line],
    inside: dict[int | None, tuple[str, list[dict[str, Any]]]],
) -> None:
    by_id = {node["nodeId"]: node for node in nodes}
    stack = [(nodes[0], depth, "")]
    while stack:
        node, depth, said = stack.pop()
        role, name = _text(node.get("role")), " ".join(_text(node.get("name")).split())
        backend = node.get("backendDOMNodeId")
        if role in _SILENT:
            continue
        if not node.get("ignored") and _worth_a_line(role, name, said):
            text = _line(node, role, name)
            if backend is not None and role != "StaticText":
                text = f"[{names.name(letter, backend)}] {text}"
            lines.append(Line(depth, text, backend))
            depth, said = depth + 1, name
        if backend in inside:
            _walk(*inside.pop(backend), depth, names, lines, inside)
        children = [by_id[child] for child in node.get("childIds", ()) if child in by_id]
        stack.extend((child, depth, said) for child in reversed(children))


def _worth_a_line(role: str, name: str, said: str) -> bool:
    if role == "StaticText":
        return bool(name) and name != said
    return role not in _TRANSPARENT or bool(name)


def _line(node: Mapping[str, Any], role: str, name: str) -> str:
    parts = [role, f"'{name}'" if name else ""]
    value = _text(node.get("value"))
    if value and value != name:
        parts.append(f"value='{value}'")
    properties = {item["name"]: item["value"].get("value") for item in node.get("properties", ())}
    parts += [flag for flag in _FLAGS if properties.get(flag) not in (None, False, "false")]
    parts += [
        f"{state}={str(properties[state]).lower()}"
        for state in _STATES
        if state in properties and not (state == "invalid" and properties[state] == "false")
    ]
    return " ".join(part for part in parts if part)


def _text(value: Mapping[str, Any] | None) -> str:
    return "" if value is None else str(value.get("value", ""))
