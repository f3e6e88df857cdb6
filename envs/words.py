"""Any Gymnasium environment with ``Discrete`` or ``Text`` actions, put into words for a language model."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import RecordConstructorArgs

from .abilities import Forkable, Guided, Solvable, Tasked
from .spaces import AnyText

LARGEST_BOX = 64
"""How many numbers of an array are put into words; images are not for words."""


class Phrases(AnyText):
    """Every text, as :class:`AnyText`, but ``sample`` draws one of ``phrases``: the texts that mean something."""

    def __init__(self, phrases: Sequence[str], seed: int | np.random.Generator | None = None) -> None:
        self.phrases = tuple(phrases)
        super().__init__(seed=seed)

    def sample(self, mask: None = None, probability: None = None) -> str:
        """Draw one of the phrases."""
        if mask is not None or probability is not None:
            raise ValueError("Phrases.sample takes neither a mask nor probabilities")
        return self.phrases[int(self.np_random.integers(len(self.phrases)))]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phrases) and self.phrases == other.phrases

    def __hash__(self) -> int:
        return hash((Phrases, self.phrases))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names of an environment's actions, and how to say an observation of it."""

    names: tuple[str, ...]
    say: Callable[[Any, Any], str]
    """``say(env, observation)``, with the unwrapped environment."""


def _say_lake(env: Any, observation: int) -> str:
    row, column = divmod(int(observation), env.ncol)
    return f"You are at row {row}, column {column} of {env.nrow} rows and {env.ncol} columns."


def _say_cliff(env: Any, observation: int) -> str:
    row, column = divmod(int(observation), 12)
    return f"You are at row {row}, column {column} of 4 rows and 12 columns."


def _say_taxi(env: Any, observation: int) -> str:
    row, column, passenger, destination = env.decode(int(observation))
    places = [f"{name} (row {place[0]}, column {place[1]})" for name, place in zip(_TAXI_PLACES, env.locs, strict=True)]
    where = "in the taxi" if passenger == len(places) else f"at {places[passenger]}"
    return (
        f"The taxi is at row {row}, column {column}. The passenger is {where}. "
        f"The destination is {places[destination]}."
    )


def _say_blackjack(env: Any, observation: tuple[int, int, int]) -> str:
    total, dealer, ace = (int(number) for number in observation)
    return f"Your cards sum to {total}, {'with a' if ace else 'without'} usable ace. The dealer shows {dealer}."


_TAXI_PLACES = ("Red", "Green", "Yellow", "Blue")

KNOWN = {
    "Blackjack": Vocabulary(("stick", "hit"), _say_blackjack),
    "CliffWalking": Vocabulary(("up", "right", "down", "left"), _say_cliff),
    "FrozenLake": Vocabulary(("left", "down", "right", "up"), _say_lake),
    "Taxi": Vocabulary(("south", "north", "east", "west", "pickup", "dropoff"), _say_taxi),
}
"""Gymnasium's own text environments, by the name of their class without ``Env``."""


def as_text(env: gymnasium.Env) -> gymnasium.Env:
    """``env`` itself if it takes and gives text (or gives a dictionary with ``"text"``), otherwise ``Words(env)``."""
    gives = env.observation_space
    speaks = isinstance(gives, AnyText | spaces.Text) or (isinstance(gives, spaces.Dict) and "text" in gives.spaces)
    return env if speaks and isinstance(env.action_space, AnyText | spaces.Text) else Words(env)


class Translation(gymnasium.Wrapper[Any, str, Any, Any], RecordConstructorArgs, ABC):
    """A wrapper whose actions are another language than the wrapped environment's.

    Abilities are looked up on ``env.unwrapped``, so that stops here, and each one that the wrapped environment has is
    declared again: its tasks as they are, the oracle and snapshots by :meth:`_oracle`, :meth:`_snapshot` and
    :meth:`_restore`.
    """

    def _declare_abilities(self) -> None:
        inner = self.env.unwrapped
        # As instance attributes, so that only abilities that the wrapped environment has are declared.
        if isinstance(inner, Solvable):
            self.oracle = self._oracle
        if isinstance(inner, Forkable):
            self.snapshot, self.restore = self._snapshot, self._restore
        if isinstance(inner, Tasked):
            self.tasks = inner.tasks

    @property
    def unwrapped(self) -> gymnasium.Env:
        """This wrapper: what is below speaks another language."""
        return self

    @property
    def spec(self) -> EnvSpec | None:
        """The specification of the wrapped environment and this wrapper."""
        return super().spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        # gymnasium.make sets it on `unwrapped` when an entry point returns a wrapped environment.
        self.env.unwrapped.spec = spec
        self._cached_spec = None

    @property
    def _np_random(self) -> np.random.Generator | None:  # type: ignore[override]
        return self.env.unwrapped._np_random

    @abstractmethod
    def _oracle(self) -> str:
        """The wrapped environment's advice, in this language."""

    @abstractmethod
    def _snapshot(self) -> Any:
        """The wrapped environment's snapshot, with what this wrapper remembers."""

    @abstractmethod
    def _restore(self, state: Any) -> None:
        """Go back to a :meth:`_snapshot`."""


