"""A game as a PettingZoo environment."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.utils import seeding

from ..spaces import AnyText
from ..words import Phrases
from .game import Game, Player
from .players import mover
from .referee import Illegal, Position, Referee
from .view import View, legal_actions, task_of

try:
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils.conversions import aec_to_parallel, turn_based_aec_to_parallel
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "environments for several agents need PettingZoo: pip install 'palestra[multi]'"
    ) from error


class TextObservation(str):
    """A text with the ``dtype`` that PettingZoo's ``api_test`` asks of every observation."""

    __slots__ = ()
    dtype = np.dtype(np.str_)


class GameEnv(AECEnv[str, str, str]):
    """A :class:`~palestra.envs.multi.game.Game` as a turn-based (AEC) environment of text observations and actions.

    Agents are the game's roles.  Players who move at the same time act one after the other without seeing each other.
    ``infos[agent]`` holds ``role``, ``legal_actions`` (empty when it is not the agent's turn), ``valid_action`` of its
    last answer, ``feedback`` if that was illegal, and at the end ``success`` and the game's ``outcome``.

    Args:
        illegal, penalty: what an illegal move leads to, and costs; see :class:`~palestra.envs.multi.referee.Referee`.
        observation: ``"full"`` shows everything that the agent knows each time it is asked, ``"new"`` only what has
            changed since it was asked last, for agents that remember.
        max_cycles: rounds after which all agents are truncated; a move by one player is a round of its own.
        render_mode: ``"ansi"`` makes :meth:`render` return the whole state as text.

    ``reset`` takes ``options={"task": i, "split": s}`` where the game has tasks; other options are ignored, since
    PettingZoo's own tests give some.
    """

    def __init__(
        self,
        game: Game[Any],
        illegal: Illegal = "retry",
        penalty: float = 0.0,
        observation: Literal["full", "new"] = "full",
        max_cycles: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode must be None or 'ansi', not {render_mode!r}")
        if max_cycles is not None and max_cycles < 1:
            raise ValueError(f"max_cycles must be at least 1, not {max_cycles}")
        self.game = game
        self.referee = Referee(game, illegal, penalty)
        self.max_cycles = max_cycles
        self.render_mode = render_mode
        self.metadata = {
            "name": game.name,
            "render_modes": ["ansi"],
            "is_parallelizable": game.simultaneous,
            "render_fps": 1,
        }
        self.guide = game.guide
        self.possible_agents = list(game.roles)
        self.agents: list[str] = []
        self.infos: dict[str, dict[str, Any]] = {}
        self._number = {role: number for number, role in enumerate(game.roles)}
        self._observation_spaces = {role: AnyText() for role in game.roles}
        self._action_spaces = {role: Phrases(game.phrases) for role in game.roles}
        self._view = View(game, observation)
        self._np_random: np.random.Generator | None = None
        self._position: Position | None = None
        self._skip_agent_selection: str | None = None
        if game.splits is not None:
            self.tasks = game.splits.count  # declared only by games that have tasks

    @property
    def np_random(self) -> np.random.Generator:
        """The generator that everything is drawn from."""
        if self._np_random is None:
            self._np_random, _ = seeding.np_random()
        return self._np_random

    @property
    def position(self) -> Position:
        """The game in progress."""
        if self._position is None:
            raise gymnasium.error.ResetNeeded("call reset() first")
        return self._position

    def observation_space(self, agent: str) -> AnyText:
        """Any text."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Phrases:
        """Any text; samples are moves that are legal somewhere in the game."""
        return self._action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode; without a seed the generator goes on."""
        if seed is not None:
            self._np_random, _ = seeding.np_random(seed)
        known = {name: value for name, value in (options or {}).items() if name in ("task", "split")}
        self._position = self.referee.open(self.np_random, task_of(self.game, known, self.np_random))
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._skip_agent_selection = None
        self._feedback: dict[str, str | None] = dict.fromkeys(self.agents)
        self._paid = self.referee.paid(self._position)
        self._view.clear()
        self._go_on(self.agents)

    def step(self, action: str | None) -> None:
        """Answer for the agent whose turn it is; ``None`` for one that is done."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._view.look(self.position, self._number[agent])
        self._cumulative_rewards[agent] = 0.0
        self._position, self._feedback[agent] = self.referee.act(self.position, action, self.np_random)
        before, self._paid = self._paid, self.referee.paid(self._position)
        if self._paid == before:
            self.rewards = dict.fromkeys(self.agents, 0.0)
        else:
            paid = zip(self.possible_agents, self._paid, before, strict=True)
            self.rewards = {role: now - then for role, now, then in paid}
            self._accumulate_rewards()
        self._go_on((agent,))

    def _go_on(self, told: Sequence[str]) -> None:
        """Say whose turn it is, or that it is over; ``told`` and whoever is asked now get a new info."""
        position = self.position
        self.infos = dict(self.infos)
        if position.turn is None:
            told = self.agents
            self.terminations = dict.fromkeys(self.agents, True)
            self.agent_selection = self.agents[0]
        else:
            self.agent_selection = self.possible_agents[position.turn]
            if self.agent_selection not in told:
                told = (*told, self.agent_selection)
            if self.max_cycles is not None and position.round >= self.max_cycles:
                self.truncations = dict.fromkeys(self.agents, True)
        for agent in told:
            self.infos[agent] = self._info(agent)

    def _info(self, agent: str) -> dict[str, Any]:
        position, player, feedback = self.position, self._number[agent], self._feedback[agent]
        info: dict[str, Any] = {
            "role": agent,
            "legal_actions": legal_actions(self.game, position, player),
            "valid_action": feedback is None,
        }
        if feedback is not None:
            info["feedback"] = feedback
        if position.turn is None:
            info["success"] = self._paid[player] > 0
            info["outcome"] = self.game.outcome(position.state)
        return info

    def observe(self, agent: str) -> TextObservation:
        """What the agent may know."""
        return TextObservation(self._view.show(self.position, self._number[agent]))

    def suggest(self, player: str | Player, np_random: np.random.Generator) -> str:
        """What ``player``, by name or a function as in ``opponent=``, answers for the agent whose turn it is."""
        turn = self.position.turn
        if turn is None:
            raise gymnasium.error.ResetNeeded("the game is over; call reset()")
        return mover(self.game, player, self.game.roles[turn])(self.position.state, turn, np_random)

    def snapshot(self) -> Any:
        """Everything that the future depends on."""
        kept = {name: getattr(self, name) for name in _STATE if hasattr(self, name)}
        return copy.deepcopy(kept), self._position, self._view.memory(), self.np_random.bit_generator.state

    def restore(self, state: Any) -> None:
        """Go back to a :meth:`snapshot` of this environment, or of another one made with the same arguments."""
        kept, self._position, memory, generator = state
        for name, value in copy.deepcopy(kept).items():
            setattr(self, name, value)
        self._view.remember(memory)
        self.np_random.bit_generator.state = generator

    def render(self) -> str | None:
        """The whole state as text where ``render_mode`` is ``"ansi"``, else nothing."""
        return None if self.render_mode is None else self.game.render(self.position.state)

    def close(self) -> None:
        """Nothing to close."""


_STATE = (
    "agents",
    "agent_selection",
    "rewards",
    "_cumulative_rewards",
    "terminations",
    "truncations",
    "infos",
    "_feedback",
    "_paid",
    "_skip_agent_selection",
)


def parallel(env: AECEnv[Any, Any, Any]) -> ParallelEnv[Any, Any, Any]:
    """The parallel form, by PettingZoo's own converters.

    Where all players move in every round a step is a round; elsewhere the converter takes the action of the agent whose
    turn it is and ignores the others'.
    """
    return aec_to_parallel(env) if env.metadata.get("is_parallelizable") else turn_based_aec_to_parallel(env)
