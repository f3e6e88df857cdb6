"""Where two recorded values differ, in words."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from numbers import Number
from typing import Any

import numpy as np


def difference(left: Any, right: Any, path: str = "") -> str | None:
    """The first place where ``left`` and ``right`` differ, as ``"<path>: <left> is not <right>"``, or ``None``.

    Numbers are compared by value (an ``int`` equals a NumPy integer, and NaN equals NaN), arrays by shape and values,
    lists and tuples element by element, dictionaries by keys and values but not by the order of their keys.
    """
    where = path or "value"
    if is_dataclass(left) and not isinstance(left, type) and type(left) is type(right):
        pairs = [(item.name, getattr(left, item.name), getattr(right, item.name)) for item in fields(left)]
        return _first(pairs, path)
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return f"{where}: keys {_short(sorted(map(repr, left)))} are not {_short(sorted(map(repr, right)))}"
        return _first([(f"[{key!r}]", left[key], right[key]) for key in left], path)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        changed = _first([(f"[{index}]", *pair) for index, pair in enumerate(zip(left, right, strict=False))], path)
        if changed is None and len(left) != len(right):
            return f"{where}: length {len(left)} is not {len(right)}"
        return changed
    return None if _equal(left, right) else f"{where}: {_short(left)} is not {_short(right)}"


def _first(pairs: list[tuple[str, Any, Any]], path: str) -> str | None:
    for name, left, right in pairs:
        joined = path + name if name.startswith("[") or not path else f"{path}.{name}"
        found = difference(left, right, joined)
        if found is not None:
            return found
    return None


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        left, right = np.asarray(left), np.asarray(right)
        if left.shape != right.shape:
            return False
        if left.dtype == object or right.dtype == object:
            return difference(left.tolist(), right.tolist()) is None
        nan = left.dtype.kind in "fc" and right.dtype.kind in "fc"
        return bool(np.array_equal(left, right, equal_nan=nan))
    if isinstance(left, Number | np.generic) and isinstance(right, Number | np.generic):
        both_nan = _is_nan(left) and _is_nan(right)
        return both_nan or bool(left == right)
    return type(left) is type(right) and bool(left == right)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and math.isnan(value)


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
