"""Other people's environments for several agents, put into words: PettingZoo's, and TextArena's games."""

from __future__ import annotations

import contextlib
import difflib
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding

from ..spaces import AnyText
from ..words import Phrases, plain, say
from .aec import TextObservation
from .game import quote

try:
    from pettingzoo import AECEnv
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "environments for several agents need PettingZoo: pip install 'palestra[multi]'"
    ) from error

Say = Callable[[Any, str, Any], str]
"""``say(env, agent, observation)``: an observation in words."""


class _TextEnv(AECEnv[str, str, str]):
    """What the adapters share: text spaces, and feedback for what is no action."""

    def __init__(self, name: str, agents: Sequence[str], phrases: Sequence[str]) -> None:
        self.metadata = {"name": name, "render_modes": ["ansi"], "is_parallelizable": False, "render_fps": 1}
        self.render_mode = "ansi"
        self.possible_agents = list(agents)
        self.agents: list[str] = []
        self.agent_selection = self.possible_agents[0]
        self._observation_spaces = {agent: AnyText() for agent in agents}
        self._action_spaces: dict[str, AnyText] = {
            agent: Phrases(phrases) if phrases else AnyText() for agent in agents
        }

    def observation_space(self, agent: str) -> AnyText:
        """Any text."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> AnyText:
        """Any text."""
        return self._action_spaces[agent]


class WordsAEC(_TextEnv):
    """Any PettingZoo environment with ``Discrete`` actions, turn-based or parallel, in words.

    Actions are called by ``names``, else by their numbers; where the environment masks actions, only those that it
    allows are legal.  Anything else is answered by ``info["feedback"]`` and changes nothing.  Observations are put into
    words by ``observe``, else by the environment's ``render`` if it was made with ``render_mode="ansi"``, else as
    numbers.  ``info["legal_actions"]`` names what is legal.

    >>> from pettingzoo.classic import tictactoe_v3
    >>> env = WordsAEC(tictactoe_v3.env())
    >>> env.reset(seed=0)
    >>> env.infos[env.agent_selection]["legal_actions"]
    ['0', '1', '2', '3', '4', '5', '6', '7', '8']

    Raises :class:`ValueError` for other actions, and for names that are not as many and as different as the actions.
    """

    def __init__(self, env: Any, names: Sequence[str] | None = None, observe: Say | None = None) -> None:
        if not isinstance(env, AECEnv):
            from pettingzoo.utils.conversions import parallel_to_aec

            env = parallel_to_aec(env)
        for agent in env.possible_agents:
            space = env.action_space(agent)
            if not isinstance(space, spaces.Discrete):
                raise ValueError(f"the actions of {agent} are {space}; only Discrete ones have names")
        most = max(int(env.action_space(agent).n) for agent in env.possible_agents)
        chosen = tuple(map(str, range(most))) if names is None else tuple(names)
        if len(chosen) != most or len({name.strip().casefold() for name in chosen}) != most:
            raise ValueError(f"{most} actions need as many different names, not {list(chosen)}")
        super().__init__(str(env), env.possible_agents, chosen)
        self.env = env
        self.names = chosen
        self._say = observe
        self._feedback: dict[str, str] = {}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode."""
        self.env.reset(seed=seed, options=options)
        self._feedback = {}
        self._take_over()

    def step(self, action: str | None) -> None:
        """Act by name, or ``None`` for an agent that is done."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self.env.step(action)
        else:
            number = self._number(agent, action)
            if number is None:
                self._feedback[agent] = f"{quote(action)} is not one of the actions."
                self._nothing_happened(agent)
                return
            self._feedback.pop(agent, None)
            self.env.step(number)
        self._take_over()

    def _number(self, agent: str, action: object) -> int | None:
        """The legal action that a text means."""
        if not isinstance(action, str) or len(action) > 200:
            return None
        meant = action.strip().casefold()
        legal = self._legal(agent)
        return next((number for number in legal if self.names[number].strip().casefold() == meant), None)

    def _legal(self, agent: str) -> list[int]:
        observation = self.env.observe(agent)
        mask = observation.get("action_mask") if isinstance(observation, dict) else None
        mask = self.env.infos[agent].get("action_mask") if mask is None else mask
        count = int(self.env.action_space(agent).n)
        return list(range(count)) if mask is None else np.flatnonzero(np.asarray(mask)[:count]).tolist()

    def _take_over(self) -> None:
        """Show what the environment below shows."""
        env = self.env
        self.agents = list(env.agents)
        self.agent_selection = env.agent_selection
        self.rewards = {agent: float(env.rewards[agent]) for agent in self.agents}
        self._cumulative_rewards = {agent: float(env._cumulative_rewards[agent]) for agent in self.agents}
        self.terminations = {agent: bool(env.terminations[agent]) for agent in self.agents}
        self.truncations = {agent: bool(env.truncations[agent]) for agent in self.agents}
        self._tell()

    def _nothing_happened(self, agent: str) -> None:
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards[agent] = 0.0
        self._tell()

    def _tell(self) -> None:
        self.infos = {}
        for agent in self.agents:
            done = self.terminations[agent] or self.truncations[agent]
            moves = agent == self.agent_selection and not done
            below = {key: value for key, value in plain(dict(self.env.infos[agent])).items() if key != "action_mask"}
            self.infos[agent] = {
                **below,
                "role": agent,
                "legal_actions": [self.names[number] for number in self._legal(agent)] if moves else [],
                "valid_action": agent not in self._feedback,
                **({"feedback": self._feedback[agent]} if agent in self._feedback else {}),
            }

    def observe(self, agent: str) -> TextObservation:
        """What the agent sees, in words."""
        observation = self.env.observe(agent)
        if self._say is not None:
            return TextObservation(self._say(self.env, agent, observation))
        if getattr(self.env, "render_mode", None) == "ansi":
            return TextObservation(f"You are {agent}.\n{self.env.render()}")
        space = self.env.observation_space(agent)
        if isinstance(observation, dict) and "action_mask" in observation:
            space, observation = space["observation"], observation["observation"]
        return TextObservation(f"You are {agent}.\n{say(space, observation)}")

    def render(self) -> str:
        """What everybody sees."""
        return "\n\n".join(f"{agent}:\n{self.observe(agent)}" for agent in self.agents)

    def close(self) -> None:
        """Close the environment below."""
        self.env.close()


class TextArenaAEC(_TextEnv):
    """A game of TextArena (https://arxiv.org/abs/2504.11442): ``TextArenaAEC("TicTacToe-v0", 2)``.

    TextArena draws from, and seeds, Python's global generator, and its wrappers remember earlier episodes.  Here every
    call runs with a generator state of the episode's own and leaves the global one as it was, and each episode is a new
    game: episodes neither disturb nor are disturbed.

    TextArena does not list what is legal, so ``info`` has no ``legal_actions``.  It answers an illegal move in the next
    observation and asks the same player again; at the second in a row most of its games end.

    Raises:
        ModuleNotFoundError: TextArena is not installed.
        ValueError: TextArena has no such game.
    """

    def __init__(self, game: str, players: int = 2, examples: Sequence[str] = (), **kwargs: Any) -> None:
        try:
            import textarena
            from textarena.envs import registration
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("TextArena's games need: pip install 'palestra[textarena]'") from error
        super().__init__(game, [f"player_{number}" for number in range(players)], examples)
        if game not in registration.ENV_REGISTRY:
            nearest = difflib.get_close_matches(game, registration.ENV_REGISTRY, n=1, cutoff=0.0)
            raise ValueError(f"TextArena has no game {game!r}; the nearest one is {nearest[0]!r}")
        self._state: Any = random.Random(0).getstate()
        self._np_random: np.random.Generator | None = None
        self._make = partial(textarena.make, game, **kwargs)
        self._invalid: str | None = None

    @contextlib.contextmanager
    def _own_generator(self) -> Iterator[None]:
        """Inside, Python's global generator is the episode's."""
        kept = random.getstate()
        random.setstate(self._state)
        try:
            yield
        finally:
            self._state = random.getstate()
            random.setstate(kept)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode; without a seed the generator goes on."""
        if seed is not None or self._np_random is None:
            self._np_random, _ = seeding.np_random(seed)
        drawn = int(self._np_random.integers(2**31))
        self._invalid = None
        with self._own_generator():
            self.env = self._make()
            self.env.reset(num_players=len(self.possible_agents), seed=drawn)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._seen = dict.fromkeys(self.agents, "")
        self._skip_agent_selection = None
        self._ask()

    def step(self, action: str | None) -> None:
        """Answer for the agent whose turn it is; ``None`` for one that is done."""
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        with self._own_generator():
            done, _ = self.env.step(action=action if isinstance(action, str) else "")
            number = self.env.state.current_player_id
            paid = self.env.close()[0] or {} if done else {}
        # TextArena counts the illegal moves in a row of whoever is asked; it is asked again.
        asked_again = not done and f"player_{number}" == agent and self.env.state.error_count > 0
        self._invalid = agent if asked_again else None
        self.rewards = {other: float(paid.get(index, 0.0)) for index, other in enumerate(self.agents)}
        self._accumulate_rewards()
        if done:
            self.terminations = dict.fromkeys(self.agents, True)
            self.infos = {other: {"role": other, "valid_action": True} for other in self.agents}
            self.agent_selection = self.agents[0]
        else:
            self._ask()

    def _ask(self) -> None:
        with self._own_generator():
            number, observation = self.env.get_observation()
        self.agent_selection = f"player_{number}"
        self._seen[self.agent_selection] = observation if isinstance(observation, str) else _lines(observation)
        self.infos = {agent: {"role": agent, "valid_action": agent != self._invalid} for agent in self.agents}
        if self._invalid is not None:
            self.infos[self._invalid]["feedback"] = "That move is not legal."

    def observe(self, agent: str) -> TextObservation:
        """What the agent was shown last."""
        return TextObservation(self._seen[agent])

    def render(self) -> str:
        """What everybody was shown last."""
        return "\n\n".join(f"{agent}:\n{text}" for agent, text in self._seen.items())

    def close(self) -> None:
        """Nothing to close."""


def _lines(observation: Sequence[Any]) -> str:
    """The messages of an observation that no wrapper has put together."""
    return "\n".join(str(message[1]) for message in observation)


def from_pettingzoo(make: Callable[..., Any], **options: Any) -> Callable[..., WordsAEC]:
    """What :func:`palestra.register_multi` takes for an environment of PettingZoo's: ``make(**kwargs)`` in words.

    ``options`` are :class:`WordsAEC`'s.
    """
    return lambda **kwargs: WordsAEC(make(**kwargs), **options)


def from_textarena(game: str, players: int = 2, examples: Sequence[str] = ()) -> Callable[..., TextArenaAEC]:
    """What :func:`palestra.register_multi` takes for a game of TextArena's."""
    return lambda **kwargs: TextArenaAEC(game, players, examples, **kwargs)
