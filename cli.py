"""The command line: ``python -m palestra <command> ...``."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose complaint about an unknown command or option names the nearest one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Print usage and the complaint, and exit with status 2."""
        wrong = _wrong_words(message)
        known = [*self._option_string_actions, *(name for action in self._actions for name in action.choices or ())]
        nearest = [match for word in wrong for match in difflib.get_close_matches(word, map(str, known), n=1)]
        super().error(message + (f"; did you mean {nearest[0]}?" if nearest else ""))


def _wrong_words(message: str) -> list[str]:
    """The words that argparse complains about."""
    if message.startswith("unrecognized arguments: "):
        return [word.partition("=")[0] for word in message.removeprefix("unrecognized arguments: ").split()]
    if "invalid choice: " in message:
        return [message.split("invalid choice: ")[1].split("'")[1]]
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = Parser(prog="palestra", description="The gym where language-model agents train.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=Parser)
    for add in COMMANDS:
        add(commands)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # Only the command's own parser knows its options.
        commands.choices[options.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        return options.run(options)
    except (ValueError, ModuleNotFoundError) as error:
        print(f"palestra {options.command}: {error}", file=sys.stderr)
        return 2


def _add_check(commands: Any) -> None:
    parser = commands.add_parser("check", help="check that an environment keeps its promises")
    parser.add_argument("env", help="environment id, or module:id to import the module that registers it")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="argument of the environment")
    parser.add_argument("--words", action="store_true", help="check it as a language model meets it, put into words")
    parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="run this check (may be repeated)")
    parser.add_argument("--seed", type=int, default=0, help="seed of what the checks play")
    parser.add_argument("--episodes", type=int, default=3, help="episodes that the checks replay")
    parser.add_argument("--steps", type=int, default=40, help="longest of these episodes")
    parser.add_argument("--oracle-tasks", type=int, default=10, help="tasks of each split that the oracle has to solve")
    score_help = "mean score that it has to reach (default: the registered reward_threshold, or 0.98)"
    parser.add_argument("--min-oracle-score", type=float, help=score_help)
    recovery_help = "mean score that it has to reach after three other actions (default: the same)"
    parser.add_argument("--min-recovery-score", type=float, help=recovery_help)
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from .envs.check import Settings, check

    # As `python -m` does; an installed `palestra` command does not look in the working directory.
    sys.path.insert(0, os.getcwd())
    report = check(
        options.env,
        kwargs=dict(_setting(text) for text in options.set),
        words=options.words,
        only=options.only,
        settings=Settings(
            seed=options.seed,
            episodes=options.episodes,
            steps=options.steps,
            oracle_tasks=options.oracle_tasks,
            min_oracle_score=options.min_oracle_score,
            min_recovery_score=options.min_recovery_score,
        ),
        on_outcome=lambda outcome: print(outcome, flush=True),
    )
    print(report.summary)
    return 0 if report.passed else 1


def _setting(text: str) -> tuple[str, Any]:
    """``NAME=VALUE``, with the value read as JSON where it is JSON, and as text otherwise."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"--set needs NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _add_audit(commands: Any) -> None:
    from .rewards.audit.command import add_options

    parser = commands.add_parser("audit", help="compare a reward with the true one, and search for ways to cheat it")
    add_options(parser)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="argument of the environment")
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    from .rewards.audit.command import audit, settings_of

    sys.path.insert(0, os.getcwd())  # as _check does
    kwargs = dict(_setting(text) for text in options.set)
    for line in audit(options.env, options.reward, options.true, kwargs, settings_of(options)):
        print(line, flush=True)
    return 0


def _add_play(commands: Any) -> None:
    parser = commands.add_parser("play", help="play a game in the terminal")
    parser.add_argument("game", help="id of a game, such as KuhnPoker-v0")
    parser.add_argument("--seat", help="the role that you play (default: drawn by the seed)")
    opponent_help = "who plays the others: random, optimal, or a player of the game's own (default: the game's choice)"
    parser.add_argument("--opponent", help=opponent_help)
    parser.add_argument("--against", metavar="RUN", help="folder of a run of train.py, whose policy plays the others")
    parser.add_argument("--seed", type=int, help="seed of the deal and of the opponents (default: another each time)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="argument of the game")
    parser.set_defaults(run=_play)


def _play(options: argparse.Namespace) -> int:
    import numpy as np

    from .agents.players import Person, Script, script
    from .agents.table import play_table
    from .envs.multi.registry import make_game, make_multi

    kwargs = dict(_setting(text) for text in options.set)
    game = make_game(options.game, **kwargs)
    np_random = np.random.default_rng(options.seed)
    seat = options.seat or game.roles[int(np_random.integers(len(game.roles)))]
    if seat not in game.roles:
        raise ValueError(f"there is no seat {seat!r}; there are {', '.join(game.roles)}")
    if options.against is None:
        env = make_multi(options.game, observation="new", **kwargs)
        other: Script = script(options.opponent or game.default_opponent)
    else:
        from .training.opponent import RunPlayer

        env = make_multi(options.game, **kwargs)
        other = RunPlayer(options.against, env)
    players = dict.fromkeys(game.roles, other)
    print(f"{game.guide}\nYou are {seat}. Ctrl-D ends the game.\n")
    try:
        paid = play_table(env, {**players, seat: Person()}, np_random, seed=int(np_random.integers(2**31)))
    except (EOFError, KeyboardInterrupt):
        print("\nThe game was broken off.")
        return 1
    print(f"\n{game.render(env.unwrapped.position.state)}\n")
    print("\n".join(f"{role}: {amount:g}" for role, amount in paid.items()))
    return 0


def _add_match(commands: Any) -> None:
    parser = commands.add_parser("match", help="let two players play many games, in both seats")
    parser.add_argument("game", help="id of a game, such as KuhnPoker-v0")
    player_help = "a player of the game's, random, optimal, the folder of a run, or <folder>@start"
    parser.add_argument("first", help=player_help)
    parser.add_argument("second", help="the same")
    parser.add_argument("--games", type=int, default=1000, help="how many, over all seats")
    parser.add_argument("--seed", type=int, default=0, help="seed of the deals and the players")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="argument of the game")
    parser.set_defaults(run=_match)


def _match(options: argparse.Namespace) -> int:
    from .training.match import play_match

    kwargs = dict(_setting(text) for text in options.set)
    played = play_match(options.game, options.first, options.second, options.games, options.seed, kwargs)
    print(f"{options.first} against {options.second}")
    print("\n".join(played.lines()))
    return 0


COMMANDS: list[Callable[[Any], None]] = [_add_check, _add_audit, _add_play, _add_match]
"""One function for each command: it adds the command's parser and sets ``run`` to a function of the parsed options."""
