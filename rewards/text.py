"""How the pieces of a reward are written in an expression."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np


def reference(function: Callable[..., Any]) -> str:
    """How an expression names a function: bare if it is Palestra's own, else ``module:name``."""
    own = function.__module__.startswith(__package__ + ".")
    return function.__name__ if own else f"{function.__module__}:{function.__qualname__}"


def describe(value: Any) -> str:
    """A constant or reward as it is written in an expression."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {describe(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + "".join(f"{describe(item)}, " for item in value).strip() + ")"
    if inspect.isfunction(value):
        return reference(value)
    return repr(value)


def freeze(value: Any) -> Any:
    """An immutable copy of a constant: lists become tuples, NumPy scalars Python numbers, mappings read-only."""
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    if isinstance(value, Mapping):
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    return value.item() if isinstance(value, np.generic) else value


def call_text(signature: inspect.Signature, arguments: Mapping[str, Any]) -> str:
    """The arguments of a call as they are written in an expression, those at their defaults left out."""
    pieces: list[str] = []
    for name, parameter in signature.parameters.items():
        value = arguments[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            pieces += [describe(item) for item in value]
        elif parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY:
            pieces.append(describe(value))
        elif parameter.default is parameter.empty or value != parameter.default:
            pieces.append(f"{name}={describe(value)}")
    return ", ".join(pieces)
