from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from palestra import EnvironmentFault, Status
from palestra.agents.scripted import HumanAgent, OracleAgent, RandomAgent, ScriptedAgent, play
from palestra.envs.spaces import AnyText
from palestra.envs.words import as_text


class Corridor(gymnasium.Env[str, str]):
    """Walk right to the door; a trap door breaks the building."""

    guide = "Say left or right."
    observation_space = AnyText()
    action_space = AnyText()

    def __init__(self, length: int = 3, legal: list[str] | None = None) -> None:
        self.length, self.legal = length, legal

    def _info(self) -> dict[str, Any]:
        return {} if self.legal is None else {"legal_actions": self.legal}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = 0
        return "place 0", self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "down":
            raise EnvironmentFault("the floor gave way")
        valid = action in ("left", "right")
        if valid:
            self.place = max(0, self.place + (1 if action == "right" else -1))
        info = self._info() | ({} if valid else {"feedback": f"no {action}"})
        there = self.place == self.length
        return f"place {self.place}", float(there), there, False, info

    def oracle(self) -> str:
        return "right"


def test_oracle_plays_to_the_end_and_everything_is_recorded() -> None:
    options = {"task": 2, "split": "test"}
    episode = play(Corridor(), OracleAgent(), seed=4, options=options)
    assert (episode.env_id, episode.task, episode.split, episode.seed) == ("Corridor", 2, "test", 4)
    assert episode.status is Status.TERMINATED
    assert [turn.observation for turn in episode.turns] == ["place 0", "place 1", "place 2"]
    assert [turn.action for turn in episode.turns] == ["right"] * 3
    assert episode.env_rewards.tolist() == [0, 0, 1]
    assert episode.final_observation == "place 3"
    assert not len(episode.turns[0].action_ids)


def test_oracle_solves_the_shop_through_the_wrappers_of_make() -> None:
    env = gymnasium.make("WebShop-v0")
    episode = play(env, OracleAgent(), seed=0, options={"task": 0, "split": "train"})
    assert episode.env_id == "WebShop-v0"
    assert episode.status is Status.TERMINATED
    assert episode.score == 1.0


def test_environment_without_an_oracle() -> None:
    with pytest.raises(TypeError, match=r"FrozenLakeEnv has no oracle\(\)"):
        play(gymnasium.make("FrozenLake-v1"), OracleAgent(), seed=0)


def test_script() -> None:
    agent = ScriptedAgent(["right", "dance", "right", "right"])
    for _ in range(2):
        episode = play(Corridor(), agent, seed=0)
        assert [turn.action for turn in episode.turns] == agent.script
        assert episode.turns[1].info == {"feedback": "no dance"}
    with pytest.raises(IndexError, match="only 1 actions"):
        play(Corridor(), ScriptedAgent(["right"]), seed=0)


def test_function_sees_observation_and_info() -> None:
    seen = []

    def script(observation: Any, info: Any) -> str:
        seen.append((observation, dict(info)))
        return "right" if info.get("feedback") else "dance"

    play(Corridor(length=1), ScriptedAgent(script), seed=0)
    assert seen == [("place 0", {}), ("place 0", {"feedback": "no dance"})]


def test_max_turns_truncates() -> None:
    episode = play(Corridor(), ScriptedAgent(["left", "right"]), seed=0, max_turns=2)
    assert episode.status is Status.TRUNCATED
    assert (len(episode.turns), episode.final_observation) == (2, "place 1")


def test_time_limit_truncates() -> None:
    episode = play(gymnasium.wrappers.TimeLimit(Corridor(), 4), ScriptedAgent(["left"] * 9), seed=0)
    assert (episode.status, len(episode.turns)) == (Status.TRUNCATED, 4)


def test_fault_is_no_outcome_and_another_exception_is_raised() -> None:
    episode = play(Corridor(), ScriptedAgent(["right", "down"]), seed=0)
    assert episode.status is Status.FAULT
    assert episode.error == "EnvironmentFault: the floor gave way"
    assert len(episode.turns) == 2
    with pytest.raises(ZeroDivisionError):
        play(Corridor(), ScriptedAgent(lambda observation, info: 1 // 0), seed=0)


def test_random_agent_draws_legal_actions_evenly() -> None:
    legal = ["left", "right", "dance"]
    episode = play(Corridor(length=999, legal=legal), RandomAgent(), seed=0, max_turns=600)
    counts = [sum(turn.action == action for turn in episode.turns) for action in legal]
    assert sum(counts) == 600
    assert min(counts) > 150


def test_random_agent_is_fixed_by_its_seed_and_the_episodes() -> None:
    env = as_text(gymnasium.make("FrozenLake-v1"))

    def actions(agent: int, seed: int) -> list[str]:
        return [turn.action for turn in play(env, RandomAgent(agent), seed=seed, max_turns=50).turns]

    first = actions(0, 1)
    env.action_space.seed(5)
    np.random.default_rng(0)
    assert actions(0, 1) == first
    assert set(first) <= {"left", "right", "up", "down"}
    assert len({tuple(actions(agent, seed)) for agent in range(3) for seed in range(3)}) > 5


def test_random_agent_uses_the_shop() -> None:
    env = gymnasium.make("WebShop-v0")
    episodes = [play(env, RandomAgent(), seed=seed, options={"task": seed, "split": "train"}) for seed in range(5)]
    turns = [turn for episode in episodes for turn in episode.turns]
    assert all(turn.info["valid_action"] for turn in turns)
    assert {turn.action.split("[")[0] for turn in turns} == {"search", "click"}
    first = episodes[0].turns[0]
    assert all(word in first.observation for word in first.action[len("search[") : -1].split())


def test_person_reads_and_types() -> None:
    typed, shown = iter(["dance", "right"]), []
    person = HumanAgent(read=lambda prompt: next(typed), write=shown.append)
    episode = play(Corridor(length=1), person, seed=0)
    assert [turn.action for turn in episode.turns] == ["dance", "right"]
    assert shown == ["Say left or right.\n", "place 0", "no dance", "place 0"]


def test_person_cannot_type_numbers_of_actions() -> None:
    with pytest.raises(TypeError, match="as_text"):
        play(gymnasium.make("FrozenLake-v1"), HumanAgent(), seed=0)
    typed, shown = iter(["down"] * 100), []
    episode = play(
        as_text(gymnasium.make("FrozenLake-v1")),
        HumanAgent(read=lambda prompt: next(typed), write=shown.append),
        seed=0,
    )
    assert episode.turns[0].info["valid_action"]
    assert "left, down, right, up" in shown[0]
