"""What an environment for several agents promises, beside what every environment does.

The checks of the other families are played at a :class:`~palestra.envs.check.table.Table`, where one sits for all
agents; those below are about the agents: PettingZoo's own tests, turns, legal and illegal moves.
"""

from __future__ import annotations

import contextlib
import io
import types
import warnings
from collections.abc import Callable
from typing import Any

from . import determinism, forking, interface, values
from .compare import difference
from .hostile import HOSTILE
from .interface import describe
from .play import global_seeds, start, step
from .report import Failed, Skipped
from .subject import Subject
from .table import Table, TableMaker

MOST_TRIED = 12
"""How many legal actions of one turn are tried."""


def pettingzoo_api_test(subject: Subject) -> str:
    """It passes PettingZoo's own ``api_test`` for turn-based (AEC) environments."""
    pettingzoo = _pettingzoo()
    _run(lambda: pettingzoo.api_test(_maker(subject).multi(), num_cycles=100))
    return ""


def pettingzoo_parallel_api_test(subject: Subject) -> str:
    """Its parallel form, by PettingZoo's own converter, passes ``parallel_api_test``."""
    pettingzoo = _pettingzoo()
    _run(lambda: pettingzoo.parallel_api_test(_maker(subject).multi(parallel=True), num_cycles=100))
    return ""


def pettingzoo_seed_test(subject: Subject) -> str:
    """It passes PettingZoo's own ``seed_test``, in both forms."""
    from pettingzoo.test.seed_test import parallel_seed_test

    make = _maker(subject)
    _run(lambda: _pettingzoo().seed_test(make.multi, num_cycles=50))
    _run(lambda: parallel_seed_test(lambda: make.multi(parallel=True), num_cycles=50))
    return ""


def pettingzoo_max_cycles_test(subject: Subject) -> str:
    """It passes PettingZoo's own ``max_cycles_test``: truncated for all agents after ``max_cycles`` rounds.

    That test is for environments where all agents act in every step, and that go on for longer than its 4 rounds.
    """
    make = _maker(subject)
    env = make.multi()
    if not env.metadata.get("is_parallelizable"):
        raise Skipped("its agents take turns")
    try:
        rounds = _rounds(make.multi(max_cycles=100))
    except TypeError as error:
        raise Skipped(f"it takes no max_cycles: {error}") from error
    if rounds <= 4:
        raise Skipped(f"its episodes have only {rounds} rounds")
    forms = types.SimpleNamespace(
        env=make.multi, parallel_env=lambda max_cycles: make.multi(parallel=True, max_cycles=max_cycles)
    )
    _run(lambda: _pettingzoo().max_cycles_test(forms))
    return ""


def only_who_moves_has_actions(subject: Subject) -> str:
    """``info["legal_actions"]`` names some for the agent whose turn it is, and none for anybody else."""
    for number, table in _tables(subject):
        env = table.env
        for agent in env.agents:
            legal = env.infos[agent].get("legal_actions")
            over = env.terminations[agent] or env.truncations[agent]
            if legal is None:
                raise Skipped("it does not list legal actions")
            if bool(legal) != (agent == env.agent_selection and not over):
                raise Failed(f"turn {number} is {env.agent_selection}'s, and {agent} has the legal actions {legal}")
    return ""


def legal_actions_are_accepted(subject: Subject) -> str:
    """Each action that ``info["legal_actions"]`` lists is accepted: ``info["valid_action"]`` stays true."""
    if not subject.forkable:
        raise Skipped("no snapshots are declared, to try every action")
    tried = 0
    for number, table in _tables(subject):
        agent, legal = table.env.agent_selection, table.legal()
        if legal is None:
            raise Skipped("it does not list legal actions")
        for action in legal[:MOST_TRIED]:
            state = table.snapshot()
            table.env.step(action)
            if not table.env.infos[agent].get("valid_action", True):
                raise Failed(f"turn {number}: {action!r}, one of {agent}'s legal actions, was refused")
            table.restore(state)
            tried += 1
    return f"{tried} tried"


