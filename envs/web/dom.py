"""The document as compact markup: no scripts, no styles, shadow trees and frames in their places."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from .tab import Tab

_LEFT_OUT = {"SCRIPT", "STYLE", "LINK", "META", "NOSCRIPT", "TEMPLATE"}
_VOID = {"AREA", "BASE", "BR", "COL", "EMBED", "HR", "IMG", "INPUT", "SOURCE", "TRACK", "WBR"}
_LONGEST_VALUE = 200


async def read_dom(tab: Tab) -> dict[str, Any]:
    """The whole document, shadow trees and frames included."""
    root: dict[str, Any] = (await tab.call("DOM.getDocument", depth=-1, pierce=True))["root"]
    return root


def dom_text(root: Mapping[str, Any], names: Mapping[int, str]) -> str:
    """The document as markup, with the elements' names (by backend id) as ``bid`` attributes."""
    pieces: list[str] = []
    _write(root, names, pieces)
    return "".join(pieces)


def _write(node: Mapping[str, Any], names: Mapping[int, str], pieces: list[str]) -> None:
    tag = node["nodeName"]
    if node["nodeType"] == 3:
        pieces.append(escape(" ".join(node["nodeValue"].split()), quote=False))
        return
    if tag in _LEFT_OUT or node["nodeType"] not in (1, 9, 11):
        return
    inner = [*node.get("shadowRoots", ()), *node.get("children", ())]
    if "contentDocument" in node:
        inner.append(node["contentDocument"])
    if node["nodeType"] == 1:
        pieces.append(f"<{tag.lower()}{_attributes(node, names)}>")
    for child in inner:
        _write(child, names, pieces)
    if node["nodeType"] == 1 and tag not in _VOID:
        pieces.append(f"</{tag.lower()}>")


def _attributes(node: Mapping[str, Any], names: Mapping[int, str]) -> str:
    flat = node.get("attributes", [])
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    if node["backendNodeId"] in names:
        pairs.insert(0, ("bid", names[node["backendNodeId"]]))
    return "".join(f' {name}="{escape(value[:_LONGEST_VALUE])}"' for name, value in pairs)
