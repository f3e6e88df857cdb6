from __future__ import annotations

from collections import Counter
from typing import Any

import gymnasium
import pytest

from palestra.training.tasks import Tasks


class Numbered(gymnasium.Env[int, int]):
    def tasks(self, split: str) -> int:
        return {"train": 7, "validation": 2, "test": 5}[split]


def draws(tasks: Tasks, steps: int, groups: int = 3, size: int = 2) -> list[Any]:
    return [job for step in range(steps) for job in tasks.training(step, groups, size)]


def test_epochs_are_permutations_whatever_the_step_size() -> None:
    tasks = Tasks(Numbered(), "Numbered-v0", 0)
    order = [job.task for job in draws(tasks, 14)[::2]]
    epochs = [order[start : start + 7] for start in range(0, 42, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3
    assert order == [job.task for job in draws(tasks, 42, 1, 1)]
    other = [job.task for job in draws(Tasks(Numbered(), "Numbered-v0", 1), 14)[::2]]
    assert order != other


@pytest.mark.parametrize("env", [Numbered(), gymnasium.make("FrozenLake-v1")])
def test_members_of_a_group_differ_in_their_draws_alone(env: Any) -> None:
    jobs = Tasks(env, "Some-v0", 3).training(5, 4, 6)
    assert len(jobs) == 24
    for start in range(0, 24, 6):
        members = jobs[start : start + 6]
        assert len({(job.env_id, job.task, job.split, job.seed) for job in members}) == 1
        assert len({job.draw for job in members}) == 6
    assert len({job.seed for job in jobs}) == 4
    assert len({job.draw for job in draws(Tasks(env, "Some-v0", 3), 20)}) == 20 * 3 * 2


@pytest.mark.parametrize("env", [Numbered(), gymnasium.make("FrozenLake-v1")])
def test_what_is_trained_on_is_never_held_out(env: Any) -> None:
    tasks = Tasks(env, "Some-v0", 0)
    seen = {(job.task, job.split, job.seed) for job in [*draws(tasks, 50), *tasks.shown(40)]}
    for split in ("validation", "test"):
        held = {(job.task, job.split, job.seed) for job in tasks.held_out(split, 1000)}
        assert not {key[:2] for key in seen if key[0] is not None} & {key[:2] for key in held}
        assert not {key[2] for key in seen} & {key[2] for key in held}


def test_held_out_tasks_are_the_first_of_the_split() -> None:
    tasks = Tasks(Numbered(), "Numbered-v0", 0)
    assert [job.task for job in tasks.held_out("test", 3)] == [0, 1, 2]
    assert [job.task for job in tasks.held_out("test", 100)] == [0, 1, 2, 3, 4]
    assert {job.split for job in tasks.held_out("test", 3)} == {"test"}
    assert tasks.held_out("test", 3)[1].options == {"task": 1, "split": "test"}


def test_environments_without_tasks_are_seeded() -> None:
    tasks = Tasks(gymnasium.make("FrozenLake-v1"), "FrozenLake-v1", 0)
    jobs = draws(tasks, 30)
    assert {job.options for job in jobs} == {None}
    assert len({job.seed for job in jobs}) == 90
    assert jobs == draws(Tasks(gymnasium.make("FrozenLake-v1"), "FrozenLake-v1", 0), 30)
    held = tasks.held_out("test", 20)
    assert [job.seed for job in held] == list(range(2**30, 2**30 + 20))
    assert all(isinstance(job.seed, int) for job in [*jobs, *held, *tasks.shown(5)])


def test_demonstrations_go_round_when_there_are_more_than_tasks() -> None:
    jobs = Tasks(Numbered(), "Numbered-v0", 0).shown(16)
    assert sorted(Counter(job.task for job in jobs).values()) == [2, 2, 2, 2, 2, 3, 3]
    assert {job.split for job in jobs} == {"train"}
    assert len({job.seed for job in jobs}) == 16
