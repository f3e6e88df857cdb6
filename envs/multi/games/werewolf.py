"""A village with a werewolf: hidden roles, talk by day, deeds by night."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..game import Game, IllegalMove, Mover, quote
from ..talk import Line, heard, message

NIGHT, DAY, VOTE = "night", "day", "vote"
NOBODY = "vote nobody"


class State(NamedTuple):
    """Who is the wolf and who the seer, who lives, the phase and its number, and everything that was said and known."""

    cards: tuple[int, int] | None = None
    alive: tuple[int, ...] = ()
    phase: str = NIGHT
    day: int = 1
    spoken: int = 0
    log: tuple[Line, ...] = ()


class Werewolf(Game[State]):
    """The hidden-role game of Davidoff 1986: a werewolf, a seer, and villagers.

    Each night the werewolf kills somebody and the seer learns one player's card; each day all who live speak once and
    then vote at the same time, and whoever has most votes is put out (nobody if there are several).  The village wins
    when the werewolf is out, the werewolf when only one other is left.  Winners are paid 1, losers -1; who is out
    shares its side's fate.
    """

    name = "Werewolf"
    default_opponent = "scripted"

    def __init__(self, players: int = 5) -> None:
        if not 4 <= players <= 9:
            raise ValueError(f"there must be 4 to 9 players, not {players}")
        self.roles = tuple(f"player_{number}" for number in range(players))
        self.guide = (
            f"Werewolf, with {players} players. One is the werewolf, one the seer, the others are villagers; you know "
            "only your own card. Each night the werewolf kills somebody, and the seer sees one card. Each day all "
            "speak once, and then vote; who has most votes is out. The village wins when the werewolf is out, the "
            "werewolf when only one other is left. Answer: kill <player>, see <player>, say <words>, vote <player> or "
            "vote nobody, whatever you are asked for."
        )
        named = [f"{verb} {role}" for verb in ("kill", "see", "vote") for role in self.roles]
        self.phrases = (*named, NOBODY, "say I am a villager")

    def start(self, task: None = None) -> State:
        """Before the cards are dealt."""
        return State(alive=tuple(range(len(self.roles))))

    def chances(self, state: State) -> Sequence[tuple[State, float]]:
        """Every choice of the werewolf and the seer."""
        pairs = list(itertools.permutations(range(len(self.roles)), 2))
        return [(state._replace(cards=pair), 1 / len(pairs)) for pair in pairs]

    def movers(self, state: State) -> tuple[int, ...]:
        """Werewolf and seer by night, one speaker after the other by day, then all at the same time."""
        if state.cards is None or self.over(state):
            return ()
        if state.phase == NIGHT:
            return tuple(player for player in sorted(state.cards) if player in state.alive)
        return (state.alive[state.spoken],) if state.phase == DAY else state.alive

    def over(self, state: State) -> bool:
        """When the werewolf is out, or alone with one other."""
        return state.cards is not None and (state.cards[0] not in state.alive or len(state.alive) <= 2)

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Everybody else who lives; an example of what could be said."""
        if state.phase == DAY:
            accusations = [f"say {role} is the werewolf" for role in self._others(state, player)]
            return ["say I am a villager", *accusations]
        verb = "vote" if state.phase == VOTE else "kill" if state.cards and player == state.cards[0] else "see"
        named = [f"{verb} {role}" for role in self._others(state, player)]
        return [*named, NOBODY] if state.phase == VOTE else named

    def _others(self, state: State, player: int) -> list[str]:
        return [self.roles[other] for other in state.alive if other != player]

    def read(self, state: State, player: int, text: str) -> str:
        """Free words by day."""
        if state.phase != DAY:
            return super().read(state, player, text)
        said = message(text, "say")
        if said is None:
            raise IllegalMove(f"{quote(text)} is not one of the actions; answer say <words>.")
        return f"say {said}"

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """A night, a speech, or a vote."""
        if state.phase == DAY:
            ((player, move),) = moves.items()
            after = state._replace(log=(*state.log, Line(player, move)), spoken=state.spoken + 1)
            return after if after.spoken < len(state.alive) else after._replace(phase=VOTE)
        return self._night(state, moves) if state.phase == NIGHT else self._vote(state, moves)

    def _night(self, state: State, moves: Mapping[int, str]) -> State:
        assert state.cards is not None
        wolf, seer = state.cards
        log = state.log
        if seer in moves:
            seen = self._number(moves[seer])
            log = (*log, Line(seer, f"see {self.roles[seen]}: {self._card(state, seen)}", ()))
        killed = self._number(moves[wolf])
        log = (*log, Line(-1, f"Night {state.day}: {self.roles[killed]} was killed."))
        alive = tuple(player for player in state.alive if player != killed)
        return state._replace(alive=alive, phase=DAY, spoken=0, log=log)

    def _vote(self, state: State, moves: Mapping[int, str]) -> State:
        votes = {player: move.partition(" ")[2] for player, move in moves.items()}
        counts = {role: list(votes.values()).count(role) for role in sorted(set(votes.values()))}
        most = [role for role, count in counts.items() if count == max(counts.values())]
        out = most[0] if len(most) == 1 and most[0] != "nobody" else None
        shown = ", ".join(f"{self.roles[player]} for {role}" for player, role in votes.items())
        result = f"{out} is out." if out else "Nobody is out."
        alive = tuple(player for player in state.alive if self.roles[player] != out)
        log = (*state.log, Line(-1, f"Vote {state.day}: {shown}. {result}"))
        return state._replace(alive=alive, phase=NIGHT, day=state.day + 1, log=log)

    def _number(self, move: str) -> int:
        return self.roles.index(move.partition(" ")[2])

    def _card(self, state: State, player: int) -> str:
        assert state.cards is not None
        return "werewolf" if player == state.cards[0] else "seer" if player == state.cards[1] else "villager"

    def returns(self, state: State) -> tuple[float, ...]:
        """1 for the side that has won, -1 for the other."""
        if not self.over(state) or state.cards is None:
            return (0.0,) * len(self.roles)
        village = 1.0 if state.cards[0] not in state.alive else -1.0
        return tuple(-village if player == state.cards[0] else village for player in range(len(self.roles)))

    def facts(self, state: State, player: int) -> str:
        """The player's name and card, and who lives."""
        alive = ", ".join(self.roles[other] for other in state.alive)
        return f"You are {self.roles[player]}, the {self._card(state, player)}. Alive: {alive}."

    def events(self, state: State, player: int) -> Sequence[str]:
        """What was said, the nights and the votes, and what the seer has seen."""
        return [line.removeprefix("GAME: ") for line in heard(state.log, player, (*self.roles, "GAME"))]

    def outcome(self, state: State) -> dict[str, Any]:
        """The cards, and which side has won."""
        assert state.cards is not None
        wolf, seer = (self.roles[player] for player in state.cards)
        return {"werewolf": wolf, "seer": seer, "village_won": state.cards[0] not in state.alive}

    def scripted(self) -> Mapping[str, Mover]:
        """Players who say what they know: the werewolf lies about it, the villagers believe it."""
        return {"scripted": self._scripted}

    def _scripted(self, state: State, player: int, np_random: np.random.Generator) -> str:
        others = self._others(state, player)
        anyone = others[int(np_random.integers(len(others)))]
        card, own = self._card(state, player), self.events(state, player)
        seen = [match for line in own if (match := re.match(r"You: see (player_\d): (\w+)", line))]
        found = next((match[1] for match in seen if match[2] == "werewolf" and match[1] in others), None)
        if state.phase == NIGHT:
            unknown = [role for role in others if role not in [match[1] for match in seen]] or others
            return f"kill {anyone}" if card == "werewolf" else f"see {unknown[int(np_random.integers(len(unknown)))]}"
        if state.phase == DAY:
            accused = found or (anyone if card == "werewolf" else None)
            return f"say {accused} is the werewolf" if accused else "say I am a villager"
        accusations = re.findall(r"(player_\d) is the werewolf", "\n".join(own[-2 * len(self.roles) :]))
        believed = [role for role in accusations if role in others]
        return f"vote {found or (believed[-1] if believed else anyone)}"
