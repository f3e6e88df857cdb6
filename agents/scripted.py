"""Agents that are not language models: chance, the environment's own solver, a script, a person."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium import spaces

from ..envs.abilities import EnvironmentFault, Solvable
from ..envs.spaces import AnyText
from ..trajectory import Observation, Status, Trajectory, Turn

_WORD = re.compile(r"[^\W\d_]{3,}")


class Agent(Protocol):
    """Acts in one episode at a time."""

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Begin an episode of ``env``, which has been reset."""
        ...

    def act(self, observation: Observation, info: Mapping[str, Any]) -> Any:
        """Answer what ``reset`` or ``step`` returned last."""
        ...


def play(
    env: gymnasium.Env[Any, Any],
    agent: Agent,
    *,
    seed: int,
    options: dict[str, Any] | None = None,
    max_turns: int | None = None,
) -> Trajectory:
    """Play one episode to its end, or for ``max_turns``.

    An :class:`~palestra.envs.abilities.EnvironmentFault` makes a trajectory with status ``fault``; any other exception
    of the agent or the environment is raised.
    """
    asked = options or {}
    env_id = env.spec.id if env.spec else type(env.unwrapped).__name__
    trajectory = Trajectory(env_id, asked.get("task"), seed, split=asked.get("split"))
    try:
        observation, info = env.reset(seed=seed, options=options)
        agent.reset(env, seed)
        over = False
        while not over and (max_turns is None or len(trajectory.turns) < max_turns):
            turn = Turn(observation, agent.act(observation, info))
            trajectory.turns.append(turn)
            observation, reward, terminated, truncated, info = env.step(turn.action)
            turn.reward, turn.info = float(reward), info
            over = terminated or truncated
            if terminated:
                trajectory.status = Status.TERMINATED
        trajectory.final_observation = observation
    except EnvironmentFault as error:
        trajectory.status, trajectory.error = Status.FAULT, f"{type(error).__name__}: {error}"
    return trajectory


class RandomAgent:
    """Takes any of the actions that mean something, each equally likely.

    They are ``info["legal_actions"]`` where there are any.  In a shop of pages (``info["clickables"]``) they are a
    click on each clickable and, beside a search bar, a search for up to three words of the page.  Elsewhere the action
    space is sampled.  ``seed`` and the episode's seed together fix the actions.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Seed the draws of an episode."""
        self._rng = np.random.default_rng((self.seed, seed))
        self._space = copy.deepcopy(env.action_space)
        self._space.seed(int(self._rng.integers(2**31)))

    def act(self, observation: Observation, info: Mapping[str, Any]) -> Any:
        """Draw an action."""
        if "legal_actions" in info:
            actions = list(info["legal_actions"])
        elif "clickables" in info:
            actions = [f"click[{name}]" for name in info["clickables"] if name != "search"]
            if info["has_search_bar"]:
                actions.append(f"search[{self._words(observation)}]")
        else:
            return self._space.sample()
        return actions[int(self._rng.integers(len(actions)))]

    def _words(self, observation: Observation) -> str:
        text = observation if isinstance(observation, str) else observation["text"]
        words = sorted(set(_WORD.findall(text))) or ["anything"]
        chosen = self._rng.choice(len(words), size=min(len(words), int(self._rng.integers(1, 4))), replace=False)
        return " ".join(words[index] for index in chosen)


class OracleAgent:
    """Follows the environment's own ``oracle()``.

    Raises:
        TypeError: in ``reset``, for an environment that has none.
    """

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Take the environment's solver."""
        if not isinstance(env.unwrapped, Solvable):
            raise TypeError(f"{type(env.unwrapped).__name__} has no oracle()")
        self._oracle = env.unwrapped.oracle

    def act(self, observation: Observation, info: Mapping[str, Any]) -> Any:
        """The oracle's next action."""
        return self._oracle()


class ScriptedAgent:
    """Plays a list of actions from its start in each episode, or asks a function of the observation and ``info``.

    Raises:
        IndexError: in ``act``, when the list is at its end and the episode is not.
    """

    def __init__(self, script: Sequence[Any] | Callable[[Observation, Mapping[str, Any]], Any]) -> None:
        self.script = script
        self._turn = 0

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Go back to the start of the list."""
        self._turn = 0

    def act(self, observation: Observation, info: Mapping[str, Any]) -> Any:
        """The next action."""
        if callable(self.script):
            return self.script(observation, info)
        if self._turn == len(self.script):
            raise IndexError(f"the script has only {len(self.script)} actions")
        self._turn += 1
        return self.script[self._turn - 1]


class HumanAgent:
    """A person who reads and types text.

    ``EOFError`` (Ctrl-D) and ``KeyboardInterrupt`` end the play.

    Raises:
        TypeError: in ``reset``, for an environment that does not take text;
            :func:`~palestra.envs.words.as_text` puts it into words.
    """

    def __init__(self, read: Callable[[str], str] = input, write: Callable[[str], object] = print) -> None:
        self._read = read
        self._write = write

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        """Show the guide, if the environment has one."""
        if not isinstance(env.action_space, AnyText | spaces.Text):
            raise TypeError(f"a person types text, and actions are in {env.action_space}; wrap it with as_text")
        guide = getattr(env.unwrapped, "guide", None)
        if guide:
            self._write(f"{guide}\n")

    def act(self, observation: Observation, info: Mapping[str, Any]) -> str:
        """Show the observation and any feedback, and read an action."""
        if info.get("feedback"):
            self._write(str(info["feedback"]))
        self._write(observation if isinstance(observation, str) else observation["text"])
        return self._read("> ")
