"""Recipes: from the command line and TOML files to the configuration of a run, and back.

A recipe is a TOML file whose keys are the fields of :class:`Config`, a table for each nested one.  With a key
``algorithm`` it is one of continuous control, whose keys are those of that algorithm's dataclass.
"""

from __future__ import annotations

import argparse
import difflib
import re
import tomllib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import reduce
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import tomli_w
import tyro

from .config import Config
from .control import config as control
from .control.config import ControlConfig

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Section = TypeVar("Section", bound="DataclassInstance")
Run = Config | ControlConfig
"""The configuration of a run: of a language-model agent, or of continuous control."""
AnyRun = TypeVar("AnyRun", Config, ControlConfig)

PACKAGE = Path(__file__).resolve().parents[1]
FILE = "recipe.toml"
"""The name of a run's own recipe, in its folder."""
RUNS, AUTO = Path("runs"), "auto"
"""Where the runs are whose folder is chosen by itself, and the name that asks for that."""

MAY_CHANGE = frozenset(
    [
        "steps",
        "run",
        "resume",
        "device",
        "workers",
        "checkpoint_every",
        "keep_trajectories",
        "rollout.concurrency",
        "rollout.timeout",
        "objective.max_batch_tokens",
        "evaluation.every",
    ]
)
"""What a resumed run may do otherwise: how long and how fast it goes and what it writes, never what it learns."""


class RecipeError(ValueError):
    """A recipe or a flag that cannot be followed; the message names it, and if it is unknown the nearest that is."""


@dataclass(frozen=True)
class _CommandLine(Generic[AnyRun]):
    """Train an agent: python train.py [--recipe webshop] [--flag value ...].

    Flags override the recipe.  Without --recipe: with --algorithm ppo or sac, a policy of continuous control is
    trained; if --model names a pretrained model, the defaults are made for one; else a small model is made on the spot,
    by the recipe webshop or, with another --env, small.  The defaults shown below are those in force: with --recipe
    small those of small, with --algorithm sac those of SAC.
    """

    recipe: str | None = None
    """TOML file, or the name of a recipe that comes with Palestra."""
    config: Annotated[AnyRun, tyro.conf.arg(name="")] = field(kw_only=True)


def parse(arguments: Sequence[str] | None = None) -> Run:
    """The run that the command line (``sys.argv`` unless given) asks for, with its folder.

    Raises:
        RecipeError: an unknown flag, a fault in the recipe, or ``--resume`` with other settings than the run's.
        SystemExit: after ``--help`` (0), or a flag's value of the wrong type (2), with a message printed.
    """
    base = _defaults(arguments)
    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(lambda info: _options_flag() if info.type == dict[str, Any] else None)
    command_line: Any = _CommandLine  # of a type that is known only now
    default = command_line(config=base)
    parsed, unknown = tyro.cli(
        command_line[type(base)], args=arguments, default=default, return_unknown_args=True, registry=registry
    )
    if unknown:
        flag = unknown[0].partition("=")[0]
        if not flag.startswith("-"):
            raise RecipeError(f"unexpected argument {flag!r}")
        known = [f"--{key}" for key in ["recipe", *_keys(type(base))]]
        raise RecipeError(f"unknown flag {flag}; did you mean {_nearest(flag, known).replace('_', '-')}?")
    config: Run = replace(parsed.config, env_options=base.env_options | parsed.config.env_options)
    if isinstance(base, Config) and isinstance(config, Config):
        config = replace(
            config,
            advantage_options=base.advantage_options | config.advantage_options,
            opponents=replace(config.opponents, roles=base.opponents.roles | config.opponents.roles),
        )
    if config.run == AUTO:
        config = replace(config, run=str(latest_run() if config.resume else next_run(config.env)))
    if config.resume:
        check_resumable(config)
    return config


def next_run(env: str) -> Path:
    """Make the first of the folders ``runs/<environment>-0``, ``-1``, ... that is not there yet."""
    name = re.sub(r"-v\d+$", "", env.rpartition(":")[2]).lower().replace("/", "-")
    for number in count():
        path = RUNS / f"{name}-{number}"
        try:  # rather than to look first: of two runs that start together, one gets it
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise AssertionError("there is always another number")


def forget(config: Run) -> None:
    """Remove the run's folder if nothing was written into it."""
    run = Path(config.run)
    if run.is_dir() and not any(run.iterdir()):
        run.rmdir()


def latest_run() -> Path:
    """The run in ``runs`` that was started or resumed last.

    Raises:
        RecipeError: there is none.
    """
    found = list(RUNS.glob(f"*/{FILE}"))
    if not found:
        raise RecipeError(f"there is no run to resume in {RUNS}; name its folder with --run")
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent


