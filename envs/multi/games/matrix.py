"""Matrix games: two players, both choose at the same time, a table says what each is paid; for one round or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, get_args

from ..game import Game

State = tuple[tuple[str, str], ...]
"""The choices of each round."""

Table = Mapping[tuple[str, str], tuple[float, float]]
Payoff = Literal["sum", "mean"]


class MatrixGame(Game[State]):
    """A game given by its table, repeated for ``rounds`` rounds; a player is paid after each.

    ``payoff="mean"`` divides every payment by the number of rounds.  A player sees all earlier rounds.
    """

    roles = ("player_0", "player_1")
    simultaneous = True
    table: ClassVar[Table]
    story: str

    def __init__(self, rounds: int = 1, payoff: Payoff = "sum") -> None:
        if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
            raise ValueError(f"rounds must be a whole number from 1, not {rounds!r}")
        if payoff not in get_args(Payoff):
            raise ValueError(f"payoff must be one of {', '.join(get_args(Payoff))}, not {payoff!r}")
        self.rounds = rounds
        self.scale = 1 / rounds if payoff == "mean" else 1.0
        self.choices = tuple(dict.fromkeys(first for first, _ in self.table))
        self.phrases = self.choices
        self.lowest = rounds * self.scale * min(min(pay) for pay in self.table.values())
        often = "once" if rounds == 1 else f"{rounds} times"
        self.guide = (
            f"{self.story} You both choose {often}, at the same time. {self._payments()} "
            "Answer with one action and nothing else."
        )

    def _payments(self) -> str:
        """The table in words; from either seat where it is the same for both."""
        if self.roles == MatrixGame.roles:
            rows = [f"{pay[0]:g} for {mine} against {theirs}" for (mine, theirs), pay in self.table.items()]
            return f"You are paid {', '.join(rows)}."
        first, second = self.roles
        rows = [f"{pay[0]:g} and {pay[1]:g} for {' and '.join(chosen)}" for chosen, pay in self.table.items()]
        return f"The {first} and the {second} are paid {', '.join(rows)}."

    def start(self, task: None = None) -> State:
        """Before the first round."""
        return ()

    def movers(self, state: State) -> tuple[int, ...]:
        """Both, at the same time."""
        return () if self.over(state) else (0, 1)

    def over(self, state: State) -> bool:
        """After the last round."""
        return len(state) == self.rounds

    def actions(self, state: State, player: int) -> Sequence[str]:
        """The table's choices."""
        return self.choices

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Play a round."""
        return (*state, (moves[0], moves[1]))

    def returns(self, state: State) -> tuple[float, ...]:
        """The sum of the payments."""
        pays = [self.table[choices] for choices in state]
        return (sum(pay[0] for pay in pays) * self.scale, sum(pay[1] for pay in pays) * self.scale)

    def facts(self, state: State, player: int) -> str:
        """Which round it is, and the player's role where it matters."""
        role = "" if self.roles == MatrixGame.roles else f"You are the {self.roles[player]}."
        number = f"Round {min(len(state) + 1, self.rounds)} of {self.rounds}." if self.rounds > 1 else ""
        return " ".join(part for part in (role, number) if part)

    def events(self, state: State, player: int) -> Sequence[str]:
        """The earlier rounds."""
        return [f"Round {number}: you {c[player]}, other {c[1 - player]}" for number, c in enumerate(state, 1)]

    def render(self, state: State) -> str:
        """The rounds and the payments."""
        rows = [f"Round {number}: {first}, {second}" for number, (first, second) in enumerate(state, 1)]
        paid = self.returns(state)
        return "\n".join([*rows, f"Paid: {paid[0]:g}, {paid[1]:g}"])


class PrisonersDilemma(MatrixGame):
    """The prisoner's dilemma: 5 for betraying, 3 for both cooperating, 1 for both defecting, 0 for being betrayed."""

    name = "PrisonersDilemma"
    story = "The prisoner's dilemma."
    table: ClassVar[Table] = {
        ("cooperate", "cooperate"): (3, 3),
        ("cooperate", "defect"): (0, 5),
        ("defect", "cooperate"): (5, 0),
        ("defect", "defect"): (1, 1),
    }


class MatchingPennies(MatrixGame):
    """Matching pennies: the first player wins when both show the same; the value is 0, by equal chances."""

    name = "MatchingPennies"
    roles = ("matcher", "mismatcher")
    story = "Matching pennies. The matcher wins if both show the same side, the mismatcher if they differ."
    zero_sum = True
    table: ClassVar[Table] = {
        ("heads", "heads"): (1, -1),
        ("heads", "tails"): (-1, 1),
        ("tails", "heads"): (-1, 1),
        ("tails", "tails"): (1, -1),
    }


class StagHunt(MatrixGame):
    """The stag hunt: the stag needs both hunters, the hare only one; both pure pairs are equilibria."""

    name = "StagHunt"
    story = "The stag hunt. A stag needs two hunters, a hare one."
    table: ClassVar[Table] = {
        ("stag", "stag"): (4, 4),
        ("stag", "hare"): (0, 3),
        ("hare", "stag"): (3, 0),
        ("hare", "hare"): (3, 3),
    }


class Coordination(MatrixGame):
    """Pure coordination: both are paid when they choose the same, more for the one than for the other."""

    name = "Coordination"
    story = "Coordination. You are both paid if you choose the same."
    lowest = 0.0
    table: ClassVar[Table] = {
        ("left", "left"): (1, 1),
        ("left", "right"): (0, 0),
        ("right", "left"): (0, 0),
        ("right", "right"): (2, 2),
    }
