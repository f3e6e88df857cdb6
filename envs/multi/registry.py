"""The games by name, and how to make each form of one."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from pettingzoo import AECEnv, ParallelEnv

    from .game import Game
    from .robots.env import RobotGame
    from .single import SingleAgentGame

GAMES: dict[str, tuple[str, float | None]] = {
    "ConnectFour": ("connect_four", None),
    "CooperativeShopping": ("shopping", None),
    "Coordination": ("matrix", None),
    "Debate": ("debate", None),
    "Discussion": ("discussion", None),
    "KuhnPoker": ("kuhn", None),
    "LeducPoker": ("leduc", None),
    "LevineHats": ("levine_hats", None),
    "LiarsDice": ("liars_dice", None),
    "MatchingPennies": ("matrix", None),
    "Nim": ("nim", None),
    "PileNegotiation": ("pile", 0.5),
    "PriceBargaining": ("price", 0.5),
    "PrisonersDilemma": ("matrix", None),
    "SocialDialogue": ("social", 0.5),
    "SolverVerifier": ("solver_verifier", None),
    "StagHunt": ("matrix", None),
    "TicTacToe": ("tic_tac_toe", None),
    "TruthAndDeception": ("truth_and_deception", None),
    "TwentyQuestions": ("twenty_questions", None),
    "Werewolf": ("werewolf", None),
    "WordGuessing": ("word_guessing", 0.39),  # a right guess after three wrong ones
}
"""The class of each game: its module in :mod:`palestra.envs.multi.games`, and the mean score that its solver reaches.

Ids are the names with ``-v0``.  Without a score it is the usual one, for games that have a solver.
"""

ROBOTS = {"RobotHandOver": "hand_over", "RobotSumo": "sumo"}
"""The class of each game of robots: its module in :mod:`palestra.envs.multi.robots`."""

MULTI: dict[str, Callable[..., Any]] = {}
"""What makes the PettingZoo form of other ids, see :func:`register_multi`."""


def register_games() -> None:
    """Register the single-agent form of every game with Gymnasium."""
    for name, (_, threshold) in GAMES.items():
        gymnasium.register(
            f"{name}-v0",
            entry_point="palestra.envs.multi.registry:make_single",
            max_episode_steps=100,
            reward_threshold=threshold,
            kwargs={"game": f"{name}-v0"},
        )


def register_multi(env_id: str, make: Callable[..., AECEnv[Any, Any, Any]]) -> None:
    """Let :func:`make_multi` and the checker know an AEC environment of yours: ``make(**kwargs)`` makes one."""
    MULTI[env_id] = make


def is_multi(env_id: str) -> bool:
    """Whether :func:`make_multi` knows the id."""
    name, _, version = env_id.rpartition("-")
    return env_id in MULTI or (version == "v0" and (name in GAMES or name in ROBOTS))


def make_game(env_id: str, **kwargs: Any) -> Game[Any]:
    """The rules of a game.  Raises :class:`ValueError` for an unknown id or argument, naming what there is."""
    name = env_id.removesuffix("-v0")
    if not is_multi(env_id) or name not in GAMES:
        nearest = difflib.get_close_matches(env_id, [f"{game}-v0" for game in GAMES], n=1, cutoff=0.4)
        hint = f"; the nearest one is {nearest[0]!r}" if nearest else ""
        raise ValueError(f"there is no game {env_id!r}{hint}")
    rules = getattr(importlib.import_module(f"{__package__}.games.{GAMES[name][0]}"), name)
    _refuse_unknown(name, kwargs, list(inspect.signature(rules).parameters))
    return rules(**kwargs)


def make_multi(
    env_id: str, *, parallel: bool = False, **kwargs: Any
) -> AECEnv[Any, Any, Any] | ParallelEnv[Any, Any, Any]:
    """The PettingZoo form of a game: turn-based (AEC), or with ``parallel`` the parallel one.

    ``kwargs`` are arguments of :class:`~palestra.envs.multi.aec.GameEnv` and of the game, or, for robots, of
    :class:`~palestra.envs.multi.robots.env.RobotGame`.

    Raises:
        ValueError: an unknown id or argument; the message names the nearest id, or the arguments.
        ModuleNotFoundError: PettingZoo is not installed.
    """
    from . import aec

    name = env_id.removesuffix("-v0")
    if env_id in MULTI:
        env = MULTI[env_id](**kwargs)
    elif name in ROBOTS:
        env = _make_robots(name, kwargs)
    else:
        own, rules = _split(aec.GameEnv, kwargs)
        env = aec.GameEnv(make_game(env_id, **rules), **own)
    return aec.parallel(env) if parallel else env


def _make_robots(name: str, kwargs: Mapping[str, Any]) -> RobotGame:
    from .robots.env import RobotGame

    rules = getattr(importlib.import_module(f"{__package__}.robots.{ROBOTS[name]}"), name)
    _refuse_unknown(name, kwargs, list(inspect.signature(RobotGame).parameters)[1:])
    return RobotGame(rules(), **kwargs)


def _refuse_unknown(name: str, kwargs: Mapping[str, Any], known: Sequence[str]) -> None:
    for argument in kwargs:
        if argument not in known:
            there_are = f"there are {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{name} has no argument {argument!r}; {there_are}")


def make_single(game: str, **kwargs: Any) -> SingleAgentGame:
    """The Gymnasium form of a game, as ``gymnasium.make`` makes it; see :class:`SingleAgentGame`."""
    from .single import SingleAgentGame

    own, rules = _split(SingleAgentGame, kwargs)
    return SingleAgentGame(make_game(game, **rules), **own)


def _split(kind: type, kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the environment's class, and the others, which are the game's."""
    names = inspect.signature(kind).parameters
    own = {name: value for name, value in kwargs.items() if name in names}
    return own, {name: value for name, value in kwargs.items() if name not in own}