def load(path: str | Path) -> Run:
    """The recipe in the TOML file ``path``; what it leaves out has the default of :class:`Config`, or the algorithm's.

    Raises:
        RecipeError: no such file, no TOML, an unknown key (the nearest one is named), or a value of the wrong type.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from error
    try:
        plain = _plain_run(values["algorithm"]) if "algorithm" in values else Config()
        return _changed(plain, values, "", type(plain))
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def load_as(kind: type[AnyRun], path: str | Path) -> AnyRun:
    """:func:`load`, where only one kind of run can be used.

    Raises:
        RecipeError: also if the recipe is of the other kind.
    """
    config = load(path)
    if not isinstance(config, kind):
        raise RecipeError(f"{path}: not the recipe of a {_KINDS[kind]}")
    return config


def find(name: str) -> Path:
    """The file of a recipe: a path, or the name of one that comes with the package.

    Raises:
        RecipeError: there is none; the nearest that comes with the package is named.
    """
    for path in (Path(name), PACKAGE / name, PACKAGE / "recipes" / f"{name}.toml"):
        if path.is_file():
            return path
    shipped = sorted(path.stem for path in (PACKAGE / "recipes").glob("*.toml"))
    nearest = _nearest(Path(name).stem, shipped)
    raise RecipeError(f"no recipe {name}; did you mean {nearest}? There are {', '.join(shipped)}, and any path")


def dump(config: Run) -> str:
    """The TOML text that :func:`load` reads back, without ``run`` and ``resume``: what was run, not where."""
    values = _without_none(asdict(config))
    del values["run"], values["resume"]
    return tomli_w.dumps(values)


def save(config: Run) -> None:
    """Write the recipe into the run's folder, whole or not at all."""
    path = Path(config.run) / FILE
    temporary = path.with_suffix(".tmp")
    temporary.write_text(dump(config), encoding="utf-8")
    temporary.replace(path)


def flat(config: Run) -> dict[str, Any]:
    """All settings under their dotted names; the environment's options are one of them."""
    return {key: reduce(getattr, key.split("."), config) for key in _keys(type(config))}


def check_resumable(config: Run) -> None:
    """Compare a configuration with the one that its run began with.

    Raises:
        RecipeError: the run's folder has no recipe, or one that differs in more than :data:`MAY_CHANGE`.
    """
    saved, wanted = flat(_saved(config.run)), flat(config)
    may_change = MAY_CHANGE if isinstance(config, Config) else control.MAY_CHANGE
    changed = [key for key in wanted if wanted[key] != saved.get(key) and key not in may_change]
    if changed:
        lines = [f"  {key}: began with {saved.get(key)!r}, now {wanted[key]!r}" for key in changed]
        raise RecipeError(f"{config.run} cannot go on with other settings than it began with:\n" + "\n".join(lines))


