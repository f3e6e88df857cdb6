"""Many roles in one loop: who plays, who learns, what is kept, and that a run goes on where it was."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palestra.agents.strategy import ModelStrategy
from palestra.envs.multi.registry import make_game, make_multi
from palestra.envs.multi.solve import Tree
from palestra.train import main
from palestra.training import checkpoint, metrics, recipe
from palestra.training.advantages import RoleBaseline, Scored
from palestra.training.config import Config, Opponents
from palestra.training.learner import Learner
from palestra.training.match import play_match
from palestra.training.matching import Matching
from palestra.training.opponent import RunPlayer
from palestra.training.ratings import RATINGS, Ratings, prioritised
from palestra.training.recipe import RecipeError
from palestra.training.rows import merged, to_rows
from palestra.training.self_play import SELF, SelfPlay
from palestra.training.setup import Setup, prepare
from palestra.training.tables import as_table, roles_of
from palestra.trajectory import Status, Trajectory, Turn

TINY = [
    "--device=cpu",
    "--small.hidden=32",
    "--small.layers=1",
    "--small.heads=2",
    "--small.kv-heads=1",
    "--rollout.groups=4",
    "--rollout.group-size=4",
    "--rollout.concurrency=8",
    "--optimizer.learning-rate=3e-3",
    "--evaluation.tasks=8",
    "--evaluation.every=100",
    "--opponents.rating-games=2",
    "--opponents.snapshot-every=2",
]


def config(run: Path, *flags: str, env: str = "KuhnPoker-v0") -> Config:
    return recipe.parse(["--recipe=kuhn", f"--env={env}", *TINY, f"--run={run}", *flags])


@pytest.fixture
def made(tmp_path: Path) -> Any:
    setups: list[Setup] = []

    def make(*flags: str, env: str = "KuhnPoker-v0") -> tuple[Config, Setup, SelfPlay]:
        wanted = config(tmp_path / f"run-{len(setups)}", *flags, env=env)
        setups.append(prepare(wanted, None))
        driver = SelfPlay(wanted, setups[-1])
        driver.begin()
        return wanted, setups[-1], driver

    yield make
    for setup in setups:
        setup.close()


def test_turns_and_rounds_are_told_in_one_form() -> None:
    poker = as_table(make_multi("KuhnPoker-v0"))
    news = poker.reset(3, None)
    assert list(news) == ["player_0"]
    assert news["player_0"].acts
    assert list(poker.step({"player_0": "bet"})) == ["player_1"]
    over = poker.step({"player_1": "fold"})
    assert {role: item.reward for role, item in over.items()} == {"player_0": 1.0, "player_1": -1.0}
    assert not any(item.acts for item in over.values())

    pennies = make_multi("MatchingPennies-v0", parallel=True, rounds=2)
    assert roles_of(pennies) == ("matcher", "mismatcher")
    table = as_table(pennies)
    assert set(table.reset(0, None)) == {"matcher", "mismatcher"}
    middle = table.step({"matcher": "heads", "mismatcher": "heads"})
    assert {role: (item.reward, item.acts) for role, item in middle.items()} == {
        "matcher": (1.0, True),
        "mismatcher": (-1.0, True),
    }


def test_every_role_has_a_trajectory_that_the_learner_reads_as_it_was_sampled(made: Any) -> None:
    wanted, setup, driver = made()
    episodes = setup.rollout.collect(driver.jobs(0), setup.sampling(wanted, 1.0))
    assert [episode.role for episode in episodes[:4]] == ["player_0", "player_1"] * 2
    assert all(episode.status is Status.TERMINATED and episode.turns for episode in episodes)
    for first, second in zip(episodes[::2], episodes[1::2], strict=True):
        assert first.score == -second.score != 0
        assert len(first.turns) + len(second.turns) in (2, 3)
    groups = driver.groups(episodes)["policy"]
    assert len(groups) == 8  # four deals, two roles
    assert all(len({episode.role for episode in group}) == 1 for group in groups)
    assert all(len({episode.seed for episode in group}) == 1 for group in groups)

    rows = [row for episode in episodes for row in to_rows(episode, np.ones(len(episode.turns)))]
    assert len(rows) == sum(len(episode.turns) for episode in episodes)  # a context is one turn
    learner = Learner(setup.model, wanted.optimizer, wanted.objective, 1)
    assert learner.update(rows, np.random.default_rng(0))["gap_max"] < 1e-4


def test_probabilities_are_read_as_they_are_sampled(made: Any) -> None:
    wanted, setup, driver = made()
    strategy = ModelStrategy(setup.model, setup.renderer)
    strategy.read((item.observation, item.actions) for item in Tree(make_game("KuhnPoker-v0")).sets)
    turns = [
        turn for episode in setup.rollout.collect(driver.jobs(0), setup.sampling(wanted, 1.0)) for turn in episode.turns
    ]
    for turn in turns:
        legal = str(turn.observation).rpartition("Actions: ")[2].split(", ")
        chances = strategy(str(turn.observation), legal)
        assert chances.sum() == pytest.approx(1, abs=1e-6)
        assert np.log(chances[legal.index(turn.action)]) == pytest.approx(turn.logprobs.sum(), abs=1e-4)


def test_merged_rows_teach_the_same(made: Any) -> None:
    wanted, setup, driver = made()
    episodes = setup.rollout.collect(driver.jobs(0), setup.sampling(wanted, 1.0))
    rows = [row for episode in episodes for row in to_rows(episode, np.full(len(episode.turns), episode.score))]
    learner = Learner(setup.model, wanted.optimizer, wanted.objective, 1)
    gradients = []
    for batch in (rows, merged(rows)):
        learner._accumulate(batch, sum(row.count * row.weight for row in batch), {}, first=False)
        gradients.append([parameter.grad.clone() for parameter in setup.model.parameters()])
        learner.optimizer.zero_grad(set_to_none=True)
    assert len(merged(rows)) < len(rows)
    for whole, short in zip(*gradients, strict=True):
        np.testing.assert_allclose(short.numpy(), whole.numpy(), atol=1e-5)


def test_a_role_that_is_taken_for_good_is_not_trained(made: Any) -> None:
    wanted, setup, driver = made("--opponents.roles", "player_1=random", "--evaluation.no-exploitability")
    episodes = setup.rollout.collect(driver.jobs(0), setup.sampling(wanted, 1.0))
    assert {episode.policy for episode in episodes if episode.role == "player_1"} == {"random"}
    assert all(member.role == "player_0" for group in driver.groups(episodes)["policy"] for member in group)
    with pytest.raises(RecipeError, match="no role 'dealer'"):
        made("--opponents.roles", "dealer=random")


def test_a_teacher_can_show_each_answer_once(made: Any) -> None:
    flags = ["--warm-start.demonstrations=20", "--warm-start.teacher=random"]
    every = [each.episode.turns[0] for each in made(*flags)[2].demonstrations()]
    distinct = [each.episode.turns[0] for each in made(*flags, "--warm-start.distinct")[2].demonstrations()]
    answers = {(turn.observation, turn.action) for turn in every}
    assert len(distinct) == len(answers) < len(every)
    assert {(turn.observation, turn.action) for turn in distinct} == answers
    with pytest.raises(RecipeError, match="distinct needs"):
        made("--warm-start.distinct", "--rollout.context=episode", "--evaluation.no-exploitability")


def test_a_teacher_shows_the_roles_that_a_policy_takes(made: Any) -> None:
    flags = ["--warm-start.demonstrations=12", "--evaluation.no-exploitability"]
    shown = made(*flags)[2].demonstrations()
    assert {item.episode.role for item in shown} == {"player_0", "player_1"}
    assert all(len(item.episode.turns) == 1 and item.own.all() for item in shown)
    assert {item.episode.role for item in made(*flags, "--opponents.roles", "player_1=random")[2].demonstrations()} == {
        "player_0"
    }


def test_a_league_trains_an_exploiter_and_meets_the_past(made: Any) -> None:
    wanted, setup, driver = made("--opponents.matching=league", "--opponents.share=0.2", "--rollout.groups=24")
    assert list(setup.models) == ["policy", "exploiter"]
    for step in (1, 2):
        episodes = setup.rollout.collect(driver.jobs(step), setup.sampling(wanted, 1.0))
        driver.after(step, episodes)
    assert driver.matching.past == ["step-000002", "exploiter-000002"]
    episodes = setup.rollout.collect(driver.jobs(2), setup.sampling(wanted, 1.0))
    assert {"policy", "exploiter", "step-000002/policy"} <= {episode.policy for episode in episodes}
    groups = driver.groups(episodes)
    assert all(member.policy == name for name, own in groups.items() for group in own for member in group)
    games = driver.ratings.games
    assert driver.ratings.members[0] == "start"
    assert (games == games.T).all()
    assert games.sum() == 2 * 2 * 2  # two newcomers, two games each against the beginner


def test_the_hardest_opponents_are_met_most() -> None:
    weights = prioritised([0.9, 0.5, 0.0])
    assert weights == pytest.approx(np.array([0.02, 0.26, 1.01]) / 1.29)
    matching = Matching(Opponents(matching="prioritised", share=0.0, scripts=["weak", "strong"]))
    matching.learn([("weak", 1.0)] * 50 + [("strong", 0.0)] * 50)
    rng = np.random.default_rng(0)
    chosen = [matching.choose(rng) for _ in range(200)]
    assert chosen.count("strong") > 180
    other = Matching(Opponents(matching="prioritised", share=0.0, scripts=["weak", "strong"]))
    other.restore(json.loads(json.dumps(matching.snapshot())))
    assert other.win_rate("strong") == matching.win_rate("strong")


def test_ratings_find_the_strengths_that_the_games_were_drawn_from() -> None:
    strengths = {"weak": -200.0, "middle": 0.0, "strong": 200.0}
    rng, ratings = np.random.default_rng(0), Ratings()
    for number in range(1500):
        pairs = [("weak", "middle"), ("middle", "strong"), ("strong", "weak")]
        one, other = pairs[number % 3]
        won = rng.random() < 1 / (1 + 10 ** ((strengths[other] - strengths[one]) / 400))
        ratings.add(one, other, float(won), float(not won))
    for member, (value, margin) in zip(ratings.members, ratings.elo(), strict=True):
        assert abs(value - strengths[member]) < margin < 40
    assert ratings.payoff[0, 1] + ratings.payoff[1, 0] == pytest.approx(1)
    assert np.isnan(ratings.payoff[0, 0])
    with pytest.raises(ValueError, match="against itself"):
        ratings.add("weak", "weak", 1, 0)


def test_a_role_baseline_follows_each_role() -> None:
    def group(role: str, *returns: float) -> Scored:
        episodes = [Trajectory("Game-v0", None, 0, [Turn("", ""), Turn("", "")], role=role) for _ in returns]
        return Scored(episodes, [np.array([0.0, value]) for value in returns], [], np.ones(1))

    advantage = RoleBaseline(0.9)
    assert [turns.tolist() for turns in advantage(group("first", 1.0, 2.0))] == [[1.0, 1.0], [2.0, 2.0]]
    assert advantage.baselines == {"Game-v0/first": pytest.approx(0.9 * 0.1 + 0.2)}
    assert advantage(group("second", -1.0))[0].tolist() == [-1.0, -1.0]
    again = RoleBaseline(0.9)
    again.restore(json.loads(json.dumps(advantage.snapshot())))
    assert again(group("first", 1.0))[0][0] == pytest.approx(1 - 0.29)


@pytest.mark.parametrize("flags", [["--opponents.matching=league"], ["--opponents.policies=per_role"]])
def test_a_run_goes_on_where_it_was_to_the_bit(tmp_path: Path, flags: list[str]) -> None:
    arguments = ["--recipe=kuhn", *TINY, "--advantage=role_baseline", "--opponents.share=0.3", *flags]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main([*arguments, f"--run={whole}", "--steps=4"]) == 0
    assert main([*arguments, f"--run={parts}", "--steps=4", "--checkpoint-every=2"]) == 0
    for path in (parts / checkpoint.FOLDER).glob("step-000004"):
        path.rename(path.with_name("gone"))
    assert main(["--resume", f"--run={parts}"]) == 0
    once, twice = (checkpoint.load(run / checkpoint.FOLDER / "step-000004") for run in (whole, parts))
    assert once[1]["driver"] == twice[1]["driver"]
    assert once[1]["advantage"] == twice[1]["advantage"]
    assert (whole / RATINGS).read_text() == (parts / RATINGS).read_text()
    for policy, kept in once[0][checkpoint.OTHERS].items():
        for key, tensor in kept["weights"].items():
            assert (tensor == twice[0][checkpoint.OTHERS][policy]["weights"][key]).all()
    files = [run / checkpoint.FOLDER / "step-000004" / "model.safetensors" for run in (whole, parts)]
    assert files[0].read_bytes() == files[1].read_bytes()

    report = (whole / "report.md").read_text()
    assert "Exploitability after 4 steps" in report
    assert re.search(r"each can expect, computed likewise: player_0 [+-]0\.\d{4}, player_1 [+-]0\.\d{4}\.", report)
    assert "| step-000004 |" in report
    assert (whole / "self_play.png").stat().st_size > 10_000
    curve = [row["evaluation/exploitability"] for row in metrics.read(whole) if "evaluation/exploitability" in row]
    assert len(curve) == 2
    played = play_match("KuhnPoker-v0", str(whole), f"{whole}@start", games=12)
    assert (played.own == -played.other).all()
    assert played.lines()[0].startswith("all games: 12 games, ")
    env = make_multi("KuhnPoker-v0")
    player, table = RunPlayer(whole, env), as_table(env)
    (role, news), *_ = table.reset(0, None).items()
    assert player(env, role, news.observation, news.info, np.random.default_rng(0)) in news.info["legal_actions"]


def test_the_commands_of_the_page_are_ones_that_train_py_takes(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "self-play.md").read_text().replace("\\\n", " ")
    lines = [line.partition("#")[0] for line in page.splitlines() if line.startswith("python train.py")]
    assert len(lines) >= 3
    for line in lines:
        wanted = recipe.parse([*shlex.split(line)[2:], f"--run={tmp_path / 'run'}"])
        assert wanted.self_play
    assert recipe.parse(
        ["--env=KuhnPoker-v0", "--self-play", f"--run={tmp_path}"]
    ).evaluation.exploitability  # its own recipe
    assert (
        recipe.parse(["--env=Nim-v0", "--self-play", f"--run={tmp_path}"]).advantage == "role_baseline"
    )  # the one for any


def test_optimal_play_never_loses_tic_tac_toe_and_gains_by_it() -> None:
    played = play_match("TicTacToe-v0", "optimal", "random", games=100)
    assert (played.own >= played.other).all()
    first, second = played.lines()[1:]
    assert first.startswith("as player_0: 50 games")
    assert second.startswith("as player_1: 50 games")
    assert (played.own > played.other).mean() > 0.8


@pytest.mark.parametrize("name", ["kuhn", "leduc", "tic-tac-toe", "levine-hats", "pile", "self-play"])
def test_shipped_recipes_name_games_and_players_that_there_are(name: str) -> None:
    wanted = recipe.load(recipe.find(name))
    if name == "self-play":
        return
    game = make_game(wanted.env, **wanted.env_options)
    players = {"random", "optimal", SELF, *game.scripted()}
    assert {*wanted.opponents.scripts, wanted.evaluation.opponent} <= players
    assert wanted.warm_start.teacher in players
