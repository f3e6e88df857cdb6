"""The arithmetic, the controls, the ranking of answers, the hunt for hacks, and the command that prints them."""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from palestra import Status, Trajectory, Turn
from palestra.cli import main
from palestra.rewards import Reward, delta, env, lexicographic, success, turn_reward, turns
from palestra.rewards.audit.acting import Player, at_random, legal_actions, totals
from palestra.rewards.audit.arithmetic import RandomCalculation, generate
from palestra.rewards.audit.controls import controls
from palestra.rewards.audit.hacks import find_hacks
from palestra.rewards.audit.ranking import rank_solutions, ranking

from ..programs.grid import LavaGrid

# --- arithmetic -------------------------------------------------------------------------------------------------------


def value(expression: str) -> Fraction:
    """Another evaluation, of the text."""

    def walk(node: Any) -> Fraction:
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                first, second = walk(left), walk(right)
                match op:
                    case ast.Add():
                        return first + second
                    case ast.Sub():
                        return first - second
                    case ast.Mult():
                        return first * second
                    case ast.Div():
                        return first / second
            case ast.Constant(value=int() as number):
                return Fraction(number)
        raise AssertionError(ast.dump(node))

    return walk(ast.parse(expression, mode="eval").body)


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_items_are_different_and_exactly_solvable(steps: int) -> None:
    items = generate(200, steps, np.random.default_rng(0))
    assert len({item.expression for item in items}) == 200
    for item in items:
        assert value(item.expression) == item.answer
        assert len(re.findall(r" [-+*/] ", item.expression)) == steps
    assert items == generate(200, steps, np.random.default_rng(0))
    assert not {i.expression for i in items} & {i.expression for i in generate(20, 4, np.random.default_rng(1))}


def test_the_questions_offer_the_right_answer_once() -> None:
    asked = RandomCalculation(items=20, choices=5)
    for task in range(asked.tasks("train")):
        observation, info = asked.reset(options={"task": task})
        answers = info["legal_actions"]
        assert len(set(answers)) == 5
        right = [answer for answer in answers if Fraction(answer) == value(asked.items[task].expression)]
        assert right == [asked.oracle()]
        assert asked.items[task].expression in observation
        assert asked.step(f" {right[0]} ")[1:3] == (1.0, True)
    _, reward, terminated, _, info = asked.step("no")
    assert (reward, terminated, info["valid_action"], info["success"]) == (0.0, True, False, False)
    assert info["feedback"]
    with pytest.raises(ValueError, match="at least one item"):
        generate(1, 0, np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(3))
def test_works_randomcalculation(seed: int) -> None:
    """Only the true reward raises accuracy; a coin does not, and the inverted reward lowers it."""
    player = Player(RandomCalculation(item_seed=seed))
    found = controls(player, success, env, steps=60, tasks=12, seed=seed)
    assert found["true"].after > 0.65
    assert found["reward"] == found["true"]
    assert abs(found["random"].after - 0.25) < 0.15
    assert found["inverted"].after < 0.15
    for control in found.values():
        assert abs(control.before - 0.25) < 0.12


# --- one against many -------------------------------------------------------------------------------------------------


def test_ranking_by_hand() -> None:
    # Above all three; above two of three; tied with the best, which is lost, above the rest.
    found = ranking(np.array([9.0, 5.0, 5.0]), np.array([[1, 2, 3], [1, 2, 6], [5, 1, 1]]))
    assert found.one_vs_many == pytest.approx(1 / 3)
    assert found.one_vs_one == pytest.approx(7 / 9)
    assert found.reciprocal_rank == pytest.approx((1 + 0.5 + 0.5) / 3)
    with pytest.raises(ValueError, match=r"\[n\] and \[n, k\]"):
        ranking(np.zeros(2), np.zeros((3, 2)))


def solution(score: float, status: Status = Status.TERMINATED) -> Trajectory:
    return Trajectory("Q-v0", 0, 0, [Turn("q", "a", score)], status)


