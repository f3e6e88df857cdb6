"""The families of problems; :data:`FAMILIES` has all of them by name, in :data:`GROUPS`."""

from __future__ import annotations

from ..problem import Family
from . import lists, machines, recursion, tables, texts, whole_numbers

FAMILIES: dict[str, Family] = {
    f"{module.__name__.rpartition('.')[2]}.{family.__name__}": family
    for module in (lists, texts, whole_numbers, tables, machines, recursion)
    for family in module.FAMILIES
}
"""By their module and name, such as ``"lists.count_compared"``."""
GROUPS = tuple(dict.fromkeys(name.partition(".")[0] for name in FAMILIES))
"""The modules' names, such as ``"lists"``."""
