"""Rewards in front of a PettingZoo environment, to each agent its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..trajectory import Turn
from .reward import Reward
from .wrapper import RunningReward

try:
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils.wrappers import (
        BaseParallelWrapper,
        BaseWrapper,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("rewards for several agents need PettingZoo: pip install 'palestra[multi]'") from error


class _Payroll:
    """A running reward for each agent, and the turn that waits for its outcome."""

    def __init__(self, rewards: Reward | Mapping[str, Reward], agents: list[str]) -> None:
        by_agent = dict.fromkeys(agents, rewards) if isinstance(rewards, Reward) else dict(rewards)
        if set(by_agent) != set(agents):
            odd = ", ".join(sorted(set(by_agent) ^ set(agents)))
            raise ValueError(f"there must be a reward for each agent ({', '.join(agents)}) and no other; check {odd}")
        self.running = {agent: RunningReward(reward) for agent, reward in by_agent.items()}
        self.waiting: dict[str, tuple[Any, Any]] = {}

    def start(self, env_id: str, seed: int | None) -> None:
        self.waiting.clear()
        for agent, running in self.running.items():
            running.start(env_id, seed=seed, role=agent)

    def settle(
        self, agent: str, env_reward: float, terminated: bool, truncated: bool, info: dict[str, Any], step: int
    ) -> tuple[float, dict[str, Any]]:
        """The pay and the info of an agent whose waiting turn, if it has one, has its outcome."""
        if agent not in self.waiting:
            return 0.0, {"env_reward": env_reward, **info, "rewards": {}}
        observation, action = self.waiting.pop(agent)
        turn = Turn(observation, action, float(env_reward), info=info)
        pay, parts = self.running[agent].pay(turn, terminated, truncated, step)
        return pay, {"env_reward": env_reward, **info, "rewards": parts}


class ParallelRewardWrapper(BaseParallelWrapper[str, Any, Any]):
    """A parallel environment that pays each agent a reward of yours: one for all, or one by agent.

    ``infos[agent]["env_reward"]`` keeps what the environment itself paid, ``infos[agent]["rewards"]`` the parts by
    name.  A reward sees the agent's own turns, with the agent's name as the trajectory's role.  Set ``training_step``
    for rewards that are annealed.  Raises ValueError for a reward that compares the episodes of a group.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any], rewards: Reward | Mapping[str, Reward]) -> None:
        super().__init__(env)
        self.training_step = 0
        self._payroll = _Payroll(rewards, list(env.possible_agents))
        self._observations: dict[str, Any] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode."""
        self._observations, infos = self.env.reset(seed=seed, options=options)
        self._payroll.start(str(self.env), seed)
        return self._observations, infos

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Act, and be paid by the rewards."""
        for agent, action in actions.items():
            self._payroll.waiting[agent] = (self._observations.get(agent), action)
        self._observations, env_rewards, terminations, truncations, infos = self.env.step(actions)
        rewards: dict[str, float] = {}
        for agent, env_reward in env_rewards.items():
            rewards[agent], infos[agent] = self._payroll.settle(
                agent,
                env_reward,
                terminations[agent],
                truncations[agent],
                infos.get(agent, {}),
                self.training_step,
            )
        return self._observations, rewards, terminations, truncations, infos


class AECRewardWrapper(BaseWrapper[str, Any, Any]):
    """A turn-based (AEC) environment that pays each agent a reward of yours: one for all, or one by agent.

    An agent is paid for its turn when it is selected again, or has ended: by then all that its action led to is known.
    ``infos`` carry ``"env_reward"`` and ``"rewards"`` as in :class:`ParallelRewardWrapper`.  An agent whose game ends
    before it has acted is paid nothing.  Raises ValueError for a reward that compares the episodes of a group.
    """

    def __init__(self, env: AECEnv[str, Any, Any], rewards: Reward | Mapping[str, Reward]) -> None:
        super().__init__(env)
        self.training_step = 0
        self._payroll = _Payroll(rewards, list(env.possible_agents))
        self._paid: dict[str, float] = {}
        self._total_paid: dict[str, float] = {}
        self._infos: dict[str, dict[str, Any]] = {}

    @property
    def rewards(self) -> dict[str, float]:
        """What the last step paid each agent."""
        return {agent: self._paid.get(agent, 0.0) for agent in self.env.agents}

    @property
    def _cumulative_rewards(self) -> dict[str, float]:
        return {agent: self._total_paid.get(agent, 0.0) for agent in self.env.agents}

    @property
    def infos(self) -> dict[str, dict[str, Any]]:
        """The environment's infos, with the reward's additions for agents that have been paid since they acted."""
        return {agent: self._infos.get(agent, self.env.infos[agent]) for agent in self.env.agents}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode."""
        self.env.reset(seed=seed, options=options)
        self._payroll.start(str(self.env), seed)
        for kept in (self._paid, self._total_paid, self._infos):
            kept.clear()

    def step(self, action: Any) -> None:
        """Act for the selected agent, and pay the one that is selected next for its last turn."""
        agent = self.env.agent_selection
        if not (self.env.terminations[agent] or self.env.truncations[agent]):
            self._payroll.waiting[agent] = (self.env.observe(agent), action)
        for kept in (self._total_paid, self._infos):
            kept.pop(agent, None)
        self._paid.clear()
        self.env.step(action)
        selected = self.env.agent_selection
        if self.env.agents and selected in self._payroll.waiting:
            pay, self._infos[selected] = self._payroll.settle(
                selected,
                self.env._cumulative_rewards[selected],
                self.env.terminations[selected],
                self.env.truncations[selected],
                self.env.infos[selected],
                self.training_step,
            )
            self._paid[selected] = self._total_paid[selected] = pay
