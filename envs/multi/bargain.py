"""Two players bargain: they propose deals in turn until one is accepted, somebody leaves, or time is up.

What a deal is and what it is worth to whom is the game's business; here are the turns, the scores, and the players.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar, get_args

import numpy as np

from ..splits import Splits
from .game import Game, IllegalMove, Mover, quote
from .talk import Line, heard, message

Task = TypeVar("Task")
Pay = Literal["own", "difference"]

PROPOSE, ACCEPT, LEAVE, SAY, ADVISE = "propose", "accept", "leave", "say", "advise"


class Bargain(NamedTuple):
    """A bargain in progress: the task, what was said, the deal on the table and who put it there, and how it ended."""

    task: Any
    log: tuple[Line, ...] = ()
    deal: str | None = None
    by: int | None = None
    moves: int = 0
    advised: bool = False
    """Whether the strategist of the player to move has spoken."""
    ended: str | None = None


class BargainGame(Game[Bargain], Generic[Task]):
    """What bargaining games share.

    Moves are ``propose <deal>``, ``accept``, ``leave`` and ``say <words>``; a colon and words may follow a proposal.
    After ``most_moves`` moves there is no deal, which is worth nothing to both.

    With ``strategists`` each player has one, who sees what its player sees, is paid what its player is paid, and writes
    ``advise <words>`` to it alone before each of its moves: the strategist and the actor of EPO
    (https://arxiv.org/abs/2502.12486).

    With ``pay="difference"`` a player is paid how much more the deal is worth to it than to the other, so that one who
    holds out is not worse off than one who gives in: the game is to win, not to agree.
    """

    default_opponent = "fair"
    lowest = 0.0
    players: tuple[str, str]
    """The two who bargain."""
    patience: ClassVar[Mapping[str, float]] = {"fair": 0.4, "greedy": 0.8, "firm": 0.6, "deceptive": 0.6}
    """What the scripted players ask for in the end, as a share of the most that they can imagine."""

    def __init__(self, most_moves: int = 10, strategists: bool = False, pay: Pay = "own") -> None:
        if most_moves < 2:
            raise ValueError(f"most_moves must be at least 2, not {most_moves}")
        if pay not in get_args(Pay):
            raise ValueError(f"pay must be own or difference, not {pay!r}")
        self.most_moves = most_moves
        self.strategists = strategists
        self.pay = pay
        self.lowest = type(self).lowest if pay == "own" else type(self).lowest - 1.0
        advisers = tuple(f"{player}_strategist" for player in self.players) if strategists else ()
        self.roles = (*self.players, *advisers)
        self.default_seat = self.players[0]
        self.phrases = (ACCEPT, LEAVE, "say hello", *self.examples(), *(("advise be patient",) if strategists else ()))

    @abstractmethod
    def deals(self, task: Task) -> Sequence[str]:
        """Every possible deal, as it is written."""

    @abstractmethod
    def worth(self, task: Task, deal: str, player: int) -> float:
        """What a deal is worth to one of the two, at most 1; no deal is worth 0."""

    @abstractmethod
    def parse(self, task: Task, text: str, player: int) -> str:
        """The deal that ``player`` means.  Raises :class:`IllegalMove` with the feedback."""

    @abstractmethod
    def describe(self, task: Task, deal: str, player: int) -> str:
        """A deal in the words of the one who proposes it."""

    @abstractmethod
    def brief(self, task: Task, player: int) -> str:
        """What one of the two knows."""

    @abstractmethod
    def examples(self) -> Sequence[str]:
        """Proposals that are possible in some task."""

    def imagined(self, task: Task, player: int) -> Sequence[str]:
        """The deals that a player can think of, knowing what it knows."""
        return self.deals(task)

    def left(self, task: Task, deal: str, player: int) -> int:
        """How much a deal leaves to the other, as far as ``player`` can tell; here it cannot."""
        return 0

    def start(self, task: Any = None) -> Bargain:
        """Before the first move."""
        return Bargain(task)

    def movers(self, state: Bargain) -> tuple[int, ...]:
        """The two in turn, each after its strategist."""
        if state.ended:
            return ()
        player = state.moves % 2
        return (player + 2,) if self.strategists and not state.advised else (player,)

    def over(self, state: Bargain) -> bool:
        """After an acceptance, when somebody has left, or when time is up."""
        return state.ended is not None

    def actions(self, state: Bargain, player: int) -> Sequence[str]:
        """Every proposal, acceptance of the other's, leaving, and an example of what could be said."""
        if player >= 2:
            return ("advise be patient", "advise be generous", "advise insist on what matters most")
        deals = [f"{PROPOSE} {self.describe(state.task, deal, player)}" for deal in self.deals(state.task)]
        on_table = [ACCEPT] if state.by == 1 - player else []
        return [*on_table, *deals, LEAVE, "say hello"]

    def read(self, state: Bargain, player: int, text: str) -> str:
        """A move in its own words; the deal of a proposal is written as in :meth:`deals`."""
        if player >= 2:
            return f"{ADVISE} {_said(text, ADVISE)}"
        word = text.strip().casefold() if len(text) < 50 else ""
        if word == LEAVE or (word == ACCEPT and state.by == 1 - player):
            return word
        if word == ACCEPT:
            raise IllegalMove("There is nothing to accept: no proposal of the other's is on the table.")
        said = message(text, SAY)
        if said is not None:
            return f"{SAY} {said}"
        deal, _, words = _said(text, PROPOSE).partition(":")
        return f"{PROPOSE} {self.parse(state.task, deal.strip(), player)}" + (f": {words.strip()}" if words else "")

    def play(self, state: Bargain, moves: Mapping[int, str]) -> Bargain:
        """Put a proposal on the table, close the deal, or end without one."""
        ((player, move),) = moves.items()
        if player >= 2:
            return state._replace(log=(*state.log, Line(player, move, (player - 2,))), advised=True)
        verb, _, rest = move.partition(" ")
        after = state._replace(moves=state.moves + 1, advised=False)
        if verb == PROPOSE:
            deal, _, words = rest.partition(":")
            after = after._replace(deal=deal, by=player)
            move = f"{PROPOSE} {self.describe(state.task, deal, player)}" + (f":{words}" if words else "")
        ended = {ACCEPT: "deal", LEAVE: "left"}.get(verb) or ("time" if after.moves >= self.most_moves else None)
        return after._replace(log=(*state.log, Line(player, move)), ended=ended)

    def returns(self, state: Bargain) -> tuple[float, ...]:
        """What the deal is worth to each, or how much more than to the other, and the same to its strategist."""
        first, second = (self.charged(state, player, worth) for player, worth in enumerate(self._got(state)))
        paid = (first, second) if self.pay == "own" else (first - second, second - first)
        return paid * (2 if self.strategists else 1)

    def charged(self, state: Bargain, player: int, pay: float) -> float:
        """What a player is paid, after what its own words have cost it."""
        return pay

    def _got(self, state: Bargain) -> list[float]:
        """What each of the two has from the deal, 0 without one."""
        if state.ended != "deal" or state.deal is None:
            return [0.0, 0.0]
        return [self.worth(state.task, state.deal, player) for player in range(2)]

    def facts(self, state: Bargain, player: int) -> str:
        """What the player, or the one that it advises, knows."""
        role = f"You advise {self.roles[player - 2]}, who knows this. " if player >= 2 else ""
        return role + self.brief(state.task, player % 2)

    def events(self, state: Bargain, player: int) -> Sequence[str]:
        """What was said, and how it ended."""
        if player < 2:
            lines = heard(state.log, player, self.roles)
        else:
            own = [line for line in state.log if line.player in (0, 1, player)]
            lines = heard(own, player, self.roles)
        endings = {"deal": "Deal.", "left": "No deal: somebody left.", "time": "No deal: time is up."}
        return [*lines, endings[state.ended]] if state.ended else lines

    def prompt(self, state: Bargain, player: int) -> str:
        """What can be done, and how many moves are left."""
        if player >= 2:
            return f"Actions: {ADVISE} <words>"
        accept = f"{ACCEPT}, " if state.by == 1 - player else ""
        return f"{self.most_moves - state.moves} moves left. Actions: {accept}{PROPOSE} <deal>, {SAY} <words>, {LEAVE}"

    def outcome(self, state: Bargain) -> dict[str, Any]:
        """Whether there was a deal, what it was worth, and how good it was for both together.

        ``pareto`` says whether no other deal would have been better for one and no worse for the other;
        ``nash_product`` and ``joint`` are the product and the sum of what it was worth, over the largest possible.
        """
        every = [[self.worth(state.task, deal, player) for player in range(2)] for deal in self.deals(state.task)]
        got = self._got(state)
        most_product = max(max(first, 0.0) * max(second, 0.0) for first, second in every)
        most_joint = max(first + second for first, second in every)
        better = any(a >= got[0] - 1e-9 and b >= got[1] - 1e-9 and a + b > sum(got) + 1e-9 for a, b in every)
        return {
            "deal": state.ended == "deal",
            "values": got,
            "pareto": not better,
            "nash_product": max(got[0], 0.0) * max(got[1], 0.0) / most_product if most_product > 0 else 0.0,
            "joint": sum(got) / most_joint if most_joint > 0 else 0.0,
        }

    def scripted(self) -> Mapping[str, Mover]:
        """``fair`` concedes evenly, ``greedy`` hardly; ``firm`` accepts less from move to move but always proposes what
        is best for it, and ``deceptive`` says of the same that it gives something up.
        """
        return {name: partial(self._concede, name) for name in self.patience}

    def _concede(self, name: str, state: Bargain, player: int, np_random: np.random.Generator) -> str:
        """Ask for less from move to move, down to a share of the most that it can imagine; accept what is as good."""
        if player >= 2:
            return "advise ask for less from move to move"
        worths = {deal: self.worth(state.task, deal, player) for deal in self.imagined(state.task, player)}
        best, last = max(worths.values()), self.patience[name]
        ahead = (self.most_moves - state.moves - 1) // 2
        total = max((self.most_moves - 1) // 2, 1)
        asks = best * (last + (1 - last) * ahead / total)
        offered = self.worth(state.task, state.deal, player) if state.by == 1 - player and state.deal else -1.0
        if offered >= asks - 1e-9:
            return ACCEPT
        enough = [deal for deal, worth in worths.items() if worth >= asks - 1e-9]
        insists = name in ("firm", "deceptive")
        # Who concedes proposes what is just good enough for it, and of that what leaves the other the most.
        proposed = (max if insists else min)(worths[deal] for deal in enough)
        choices = [deal for deal in enough if abs(worths[deal] - proposed) < 1e-9]
        if not insists:
            most = max(self.left(state.task, deal, player) for deal in choices)
            choices = [deal for deal in choices if self.left(state.task, deal, player) == most]
        deal = choices[int(np_random.integers(len(choices)))]
        claim = ": this is less than I need, and I give up what matters most to me" if name == "deceptive" else ""
        return f"{PROPOSE} {self.describe(state.task, deal, player)}{claim}"

    def advise(self, state: Bargain, player: int) -> str:
        """Insist on the best deal that leaves the other what ``fair`` asks for in the end, and take any as good."""
        if player >= 2:
            return "advise insist"
        worths = {deal: [self.worth(state.task, deal, seat) for seat in range(2)] for deal in self.deals(state.task)}
        other = [self.worth(state.task, deal, 1 - player) for deal in self.imagined(state.task, 1 - player)]
        enough = self.patience["fair"] * max(other)
        open_to_other = {deal: both for deal, both in worths.items() if both[1 - player] >= enough - 1e-9}
        wanted = max(open_to_other, key=lambda deal: open_to_other[deal][player])
        if state.by == 1 - player and state.deal is not None:
            offered = self.worth(state.task, state.deal, player)
            last_chance = state.moves >= self.most_moves - 1 and offered > 0
            if last_chance or offered >= worths[wanted][player] - 1e-9:
                return ACCEPT
        return f"{PROPOSE} {self.describe(state.task, wanted, player)}"


def split_by_view(tasks: Sequence[Task], view: Callable[[Task], Hashable], train: int, held_out: int) -> Splits[Task]:
    """Splits in which no held-out task looks like a training task to the first player, who sees ``view(task)``.

    A tenth of the views goes to validation and to test each; of the tasks with those, in their order, ``held_out`` are
    taken, and of the others ``train``.
    """
    views = list(dict.fromkeys(map(view, tasks)))
    tenth = len(views) // 10
    place = {seen: min(number // tenth, 2) for number, seen in enumerate(views)}
    parts: list[list[Task]] = [[], [], []]
    for task in tasks:
        parts[place[view(task)]].append(task)
    return Splits(train=parts[2][:train], validation=parts[0][:held_out], test=parts[1][:held_out])


def _said(text: str, verb: str) -> str:
    said = message(text, verb)
    if said is None:
        raise IllegalMove(f"{quote(text)} is not one of the actions.")
    return said
