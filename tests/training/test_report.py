from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palestra.training import recipe
from palestra.training.config import Config, WarmStart
from palestra.training.evaluation import summarise
from palestra.training.report import EPISODES, EVALUATIONS, write_report
from palestra.trajectory import Status, Trajectory, Turn
from palestra.trajectory_io import write_trajectories

CONFIG = Config(env="Shop-v0", seed=7, warm_start=WarmStart(demonstrations=8))


def episode(task: int, reward: float, text: str = "a page", status: Status = Status.TERMINATED) -> Trajectory:
    turns = [Turn(text, "search[red shoe]"), Turn("results", "click[buy]", reward=reward)]
    return Trajectory("Shop-v0", task, 0, turns, status, split="test", final_observation="thank you")


def evaluation(agent: str, step: int, solved: int, tasks: int = 80) -> dict[str, Any]:
    episodes = [episode(task, float(task < solved)) for task in range(tasks)]
    return summarise(agent, step, "test", episodes).as_dict()


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


ALL = [
    evaluation("random", 0, 2),
    evaluation("oracle", 0, 79),
    evaluation("policy", 0, 48),
    evaluation("policy", 10, 50),
    evaluation("policy", 20, 56),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / recipe.FILE).write_text(recipe.dump(CONFIG))
    return tmp_path


def test_the_table_puts_the_agents_side_by_side(run: Path) -> None:
    write_lines(run / EVALUATIONS, ALL)
    table = [line for line in write_report(run).read_text().splitlines() if line.startswith("|")]
    names = [line.split("|")[1].strip() for line in table[2:]]
    assert names == ["random", "warm start", "trained, step 20", "oracle"]
    assert "| 70.0% | 59.2% to 78.9% | 0.700 | 0.599 to 0.801 | 2.0 | 80 | 0 |" in table[4]


def test_the_lift_is_in_points_with_an_interval(run: Path) -> None:
    """56 of 70 and 48 of 80: the example of Newcombe (1998), method 10: 0.0524 to 0.3339."""
    write_lines(run / EVALUATIONS, [evaluation("policy", 0, 48, 80), evaluation("policy", 5, 56, 70)])
    text = write_report(run).read_text()
    assert "**80.0% of 70 test tasks are solved after 5 steps, +20.0 points against the warm start**" in text
    assert "(95% interval +5.2 to +33.4)" in text


def test_the_start_is_named_for_what_it_is(run: Path) -> None:
    (run / recipe.FILE).write_text(recipe.dump(replace(CONFIG, warm_start=WarmStart(demonstrations=0))))
    write_lines(run / EVALUATIONS, ALL)
    text = write_report(run).read_text()
    assert "| untrained |" in text
    assert "warm start" not in text


def test_the_last_of_repeated_evaluations_counts(run: Path) -> None:
    write_lines(run / EVALUATIONS, [*ALL, evaluation("policy", 20, 64)])
    text = write_report(run).read_text()
    assert "**80.0% of 80" in text
    assert "| 70.0% |" not in text


@pytest.mark.parametrize("present", [[], ["random"], ["oracle"], ["policy"], ["random", "oracle"]], ids="+".join)
def test_what_was_not_evaluated_is_left_out(present: list[str], run: Path) -> None:
    write_lines(run / EVALUATIONS, [row for row in ALL if row["agent"] in present])
    text = write_report(run).read_text()
    for agent, name in [("random", "| random |"), ("oracle", "| oracle |"), ("policy", "| warm start |")]:
        assert (name in text) == (agent in present)
    assert ("ended before the trained policy was evaluated" in text) == ("policy" not in present)
    assert (run / "learning_curves.png").is_file()


def test_a_run_that_was_stopped_at_once_has_a_report(run: Path) -> None:
    text = write_report(run).read_text()
    assert "seed`: 7" in text
    assert "## Episodes" not in text


