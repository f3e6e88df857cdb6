from __future__ import annotations

import numpy as np
import pytest

from palestra.rewards import parse_reward
from palestra.training.advantages import dr_grpo, grpo
from palestra.training.credit import assign, group
from palestra.trajectory import Status, Trajectory, Turn


def episode(task: int, *rewards: float, status: Status = Status.TERMINATED) -> Trajectory:
    turns = [
        Turn(
            "page",
            "act",
            reward,
            context_ids=np.array([1, 2, 3], np.int32),
            action_ids=np.array([100 * task + number, 5], np.int32),
            logprobs=np.array([-1.0, -2.0], np.float32),
        )
        for number, reward in enumerate(rewards)
    ]
    return Trajectory("Shop-v0", task, 0, turns, status)


def test_groups_are_neighbours() -> None:
    episodes = [episode(task, 0.0) for task in (0, 0, 0, 1, 1, 1)]
    groups = group(episodes, 3)
    assert [[id(member) for member in members] for members in groups] == [
        [id(member) for member in episodes[:3]],
        [id(member) for member in episodes[3:]],
    ]


def test_faulted_members_leave_rewards_baseline_and_rows() -> None:
    members = [episode(0, 1.0), episode(0, 0.0, 0.0), episode(0, 0.25, 0.25)]
    broken = [episode(0, 100.0, status=Status.FAULT), episode(0, -100.0, status=Status.TIMEOUT)]
    wanted, _ = assign(group(members, 3), parse_reward("env"), grpo, 0)
    rows, metrics = assign(group([broken[0], *members[:2], broken[1], members[2]], 5), parse_reward("env"), grpo, 0)
    assert len(rows) == 3
    for row, other in zip(rows, wanted, strict=True):
        assert np.array_equal(row.ids, other.ids)
        assert np.array_equal(row.advantages, other.advantages)
    returns = np.array([1.0, 0.0, 0.5])
    advantages = (returns - returns.mean()) / returns.std()
    assert [row.advantages[3] for row in rows] == pytest.approx(advantages)
    assert [row.count for row in rows] == [2, 4, 4]
    assert not broken[0].rewards
    assert not broken[1].rewards
    assert metrics["train/faults"] == 2
    assert metrics["train/reward"] == metrics["train/score"] == pytest.approx(0.5)


def test_groups_whose_members_do_alike_teach_nothing() -> None:
    alike = [episode(0, 0.5), episode(0, 0.25, 0.25)]
    mixed = [episode(1, 1.0), episode(1, 0.0)]
    survivor = [episode(2, 1.0), episode(2, 0.0, status=Status.FAULT)]
    nothing = [episode(3, 1.0, status=Status.FAULT), episode(3, 0.0, status=Status.TIMEOUT)]
    empty = [episode(4, status=Status.TRUNCATED), episode(4, 1.0)]
    rows, metrics = assign(group([*alike, *mixed, *survivor, *nothing, *empty], 2), parse_reward("env"), dr_grpo, 0)
    assert [row.ids[3] for row in rows] == [100, 100]
    assert [row.advantages[3] for row in rows] == [0.5, -0.5]
    assert metrics["train/mixed_groups"] == 1 / 5
    assert metrics["train/faults"] == 3


def test_metrics_say_what_the_episodes_were_like() -> None:
    episodes = [episode(0, 0.5, 0.5), episode(0, 0.0), episode(1, 1.0), episode(1, 0.0, 0.0, 0.2)]
    rows, metrics = assign(group(episodes, 2), parse_reward("env - 0.1 * turns"), dr_grpo, 3)
    assert metrics["train/reward"] == pytest.approx((0.8 - 0.1 + 0.9 - 0.1) / 4)
    assert metrics["train/success"] == 0.5
    assert metrics["train/score"] == pytest.approx(0.55)
    assert metrics["train/turns"] == 7 / 4
    assert metrics["train/tokens"] == 7 * 5
    assert metrics["train/sampled_tokens"] == 7 * 2
    assert metrics["reward/env"] == pytest.approx(0.55)
    assert metrics["reward/turns"] == pytest.approx(7 / 4)
    assert metrics["reward/total"] == pytest.approx(metrics["train/reward"])
    assert len(rows) == 4
    assert rows[0].logprobs.tolist() == [0, 0, 0, -1, -2, 0, 0, 0, -1, -2]
