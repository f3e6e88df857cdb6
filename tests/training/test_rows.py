from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from palestra.training.learner import pack_rows
from palestra.training.rows import Row, micro_batches, to_row, weigh_equally
from palestra.trajectory import Trajectory, Turn


def turn(context: list[int], action: list[int], logprobs: list[float]) -> Turn:
    return Turn(
        "page",
        "act",
        context_ids=np.array(context, np.int32),
        action_ids=np.array(action, np.int32),
        logprobs=np.array(logprobs, np.float32),
    )


def row(length: int) -> Row:
    return Row(
        np.arange(length, dtype=np.int32), np.arange(length) % 3 == 2, np.zeros(length, np.float32), np.zeros(length)
    )


def test_a_row_holds_the_ids_in_order_and_each_turns_advantage() -> None:
    episode = Trajectory("Shop-v0", 0, 0, [turn([1, 2, 3], [4, 5], [-0.5, -1.5]), turn([6], [7], [-2.5])])
    made = to_row(episode, np.array([0.25, -3.0]))
    assert made.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert made.sampled.tolist() == [False, False, False, True, True, False, True]
    assert made.logprobs.tolist() == [0, 0, 0, -0.5, -1.5, 0, -2.5]
    assert made.advantages.tolist() == [0, 0, 0, 0.25, 0.25, 0, -3]
    assert (made.ids.dtype, made.logprobs.dtype, made.advantages.dtype) == (np.int32, np.float32, np.float32)
    assert (len(made), made.count) == (7, 3)
    with pytest.raises(ValueError, match="argument 2"):
        to_row(episode, np.ones(3))


@pytest.mark.parametrize("limit", [1, 5, 9, 12, 1000])
def test_micro_batches_keep_order_and_size(limit: int) -> None:
    rows = [row(length) for length in (5, 4, 3, 30, 1, 1, 7)]
    batches = list(micro_batches(rows, limit))
    assert [id(each) for batch in batches for each in batch] == [id(each) for each in rows]
    for batch, after in zip(batches, [*batches[1:], None], strict=True):
        total = sum(map(len, batch))
        assert total <= limit or len(batch) == 1
        assert after is None or total + len(after[0]) > limit
    assert list(micro_batches([], limit)) == []


def test_packed_rows_say_where_sampled_ids_are_predicted() -> None:
    ids, packing, predicts, targets = pack_rows([row(7), row(4)], torch.device("cpu"))
    assert ids.tolist() == [*range(7), *range(4)]
    assert packing.positions.tolist() == [[*range(7), *range(4)]]
    assert packing.new == [7, 4]
    assert predicts.tolist() == [1, 4, 8]
    assert targets.tolist() == [2, 5, 2]


@pytest.mark.parametrize(
    ("unit", "weights"),
    # Seven sampled tokens: turns of 4, 1 and 2 (mean 7/3), trajectories of 5 and 2 (mean 7/2).
    [
        (
            "turn",
            [7 / 12] * 4 + [7 / 3],
        ),
        ("trajectory", [7 / 10] * 5),
    ],
)
def test_turns_or_trajectories_weigh_alike_and_the_total_stays(unit: Any, weights: list[float]) -> None:
    two = Trajectory("Shop-v0", 0, 0, [turn([1], [2, 3, 4, 5], [0.0] * 4), turn([6], [7], [0.0])])
    one = Trajectory("Shop-v0", 0, 0, [turn([1], [2, 3], [0.0] * 2)])
    first, second = weigh_equally([to_row(two, np.ones(2)), to_row(one, np.ones(1))], unit)
    assert first.advantages[first.sampled] == pytest.approx(weights)
    assert second.advantages[second.sampled] == pytest.approx([7 / 6 if unit == "turn" else 7 / 4] * 2)
    assert first.advantages.sum() + second.advantages.sum() == pytest.approx(7)
    assert not first.advantages[~first.sampled].any()
