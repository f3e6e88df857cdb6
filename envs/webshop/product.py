"""One product: how an entry of ``items_shuffle.json`` becomes what the pages show and the score reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: A product that ``items_ins_v2.json`` does not know has this one attribute.
NO_ATTRIBUTES = ("DUMMY_ATTR",)
#: A product without a price costs this much.
DEFAULT_PRICE = 100.0
MAX_ASIN_LENGTH = 10


class CatalogueError(ValueError):
    """A catalogue cannot be used; the message names the file and, where there is one, the entry."""


@dataclass(frozen=True, eq=False)
class Product:
    """A product as the shop knows it.  ``index`` is its position in the catalogue, ``pricing`` one price or a range."""

    index: int
    asin: str
    title: str
    category: str
    query: str
    product_category: str
    description: str
    bullets: tuple[str, ...]
    pricing: tuple[float, ...]
    options: Mapping[str, tuple[str, ...]]
    attributes: tuple[str, ...]
    instruction: str | None
    instruction_attributes: tuple[str, ...]

    @cached_property
    def price_tag(self) -> str:
        return " to ".join(f"${price}" for price in self.pricing)

    @cached_property
    def option_groups(self) -> dict[str, str]:
        """Option value -> the group that a click on it sets, in page order; the last group that has the value."""
        return {value: group for group, values in self.options.items() for value in values}

    @cached_property
    def categories(self) -> frozenset[str]:
        return frozenset(part.strip() for part in self.product_category.split("›"))

    @cached_property
    def searchable(self) -> tuple[str, str, str]:
        """Lower-cased title, bullet points and description: where a goal's attribute may be found."""
        return self.title.lower(), " ".join(self.bullets).lower(), self.description.lower()

    def to_json(self) -> str:
        """The record that :meth:`from_json` reads back."""
        return _encode([getattr(self, name) for name in _STORED])

    @classmethod
    def from_json(cls, index: int, record: bytes) -> Product:
        values = dict(zip(_STORED, json.loads(record), strict=True))
        for name in ("bullets", "pricing", "attributes", "instruction_attributes"):
            values[name] = tuple(values[name])
        values["options"] = {group: tuple(options) for group, options in values["options"].items()}
        return cls(index=index, **values)


_STORED = tuple(name for name in Product.__dataclass_fields__ if name != "index")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def parse_asin(entry: Any, where: str) -> str:
    """The asin of an entry of ``items_shuffle.json``; :class:`CatalogueError` where it has none."""
    if not isinstance(entry, dict):
        raise CatalogueError(f"{where}: a product is a JSON object, this is {_kind(entry)}")
    asin = entry.get("asin")
    if not isinstance(asin, str) or not asin:
        raise CatalogueError(f"{where}: the product has no asin")
    return asin


def is_listed(asin: str) -> bool:
    """Whether the shop lists a product with this asin at all."""
    return asin != "nan" and len(asin) <= MAX_ASIN_LENGTH


def parse_product(index: int, entry: Mapping[str, Any], details: Any, where: str) -> Product:
    """The product of one entry and of its value in ``items_ins_v2.json`` (``None`` if it has none).

    ``where`` names file and entry for the :class:`CatalogueError` that a value of an impossible kind raises.
    """
    if details is not None and not isinstance(details, dict):
        raise CatalogueError(f"{where}: its value in items_ins_v2 is {_kind(details)} instead of an object")
    details = details or {}
    bullets = entry.get("small_description")
    return Product(
        index=index,
        asin=entry["asin"],
        title=_text(entry, "name", where),
        category=_text(entry, "category", where),
        query=_text(entry, "query", where).lower().strip(),
        product_category=_text(entry, "product_category", where),
        description=_text(entry, "full_description", where),
        bullets=string_list(entry, "small_description", where)
        if isinstance(bullets, list)
        else (_text(entry, "small_description", where),),
        pricing=parse_pricing(_text(entry, "pricing", where), where),
        options=_parse_options(entry.get("customization_options"), where),
        attributes=string_list(details, "attributes", where) if "attributes" in details else NO_ATTRIBUTES,
        instruction=_text(details, "instruction", where) if details.get("instruction") is not None else None,
        instruction_attributes=string_list(details, "instruction_attributes", where),
    )


def parse_pricing(text: str, where: str) -> tuple[float, ...]:
    """``"$1,299.00"`` -> ``(1299.0,)``; ``"$14.74$21.54"`` -> ``(14.74, 21.54)``; nothing -> the default price."""
    if not text:
        return (DEFAULT_PRICE,)
    try:
        prices = [float(re.sub(r"[^\d.]", "", price)) for price in text.split("$")[1:]]
    except ValueError:
        prices = []
    if not prices:
        raise CatalogueError(f"{where}: the pricing {text[:80]!r} holds no price such as $12.50")
    return tuple(prices[:2])


def _parse_options(groups: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not groups:
        return {}
    if not isinstance(groups, dict):
        raise CatalogueError(f"{where}: customization_options is {_kind(groups)} instead of an object")
    options = {}
    for group, contents in groups.items():
        if contents is None:
            continue
        try:
            values = [content["value"].strip().replace("/", " | ").lower() for content in contents]
        except (AttributeError, KeyError, TypeError) as error:
            message = f"{where}: the options of {group!r} are not a list of objects with a text 'value'"
            raise CatalogueError(message) from error
        options[group.lower()] = tuple(values)
    return options


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CatalogueError(f"{where}: {key} is {_kind(value)} instead of text")
    return value


def string_list(entry: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """The list of texts under ``key``, empty where it is null or absent."""
    value = entry.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise CatalogueError(f"{where}: {key} is not a list of texts")
    return tuple(value)


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
