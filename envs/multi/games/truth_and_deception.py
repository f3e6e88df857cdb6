"""Truth and deception: one knows which of two statements is true and argues for the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...splits import Splits
from ..game import Game, IllegalMove, Mover, quote
from ..talk import Line, heard, message

_FACTS = """
Honey can keep for centuries.|Honey spoils within a year.
A day on Venus is longer than its year.|A day on Venus lasts ten hours.
Octopuses have three hearts.|Octopuses have one heart.
Bananas are berries in botany.|Strawberries are berries in botany.
Sound travels faster in water than in air.|Sound travels faster in air than in water.
The Pacific is the largest ocean.|The Atlantic is the largest ocean.
Bats are mammals.|Bats are birds.
Light takes about eight minutes from the sun to the earth.|Light takes about eight hours from the sun to the earth.
Diamonds are made of carbon.|Diamonds are made of silicon.
A hexagon has six sides.|A hexagon has eight sides.
Canberra is the capital of Australia.|Sydney is the capital of Australia.
Mount Everest lies in the Himalayas.|Mount Everest lies in the Andes.
Penguins live in the wild in the southern hemisphere.|Penguins live in the wild near the north pole.
Water expands when it freezes.|Water shrinks when it freezes.
Spiders have eight legs.|Spiders have six legs.
The Nile flows north.|The Nile flows south.
An adult has 32 teeth at most.|An adult has 40 teeth at most.
Saturn would float on water.|Mars would float on water.
Iceland has no railway.|Iceland has a railway around the island.
Copper conducts electricity better than iron.|Iron conducts electricity better than copper.
Koalas sleep most of the day.|Koalas hardly sleep.
The cheetah is the fastest animal on land.|The lion is the fastest animal on land.
Gold is heavier than lead of the same size.|Lead is heavier than gold of the same size.
Brazil borders Peru.|Brazil borders Chile.
Chess is played on 64 squares.|Chess is played on 81 squares.
Sharks have no bones.|Sharks have more bones than people.
Tea comes from an evergreen plant.|Tea comes from a moss.
A marathon is a little over 42 kilometres.|A marathon is exactly 40 kilometres.
The moon has no weather.|The moon has weak winds.
Lake Baikal is the deepest lake.|Lake Victoria is the deepest lake.
Tomatoes came to Europe from America.|Tomatoes came to Europe from India.
A violin has four strings.|A violin has six strings.
Seven is a prime number.|Nine is a prime number.
Helium is lighter than air.|Helium is heavier than air.
Finland has more than 100,000 lakes.|Finland has fewer than 1,000 lakes.
Snails can sleep for months.|Snails never sleep.
The heart has four chambers.|The heart has two chambers.
Vinegar is an acid.|Vinegar is a base.
Madagascar is an island.|Mozambique is an island.
Venus is the hottest planet.|Mercury is the hottest planet.
"""


class Pair(NamedTuple):
    """Two statements, and which is true, 0 or 1."""

    statements: tuple[str, str]
    true: int


class State(NamedTuple):
    """The statements, what was said, and what was chosen."""

    task: Pair
    log: tuple[Line, ...] = ()
    chosen: int | None = None


class TruthAndDeception(Game[State]):
    """A deceiver knows which of two statements is true; a guesser talks with it, and then chooses one.

    The guesser wins 1 by choosing the truth, the deceiver if it does not.  The scripted player lies about everything,
    or believes it.
    """

    name = "TruthAndDeception"
    roles = ("deceiver", "guesser")
    zero_sum = True
    default_opponent = "scripted"
    default_seat = "guesser"
    guide = (
        "Truth and deception. There are two statements, of which one is true. The deceiver knows which, and wins if "
        "the guesser chooses the other one. To talk, answer: say <words>. At the end the guesser answers: choose 1, "
        "or: choose 2."
    )
    phrases = ("say hello", "say 1 is true", "say 2 is true", "choose 1", "choose 2")

    def __init__(self, messages: int = 4) -> None:
        if messages < 1:
            raise ValueError(f"there must be at least one message, not {messages}")
        self.messages = messages
        self.splits = _splits()

    def start(self, task: Any = None) -> State:
        """Before the first message."""
        return State(task)

    def movers(self, state: State) -> tuple[int, ...]:
        """The two in turn, the deceiver first; then the guesser chooses."""
        if self.over(state):
            return ()
        return (len(state.log) % 2,) if len(state.log) < self.messages else (1,)

    def over(self, state: State) -> bool:
        """After the choice."""
        return state.chosen is not None

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Examples of what could be said, or the choice."""
        return self.phrases[:3] if len(state.log) < self.messages else self.phrases[3:]

    def read(self, state: State, player: int, text: str) -> str:
        """A message, or the choice."""
        if len(state.log) >= self.messages:
            return super().read(state, player, text)
        said = message(text, "say")
        if said is None:
            raise IllegalMove(f"{quote(text)} is not one of the actions; answer say <words>.")
        return f"say {said}"

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Say, or choose."""
        ((player, move),) = moves.items()
        if move.startswith("choose "):
            return state._replace(chosen=int(move[-1]) - 1)
        return state._replace(log=(*state.log, Line(player, move)))

    def returns(self, state: State) -> tuple[float, ...]:
        """1 to the guesser for the truth, to the deceiver otherwise."""
        if state.chosen is None:
            return (0.0, 0.0)
        return (-1.0, 1.0) if state.chosen == state.task.true else (1.0, -1.0)

    def facts(self, state: State, player: int) -> str:
        """The statements, and for the deceiver which is true."""
        shown = "\n".join(f"{number}. {statement}" for number, statement in enumerate(state.task.statements, 1))
        known = f" Statement {state.task.true + 1} is true." if player == 0 else ""
        return f"You are the {self.roles[player]}.{known}\n{shown}"

    def events(self, state: State, player: int) -> Sequence[str]:
        """What was said, and the choice."""
        lines = heard(state.log, player, self.roles)
        return lines if state.chosen is None else [*lines, f"guesser: choose {state.chosen + 1}"]

    def prompt(self, state: State, player: int) -> str:
        """What to answer."""
        return "Actions: say <words>" if len(state.log) < self.messages else "Actions: choose 1, choose 2"

    def outcome(self, state: State) -> dict[str, Any]:
        """Which statement is true."""
        return {"true": state.task.true + 1}

    def scripted(self) -> Mapping[str, Mover]:
        """A deceiver that lies, and a guesser that believes what it was told last."""
        return {"scripted": self._scripted}

    def _scripted(self, state: State, player: int, np_random: np.random.Generator) -> str:
        if len(state.log) < self.messages:
            return f"say {2 - state.task.true} is true" if player == 0 else "say which one is true?"
        told = [re.findall(r"\b[12]\b", line.text) for line in state.log if line.player == 0]
        named = [numbers[-1] for numbers in told if numbers]
        return f"choose {named[-1] if named else 1}"

    def advise(self, state: State, player: int) -> str:
        """Lie; or choose the truth."""
        if len(state.log) < self.messages:
            return self._scripted(state, player, np.random.default_rng(0))
        return f"choose {state.task.true + 1}"


@lru_cache(maxsize=1)
def _splits() -> Splits[Pair]:
    """The statements in a fixed order: eight pairs each for validation and test, the others to train on."""
    rng = np.random.default_rng(7)
    pairs = []
    for line in _FACTS.strip().split("\n"):
        true, false = line.split("|")
        pairs.append(Pair((true, false), 0) if rng.random() < 0.5 else Pair((false, true), 1))
    pairs = [pairs[index] for index in rng.permutation(len(pairs))]
    return Splits(train=pairs[16:], validation=pairs[:8], test=pairs[8:16])
