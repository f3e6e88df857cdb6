"""An environment for several agents as one for whoever sits at the whole table, so that every check can play it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from ..abilities import Forkable
from ..multi.registry import is_multi, make_multi
from ..spaces import AnyText

SINGLE_ONLY = ("opponent", "seat")
"""Arguments that only the single-agent form of a game has."""


class Table(gymnasium.Env[Any, Any]):
    """Plays every agent of a PettingZoo (AEC) environment.

    An observation is what each agent sees and whose turn it is; the reward is what was paid to whoever acted, and
    ``info`` holds everybody's rewards, flags and infos.  Agents that are done are stepped at once.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - as gymnasium.Env has it

    def __init__(self, env: Any) -> None:
        self.env = env
        self.observation_space = gymnasium.spaces.Dict({agent: env.observation_space(agent) for agent in _all(env)})
        self.action_space = _Turn(self)
        if isinstance(env.unwrapped, Forkable):
            self.snapshot, self.restore = env.unwrapped.snapshot, env.unwrapped.restore

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self.env.reset(seed=seed, options=options)
        self._np_random = getattr(self.env.unwrapped, "_np_random", None)
        return self._seen(), self._info()

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act for the agent whose turn it is."""
        agent = self.env.agent_selection
        self.env.step(action)
        reward, observation, info = self.env.rewards.get(agent, 0.0), self._seen(), self._info()
        truncated = all(self.env.truncations.values())
        while self.env.agents and self._is_done(self.env.agent_selection):
            self.env.step(None)
        return observation, reward, not self.env.agents and not truncated, truncated, info

    def legal(self) -> list[Any] | None:
        """The legal actions of the agent whose turn it is, as its ``info`` lists them."""
        return self.env.infos[self.env.agent_selection].get("legal_actions")

    def draw(self, np_random: np.random.Generator) -> Any:
        """A legal action of the agent whose turn it is, if the environment says what is legal, else any."""
        agent = self.env.agent_selection
        legal, observation = self.legal(), self.env.observe(agent)
        if legal:
            return legal[int(np_random.integers(len(legal)))]
        space = self.env.action_space(agent)
        space.seed(int(np_random.integers(2**31)))
        mask = self.env.infos[agent].get("action_mask")
        if mask is None and isinstance(observation, dict):
            mask = observation.get("action_mask")
        return space.sample() if mask is None else space.sample(mask)

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _is_done(self, agent: str) -> bool:
        return bool(self.env.terminations[agent] or self.env.truncations[agent])

    def _seen(self) -> dict[str, Any]:
        return {agent: self.env.observe(agent) for agent in self.env.agents}

    def _info(self) -> dict[str, Any]:
        env = self.env
        return {
            "turn": env.agent_selection,
            "rewards": dict(env.rewards),
            "terminations": dict(env.terminations),
            "truncations": dict(env.truncations),
            "infos": {agent: env.infos[agent] for agent in env.agents},
        }


class _Turn(AnyText):
    """Samples legal actions of whoever's turn it is."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self._table = table

    def sample(self, mask: None = None, probability: None = None) -> Any:
        """Draw an action."""
        return self._table.draw(self.np_random)


def _all(env: Any) -> list[str]:
    return list(env.possible_agents)


@dataclass(frozen=True)
class TableMaker:
    """Makes tables of the environment ``env_id``, importing the module in ``"module:EnvId"`` first."""

    env_id: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> EnvSpec:
        """What the checks ask of a specification: there is no step limit and no threshold."""
        return EnvSpec(self.env_id.rpartition(":")[2])

    def __call__(self, **extra: Any) -> Table:
        """A new table; what ``gymnasium.make`` would take beside the environment's arguments has no meaning here."""
        return Table(self.multi())

    def multi(self, *, parallel: bool = False, **extra: Any) -> Any:
        """The PettingZoo environment itself."""
        module, _, name = self.env_id.rpartition(":")
        if module:
            importlib.import_module(module)
        kwargs = {key: value for key, value in self.kwargs.items() if key not in SINGLE_ONLY}
        return make_multi(name, parallel=parallel, **kwargs, **extra)


def has_table(env_id: str) -> bool:
    """Whether there is a PettingZoo environment of that id."""
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    return is_multi(name)