def test_ranking_solutions() -> None:
    problems = [(solution(3), [solution(1), solution(2)]), (solution(1), [solution(2), solution(0)])]
    assert rank_solutions(env, problems) == rank_solutions(lexicographic(env, turns), problems)
    assert rank_solutions(env, problems).one_vs_many == 0.5
    assert rank_solutions(-env, problems).one_vs_many == 0
    swapped = [(correct, wrong[::-1]) for correct, wrong in problems[::-1]]
    assert rank_solutions(env, swapped) == rank_solutions(env, problems)
    with pytest.raises(ValueError, match="as many wrong solutions"):
        rank_solutions(env, [*problems, (solution(1), [solution(2)])])
    with pytest.raises(ValueError, match="without an outcome"):
        rank_solutions(env, [(solution(1), [solution(2, Status.FAULT)])])


def spearman(first: list[float], second: list[float]) -> float:
    def ranks(values: list[float]) -> np.ndarray:
        array = np.array(values)
        return np.array([(array < x).mean() + (array == x).mean() / 2 for x in array])

    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


def test_works_rewardmath() -> None:
    """Over proxies that can be exploited more and less, one against nine foretells best-of-64 better than one pair."""
    many, single = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        accuracy, pairs, best = [], [], []
        for exploited in np.geomspace(0.001, 0.3, 20):  # the share of wrong answers that a proxy overrates

            def score(right: np.ndarray, share: float = float(exploited)) -> np.ndarray:
                fooled = ~right & (rng.random(right.shape) < share)  # noqa: B023 (called at once)
                return right + 2 * fooled + 0.2 * rng.normal(size=right.shape)  # noqa: B023

            table = score(np.tile([True, *[False] * 9], (100, 1)))
            accuracy.append(ranking(table[:, 0], table[:, 1:]).one_vs_many)
            pairs.append(ranking(table[:, 0], table[:, 1:2]).one_vs_many)
            drawn = rng.random((500, 64)) < 0.3
            best.append(float(drawn[np.arange(500), score(drawn).argmax(axis=1)].mean()))
        many.append(spearman(accuracy, best))
        single.append(spearman(pairs, best))
    assert np.mean(many) > 0.9
    assert np.mean(many) > np.mean(single) + 0.05


# --- hacks ------------------------------------------------------------------------------------------------------------


@turn_reward
def near(turn: Turn) -> float:
    """Pays for standing near the goal, turn after turn: arriving ends the pay."""
    return 1.0 / (1.0 + turn.info["distance"])


@turn_reward
def closeness(turn: Turn) -> float:
    return -turn.info["distance"] / 6


def grid(**settings: Any) -> LavaGrid:
    return LavaGrid(size=4, horizon=16, lava=((1, 1),), **settings)


class Replayed(LavaGrid):
    """Without snapshots."""

    snapshot = restore = None  # type: ignore[assignment]


@pytest.mark.parametrize("seed", range(3))
def test_works_hack_finder(seed: int) -> None:
    """It finds the planted hack, and none in a reward that has none."""
    rng = np.random.default_rng(seed)
    hunt = find_hacks(Player(grid()), env + near, env, episodes=600, rng=rng)
    assert hunt.true == 1
    assert hunt.hacks[0].true == 0
    # The shortest way pays 1 + (1/6 + 1/5 + 1/4 + 1/3 + 1/2 + 1); loitering beside the goal pays 1/2 a turn.
    assert len(hunt.reference.turns) == 6
    assert hunt.reward == pytest.approx(1 + sum(1 / n for n in range(1, 7)))
    assert hunt.hacks[0].reward > hunt.reward + 1
    assert hunt.dawdling >= hunt.reward
    assert [hack.reward for hack in hunt.hacks] == sorted((hack.reward for hack in hunt.hacks), reverse=True)
    for hack in hunt.hacks:
        assert totals(env + near, [hack.trajectory])[0] == hack.reward
    clean = find_hacks(Player(grid()), env + delta(closeness), env, episodes=600, rng=np.random.default_rng(seed))
    assert clean.true == 1
    assert clean.hacks == ()


