"""Rewards from how games of several roles ended, in episodes of the games themselves."""

from __future__ import annotations

import numpy as np
import pytest

from palestra import Group
from palestra.agents.players import script
from palestra.agents.table import play_table
from palestra.envs.multi.registry import make_multi
from palestra.rewards import RewardError, parse_reward, score
from palestra.rewards.interaction import peers, verdicts
from palestra.trajectory import Status, Trajectory, Turn


def ended(env_id: str, player: str, role: str, seed: int = 0, **kwargs: object) -> Trajectory:
    """The last turn of a role in a game of scripts, as a trajectory."""
    env = make_multi(env_id, **kwargs)
    play_table(env, dict.fromkeys(env.possible_agents, script(player)), np.random.default_rng(seed), seed=seed)
    outcome = env.unwrapped.game.outcome(env.unwrapped.position.state)
    return Trajectory(env_id, None, seed, [Turn("", "", info={"outcome": outcome})], Status.TERMINATED, role)


def paid(reward: object, episode: Trajectory) -> float:
    score(reward, Group([episode]))  # type: ignore[arg-type]
    return float(next(iter(episode.rewards.values())).sum())


def test_a_careful_verifier_earns_all_and_a_trusting_one_what_happens_to_be_right() -> None:
    assert paid(verdicts, ended("SolverVerifier-v0", "careful", "verifier")) == 1.0
    trusting = [paid(verdicts, ended("SolverVerifier-v0", "trusting", "verifier", seed)) for seed in range(40)]
    assert 0.3 < np.mean(trusting) < 0.7
    assert paid(verdicts, ended("SolverVerifier-v0", "careful", "solver")) == 0.0
    named = parse_reward("env + 0.5*palestra.rewards.interaction:verdicts")
    assert paid(named, ended("SolverVerifier-v0", "careful", "verifier")) in (0.0, 0.5, 1.0)


def test_peers_pay_the_answer_or_its_critic() -> None:
    episode = ended("Discussion-v0", "careful", "agent_0")
    scores = episode.turns[-1].info["outcome"]["scores"]
    assert scores == [3, 3]
    assert paid(peers, episode) == 1.0  # it answered in the first round, and scored in the second
    assert paid(peers, ended("Discussion-v0", "careful", "agent_2")) == 0.0
    with pytest.raises(RewardError, match="no place among 3"):
        paid(peers, ended("Discussion-v0", "careful", "agent_7"))
    with pytest.raises(RewardError, match="interaction"):
        paid(peers, ended("SolverVerifier-v0", "careful", "agent_0"))
