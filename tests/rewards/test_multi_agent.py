"""Rewards in front of PettingZoo environments: to each agent its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.test import api_test, parallel_api_test

from palestra.rewards import delta, env, episode_reward, gate, group_reward, solved, success, turn_reward, turns
from palestra.rewards.multi_agent import AECRewardWrapper, ParallelRewardWrapper

PLACES, NUMBERS, ACTIONS = spaces.Discrete(10), spaces.Discrete(4), spaces.Discrete(3)


class Race(ParallelEnv[str, int, int]):
    """Each agent runs by its action, paid for it; who reaches 4 leaves the track, having succeeded."""

    metadata = {"name": "race_v0"}  # noqa: RUF012
    possible_agents = ["ann", "bob"]  # noqa: RUF012
    render_mode = None

    def observation_space(self, agent: str) -> spaces.Space[int]:
        return PLACES

    def action_space(self, agent: str) -> spaces.Space[int]:
        return ACTIONS

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, int], dict[str, Any]]:
        self.agents = list(self.possible_agents)
        self.place = dict.fromkeys(self.agents, 0)
        self.clock = 0
        return dict(self.place), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        running = self.agents
        self.clock += 1
        for agent in running:
            self.place[agent] += int(actions[agent])
        done = {agent: self.place[agent] >= 4 for agent in running}
        late = dict.fromkeys(running, self.clock >= 10)
        infos = {agent: {"success": done[agent]} for agent in running}
        self.agents = [agent for agent in running if not (done[agent] or late[agent])]
        places = {agent: self.place[agent] for agent in running}
        return places, {agent: float(actions[agent]) for agent in running}, done, late, infos


class Duel(AECEnv[str, int, int]):
    """Two agents say numbers in turn; each is paid minus what the other says, and who says 2 wins 5 and ends it."""

    metadata = {"name": "duel_v0", "is_parallelizable": False}  # noqa: RUF012
    render_mode = None

    def __init__(self) -> None:
        super().__init__()
        self.possible_agents = ["ann", "bob"]

    def observation_space(self, agent: str) -> spaces.Space[int]:
        return NUMBERS

    def action_space(self, agent: str) -> spaces.Space[int]:
        return ACTIONS

    def observe(self, agent: str) -> np.int64:
        return np.int64(self.said)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self.agents = list(self.possible_agents)
        self.said = 3
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = "ann"

    def step(self, action: int) -> None:
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        other = "bob" if agent == "ann" else "ann"
        self.said = int(action)
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self.rewards[other] = -float(action)
        if action == 2:
            self.rewards[agent] = 5.0
            self.terminations = dict.fromkeys(self.agents, True)
            self.infos = {name: {"success": name == agent} for name in self.agents}
        self._accumulate_rewards()
        self.agent_selection = other


@turn_reward
def said(turn: Any) -> float:
    return float(turn.action)


@episode_reward
def is_ann(trajectory: Any) -> float:
    return float(trajectory.role == "ann")


def test_each_parallel_agent_gets_its_own_pay() -> None:
    track = ParallelRewardWrapper(Race(), {"ann": success - 0.25 * turns, "bob": delta(env) + is_ann})
    track.reset(seed=0)
    _, rewards, _, _, infos = track.step({"ann": 2, "bob": 1})
    assert rewards == {"ann": -0.25, "bob": 1}
    assert infos["bob"]["env_reward"] == 1
    _, rewards, terminations, _, infos = track.step({"ann": 2, "bob": 2})
    assert rewards == {"ann": 0.75, "bob": 1}
    assert terminations == {"ann": True, "bob": False}
    assert infos["ann"]["rewards"] == {"success": 1, "turns": 1, "total": 0.75}
    assert track.agents == ["bob"]
    _, rewards, _, _, infos = track.step({"bob": 1})
    assert rewards == {"bob": -1}
    assert infos["bob"]["rewards"] == {"env": 1, "delta(env)": -1, "is_ann": 0, "total": -1}


def test_one_reward_for_all_agents_tells_them_apart_by_role() -> None:
    track = ParallelRewardWrapper(Race(), is_ann)
    track.reset()
    track.step({"ann": 2, "bob": 2})
    assert track.step({"ann": 2, "bob": 2})[1] == {"ann": 1, "bob": 0}


def test_agents_in_turn_are_paid_when_what_followed_is_known() -> None:
    duel = AECRewardWrapper(Duel(), env - 0.25 * said)
    duel.reset(seed=0)
    assert duel.last()[1] == 0
    duel.step(1)
    assert duel.rewards == {"ann": 0, "bob": 0}
    duel.step(1)  # bob's answer completes ann's turn
    assert duel.rewards == {"ann": -1.25, "bob": 0}
    _, reward, _, _, info = duel.last()
    assert reward == -1.25
    assert info == {"env_reward": -1, "rewards": {"env": -1, "said": 1, "total": -1.25}}


def play(duel: AECRewardWrapper, actions: list[int]) -> list[tuple[str, float, dict[str, float]]]:
    """What each agent is told before it acts, until the game is over."""
    duel.reset(seed=0)
    told = []
    left = iter(actions)
    for agent in duel.agent_iter():
        _, reward, terminated, _, info = duel.last()
        told.append((agent, reward, info.get("rewards", {})))
        duel.step(None if terminated else next(left))
    return told


def test_a_whole_game_in_turns() -> None:
    told = play(AECRewardWrapper(Duel(), {"ann": env, "bob": success - 0.25 * said + 2 * env}), [1, 1, 0, 2])
    assert [(agent, reward) for agent, reward, _ in told] == [
        ("ann", 0.0),
        ("bob", 0.0),  # it has not acted yet
        ("ann", -1.0),  # bob said 1
        ("bob", -0.25),  # it said 1, ann 0; what ann said before its first turn is not its turn's
        ("ann", -2.0),  # bob said 2
        ("bob", 1 - 0.5 + 10),
    ]
    assert told[-1][2] == {"success": 1, "said": 2, "env": 5, "total": 10.5}


def test_an_agent_that_never_acted_is_paid_nothing() -> None:
    told = play(AECRewardWrapper(Duel(), env + success), [2])
    assert [(agent, reward) for agent, reward, _ in told] == [("ann", 0.0), ("bob", 0.0), ("ann", 6.0)]


@pytest.mark.filterwarnings("ignore")
def test_the_wrapped_environments_pass_pettingzoos_own_tests() -> None:
    parallel_api_test(ParallelRewardWrapper(Race(), success - 0.1 * turns), num_cycles=50)
    api_test(AECRewardWrapper(Duel(), gate(env, by=solved) - 0.1 * turns), num_cycles=50)


@group_reward
def rank(group: Any) -> list[float]:
    return [0.0] * len(group)


@pytest.mark.parametrize(("wrap", "make"), [(ParallelRewardWrapper, Race), (AECRewardWrapper, Duel)])
def test_bad_rewards_are_refused(wrap: Any, make: Any) -> None:
    with pytest.raises(ValueError, match="rank compares the episodes of a group"):
        wrap(make(), env + rank)
    with pytest.raises(ValueError, match="a reward for each agent"):
        wrap(make(), {"ann": env})
    with pytest.raises(ValueError, match="check carol"):
        wrap(make(), {"ann": env, "bob": env, "carol": env})


def test_without_pettingzoo_the_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["pettingzoo"] = None
import palestra.rewards
try:
    import palestra.rewards.multi_agent
except ModuleNotFoundError as error:
    assert "pip install 'palestra[multi]'" in str(error), error
else:
    raise SystemExit("imported")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
