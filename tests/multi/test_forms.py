"""The forms of a game: turns, illegal moves, what is shown, snapshots, opponents."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import palestra
from palestra.envs.multi.registry import GAMES, make_game


def answer(env: Any, *actions: str) -> None:
    for action in actions:
        env.step(action)


def test_players_who_move_together_do_not_see_each_other() -> None:
    env = palestra.make_multi("PrisonersDilemma-v0", rounds=2)
    env.reset(seed=0)
    before = env.observe("player_1")
    env.step("defect")
    assert env.agent_selection == "player_1"
    assert env.observe("player_1") == before
    assert env.rewards == {"player_0": 0.0, "player_1": 0.0}
    env.step("cooperate")
    assert env.rewards == {"player_0": 5.0, "player_1": 0.0}
    assert "you cooperate, other defect" in env.observe("player_1")


def test_rewards_sum_to_the_returns() -> None:
    env = palestra.make_multi("PrisonersDilemma-v0", rounds=5)
    env.reset(seed=0)
    paid, rng = dict.fromkeys(env.agents, 0.0), np.random.default_rng(0)
    for agent in env.agent_iter():
        _, reward, terminated, _, _ = env.last()
        paid[agent] += reward
        env.step(None if terminated else env.suggest("random", rng))
    assert tuple(paid.values()) == env.game.returns(env.position.state)
    assert env.agents == []


@pytest.mark.parametrize("text", ["raise", "", "bet\nbet", None, 3, "b" * 10**6])
def test_an_illegal_move_is_asked_again(text: Any) -> None:
    env = palestra.make_multi("KuhnPoker-v0", penalty=0.25)
    env.reset(seed=0)
    before = env.observe("player_0"), env.observe("player_1")
    env.step(text)
    assert env.agent_selection == "player_0"
    assert (env.observe("player_0"), env.observe("player_1")) == before
    assert env.rewards == {"player_0": -0.25, "player_1": 0.0}
    assert env.infos["player_0"]["valid_action"] is False
    assert len(env.infos["player_0"]["feedback"]) < 200
    env.step(" BET ")
    assert env.agent_selection == "player_1"
    assert env.infos["player_0"]["valid_action"] is True


def test_where_all_move_together_an_illegal_move_repeats_the_round() -> None:
    env = palestra.make_multi("MatchingPennies-v0")
    env.reset(seed=0)
    answer(env, "heads", "edge")
    assert env.agent_selection == "matcher"
    assert not any(env.terminations.values())
    answer(env, "tails", "tails")
    assert env.rewards == {"matcher": 1.0, "mismatcher": -1.0}


def test_an_illegal_move_can_cost_the_game_or_be_replaced() -> None:
    env = palestra.make_multi("KuhnPoker-v0", illegal="forfeit")
    env.reset(seed=0)
    env.step("fold")
    assert all(env.terminations.values())
    assert env.rewards == {"player_0": -2.0, "player_1": 2.0}
    moves = set()
    for seed in range(20):
        env = palestra.make_multi("KuhnPoker-v0", illegal="random")
        env.reset(seed=seed)
        env.step("fold")
        assert env.agent_selection == "player_1"
        assert env.infos["player_0"]["valid_action"] is False
        moves.add(env.position.state.moves)
    assert moves == {("check",), ("bet",)}


def test_new_observations_put_together_are_the_full_one() -> None:
    shown: dict[str, list[str]] = {}
    for detail in ("full", "new"):
        env = palestra.make_multi("LeducPoker-v0", observation=detail)
        env.reset(seed=4)
        for action in ("check", "bet", "call", "check", "check"):
            if env.agent_selection == "player_0":
                shown.setdefault(detail, []).append(env.observe("player_0"))
            env.step(action)
        shown[detail].append(env.observe("player_0"))
    told = [line for text in shown["new"] for line in text.split("\n") if not line.startswith("Actions")]
    assert told == shown["full"][-1].split("\n")
    assert len(shown["new"][-1]) < len(shown["full"][-1])


def test_the_game_is_cut_after_max_cycles() -> None:
    env = palestra.make_multi("TicTacToe-v0", max_cycles=2)
    env.reset(seed=0)
    answer(env, "1")
    assert not any(env.truncations.values())
    answer(env, "2")
    assert all(env.truncations.values())
    assert not any(env.terminations.values())


def test_a_snapshot_can_be_played_on_elsewhere() -> None:
    env, other = (palestra.make_multi("LeducPoker-v0", observation="new") for _ in range(2))
    env.reset(seed=1)
    answer(env, "bet")
    state = env.snapshot()
    ends = []
    for player in (env, other, other):
        if player is other:
            player.reset(seed=99)
            player.restore(state)
        answer(player, "call", "check", "bet", "fold")
        ends.append((player.rewards, player.observe("player_0"), player.observe("player_1"), player.infos))
    assert ends[0] == ends[1] == ends[2]


def test_seats_and_opponents_can_be_chosen() -> None:
    seen: list[tuple[str, Mapping[str, Any]]] = []

    def folder(observation: str, info: Mapping[str, Any], np_random: np.random.Generator) -> str:
        seen.append((observation, info))
        return "fold" if "fold" in info["legal_actions"] else "check"

    env = gym.make("KuhnPoker-v0", opponent=folder, seat="player_1")
    observation, info = env.reset(seed=0)
    assert info["role"] == "player_1"
    assert observation.split("\n")[1] == "Opponent: check"
    _, reward, terminated, _, info = env.step("bet")
    assert (reward, terminated, info["success"]) == (1.0, True, True)
    assert [entry[1]["role"] for entry in seen] == ["player_0", "player_0"]
    roles = {gym.make("KuhnPoker-v0").reset(seed=seed)[1]["role"] for seed in range(10)}
    assert roles == {"player_0", "player_1"}
    team = gym.make("Debate-v0", opponent={"high": "random", "low": "scripted"})
    assert team.reset(seed=0)[1]["role"] == "judge"


def test_an_opponent_that_breaks_the_rules_is_given_a_legal_move() -> None:
    env = gym.make("TicTacToe-v0", opponent=lambda *_: "nonsense", seat="player_0")
    env.reset(seed=0)
    board = env.step("5")[0]
    assert board.count("O") == 1


@pytest.mark.parametrize("seat", ["player_0", "player_1"])
def test_the_optimal_player_never_loses_at_tic_tac_toe(seat: str) -> None:
    env = gym.make("TicTacToe-v0", opponent="optimal", seat=seat)
    rng, rewards = np.random.default_rng(0), []
    for seed in range(60):
        _, info = env.reset(seed=seed)
        over, reward = False, 0.0
        while not over:
            _, reward, over, _, info = env.step(str(rng.choice(info["legal_actions"])))
        rewards.append(reward)
    assert max(rewards) == 0.0
    assert min(rewards) == -1.0


def test_wrong_arguments_name_what_there_is() -> None:
    for make in (palestra.make_multi, lambda name, **kwargs: gym.make(name, **kwargs).unwrapped):
        with pytest.raises(ValueError, match="heaps"):
            make("Nim-v0", heap=(1, 2))
        with pytest.raises(ValueError, match="retry, random, forfeit"):
            make("Nim-v0", illegal="ignore")
    with pytest.raises(ValueError, match="the nearest one is 'KuhnPoker-v0'"):
        palestra.make_multi("KuhnPocker-v0")
    with pytest.raises(ValueError, match="did you mean 'optimal'"):
        gym.make("Nim-v0", opponent="optimum")
    with pytest.raises(ValueError, match="no equilibrium"):
        gym.make("StagHunt-v0", opponent="optimal")
    with pytest.raises(ValueError, match="check giver"):
        gym.make("WordGuessing-v0", opponent={"guesser": "random"})
    with pytest.raises(ValueError, match="seat must be any or one of"):
        gym.make("Nim-v0", seat="first")
    with pytest.raises(ValueError, match="no numbered tasks"):
        gym.make("Nim-v0").reset(options={"task": 1})


def test_every_game_is_registered_in_both_forms_and_tells_its_rules() -> None:
    for name in set(GAMES) - {"CooperativeShopping"}:  # which opens a shop
        game = make_game(f"{name}-v0")
        assert gym.spec(f"{name}-v0").kwargs == {"game": f"{name}-v0"}
        assert game.name == name
        assert len(game.guide.split()) > 15
        assert game.default_opponent in {"random", *game.scripted()}


def test_the_games_load_without_pettingzoo_and_name_it_where_it_is_needed() -> None:
    code = """
import sys
sys.modules["pettingzoo"] = None
import gymnasium, palestra
gymnasium.make("KuhnPoker-v0").reset(seed=0)
try:
    palestra.make_multi("KuhnPoker-v0")
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "pip install 'palestra[multi]'" in done.stdout


def test_a_person_plays_in_the_terminal() -> None:
    command = [sys.executable, "-m", "palestra", "play", "TicTacToe-v0", "--seat", "player_0", "--seed", "1"]
    script = "one\n1\n2\n3\n4\n5\n6\n7\n8\n9\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "'one' is not one of the actions." in done.stdout
    assert "player_0: " in done.stdout.splitlines()[-2]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "broken off" in done.stdout