class Words(Translation):
    """Puts an environment into words: it shows text and is answered by text.

    Discrete actions are called by ``names``, else by ``env.metadata["action_names"]``, else as in :data:`KNOWN`, else
    by their numbers.  Capitals and surrounding white space do not matter.  Anything else is an invalid action: it
    changes nothing in the wrapped environment, is paid 0, and is answered by ``info["feedback"]``, with
    ``info["valid_action"]`` false.  It still takes one of ``max_episode_steps``.  Where every step costs something, as
    in Taxi, that makes nonsense cheap: train with a reward on ``valid_action`` there.

    Observations are said as in :data:`KNOWN`, otherwise numbers are written out and arrays of at most
    :data:`LARGEST_BOX` numbers too.  If the environment was made with ``render_mode="ansi"`` its picture comes first,
    with ``<red>...</red>`` for terminal colours, since they often carry what matters.  Every observation ends with the
    actions.

    The guide, oracle, snapshots and tasks of the wrapped environment stay available, in words, and a guide is made from
    its documentation if it has none.

    >>> env = Words(gymnasium.make("FrozenLake-v1"))
    >>> print(env.reset(seed=0)[0])
    You are at row 0, column 0 of 4 rows and 4 columns.
    Actions: left, down, right, up

    Raises :class:`ValueError` for actions that are neither ``Discrete`` nor ``Text``, for observations that words
    cannot carry, and for names that are not as many and as different as the actions.
    """

    def __init__(self, env: gymnasium.Env, names: Sequence[str] | None = None) -> None:
        RecordConstructorArgs.__init__(self, names=names)
        gymnasium.Wrapper.__init__(self, env)
        inner = env.unwrapped
        known = KNOWN.get(type(inner).__name__.removesuffix("Env"))
        self.names = _action_names(env, names, known)
        self._say = None if known is None else known.say
        _check_sayable(env.observation_space)
        self.observation_space = AnyText()
        self.action_space = Phrases(self.names) if self.names else env.action_space
        self.guide: str = inner.guide if isinstance(inner, Guided) else self._make_guide()
        self._shown = ""
        self._steps = 0
        self._declare_abilities()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Reset the wrapped environment and say what it shows."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._steps = 0
        self._shown = self._put(observation)
        return self._shown, plain(info)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take the action of that name; see the class for what happens to an invalid one."""
        self._steps += 1
        limit = None if self.env.spec is None else self.env.spec.max_episode_steps
        over = limit is not None and self._steps >= limit
        meant = self._meaning(action)
        if meant is None:
            return self._shown, 0.0, False, over, {"valid_action": False, "feedback": self._feedback(action)}
        observation, reward, terminated, truncated, info = self.env.step(meant)
        self._shown = self._put(observation)
        info = {**plain(info), "valid_action": True}
        return self._shown, float(reward), bool(terminated), bool(truncated) or over, info

    def _oracle(self) -> str:
        action = self.env.unwrapped.oracle()  # type: ignore[attr-defined]
        return self.names[int(action) - _first(self.env.action_space)] if self.names else action

    def _snapshot(self) -> Any:
        return self.env.unwrapped.snapshot(), self._shown, self._steps  # type: ignore[attr-defined]

    def _restore(self, state: Any) -> None:
        inner, self._shown, self._steps = state
        self.env.unwrapped.restore(inner)  # type: ignore[attr-defined]

    def _meaning(self, action: Any) -> Any:
        if not self.names:
            return action if self.env.action_space.contains(action) else None
        # A bound on the length, so that a megabyte is not copied and searched.
        if not isinstance(action, str) or len(action) > 10 * max(map(len, self.names)) + 100:
            return None
        meant = action.strip().casefold()
        for number, name in enumerate(self.names):
            if name.casefold() == meant:
                return number + _first(self.env.action_space)
        return None

    def _feedback(self, action: Any) -> str:
        shown = action if isinstance(action, str) else type(action).__name__
        shown = shown if len(shown) <= 40 else f"{shown[:40]}..."
        return f"Invalid action: {shown!r} is not one of the actions."

    def _put(self, observation: Any) -> str:
        lines = [
            self._say(self.env.unwrapped, observation) if self._say else say(self.env.observation_space, observation)
        ]
        if self.env.render_mode == "ansi":
            lines.insert(0, _tag_colours(str(self.env.render())).strip("\n"))
        if self.names:
            lines.append(f"Actions: {', '.join(self.names)}")
        return "\n".join(lines)

    def _make_guide(self) -> str:
        documentation = inspect.getdoc(type(self.env.unwrapped)) or type(self.env.unwrapped).__name__
        paragraphs = re.split(r"\n\s*\n", re.sub(r"^#.*$", "", documentation, flags=re.MULTILINE).strip())
        first = " ".join(paragraphs[0].split())
        answer = "one of these actions" if self.names else f"an action in {self.env.action_space}"
        return f"{first}\n\nAnswer with {answer} and nothing else{': ' if self.names else ''}{', '.join(self.names)}."


def say(space: gymnasium.Space, value: Any) -> str:
    """A value of ``space`` in words: numbers as they are, with four digits, and named parts on lines of their own."""
    if isinstance(space, spaces.Dict):
        return "\n".join(f"{key}: {say(part, value[key])}" for key, part in space.spaces.items())
    if isinstance(space, spaces.Tuple):
        return ", ".join(say(part, item) for part, item in zip(space.spaces, value, strict=True))
    if isinstance(space, spaces.Text | AnyText):
        return str(value)
    if isinstance(space, spaces.Discrete):
        return str(int(value))
    return np.array2string(np.asarray(value), precision=4, suppress_small=True, separator=", ", max_line_width=120)


def plain(value: Any) -> Any:
    """``value`` with NumPy's numbers and arrays as Python's, and tuples as lists; other things stay as they are."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _action_names(env: gymnasium.Env, names: Sequence[str] | None, known: Vocabulary | None) -> tuple[str, ...]:
    """The names of the discrete actions, empty for text actions."""
    space = env.action_space
    if isinstance(space, spaces.Text | AnyText):
        if names is not None:
            raise ValueError("names are for Discrete actions; this environment takes text")
        return ()
    if not isinstance(space, spaces.Discrete):
        raise ValueError(f"Words needs Discrete or Text actions, not {space}")
    chosen = names if names is not None else env.metadata.get("action_names")
    if chosen is None:
        usable = known is not None and len(known.names) == space.n
        chosen = known.names if usable and known is not None else [str(_first(space) + i) for i in range(int(space.n))]
    if len(chosen) != space.n or len({name.strip().casefold() for name in chosen}) != space.n:
        raise ValueError(f"{int(space.n)} actions need as many different names, not {list(chosen)}")
    return tuple(name.strip() for name in chosen)


