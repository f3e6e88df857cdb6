"""Exact values against what is published, and against counting."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from palestra.envs.multi import solve
from palestra.envs.multi.games.kuhn import KuhnPoker, State
from palestra.envs.multi.games.matrix import MatchingPennies, PrisonersDilemma, StagHunt
from palestra.envs.multi.registry import make_game


def written(name: str, **kwargs: Any) -> solve.Tree | solve.Graph:
    return solve.write_out(make_game(f"{name}-v0", **kwargs))


def kuhn_equilibrium(alpha: float) -> solve.Strategy:
    """The equilibria of Kuhn 1950: ``alpha``, up to 1/3, is how often the first player bets a jack."""
    bets = {"You hold the jack.": alpha, "You hold the queen.": 0.0, "You hold the king.": 3 * alpha}
    replies = {"jack": 0.0, "queen": 1 / 3, "king": 1.0}

    def play(observation: str, actions: Sequence[str]) -> list[float]:
        card, *moves = observation.split("\n")[:-1]
        name = card.split()[-1].rstrip(".")
        if not moves:
            return [1 - bets[card], bets[card]]
        if moves == ["Opponent: check"]:
            bet = {"jack": 1 / 3, "queen": 0.0, "king": 1.0}[name]
            return [1 - bet, bet]
        call = alpha + 1 / 3 if len(moves) == 2 and name == "queen" else replies[name]
        return [call, 1 - call]

    return play


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1 / 3])
def test_the_known_equilibria_of_kuhn_poker_cannot_be_exploited(alpha: float) -> None:
    kuhn = written("KuhnPoker")
    assert solve.values(kuhn, kuhn_equilibrium(alpha)) == pytest.approx((-1 / 18, 1 / 18))
    assert solve.exploitability(kuhn, kuhn_equilibrium(alpha)) == pytest.approx(0, abs=1e-12)


def test_what_is_near_no_equilibrium_can_be_exploited() -> None:
    kuhn = written("KuhnPoker")
    known = kuhn_equilibrium(0.2)
    assert solve.exploitability(kuhn, lambda seen, actions: 0.9 * np.array(known(seen, actions)) + 0.05) > 0.01
    assert solve.exploitability(kuhn, solve.uniform) == pytest.approx(11 / 24)


@pytest.mark.parametrize("role", KuhnPoker.roles)
def test_a_best_response_is_the_best_of_all_pure_strategies(role: str) -> None:
    kuhn = written("KuhnPoker")
    assert isinstance(kuhn, solve.Tree)
    rng = np.random.default_rng(3)
    policy = rng.dirichlet([1, 1], size=len(kuhn.sets)).ravel()
    profile = kuhn.strategies(policy)
    player = kuhn.game.roles.index(role)
    own = [item for item in kuhn.sets if item.player == player]
    best = -np.inf
    for choice in itertools.product(range(2), repeat=len(own)):
        for item, action in zip(own, choice, strict=True):
            policy[item.start : item.start + 2] = np.eye(2)[action]
        best = max(best, solve.values(kuhn, kuhn.strategies(policy))[player])
    value, response = solve.best_response(kuhn, profile, role)
    assert value == pytest.approx(best)
    assert solve.values(kuhn, {**profile, role: response})[player] == pytest.approx(best)


@pytest.mark.parametrize(
    ("name", "value", "tolerance"),
    [("KuhnPoker", -1 / 18, 1e-3), ("MatchingPennies", 0.0, 1e-3), ("LeducPoker", -0.0856, 0.01)],
)
def test_equilibria_have_the_published_values(name: str, value: float, tolerance: float) -> None:
    game = written(name)
    found = solve.equilibrium(game, tolerance)
    assert solve.exploitability(game, found) <= tolerance
    assert solve.values(game, found)[0] == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize(
    ("height", "best"), [(1, 4 / 16), (2, 5 / 16), pytest.param(3, 22 / 64, marks=pytest.mark.slow)]
)
def test_a_team_wins_at_levines_hats_as_often_as_is_known(height: int, best: float) -> None:
    hats = written("LevineHats", height=height)
    assert isinstance(hats, solve.Tree)
    value, strategies = solve.team_optimum(hats)
    assert value == pytest.approx(best)
    assert solve.values(hats, strategies) == pytest.approx((best, best))
    assert solve.exploitability(hats, strategies) == pytest.approx(0)


def test_where_one_looks_at_levines_hats_the_other_gains_by_looking_too() -> None:
    hats = make_game("LevineHats-v0")
    look_out, np_random = hats.scripted()["lookout"], np.random.default_rng(0)

    def wins(second: Callable[[Any], str]) -> float:
        return sum(
            chance * hats.returns(hats.play(state, {0: look_out(state, 0, np_random), 1: second(state)}))[0]
            for state, chance in hats.chances(hats.start())
        )

    assert wins(lambda state: "1") == wins(lambda state: "2") == 4 / 16
    assert wins(lambda state: look_out(state._replace(hats=state.hats[::-1]), 0, np_random)) == 5 / 16
    assert {look_out(state, 1, np_random) for state, _ in hats.chances(hats.start())} == {"1", "2"}


def test_matrix_games_have_the_known_equilibria() -> None:
    defect, cooperate = (lambda seen, actions: [0, 1]), (lambda seen, actions: [1, 0])
    for rounds in (1, 3):
        dilemma = solve.write_out(PrisonersDilemma(rounds=rounds))
        assert solve.exploitability(dilemma, defect) == 0
        assert solve.exploitability(dilemma, cooperate) == pytest.approx(2 * rounds)
    hunt = solve.write_out(StagHunt())
    assert solve.exploitability(hunt, cooperate) == solve.exploitability(hunt, defect) == 0
    assert solve.exploitability(hunt, solve.uniform) == pytest.approx(0.5)
    pennies = solve.write_out(MatchingPennies())
    assert solve.exploitability(pennies, solve.uniform) == 0
    assert solve.values(pennies, {"matcher": cooperate, "mismatcher": defect}) == (-1.0, 1.0)


def test_perfect_play_at_tic_tac_toe_is_a_draw_and_loses_to_nobody() -> None:
    board = written("TicTacToe")
    perfect = solve.equilibrium(board)
    assert solve.values(board, perfect) == (0.0, 0.0)
    assert solve.exploitability(board, perfect) == 0
    assert solve.exploitability(board, solve.uniform) > 0.9


@pytest.mark.parametrize("heaps", [(1, 2, 3), (3, 4, 5), (2, 2), (1, 3)])
def test_nim_is_won_as_boutons_theorem_says(heaps: tuple[int, ...]) -> None:
    nim = written("Nim", heaps=heaps)
    first_wins = int(np.bitwise_xor.reduce(heaps)) != 0
    assert solve.values(nim, solve.equilibrium(nim)) == pytest.approx((1.0, -1.0) if first_wins else (-1.0, 1.0))


class Blind(KuhnPoker):
    """Shows a bet and a check alike."""

    def events(self, state: State, player: int) -> Sequence[str]:
        return ["Somebody moved."] * len(state.moves)

    def prompt(self, state: State, player: int) -> str:
        return "Answer."


def test_observations_that_leave_something_out_are_refused() -> None:
    with pytest.raises(ValueError, match="is shown with the actions"):
        solve.write_out(Blind())

    class Short(PrisonersDilemma):
        def events(self, state: Any, player: int) -> Sequence[str]:
            return []

    with pytest.raises(ValueError, match="leaves out what the player has done"):
        solve.write_out(Short(rounds=2))


def test_what_cannot_be_solved_says_why() -> None:
    with pytest.raises(solve.TooLarge, match="more than 10 histories"):
        solve.Tree(KuhnPoker(), largest=10)
    with pytest.raises(ValueError, match="not a zero-sum game of two"):
        solve.equilibrium(written("StagHunt"))
    with pytest.raises(ValueError, match="common interest"):
        solve.team_optimum(solve.Tree(KuhnPoker()))
    with pytest.raises(ValueError, match="not the probabilities"):
        solve.exploitability(written("KuhnPoker"), lambda seen, actions: [0.5] * 3)


def test_a_solution_is_worked_out_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[str] = []

    def slowly(written: Any) -> dict[str, solve.Strategy]:
        solved.append(written.game.name)
        time.sleep(0.05)
        return dict.fromkeys(written.game.roles, solve.uniform)

    monkeypatch.setattr(solve, "equilibrium", slowly)
    solve._solved.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda role: solve.solution(make_game("MatchingPennies-v0"), role), ["matcher"] * 8))
    solve._solved.cache_clear()
    assert solved == ["MatchingPennies"]
