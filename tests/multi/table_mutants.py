"""A small environment for two that keeps every promise, and many that each break one.

Every class below :class:`Count` is registered under its own name, with the checks that it must fail in :data:`MUTANTS`.
"""

from __future__ import annotations

import datetime
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import palestra
from palestra.envs.multi.aec import GameEnv
from palestra.envs.multi.game import Game, IllegalMove
from palestra.envs.multi.referee import Position

MUTANTS: dict[str, set[str]] = {}
"""The checks that each broken environment fails, all of them, without ``multi_``."""

State = tuple[tuple[str, str], ...]


class Counting(Game[State]):
    """Both say a number at the same time, six times; whoever says more is paid, and a rumour is added by chance."""

    name = "Counting"
    roles = ("player_0", "player_1")
    guide = "Say 1, 2 or 3."
    phrases = ("1", "2", "3")
    simultaneous = True

    def start(self, task: Any = None) -> State:
        return ()

    def movers(self, state: State) -> tuple[int, ...]:
        return () if self.over(state) or len(state) % 2 else (0, 1)

    def over(self, state: State) -> bool:
        return len(state) == 12

    def draw(self, state: State, np_random: np.random.Generator) -> State:
        return (*state, (str(int(np_random.integers(1000))), ""))

    def actions(self, state: State, player: int) -> Sequence[str]:
        return self.phrases

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        return (*state, (moves[0], moves[1]))

    def returns(self, state: State) -> tuple[float, ...]:
        said = state[::2]
        return (float(sum(a > b for a, b in said)), float(sum(b > a for a, b in said)))

    def facts(self, state: State, player: int) -> str:
        return f"Round {len(state) // 2 + 1}."

    def events(self, state: State, player: int) -> Sequence[str]:
        return [f"{a} {b}".strip() for a, b in state]


class Count(GameEnv):
    """Keeps every promise."""

    game_type: ClassVar[type[Game[Any]]] = Counting

    def __init__(self, max_cycles: int | None = None) -> None:
        super().__init__(self.game_type(), max_cycles=max_cycles)


def breaks(*checks: str) -> Callable[[type[Count]], type[Count]]:
    """Register a class and the checks that it fails."""

    def add(mutant: type[Count]) -> type[Count]:
        MUTANTS[mutant.__name__] = set(checks)
        palestra.register_multi(f"{mutant.__name__}-v0", mutant)
        return mutant

    return add


palestra.register_multi("Count-v0", Count)


@breaks(
    "can_be_played",
    "pettingzoo_api_test",
    "pettingzoo_parallel_api_test",
    "pettingzoo_seed_test",
    "pettingzoo_max_cycles_test",
)
class Raises(Count):
    def step(self, action: Any) -> None:
        raise KeyError(action)


@breaks("info_is_json")
class SetInInfo(Count):
    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "seen": {1, 2}} if agent == "player_0" else super()._info(agent)


@breaks("returned_values_are_kept")
class ReusesInfo(Count):
    def _go_on(self, told: Sequence[str]) -> None:
        super()._go_on(self.possible_agents)
        self.rounds = getattr(self, "rounds", {"player_0": [], "player_1": []})
        for agent, info in self.infos.items():
            self.rounds[agent][:] = [self.position.round]
            info["rounds"] = self.rounds[agent]

    def restore(self, state: Any) -> None:
        super().restore(state)
        self.rounds = {"player_0": [], "player_1": []}


@breaks("same_seed_same_episode", "pettingzoo_seed_test")
class DropsSeed(Count):
    def reset(self, seed: int | None = None, options: Any = None) -> None:
        super().reset(None, options)


@breaks("reset_forgets", "restore_repeats_the_future", "restore_in_another_instance")
class Remembers(Count):
    steps = 0

    def step(self, action: Any) -> None:
        self.steps += 1
        super().step(action)

    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "steps": self.steps}


@breaks("reset_without_seed_goes_on")
class SeedsAgain(Count):
    seed_before: int | None = None

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.seed_before = self.seed_before if seed is None else seed
        super().reset(self.seed_before, options)


@breaks("other_process")
class ProcessNumber(Count):
    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "process": os.getpid()}


@breaks("other_hash_seed")
class HashOrder(Count):
    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "order": list({"17", "23", "42", "58", "71", "99"})}


@breaks("other_clock")
class Today(Count):
    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "day": datetime.date.today().toordinal()}


