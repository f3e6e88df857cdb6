"""What fills the applications: people, places and sentences, drawn from a generator."""

from __future__ import annotations

from typing import Any

import numpy as np

FIRST = (
    "Ada Amir Bela Clara Chidi Dario Elif Emeka Farah Gita Hanna Ines Jonas Kenji Leila Mateo Nadia Olga Pavel Quentin "
    "Rosa Samir Tove Uma Viktor Wanda Ximena Yusuf Zelda Bruno"
).split()  # noqa: SIM905
LAST = (
    "Abbott Brandt Castro Dietrich Eriksen Fontana Gruber Haddad Ivanov Jansen Keller Lindgren Moreau Novak Okafor "
    "Petrov Quiroga Rossi Schmid Tanaka Ueda Vargas Weber Yilmaz Zhang"
).split()  # noqa: SIM905
THINGS = (
    "budget garden kitchen printer workshop newsletter boiler contract bicycle library terrace invoice museum choir "
    "harvest trailer archive piano scooter greenhouse catalogue festival survey laptop"
).split()  # noqa: SIM905
QUALITIES = (
    "new old spring yearly broken blue shared late small second urgent quiet final joint empty spare wooden northern"
).split()  # noqa: SIM905
DOINGS = (
    "plan",
    "repair",
    "review",
    "order",
    "visit",
    "sale",
    "photos",
    "meeting",
    "delivery",
    "costs",
    "list",
    "keys",
)
STREETS = (
    "Mill Lane",
    "Harbour Road",
    "Chestnut Avenue",
    "Station Street",
    "Abbey Walk",
    "Orchard Row",
    "Bridge Street",
)
TOWNS = ("Aldermoor", "Brindle", "Castleby", "Dunmere", "Elmstead", "Foxbridge", "Greyford", "Hartwell")
ROOMS = ("Room 1", "Room 2", "Library", "Canteen", "Workshop", "Garden house", "Online")
SENTENCES = (
    "Could you have a look before Friday?",
    "I have put the details below.",
    "The last one did not arrive.",
    "We should decide soon.",
    "Please let me know what you think.",
    "There is no hurry with this.",
    "Two of us cannot make it.",
    "It costs a little more than last year.",
    "The door sticks when it rains.",
    "I found it behind the cupboard.",
    "Everyone seems to like the idea.",
    "Bring your own cup.",
)
ANSWERS = (
    "Thank you, that suits me well.",
    "I cannot come on that day.",
    "Please send me the details.",
    "I agree with your plan.",
    "Let us talk about it tomorrow.",
    "The parcel has arrived.",
    "I will bring the keys.",
    "That is too expensive for us.",
)


def draw(rng: np.random.Generator, items: Any) -> Any:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def people(rng: np.random.Generator, count: int) -> list[str]:
    """Different full names, no two of which share a first or a last name, up to 25."""
    firsts = rng.permutation(len(FIRST))[:count]
    lasts = rng.permutation(len(LAST))[:count]
    return [f"{FIRST[i]} {LAST[j]}" for i, j in zip(firsts, lasts, strict=True)]


def address(name: str) -> str:
    """The mail address of a person."""
    return f"{name.lower().replace(' ', '.')}@palestra.example"


def titles(rng: np.random.Generator, count: int) -> list[str]:
    """Different titles such as ``"Broken printer repair"``; up to a few hundred."""
    found: dict[str, None] = {}
    while len(found) < count:
        words = draw(rng, QUALITIES), draw(rng, THINGS), draw(rng, DOINGS)
        found[" ".join(words).capitalize()] = None
    return list(found)


def paragraph(rng: np.random.Generator, sentences: int = 2) -> str:
    """Different sentences one after the other."""
    return " ".join(SENTENCES[place] for place in rng.permutation(len(SENTENCES))[:sentences])
