"""Names and texts for files."""

from __future__ import annotations

import numpy as np

from .task import one_of, some_of
from .tree import DAY, NOW, File, text_file

WORDS = [
    "amber",
    "anchor",
    "apple",
    "basin",
    "beacon",
    "birch",
    "bottle",
    "bridge",
    "cable",
    "candle",
    "canyon",
    "carbon",
    "cedar",
    "cherry",
    "cliff",
    "cloud",
    "copper",
    "coral",
    "cotton",
    "crane",
    "crystal",
    "delta",
    "desert",
    "ember",
    "engine",
    "falcon",
    "feather",
    "field",
    "flint",
    "forest",
    "garden",
    "ginger",
    "glacier",
    "granite",
    "harbor",
    "hazel",
    "hollow",
    "island",
    "ivory",
    "jasper",
    "kettle",
    "lantern",
    "lemon",
    "linen",
    "maple",
    "marble",
    "meadow",
    "mirror",
    "mortar",
    "nickel",
    "ocean",
    "olive",
    "orchid",
    "paper",
    "pebble",
    "pepper",
    "pillar",
    "planet",
    "prairie",
    "quartz",
    "raven",
    "ribbon",
    "river",
    "saddle",
    "saffron",
    "shadow",
    "silver",
    "spruce",
    "stone",
    "summit",
    "thistle",
    "timber",
    "tunnel",
    "valley",
    "velvet",
    "walnut",
    "willow",
    "window",
    "winter",
]
PEOPLE = ("Ada Berg", "Ciro Dahl", "Edda Falk", "Gus Holm", "Ines Jung", "Karl Lund")


def folder(rng: np.random.Generator) -> str:
    """A folder's name that no other task is likely to have."""
    return f"{one_of(rng, WORDS)}-{int(rng.integers(16**4)):04x}"


def prose(rng: np.random.Generator, lines: int) -> list[str]:
    """Lines of words."""
    return [" ".join(one_of(rng, WORDS) for _ in range(int(rng.integers(3, 9)))) for _ in range(lines)]


def moment(rng: np.random.Generator, first: int = 300, last: int = 2) -> int:
    """A time from ``first`` to ``last`` days ago."""
    return NOW - int(rng.integers(last * DAY, first * DAY))


def mixed_files(rng: np.random.Generator, root: str, count: int, endings: tuple[str, ...]) -> dict[str, File]:
    """Files of some lines in folders below ``root``, of every ending at least two."""
    folders = ["", *(f"{name}/" for name in some_of(rng, WORDS, 3))]
    folders.append(folders[1] + one_of(rng, WORDS) + "/")
    names = some_of(rng, WORDS, count)
    tree = {}
    for number, name in enumerate(names):
        ending = endings[number % len(endings)]
        path = f"{root}/{one_of(rng, folders)}{name}{ending}"
        tree[path] = text_file("\n".join(prose(rng, int(rng.integers(2, 12)))) + "\n", mtime=moment(rng))
    return tree
