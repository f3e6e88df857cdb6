"""The accessibility tree of a page as text, with names for what can be acted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from .protocol import ProtocolError
from .tab import Tab

# Roles that say nothing that their children do not say.
_TRANSPARENT = {"generic", "none", "LabelText", "ListMarker", "Unknown", "MenuListPopup"}
_SILENT = {"InlineTextBox", "LineBreak"}
_FLAGS = ("focused", "disabled", "required", "readonly", "selected", "multiselectable", "modal", "busy")
_STATES = ("checked", "pressed", "expanded", "invalid")
CHARACTERS_PER_TOKEN = 4
LONGEST_NAME = 30
"""Characters of a name of words, its number not counted."""
NamedBy = Literal["numbers", "words"]
_BREAKS_A_CALL = str.maketrans("", "", "'\"[]\\")


class Box(NamedTuple):
    """Where a node is in the viewport, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, width: float, height: float) -> bool:
        """Whether any of it is inside a viewport of that size."""
        return self.width > 0 and self.height > 0 and -self.width < self.x < width and -self.height < self.y < height


@dataclass(frozen=True, slots=True)
class Layout:
    """Where every node is, and which ones listen for clicks; by backend ids."""

    boxes: dict[int, Box]
    clickable: frozenset[int]


@dataclass(frozen=True, slots=True)
class FrameTree:
    """The accessibility nodes of a frame, and the element that holds it, if it is not the main frame."""

    nodes: list[dict[str, Any]]
    owner: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree."""

    depth: int
    text: str
    name: str | None
    """What the element is called in actions, if it is one."""
    node: int
    """The backend id of its DOM node."""


@dataclass
class Names:
    """Names of elements that stay theirs while a page lives.

    By ``"numbers"`` a name is a letter for the frame and a number, as in ``a12``.  By ``"words"`` it is what the
    element says when it is first seen, as in ``Sign in``, or its role if it says nothing: at most
    :data:`LONGEST_NAME` characters, without quotation marks and brackets, and with a number from 2 up where the name
    is already another's.
    """

    named_by: NamedBy = "numbers"
    page: int | None = None
    by_node: dict[int, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """How many names begin with a frame's letter, or with the same words."""

    def begin(self, page: int | None) -> None:
        """Forget the names of another page."""
        if page != self.page:
            self.page = page
            self.by_node.clear()
            self.counts.clear()

    def name(self, frame: str, node: int, role: str, says: str) -> str:
        """The name of a node of that frame, a new one if it has none."""
        if node not in self.by_node:
            self.by_node[node] = self._numbered(frame) if self.named_by == "numbers" else self._worded(role, says)
        return self.by_node[node]

    def _numbered(self, frame: str) -> str:
        self.counts[frame] = self.counts.get(frame, 0) + 1
        return f"{frame}{self.counts[frame]}"

    def _worded(self, role: str, says: str) -> str:
        words = name = _shortened(says.translate(_BREAKS_A_CALL)) or role
        while name in self.counts:
            self.counts[words] += 1
            name = f"{words} {self.counts[words]}"
        self.counts[name] = 1
        return name


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > LONGEST_NAME:
        text = text[: LONGEST_NAME + 1].rpartition(" ")[0] or text[:LONGEST_NAME]
    return text


async def read_page(tab: Tab) -> tuple[list[FrameTree], Layout]:
    """The trees of all frames, the main frame's first, and the layout."""
    frames = list(tab.frames)
    trees = [tab.send("Accessibility.getFullAXTree", frameId=frame) for frame in frames]
    owners = [tab.send("DOM.getFrameOwner", frameId=frame) for frame in frames[1:]]
    snapshot = tab.send("DOMSnapshot.captureSnapshot", computedStyles=[])
    read = [FrameTree((await trees[0])["nodes"], None)]
    for tree, owner in zip(trees[1:], owners, strict=True):
        try:
            read.append(FrameTree((await tree)["nodes"], (await owner)["backendNodeId"]))
        except ProtocolError:
            continue  # a frame that is just being replaced
    return read, _layout((await snapshot)["documents"])


def _layout(documents: list[dict[str, Any]]) -> Layout:
    boxes: dict[int, Box] = {}
    clickable: set[int] = set()
    origins = {0: (0.0, 0.0)}
    for number, document in enumerate(documents):
        nodes, layout = document["nodes"], document["layout"]
        ids = nodes["backendNodeId"]
        left, top = origins.get(number, (0.0, 0.0))
        left, top = left - document.get("scrollOffsetX", 0), top - document.get("scrollOffsetY", 0)
        for index, (x, y, width, height) in zip(layout["nodeIndex"], layout["bounds"], strict=True):
            boxes.setdefault(ids[index], Box(x + left, y + top, width, height))
        clickable.update(ids[index] for index in nodes.get("isClickable", {}).get("index", ()))
        inner = nodes.get("contentDocumentIndex", {"index": (), "value": ()})
        for index, content in zip(inner["index"], inner["value"], strict=True):
            if box := boxes.get(ids[index]):
                origins[content] = (box.x, box.y)
    return Layout(boxes, frozenset(clickable))


