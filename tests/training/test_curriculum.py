"""Curricula: they go where something can be learned, they resume, and a run follows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palestra.train import main
from palestra.training import checkpoint, recipe
from palestra.training.curriculum import SOURCES, Evolving, Proposed, TaskSource, Uniform
from palestra.training.learning_progress import LearningProgress, fit_mixture
from palestra.training.task_space import TaskSpace
from palestra.trajectory_io import read_trajectories

HERE = Path(__file__).resolve().parent
SPACE = TaskSpace({"variation": range(20), "level": (1, 2, 3, 4, 5), "kind": ("star", "move")})


class Pupil:
    """Learns as policy gradients do: from tasks that are sometimes solved and sometimes not.

    ``skill`` is the chance to solve a task of each level; a level is begun with a fifth of the skill of the one below.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.skill = np.array([0.1, 0, 0, 0, 0])

    def try_out(self, level: int) -> float:
        skill, place = self.skill, level - 1
        skill[1:] = np.maximum(skill[1:], skill[:-1] / 5)
        outcomes = self.rng.random(4) < skill[place]
        skill[place] = min(0.99, skill[place] + 0.4 * outcomes.var())
        return float(outcomes.mean())


def taught(source: TaskSource, episodes: int, seed: int) -> tuple[Pupil, list[int]]:
    pupil, levels = Pupil(np.random.default_rng((seed, 5))), []
    for _ in range(episodes):
        (task,) = source.sample(1)
        levels.append(SPACE.parameters(task)["level"])
        source.report(task, pupil.try_out(levels[-1]))
    return pupil, levels


def test_numbers_and_parameters_are_each_others_inverse() -> None:
    for number in (0, 7, SPACE.size - 1):
        assert SPACE.number(**SPACE.parameters(number)) == number
        assert SPACE.cell_at(SPACE.point(number)) == SPACE.cell(number)
    assert SPACE.neighbours((0, 1)) == [(1, 1)]
    assert SPACE.neighbours((2, 0)) == [(1, 0), (3, 0)]
    rng = np.random.default_rng(0)
    assert {SPACE.parameters(SPACE.draw_in((3, 0), rng))["variation"] for _ in range(200)} == set(range(20))
    with pytest.raises(ValueError, match="level is one of 1, 2, 3, 4, 5, not 9"):
        SPACE.number(variation=0, level=9, kind="star")
    with pytest.raises(ValueError, match="has the parameters variation, level, kind"):
        SPACE.number(level=1)


def test_evolving_masters_more_hard_levels_than_uniform_at_equal_episodes() -> None:
    def mastered(kind: type[Uniform]) -> float:
        pupils = [taught(kind(SPACE, np.random.default_rng(seed)), 120, seed)[0] for seed in range(16)]
        return float(np.mean([pupil.skill[3:].mean() for pupil in pupils]))

    assert mastered(Evolving) > mastered(Uniform) + 0.15


def test_evolving_plays_what_is_sometimes_solved() -> None:
    rng = np.random.default_rng(0)
    source = Evolving(SPACE, rng, explore=0.1, stay=0.8)
    chances = {1: 1.0, 2: 1.0, 3: 0.4, 4: 0.0, 5: 0.0}
    played = []
    for _ in range(600):
        (task,) = source.sample(1)
        played.append(SPACE.parameters(task)["level"])
        source.report(task, float(np.mean(rng.random(4) < chances[played[-1]])))
    assert np.mean([level == 3 for level in played[200:]]) > 0.6


def test_a_single_failure_is_within_reach_where_the_last_task_was_solved() -> None:
    source = Evolving(SPACE, np.random.default_rng(0))
    tasks = [SPACE.number(variation=variation, level=2, kind="star") for variation in range(4)]
    for task, success in zip(tasks, (0.0, 1.0, 0.0, 0.0), strict=True):
        source.report(task, success)
    assert list(source.seeds) == [tasks[2]]


def test_progress_is_the_difference_to_the_nearest_task() -> None:
    source = LearningProgress(SPACE, np.random.default_rng(0))
    near = SPACE.number(variation=0, level=2, kind="star")
    far = SPACE.number(variation=0, level=5, kind="star")
    assert source.progress(SPACE.point(near), 1.0) == 0.0
    source.report(near, 0.25)
    source.report(far, 0.75)
    assert source.progress(SPACE.point(SPACE.number(variation=9, level=1, kind="star")), 1.0) == 0.75
    assert source.progress(SPACE.point(SPACE.number(variation=9, level=4, kind="star")), 1.0) == 0.25
    source.report(near, 0.5)
    assert source.progress(SPACE.point(near), 0.5) == 0.0


def test_a_mixture_finds_two_clouds() -> None:
    rng = np.random.default_rng(0)
    clouds = np.concatenate([rng.normal(0.2, 0.02, (80, 2)), rng.normal(0.8, 0.05, (40, 2))])
    mixture, aic = fit_mixture(clouds, 2, rng)
    order = np.argsort(mixture.means[:, 0])
    assert np.allclose(mixture.means[order], [[0.2, 0.2], [0.8, 0.8]], atol=0.03)
    assert np.allclose(mixture.weights[order], [2 / 3, 1 / 3], atol=0.02)
    assert aic < fit_mixture(clouds, 1, rng)[1]


