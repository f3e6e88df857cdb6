"""All products of a shop in a compact store, with what is needed to draw prices and goals from seeds.

Products live as JSON records in one block of bytes (in memory, or a memory-mapped file) and are parsed when they are
looked at.  Beside it there are a few NumPy arrays; so a million products cost little memory, and processes share it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from .product import CatalogueError, Product, is_listed, parse_asin, parse_product, string_list

_PRODUCTS_IN_MEMORY = 8192


class Details(Protocol):
    """``items_ins_v2.json``: asin -> attributes and synthetic instruction."""

    def get(self, asin: str) -> Any: ...


class ByteSink(Protocol):
    """What records can be written to."""

    def write(self, data: bytes, /) -> int: ...


class AsinTable:
    """asin -> number, as a sorted array: 10 bytes and a 4- or 8-byte number for each."""

    def __init__(self, keys: np.ndarray, numbers: np.ndarray) -> None:
        self.keys = keys
        self.numbers = numbers

    @classmethod
    def build(cls, asins: list[bytes]) -> AsinTable:
        """Number the asins by position; of equal ones the last counts."""
        keys = np.array(asins, dtype=np.bytes_) if asins else np.empty(0, dtype="S1")
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], order)

    def find(self, asin: str) -> int | None:
        """The number of ``asin``, or None."""
        key = asin.encode("utf-8", "surrogatepass")
        if len(key) > self.keys.itemsize:
            return None
        slot = int(np.searchsorted(self.keys, key, side="right")) - 1
        return int(self.numbers[slot]) if slot >= 0 and self.keys[slot] == key else None


class Records:
    """JSON records one after the other in an array of bytes: ``offsets`` has one more entry than there are records."""

    def __init__(self, data: np.ndarray, offsets: np.ndarray) -> None:
        self._data = data
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, number: int) -> bytes:
        start, end = self._offsets[number : number + 2].tolist()
        return self._data[start:end].tobytes()


class Instruction(NamedTuple):
    """An instruction that a person wrote for ``product``, a number in the catalogue."""

    product: int
    text: str
    attributes: list[str]
    options: list[str]


class Catalogue:
    """Products by number and by asin, and the human instructions in the order of their products.

    Its ``arrays`` are those of :func:`build` and ``records``, the bytes that it wrote.  ``cache_file`` is where they
    are on disk, if they are.
    """

    def __init__(self, name: str, arrays: Mapping[str, np.ndarray], cache_file: Path | None = None) -> None:
        self.name = name
        self.cache_file = cache_file
        self.low = arrays["low"]
        self.high = arrays["high"]
        #: The product of each human instruction.
        self.instruction_products = arrays["instruction_products"]
        self._products = Records(arrays["records"], arrays["offsets"])
        self._asins = AsinTable(arrays["asins"], arrays["asin_numbers"])
        self._instructions = Records(arrays["instructions"], arrays["instruction_offsets"])
        self.product = lru_cache(maxsize=_PRODUCTS_IN_MEMORY)(self.read)

    def __len__(self) -> int:
        return len(self._products)

    def read(self, number: int) -> Product:
        """Parse product ``number``; :attr:`product` does the same through a bounded cache."""
        return Product.from_json(number, self._products[number])

    def find(self, asin: str) -> int | None:
        """The number of the product with this asin, or None."""
        return self._asins.find(asin)

    def instruction(self, number: int) -> Instruction:
        """Human instruction ``number``."""
        return Instruction(int(self.instruction_products[number]), *json.loads(self._instructions[number]))


def build(
    products: Iterable[tuple[str, Any]],
    details: Details,
    human: Iterable[tuple[str, str, Any]],
    records: ByteSink,
) -> dict[str, np.ndarray]:
    """Write the record of every listed product to ``records``; return the other arrays of a :class:`Catalogue`.

    The arrays are ``offsets`` of the records; ``low`` and ``high``, the price range of each product, ``high`` being NaN
    where it has one price; ``asins`` and ``asin_numbers``, an :class:`AsinTable`; ``instructions`` (bytes),
    ``instruction_offsets`` and ``instruction_products``.

    Args:
        products: ``(where, entry)`` of ``items_shuffle.json``.
        details: ``items_ins_v2.json``.
        human: ``(where, asin, instructions)`` of ``items_human_ins.json``.
        records: where the records go, one after the other.

    Raises:
        CatalogueError: naming the entry that is at fault.
    """
    asins: list[bytes] = []
    seen: set[str] = set()
    offsets, low, high = [0], [], []
    for where, entry in products:
        asin = parse_asin(entry, where)
        if not is_listed(asin) or asin in seen:
            continue
        seen.add(asin)
        product = parse_product(len(asins), entry, details.get(asin), where)
        record = product.to_json().encode("utf-8", "surrogatepass")
        records.write(record)
        asins.append(asin.encode("utf-8", "surrogatepass"))
        offsets.append(offsets[-1] + len(record))
        low.append(product.pricing[0])
        high.append(product.pricing[1] if len(product.pricing) > 1 else np.nan)
    if not asins:
        raise CatalogueError("the catalogue has no product")
    table = AsinTable.build(asins)
    del asins, seen
    return {
        "offsets": np.array(offsets, dtype=np.int64),
        "low": np.array(low, dtype=np.float64),
        "high": np.array(high, dtype=np.float64),
        "asins": table.keys,
        "asin_numbers": table.numbers,
        **_human_instructions(human, table),
    }


def _human_instructions(human: Iterable[tuple[str, str, Any]], table: AsinTable) -> dict[str, np.ndarray]:
    """The arrays of the instructions that have attributes, ordered by product."""
    records: dict[int, list[bytes]] = {}
    for where, asin, instructions in human:
        product = table.find(asin)
        if product is None:
            continue
        if not isinstance(instructions, list) or not all(isinstance(entry, dict) for entry in instructions):
            raise CatalogueError(f"{where}: the instructions are not a list of objects")
        # A repeated key replaces the earlier one, as in any JSON object.
        records[product] = []
        for entry in instructions:
            if not isinstance(entry.get("instruction"), str):
                raise CatalogueError(f"{where}: an instruction has no text")
            attributes = string_list(entry, "instruction_attributes", where)
            options = string_list(entry, "instruction_options", where)
            if attributes:
                records[product].append(json.dumps([entry["instruction"], attributes, options]).encode())
    products = sorted(records)
    ordered = [record for product in products for record in records[product]]
    return {
        "instructions": np.frombuffer(b"".join(ordered), dtype=np.uint8),
        "instruction_offsets": np.cumsum([0, *map(len, ordered)], dtype=np.int64),
        "instruction_products": np.repeat(np.array(products, dtype=np.int64), [len(records[p]) for p in products]),
    }


def from_lists(
    name: str, items: list[dict[str, Any]], details: dict[str, Any], human: dict[str, list[dict[str, Any]]]
) -> Catalogue:
    """A catalogue in memory, from the parsed content of the three files."""
    records = io.BytesIO()
    arrays = build(
        ((f"{name}, entry {number}", entry) for number, entry in enumerate(items)),
        details,
        ((f"{name}, instructions of {asin!r}", asin, entries) for asin, entries in human.items()),
        records,
    )
    arrays["records"] = np.frombuffer(records.getvalue(), dtype=np.uint8)
    return Catalogue(name, arrays)