@breaks("other_pace")
class RewardsHaste(Count):
    moment = 0.0

    def step(self, action: Any) -> None:
        waited, self.moment = time.monotonic() - self.moment, time.monotonic()
        super().step(action)
        for info in self.infos.values():
            info["slow"] = 0.2 < waited < 10.0


@breaks("instances_apart", "restore_repeats_the_future", "restore_in_another_instance", "pettingzoo_seed_test")
class SharedState(Count):
    shared: ClassVar[dict[str, int]] = {"steps": 0}

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.shared["steps"] = 0
        super().reset(seed, options)

    def step(self, action: Any) -> None:
        self.shared["steps"] += 1
        super().step(action)

    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "steps": self.shared["steps"]}


class Globally(Counting):
    def draw(self, state: State, np_random: np.random.Generator) -> State:
        return (*state, (str(random.randrange(1000)), ""))


@breaks(
    "global_generators_left_alone", "restore_repeats_the_future", "restore_in_another_instance", "pettingzoo_seed_test"
)
class DrawsGlobally(Count):
    game_type = Globally


@breaks("close_twice")
class ClosesOnce(Count):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


@breaks("snapshot_pickles")
class SnapshotWithLock(Count):
    def snapshot(self) -> Any:
        return super().snapshot(), threading.Lock()

    def restore(self, state: Any) -> None:
        super().restore(state[0])


@breaks("restore_in_another_instance")
class SnapshotStaysHere(Count):
    def snapshot(self) -> Any:
        self.states = [*getattr(self, "states", []), super().snapshot()]
        return len(self.states) - 1

    def restore(self, state: Any) -> None:
        super().restore(self.states[state])


@breaks("restore_repeats_the_future", "restore_in_another_instance")
class ForgetsGenerator(Count):
    def restore(self, state: Any) -> None:
        generator = self.np_random.bit_generator.state
        super().restore(state)
        self.np_random.bit_generator.state = generator


@breaks("snapshot_does_not_change")
class SharesSnapshot(Count):
    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.counts = {"steps": 0}
        super().reset(seed, options)

    def step(self, action: Any) -> None:
        self.counts["steps"] += 1
        super().step(action)

    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "steps": self.counts["steps"]}

    def snapshot(self) -> Any:
        return super().snapshot(), self.counts

    def restore(self, state: Any) -> None:
        super().restore(state[0])
        self.counts = state[1]


@breaks("snapshot_changes_nothing")
class SnapshotDraws(Count):
    def snapshot(self) -> Any:
        state = super().snapshot()
        self.np_random.random()
        return state


@breaks("pettingzoo_api_test")
class KeepsTheDead(Count):
    def step(self, action: Any) -> None:
        over = any(self.terminations.values())
        super().step(action)
        if over and self.agents:
            self.rewards["player_9"] = 0.0


class Reversed(Counting):
    def movers(self, state: State) -> tuple[int, ...]:
        return super().movers(state)[::-1]


@breaks("pettingzoo_parallel_api_test", "pettingzoo_seed_test", "pettingzoo_max_cycles_test")
class OutOfOrder(Count):
    game_type = Reversed


@breaks("pettingzoo_max_cycles_test")
class GoesOn(Count):
    def __init__(self, max_cycles: int | None = None) -> None:
        super().__init__(None if max_cycles is None else max_cycles + 1)


@breaks("only_who_moves_has_actions")
class EveryoneHasActions(Count):
    def _info(self, agent: str) -> Any:
        return {**super()._info(agent), "legal_actions": ["1", "2", "3"]}


class Picky(Counting):
    def read(self, state: State, player: int, text: str) -> str:
        if text == "3":
            raise IllegalMove("Three is too many.")
        return super().read(state, player, text)


@breaks("legal_actions_are_accepted")
class RefusesALegalAction(Count):
    game_type = Picky


class Lenient(Counting):
    def read(self, state: State, player: int, text: str) -> str:
        return text if text in self.phrases else "1"


@breaks("illegal_moves_change_nothing")
class TakesNonsense(Count):
    game_type = Lenient


@breaks("illegal_moves_change_nothing")
class ShowsNonsense(Count):
    def observe(self, agent: str) -> Any:
        seen = super().observe(agent)
        wrong = [other for other, feedback in self._feedback.items() if feedback]
        return type(seen)(f"{seen}\nSomebody erred.") if wrong else seen


@breaks("illegal_moves_change_nothing")
class PaysForNonsense(Count):
    def step(self, action: Any) -> None:
        before: Position = self.position
        agent = self.agent_selection
        super().step(action)
        if self._feedback.get(agent) and before.turn is not None:
            self.rewards[agent] = 1.0