def tree_lines(trees: list[FrameTree], layout: Layout, names: Names) -> list[Line]:
    """The trees of all frames as lines, each frame inside its element; elements get their names from ``names``."""
    names.begin(trees[0].nodes[0].get("backendDOMNodeId"))
    inside = {tree.owner: (letters(number), tree.nodes) for number, tree in enumerate(trees)}
    if names.named_by == "words":
        _name_controls(inside, names)
    walk = _Walk(layout, names, inside)
    walk.frame(None, 0)
    return walk.lines


def _name_controls(inside: Mapping[int | None, tuple[str, list[dict[str, Any]]]], names: Names) -> None:
    """Name what can have the focus first: a label's text may stand before the control that it is the name of."""
    for letter, nodes in inside.values():
        for node in nodes:
            role = _text(node.get("role"))
            if _focusable(node) and not (role in _TRANSPARENT or role == "RootWebArea" or node.get("ignored")):
                names.name(letter, node.get("backendDOMNodeId", 0), role, _name(node))


def prune(lines: list[Line], layout: Layout, viewport: tuple[int, int], tokens: int) -> list[Line]:
    """As many lines as fit ``tokens`` (of about four characters), in the order of the page.

    What is in the viewport goes first, then the others from the top.  What is left out is counted on a last line.
    """
    room = tokens * CHARACTERS_PER_TOKEN
    if sum(len(line.text) + line.depth + 1 for line in lines) <= room:
        return lines
    visible = [line.node in layout.boxes and layout.boxes[line.node].meets(*viewport) for line in lines]
    kept: set[int] = set()
    for wanted in (True, False):
        for number, line in enumerate(lines):
            if visible[number] is wanted and (size := len(line.text) + line.depth + 1) <= room:
                room -= size
                kept.add(number)
    left = len(lines) - len(kept)
    return [line for number, line in enumerate(lines) if number in kept] + [
        Line(0, f"({left} more lines are not shown)", None, 0)
    ]


def letters(number: int) -> str:
    """``0`` is a, ``25`` is z, ``26`` is aa: the name of a frame."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("a") + rest) + name
    return name


@dataclass
class _Walk:
    """Goes through the nodes in the order of the page."""

    layout: Layout
    names: Names
    inside: dict[int | None, tuple[str, list[dict[str, Any]]]]
    """The frames that are not yet placed, by the elements that hold them."""
    lines: list[Line] = field(default_factory=list)

    def frame(self, owner: int | None, depth: int) -> None:
        letter, nodes = self.inside.pop(owner)
        by_id = {node["nodeId"]: node for node in nodes}
        stack = [(nodes[0], depth, "", False)]
        while stack:
            node, depth, said, heard = stack.pop()
            role, name, backend = _text(node.get("role")), _name(node), node.get("backendDOMNodeId", 0)
            if role in _SILENT:
                continue
            children = [by_id[child] for child in node.get("childIds", ()) if child in by_id]
            listens = self._listens(node, backend)
            text = _only_text(children, by_id) if role in _TRANSPARENT and listens else None
            if text is not None and role != "LabelText":
                # What listens for clicks without saying what it is goes by the text that it shows.
                role, name = "clickable", name or text
            elif node.get("ignored") or not _worth_a_line(role, name, said):
                role = ""
            if role:
                # A text can be acted on where something around it listens for clicks on its parts.
                acts = role != "StaticText" or heard
                called = self.names.name(letter, backend, role, name) if acts else None
                line = _line(node, role, "" if name == called else name)
                self.lines.append(Line(depth, f"[{called}] {line}" if called else line, called, backend))
                depth, said = depth + 1, name
            if backend in self.inside:
                self.frame(backend, depth)
            stack.extend(
                (child, depth, said, heard or backend in self.layout.clickable) for child in reversed(children)
            )

    def _listens(self, node: Mapping[str, Any], backend: int) -> bool:
        return (_focusable(node) or backend in self.layout.clickable) and backend in self.layout.boxes


def _focusable(node: Mapping[str, Any]) -> bool:
    return any(item["name"] == "focusable" for item in node.get("properties", ()))


def _only_text(children: list[dict[str, Any]], by_id: Mapping[str, dict[str, Any]]) -> str | None:
    """The text of an element that holds nothing but text, perhaps none; otherwise None."""
    texts = []
    while children:
        child, *children = children
        role = _text(child.get("role"))
        if role == "StaticText":
            texts.append(_name(child))
        elif role in _TRANSPARENT:
            children = [by_id[inner] for inner in child.get("childIds", ()) if inner in by_id] + children
        elif role not in _SILENT:
            return None
    return " ".join(text for text in texts if text)


def _worth_a_line(role: str, name: str, said: str) -> bool:
    if role == "StaticText":
        return bool(name) and name not in said
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


def _name(node: Mapping[str, Any]) -> str:
    return " ".join(_text(node.get("name")).split())


def _text(value: Mapping[str, Any] | None) -> str:
    return "" if value is None else str(value.get("value", ""))