def test_what_each_turn_adds(run: Path) -> None:
    quick = [replace(episode(task, 1.0), turns=[Turn("a page", "click[buy]", reward=1.0)]) for task in range(20)]
    slow = [episode(task, float(task < 50)) for task in range(20, 80)]
    rows = [
        summarise("policy", 5, "test", [*quick, *slow]).as_dict(),
        summarise("random", 0, "test", slow[-9:]).as_dict(),
    ]
    write_lines(run / EVALUATIONS, rows)
    assert "Solved within 1, 2 turns: random none; trained, step 5 25.0%, 62.5%." in write_report(run).read_text()


def test_the_effort(run: Path) -> None:
    values = {"train/tokens": 1500.0, "train/gap_max": 2e-7}
    rows = [{"step": 1, "seconds": 40.0, **values}, {"step": 2, "seconds": 83.6, **values, "train/gap_max": 9.5e-7}]
    write_lines(run / "metrics.jsonl", rows)
    text = write_report(run).read_text()
    assert "2 of 100 steps in 1 min 24 s; 3,000 tokens played;" in text
    assert "9.5e-07" in text


def test_only_settings_that_differ_from_the_defaults_are_listed(run: Path) -> None:
    text = write_report(run).read_text()
    listed = [line for line in text.splitlines() if line.startswith("- `")]
    assert listed == ["- `env`: Shop-v0", "- `seed`: 7", "- `warm_start.demonstrations`: 8"]


def test_one_episode_of_each_outcome_is_shown(run: Path) -> None:
    hostile = "```\n</details>\n# not a heading"
    episodes = [episode(0, 1.0, status=Status.FAULT), episode(1, 0.0, hostile), episode(2, 1.0), episode(3, 1.0)]
    write_trajectories(run / EPISODES, episodes)
    text = write_report(run).read_text()
    assert "Task 2 (test): solved, 2 turns" in text
    assert "Task 1 (test): not solved, 2 turns" in text
    assert "Task 0" not in text
    assert "Task 3" not in text
    assert "    --> search[red shoe]\n" in text
    assert all(line.startswith("    ") for line in text.splitlines() if "not a heading" in line)


def test_long_observations_are_cut(run: Path) -> None:
    write_trajectories(run / EPISODES, [episode(0, 1.0, "word " * 100_000)])
    assert len(write_report(run).read_text()) < 5000


def pixels(run: Path) -> np.ndarray:
    write_report(run)
    with Image.open(run / "learning_curves.png") as image:
        return np.asarray(image.convert("RGB"), np.int16)


def quarters(image: np.ndarray) -> list[np.ndarray]:
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    return [image[y : y + rows, x : x + columns] for y in (0, rows) for x in (0, columns)]


def test_every_panel_draws_its_own_values(run: Path) -> None:
    def rows(**scale: float) -> list[dict[str, Any]]:
        names = ("reward", "entropy", "turns")
        curves = {f"train/{name}": lambda step, name=name: (step / 40) ** scale.get(name, 1.0) for name in names}
        return [{"step": s, "seconds": s} | {name: curve(s) for name, curve in curves.items()} for s in range(1, 41)]

    write_lines(run / EVALUATIONS, ALL)
    write_lines(run / "metrics.jsonl", rows())
    before = quarters(pixels(run))
    for changed, name in enumerate(("evaluations", "reward", "entropy", "turns")):
        write_lines(run / EVALUATIONS, ALL if changed else [*ALL, evaluation("policy", 10, 10)])
        write_lines(run / "metrics.jsonl", rows(**{name: 3.0}))
        after = quarters(pixels(run))
        differs = [bool((one != other).any()) for one, other in zip(before, after, strict=True)]
        assert differs == [panel == changed for panel in range(4)]


def test_gaps_in_the_metrics_are_bridged(run: Path) -> None:
    rows = [{"step": 0, "seconds": 0.0, "evaluation/success": 0.1}, {"step": 1, "seconds": 1.0, "train/reward": None}]
    write_lines(run / "metrics.jsonl", [*rows, {"step": 2, "seconds": 2.0, "train/reward": 0.5}])
    assert "2 of 100 steps" in write_report(run).read_text()


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(recipe.RecipeError, match=r"recipe\.toml"):
        write_report(tmp_path)