def _first(space: gymnasium.Space) -> int:
    return int(space.start) if isinstance(space, spaces.Discrete) else 0


def _check_sayable(space: gymnasium.Space) -> None:
    if isinstance(space, spaces.Dict | spaces.Tuple):
        for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
            _check_sayable(part)
    elif isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        if np.prod(space.shape, dtype=int) > LARGEST_BOX:
            raise ValueError(f"{space} has more than {LARGEST_BOX} numbers, too many for words")
    elif not isinstance(space, spaces.Discrete | spaces.Text | AnyText):
        raise ValueError(f"Words cannot say an observation in {space}")


_COLOURS = {0: "grey", 1: "red", 2: "green", 3: "yellow", 4: "blue", 5: "magenta", 6: "cyan", 7: "white"}


def _tag_colours(text: str) -> str:
    """Terminal colours as tags: a letter shown on red becomes ``"<red>S</red>"``."""

    def tag(match: re.Match[str]) -> str:
        colours = [_COLOURS.get(int(code) % 10) for code in match[1].split(";") if code.isdigit() and int(code) >= 30]
        colour = colours[0] if colours else None
        return match[2] if colour is None else f"<{colour}>{match[2]}</{colour}>"

    tagged = re.sub(r"\x1b\[([0-9;]*)m(.*?)\x1b\[0m", tag, text, flags=re.DOTALL)
    return re.sub(r"\x1b\[[0-9;]*m", "", tagged)