def illegal_moves_change_nothing(subject: Subject) -> str:
    """Nonsense raises nothing, is paid nothing, is answered by feedback, and nobody sees anything new.

    ``info["valid_action"]`` is false and ``info["feedback"]`` a text for whoever wrote it.  The nonsense is that of
    ``hostile_actions_are_answered``.
    """
    if not _speaks(subject):
        raise Skipped("its actions are not text")
    for what, action in HOSTILE.items():
        for number, table in _tables(subject, most=2):
            env, agent = table.env, table.env.agent_selection
            before = {other: str(env.observe(other)) for other in env.agents}
            try:
                env.step(action)
            except Exception as error:
                raise Failed(f"{what} from {agent} in turn {number} raised {describe(error)}") from error
            info = env.infos[agent]
            if env.terminations[agent] or env.truncations[agent]:
                raise Failed(f"{what} from {agent} in turn {number} ended the episode")
            if any(reward > 0 for reward in env.rewards.values()):
                raise Failed(f"{what} from {agent} in turn {number} was paid {env.rewards}")
            if info.get("valid_action") is not False or not isinstance(info.get("feedback"), str):
                raise Failed(f"{what} from {agent} in turn {number} was answered by {info}, without feedback")
            found = difference(before, {other: str(env.observe(other)) for other in env.agents})
            if found:
                raise Failed(f"{what} from {agent} in turn {number} changed what is seen: {found}")
            break
    return f"{len(HOSTILE)} kinds"


def _maker(subject: Subject) -> TableMaker:
    assert isinstance(subject.make, TableMaker)
    return subject.make


def _speaks(subject: Subject) -> bool:
    env: Any = subject.probe
    return all(isinstance(env.env.action_space(agent).sample(), str) for agent in env.env.possible_agents)


def _tables(subject: Subject, most: int = 30) -> Any:
    """Each turn of the recorded episodes: its number, and a table that stands there."""
    for script in subject.scripts:
        table: Any = subject.make()
        with global_seeds(0):
            frame = start(table, script)
            for number, action in enumerate(script.actions[:most]):
                if frame.done:
                    break
                yield number, table
                frame = step(table, action)
        table.close()


def _rounds(env: Any) -> int:
    """How many rounds an episode of sampled actions has."""
    table, rounds = Table(env), 0
    table.action_space.seed(0)
    table.reset(seed=0)
    while env.agents and rounds < 100 * len(env.possible_agents):
        rounds += 1
        table.step(table.action_space.sample())
    return rounds // len(env.possible_agents)


def _pettingzoo() -> Any:
    import pettingzoo.test

    return pettingzoo.test


def _run(test: Callable[[], None]) -> None:
    """Run a test of PettingZoo's, which prints that it has passed, and warns of all spaces that are not arrays."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), global_seeds(0):
        warnings.simplefilter("ignore")
        try:
            test()
        except AssertionError as error:
            raise Failed(f"PettingZoo says: {describe(error)}") from error


def reset_without_seed_goes_on(subject: Subject) -> str:
    """As for one agent; where the environment keeps its generator in ``_np_random``, as Gymnasium's do."""
    table: Any = subject.probe
    if not hasattr(table.env.unwrapped, "_np_random"):
        raise Skipped("its generator cannot be looked at")
    return determinism.reset_without_seed_goes_on(subject)


PLAYED = (
    interface.can_be_played,
    values.info_is_json,
    values.returned_values_are_kept,
    determinism.same_seed_same_episode,
    determinism.reset_forgets,
    reset_without_seed_goes_on,
    determinism.other_process,
    determinism.other_hash_seed,
    determinism.other_clock,
    determinism.other_pace,
    determinism.instances_apart,
    determinism.global_generators_left_alone,
    interface.close_twice,
    *forking.CHECKS,
)
"""The checks of other families that are played at the table."""

CHECKS = (
    pettingzoo_api_test,
    pettingzoo_parallel_api_test,
    pettingzoo_seed_test,
    pettingzoo_max_cycles_test,
    only_who_moves_has_actions,
    legal_actions_are_accepted,
    illegal_moves_change_nothing,
)