def test_forks_by_snapshot_and_by_replay_find_the_same() -> None:
    settings: dict[str, Any] = {"size": 4, "horizon": 16, "lava": ((1, 1),)}
    hunts = [
        find_hacks(Player(made), env + near, env, rng=np.random.default_rng(0))
        for made in (LavaGrid(**settings), Replayed(**settings))
    ]
    told = [[[t.action for t in hack.trajectory.turns] for hack in hunt.hacks] for hunt in hunts]
    assert told[0] == told[1]
    assert told[0]
    assert hunts[0].episodes == 400


def test_a_fork_keeps_the_parent_s_turns_and_leaves_it_alone() -> None:
    player = Player(grid())
    rng = np.random.default_rng(0)
    parent = player.play(at_random(rng), seed=0)
    actions = parent.actions
    for turn in range(len(actions)):
        child = player.fork(parent, turn, at_random(rng))
        assert child.actions[:turn] == actions[:turn]
        assert parent.actions == actions
        assert len(child.actions) == len(child.legal) == len(child.snapshots)


def test_what_cannot_be_searched_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="compares the episodes of a group"):
        find_hacks(Player(grid()), lexicographic(env, turns), env, rng=rng)
    with pytest.raises(ValueError, match="a population of 4 to 10"):
        find_hacks(Player(grid()), turns, env, episodes=40, rng=rng)
    made = grid()
    with pytest.raises(ValueError, match="does not list its actions"):
        legal_actions(made, {})
    assert legal_actions(made, {"clickables": ["search"], "has_search_bar": True, "goal": {"instruction": "x"}}) == [
        "search[x]"
    ]
    assert legal_actions(made, {"clickables": ["buy now"], "has_search_bar": False}) == ["click[buy now]"]


# --- the command ------------------------------------------------------------------------------------------------------


def audited(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["audit", *arguments])
    output = capsys.readouterr()
    return status, output.out + output.err


def test_the_command_prints_the_distance_the_controls_and_the_hacks(capsys: pytest.CaptureFixture[str]) -> None:
    lake = ("--env", "FrozenLake-v1", "--set", "is_slippery=false", "--horizon", "20")
    much = ("--episodes", "20", "--steps", "2", "--budget", "400", "--starts", "1")
    status, text = audited(capsys, "--reward", "env + 0.2*turns", *lake, *much)
    assert status == 0
    assert text.startswith("FrozenLake-v1: env + 0.2*turns, against env\non 20 random episodes")
    assert re.search(r"STARC distance +0\.\d{3}", text)
    assert re.search(r"\n  inverted +0\.\d{3} +0\.\d{3}\n", text)
    assert re.search(
        r"\n3 hacks in 400 episodes from seed \d+ \(best known: true return 1.000, reward \d\.\d{3} to 5.000", text
    )
    assert "hack 1: reward 4.000, true return 0.000" in text
    assert re.search(r"You are at row \d, column \d of 4 rows and 4 columns.* ->  (left|down|right|up)", text)
    again = audited(capsys, "--reward", "env + 0.2*turns", *lake, *much)
    assert again == (status, text)


def test_the_command_uses_clean_arithmetic_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = audited(capsys, "--reward", "success", "--steps", "0", "--starts", "1")
    assert status == 0
    assert text.startswith("RandomCalculation-v0: success")
    assert "no hack in 400 episodes" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--reward", "env", "--env", "Nope-v0"), "Nope"),
        (("--reward", "enw"), "did you mean 'env'"),
        (("--reward", "lexicographic(env, turns)"), "compares the episodes of a group"),
        (("--reward", "env", "--set", "items"), "NAME=VALUE"),
    ],
)
def test_the_command_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    status, text = audited(capsys, *arguments)
    assert status == 2
    assert message in text


def test_a_reward_s_own_totals_are_used() -> None:
    reward: Reward = 2 * env
    assert totals(reward, [solution(3), solution(1, Status.FAULT)]).tolist() == [6, 0]