def _defaults(arguments: Sequence[str] | None) -> Run:
    """What holds where no flag says otherwise, which depends on some of the flags."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("recipe", "algorithm", "env", "model", "run"):
        flags.add_argument(f"--{name}", default=AUTO if name == "run" else None)
    for name in ("--resume", "--self-play"):
        flags.add_argument(name, action=argparse.BooleanOptionalAction)
    chosen, _ = flags.parse_known_args(arguments)
    if chosen.recipe is not None:
        return load(find(chosen.recipe))
    if chosen.resume:
        run = str(latest_run()) if chosen.run == AUTO else chosen.run
        return replace(_saved(run), run=run)
    if chosen.algorithm is not None:
        return _for_control(chosen.algorithm, chosen.env or ControlConfig.env)
    if chosen.model is not None:
        return Config()
    if chosen.self_play:
        return load(_for_self_play(chosen.env or Config.env))
    return load(find("webshop" if chosen.env in (None, Config.env) else "small"))


def _for_control(algorithm: str, env: str) -> ControlConfig:
    """The recipe in this environment that comes with the package and is named after the algorithm, or the defaults."""
    plain = _plain_run(algorithm)
    # Others of the algorithm's, such as reach-clone, are for those who name them.
    for path in sorted((PACKAGE / "recipes").glob(f"*-{algorithm}.toml")):
        shipped = load(path)
        if isinstance(shipped, ControlConfig) and shipped.env == env:
            return shipped
    return plain


def _plain_run(algorithm: Any) -> ControlConfig:
    """The defaults of an algorithm of continuous control."""
    if algorithm not in control.CONFIGS:
        raise RecipeError(f"algorithm must be one of {', '.join(control.CONFIGS)}, not {algorithm!r}")
    return control.CONFIGS[algorithm]()


def _for_self_play(env: str) -> Path:
    """The first recipe of self-play in this environment that comes with the package, or the one for any."""
    for path in sorted((PACKAGE / "recipes").glob("*.toml")):
        shipped = load(path)
        if isinstance(shipped, Config) and shipped.self_play and shipped.env == env:
            return path
    return find("self-play")


def _saved(run: str) -> Run:
    path = Path(run) / FILE
    if not path.is_file():
        raise RecipeError(f"there is no run to resume in {run}: it has no {FILE}")
    return load(path)


def _changed(section: Section, values: Mapping[str, Any], prefix: str, whole: type) -> Section:
    """``section`` of ``whole`` with the values of a TOML table, whose dotted name and a dot are ``prefix``."""
    hints = get_type_hints(type(section))
    changes = {}
    for key, value in values.items():
        if key not in hints:
            nearest = _nearest(prefix + key, [*_keys(whole), *_sections(whole)])
            raise RecipeError(f"unknown key {prefix}{key}; did you mean {nearest}?")
        if not is_dataclass(hints[key]):
            changes[key] = _checked(value, hints[key], prefix + key)
        elif isinstance(value, dict):
            changes[key] = _changed(getattr(section, key), value, f"{prefix}{key}.", whole)
        else:
            raise RecipeError(f"{prefix}{key} must be a table, not {value!r}")
    return replace(section, **changes)


def _checked(value: Any, hint: Any, key: str) -> Any:
    """``value`` as the type ``hint`` of a field, of those that occur in :class:`Config`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _checked(value, hint, key)
    if origin is Literal:
        if value not in arguments:
            raise RecipeError(f"{key} must be one of {', '.join(arguments)}, not {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list) or len(value) != len(arguments):
            raise RecipeError(f"{key} must be an array of {len(arguments)} values, not {value!r}")
        return tuple(_checked(item, part, key) for item, part in zip(value, arguments, strict=True))
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not (origin or hint):
        raise RecipeError(f"{key} must be {_TOML_NAMES[origin or hint]}, not {value!r}")
    return value


_KINDS: dict[type, str] = {Config: "language-model agent", ControlConfig: "policy of continuous control"}
_TOML_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    dict: "a table",
    list: "an array",
}


def _options_flag() -> tyro.constructors.PrimitiveConstructorSpec[dict[str, Any]]:
    """How ``--env-options key=value ...`` is read; each pair is then set in, or added to, what the recipe has."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="KEY=VALUE [KEY=VALUE ...]",
        instance_from_str=lambda pairs: dict(map(_option, pairs)),
        is_instance=lambda value: isinstance(value, dict),
        str_from_instance=lambda value: [f"{key}={item}" for key, item in value.items()],
    )


def _option(pair: str) -> tuple[str, Any]:
    """``key=value`` with a TOML value; a word that TOML would want quoted is taken as it stands."""
    key, sign, text = pair.partition("=")
    if not sign or not key:
        raise ValueError(f"expected key=value, not {pair!r}")
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError as error:
        if re.match(r"[\"'\[{]", text) or "\n" in text:
            raise ValueError(f"{key}: {text!r} is not a TOML value: {error}") from error
        return key, text
    if len(parsed) > 1:
        raise ValueError(f"{key}: {text!r} is more than one TOML value")
    return key, parsed["value"]


def _keys(section: type, prefix: str = "") -> Iterator[str]:
    """The dotted names of all fields of a dataclass that are not dataclasses themselves."""
    hints = get_type_hints(section)
    for each in fields(section):
        hint = hints[each.name]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from _keys(hint, f"{prefix}{each.name}.")
        else:
            yield prefix + each.name


def _sections(section: type) -> list[str]:
    """The dotted names of all nested dataclasses, in no order."""
    return sorted({key.rpartition(".")[0] for key in _keys(section)} - {""})


def _nearest(word: str, known: Sequence[str]) -> str:
    """The one of ``known`` that is most like ``word``, as a whole or in its last part."""

    def likeness(candidate: str) -> tuple[float, float]:
        pairs = [(word, candidate), (word.rpartition(".")[2], candidate.rpartition(".")[2])]
        whole, last = (difflib.SequenceMatcher(None, _plain(one), _plain(other)).ratio() for one, other in pairs)
        return max(whole, last), whole

    return max(known, key=likeness)


def _plain(word: str) -> str:
    return word.lstrip("-").replace("-", "_").lower()


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null: what is None is left out, which is None when read back."""
    nested = {key: _without_none(value) if isinstance(value, dict) else value for key, value in values.items()}
    return {key: value for key, value in nested.items() if value is not None}
