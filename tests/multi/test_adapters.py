"""Other people's environments in words: PettingZoo's classic games, and TextArena's."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from pettingzoo.classic import connect_four_v3, leduc_holdem_v4, rps_v2, tictactoe_v3

import palestra
from palestra.envs.check import MULTI_CHECKS
from palestra.envs.multi.adapters import TextArenaAEC, WordsAEC, from_pettingzoo, from_textarena

CARDS = ("call", "raise", "fold", "check")
ADAPTED: dict[str, Callable[..., Any]] = {
    "Classic-TicTacToe-v3": from_pettingzoo(tictactoe_v3.env),
    "Classic-ConnectFour-v3": from_pettingzoo(connect_four_v3.env),
    "Classic-LeducHoldem-v4": from_pettingzoo(leduc_holdem_v4.env, names=CARDS),
    "Classic-RPS-v2": from_pettingzoo(rps_v2.parallel_env, names=("rock", "paper", "scissors")),
    "TextArena-TicTacToe-v0": from_textarena("TicTacToe-v0", examples=[f"[{square}]" for square in range(9)]),
    "TextArena-KuhnPoker-v0": from_textarena("KuhnPoker-v0", examples=["[check]", "[bet]", "[call]", "[fold]"]),
}
for env_id, make in ADAPTED.items():
    palestra.register_multi(env_id, make)

ELSEWHERE = {"multi_other_process", "multi_other_hash_seed", "multi_other_clock", "multi_other_pace"}
ANSWERED_IN_THE_OBSERVATION = {"multi_illegal_moves_change_nothing"}
"""TextArena answers an illegal move by a new observation."""


@pytest.mark.parametrize("env_id", ADAPTED)
def test_what_is_adapted_passes_the_checks(env_id: str) -> None:
    left_out = ELSEWHERE | (ANSWERED_IN_THE_OBSERVATION if env_id.startswith("TextArena") else set())
    report = palestra.check(env_id, only=MULTI_CHECKS.keys() - left_out)
    assert report.passed, "\n".join(map(str, report.failures))


def test_actions_have_names_and_masks_are_kept() -> None:
    env = WordsAEC(leduc_holdem_v4.env(), names=CARDS)
    env.reset(seed=0)
    agent = env.agent_selection
    assert env.infos[agent]["legal_actions"] == ["call", "raise", "fold"]
    env.step("check")
    assert env.agent_selection == agent
    assert env.infos[agent]["feedback"] == "'check' is not one of the actions."
    env.step(" Raise ")
    assert env.agent_selection != agent
    assert env.infos[agent]["valid_action"] is True


def test_an_adapted_game_goes_on_as_the_game_below() -> None:
    below, env = tictactoe_v3.env(), WordsAEC(tictactoe_v3.env())
    below.reset(seed=0)
    env.reset(seed=0)
    for square in (0, 3, 1, 4, 2):
        below.step(square)
        env.step(str(square))
        assert env.rewards == below.rewards
        assert env.terminations == below.terminations
    assert sum(env.rewards.values()) == 0 != max(env.rewards.values())


def test_an_observation_can_be_said_by_a_function() -> None:
    env = WordsAEC(rps_v2.env(), observe=lambda env, agent, seen: f"{agent} saw {int(seen)}")
    env.reset(seed=0)
    assert env.observe("player_0") == "player_0 saw 3"
    with pytest.raises(ValueError, match="3 actions need as many different names"):
        WordsAEC(rps_v2.env(), names=["rock", "paper"])


def play(env: TextArenaAEC, seed: int) -> list[Any]:
    """What a seeded episode of TextArena shows when the first legal move is always taken."""
    env.reset(seed=seed)
    seen: list[Any] = []
    for _ in range(9):
        seen.append((env.agent_selection, env.observe(env.agent_selection)))
        if not any(env.terminations.values()):
            env.step("[check]" if "'[check]'" in seen[-1][1] else "[call]")
    return seen


def test_episodes_of_textarena_do_not_disturb_each_other_or_anybody_else() -> None:
    alone = [play(TextArenaAEC("KuhnPoker-v0"), seed) for seed in range(4)]
    assert any(alone[0] != other for other in alone[1:])
    random.seed(5)
    state = random.getstate()
    one, other = TextArenaAEC("KuhnPoker-v0"), TextArenaAEC("KuhnPoker-v0")
    for seed in range(4):
        other.reset(seed=seed + 10)
        random.seed(seed)
        assert play(one, seed) == alone[seed]
        other.step("[bet]")
    random.setstate(state)
    play(one, 0)
    assert random.getstate() == state


def test_an_illegal_move_in_textarena_is_told() -> None:
    env = TextArenaAEC("TicTacToe-v0")
    env.reset(seed=0)
    agent = env.agent_selection
    env.step("hello")
    assert env.agent_selection == agent
    assert env.infos[agent] == {"role": agent, "valid_action": False, "feedback": "That move is not legal."}
    env.step("[4]")
    assert env.agent_selection != agent
    with pytest.raises(ValueError, match="the nearest one is 'TicTacToe-v0"):
        TextArenaAEC("TicTacToes-v0")