def test_learning_progress_leaves_what_cannot_be_learned() -> None:
    # Half of the square can never be learned; in the other half, mastery grows with practice from the left.
    space = TaskSpace({"variation": range(5), "width": tuple(range(20)), "height": tuple(range(20))})

    def run(source: TaskSource) -> tuple[float, float]:
        practice, wasted = np.zeros(10), []
        for number in range(800):
            (task,) = source.sample(1)
            values = space.parameters(task)
            column, possible = values["width"] // 2, values["height"] < 10
            ready = column == 0 or practice[column - 1] > 15
            practice[column] += possible and ready
            source.report(task, float(possible) * min(practice[column] / 40, 1.0))
            if number >= 400:
                wasted.append(not possible)
        return float(np.mean(wasted)), float((practice > 30).mean())

    shares = [run(LearningProgress(space, np.random.default_rng(seed), refit=80, explore=0.15)) for seed in range(3)]
    uniform = [run(Uniform(space, np.random.default_rng(seed))) for seed in range(3)]
    assert np.mean([wasted for wasted, _ in shares]) < 0.25
    assert 0.45 < np.mean([wasted for wasted, _ in uniform]) < 0.55
    assert np.mean([mastered for _, mastered in shares]) > np.mean([mastered for _, mastered in uniform]) + 0.1


def test_a_model_proposes_and_nonsense_is_dropped() -> None:
    asked: list[str] = []

    def propose(prompt: str) -> str:
        asked.append(prompt)
        return (
            "Here you are:\nlevel=2 kind=move\n- level = 5, kind = star.\nlevel=7 kind=star\nkind=star\n" + "x" * 5000
        )

    source = Proposed(SPACE, np.random.default_rng(0), propose, explore=0.0)
    source.report(SPACE.number(variation=3, level=1, kind="star"), 0.5)
    tasks = [SPACE.parameters(task) for task in source.sample(1)]
    assert (tasks[0]["level"], tasks[0]["kind"]) == (2, "move")
    assert "level: 1, 2, 3, 4, 5" in asked[0]
    assert "level=1 kind=star solved 50%" in asked[0]
    assert "variation" not in asked[0]
    assert source.proposed >= 1
    assert source.refused >= 3


def test_without_a_usable_proposal_tasks_evolve() -> None:
    source = Proposed(SPACE, np.random.default_rng(0), lambda prompt: "I would rather not.", explore=0.0)
    assert len(source.sample(5)) == 5
    assert source.refused == 5


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_goes_on_from_its_snapshot(name: str) -> None:
    def made() -> TaskSource:
        more: list[Callable[[str], str]] = [lambda prompt: "level=3 kind=star\nlevel=2 kind=move"]
        return SOURCES[name](SPACE, np.random.default_rng(1), *(more if name == "proposed" else []))

    first = made()
    taught(first, 260, 0)
    state = json.loads(json.dumps(first.snapshot()))
    second = made()
    second.restore(state)
    for source in (first, second):
        source.report(5, 0.5)
    assert first.sample(40) == second.sample(40)


@pytest.mark.parametrize("options", [{"explore": 2.0}, {"stay": -1.0}, {"remembered": 0}])
def test_impossible_settings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="are needed"):
        Evolving(SPACE, np.random.default_rng(0), **options)


TINY = [
    "--device=cpu",
    "--small.hidden=32",
    "--small.layers=2",
    "--small.heads=2",
    "--small.kv-heads=1",
    "--small.vocabulary=300",
    "--rollout.groups=3",
    "--rollout.group-size=2",
    "--rollout.max-turns=2",
    "--rollout.max-tokens=4",
    "--evaluation.tasks=2",
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["evolving", "proposed"])
def test_a_run_follows_its_curriculum_and_remembers_it(run: Path, name: str) -> None:
    arguments = ["--env=colours:Colours-v0", f"--curriculum={name}", f"--run={run}", *TINY, "--steps=2"]
    assert main(arguments) == 0
    kept: dict[str, Any] = checkpoint.load(checkpoint.latest(run))[1]["driver"]["curriculum"]
    played = [task for step in (1, 2) for task in tasks_of(run, step)]
    assert len(kept["outcomes"]) == len(set(played))
    assert len(played) == 12
    assert played[::2] == played[1::2]


def test_proposer_agent_and_evaluator_train_together(run: Path) -> None:
    """The loop of PAE: a model proposes tasks, the agent plays them, and a model that looks at them pays."""
    arguments = ["--env=colours:Colours-v0", "--curriculum=proposed", f"--run={run}", *TINY, "--steps=2"]
    judged = "judged(TextJudge(colours:approve), criteria='Is the order filled?')"
    assert main([*arguments, f"--reward={judged}"]) == 0
    for step in (1, 2):
        for episode in read_trajectories(run / "trajectories" / f"step-{step:06d}.jsonl"):
            assert episode.rewards["total"][-1] == (1.0 if episode.turns[0].observation == "first red" else 0.1)


def tasks_of(run: Path, step: int) -> list[int | None]:
    return [each.task for each in read_trajectories(run / "trajectories" / f"step-{step:06d}.jsonl")]


def test_a_curriculum_needs_tasks_and_known_options(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--env=CliffWalking-v1", "--curriculum=evolving", f"--run={run}", *TINY]
    assert main(arguments) != 0
    assert "needs numbered tasks" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        recipe.parse(["--curriculum=sorted"])
    printed = capsys.readouterr()
    assert "'shuffle'" in printed.out + printed.err
