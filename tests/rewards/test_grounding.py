"""Pointing: formulas on hand-computed numbers, boxes that grow, and what the rewards teach."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, env, parse_reward, score, turn_reward
from palestra.rewards.grounding import (
    box_edges,
    box_hit,
    box_iou,
    boxes_perception,
    gaussian_coverage,
    gaussian_point,
    pose_curiosity,
    read_answer,
    small_targets,
    sparse_else_dense,
    tube_consistency,
    tube_format,
    tube_spatial_iou,
    tube_temporal_iou,
    tube_think_iou,
    waypoint_progress,
)
from palestra.training.advantages import Scored, estimator

TARGET = (100, 100, 150, 150)
SCREEN = (1000, 500)


def pay(reward: Reward, action: Any, **info: Any) -> float:
    known = {"target_box": TARGET, "screen": SCREEN, **info}
    [values] = reward([Trajectory("X-v0", None, 0, [Turn("o", action, info=known)], Status.TERMINATED)])
    assert values is not None
    return float(values[0])


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("click(120, 48)", [120, 48]),
        ("click[ 1.5,-2e1 ]", [1.5, -20]),
        ('{"bbox_2d": [1, 2, 3, 4], "label": "OK"}', [1, 2, 3, 4]),
        ("maybe (1, 2), rather (3, 4)", [3, 4]),
        ("(3, 4) and (five, 6) and (1, 2, 3)", [3, 4]),
        ("[3, 4, 1, 2]", None),
        ("[1, 2, 1, 4]", None),
        ("[1e999, 2]", None),
        ("(nan, 2)", None),
        ("(1_0, 2)", None),
        ("", None),
        ("(" * 100_000, None),
        ("[" + "1," * 100_000, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_last_point_or_box_is_read(action: str, answer: list[float] | None) -> None:
    found = read_answer(Turn("o", action))
    assert (found is None) == (answer is None)
    assert found is None or answer is None or found.tolist() == answer


def test_other_forms_are_a_pattern() -> None:
    reward = box_hit(pattern=r"<point>(.*?)</point>")
    assert pay(reward, "<point>125, 125</point>") == 1
    assert pay(reward, "(125, 125)") == 0
    assert parse_reward(str(reward)) == reward


@pytest.mark.parametrize(
    ("action", "hit"),
    [("(100, 150)", 1), ("(125, 125)", 1), ("(99, 125)", 0), ("[0, 0, 250, 250]", 1), ("[0, 0, 90, 90]", 0), ("?", 0)],
)
def test_box_hit(action: str, hit: float) -> None:
    assert pay(box_hit, action) == hit


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("[100, 100, 150, 150]", 1),
        ("[125, 100, 175, 150]", 1 / 3),
        ("[100, 100, 200, 200]", 1 / 4),
        ("[150, 100, 200, 150]", 0),
        ("(125, 125)", 0),
        ("?", 0),
    ],
)
def test_box_iou(action: str, value: float) -> None:
    assert pay(box_iou, action) == pytest.approx(value)


def test_gaussian_point_on_hand_computed_numbers() -> None:
    for target in (TARGET, (0, 0, 4, 10), (-500, 20, 900, 21)):
        x1, y1, x2, y2 = target
        middle = (x1 + x2) / 2, (y1 + y2) / 2
        for x, y, value in [(*middle, 1), (x1, middle[1], math.exp(-0.5)), (x2, y2, math.exp(-1))]:
            assert pay(gaussian_point, f"click({x}, {y})", target_box=target) == pytest.approx(value)
    assert pay(gaussian_point(alpha=1), "(100, 125)") == pytest.approx(math.exp(-0.125))
    assert pay(gaussian_point, "(1e8, 1e8)") == pay(gaussian_point, "?") == 0


def test_gaussian_coverage_on_hand_computed_numbers() -> None:
    assert pay(gaussian_coverage, "[100, 100, 150, 150]") == pytest.approx(1)
    # Twice the width: s = 50 and 25, v = 1562.5, sqrt(1250 / 1562.5) = sqrt(0.8).
    assert pay(gaussian_coverage, "[75, 100, 175, 150]") == pytest.approx(math.sqrt(0.8))
    # The same size, a width away: v = 625, exp(-2500 / 5000).
    assert pay(gaussian_coverage, "[150, 100, 200, 150]") == pytest.approx(math.exp(-0.5))
    assert pay(gaussian_coverage, "(125, 125)") == 0


def test_box_edges_on_hand_computed_numbers() -> None:
    assert pay(box_edges, "[100, 100, 150, 150]") == 1
    # Off by 100 of 1000 on the left, and by 250 of 500 below: 4 / (1 / 0.9 + 1 + 1 + 1 / 0.5).
    assert pay(box_edges, "[0, 100, 150, 400]") == pytest.approx(4 / (1 / 0.9 + 1 + 1 + 2))
    assert pay(box_edges, "[100, 100, 150, 650]") == pay(box_edges, "(125, 125)") == 0


def test_small_targets_are_worth_more() -> None:
    square = {"screen": (1000, 1000)}
    for side, weight in [(100, 1), (200, 0.5), (50, 2), (10, 4)]:
        assert pay(small_targets(box_hit), "(1, 1)", target_box=(0, 0, side, side), **square) == pytest.approx(weight)
    with pytest.raises(ValueError, match="must be above 0"):
        small_targets(box_hit, typical=0)


def test_boxes_perception() -> None:
    cubes = {"target_boxes": [(0, 0, 0, 2, 2, 2), (10, 10, 10, 12, 12, 12)]}
    assert pay(boxes_perception, "box: [0,0,0,2,2,2] and box: [10,10,10,12,12,12]", **cubes) == 1
    assert pay(boxes_perception, "box: [0,0,0,2,2,1]", **cubes) == pytest.approx(0.5)
    assert pay(boxes_perception, "[0,0,0,2,2,2] [5,5,5,6,6,6]", **cubes) == pytest.approx(0.5)
    assert pay(boxes_perception, "[0,0,0,2,2,2] [2,2,2,0,0,0]", **cubes) == pytest.approx(0.5)
    assert pay(boxes_perception, "[0, 0, 2, 2]", **cubes) == pay(boxes_perception, "none", **cubes) == 0
    assert pay(boxes_perception, "[0, 0, 2, 2]", target_boxes=[(0, 0, 2, 4)]) == pytest.approx(0.5)
    for targets in ([], [(0, 0, 1, 1), (0, 0, 0, 1, 1, 1)], [(0, 0, 0, 0)], [("a",)]):
        with pytest.raises(RewardError, match="must"):
            pay(boxes_perception, "", target_boxes=targets)


def test_what_the_environment_must_say() -> None:
    for box in ((1, 2, 3), (0, 0, 0, 5), (0, 0, math.nan, 5), "box", None):
        with pytest.raises(RewardError, match="target_box"):
            pay(box_hit, "(1, 1)", target_box=box)
    with pytest.raises(RewardError, match="must hold 2 numbers"):
        pay(box_edges, "[1, 1, 2, 2]", screen=(1, 2, 3))


def grown(box: tuple[float, ...], by: float) -> list[float]:
    half = len(box) // 2
    return [value - by for value in box[:half]] + [value + by for value in box[half:]]


@pytest.mark.parametrize(
    "reward",
    [
        box_hit,
        box_iou,
        gaussian_point,
        gaussian_coverage,
        gaussian_point + gaussian_coverage,
        box_edges,
        small_targets(box_iou),
        boxes_perception,
    ],
    ids=str,
)
@settings(max_examples=40)
@given(sides=st.lists(st.floats(0, 150), min_size=2, max_size=2))
def test_growing_a_box_that_covers_its_target_never_pays(reward: Reward, sides: list[float]) -> None:
    small, large = sorted(sides)
    assert (
        pay(reward, str(grown(TARGET, large)), target_boxes=[TARGET])
        <= pay(reward, str(grown(TARGET, small)), target_boxes=[TARGET]) + 1e-9
    )


TUBE = {frame: (10 * frame, 0, 10 * frame + 20, 20) for frame in range(3, 7)}


def tube(boxes: Any, think: Any = None, span: str = "3, 6") -> str:
    return (
        f"<time>{span}</time><think_bbox>{json.dumps(boxes if think is None else think)}</think_bbox>"
        f"<pred_bbox>{json.dumps(boxes)}</pred_bbox>"
    )


def judged(reward: Reward, action: str) -> float:
    return pay(reward, action, target_span=(3, 6), target_tube=TUBE)


def test_works_stvg_o1_hand_values() -> None:
    assert [judged(reward, tube(TUBE)) for reward in STVG] == [1, 1, 1, 1, 1]
    # Frames 5 to 8: two of six are common, and their boxes are half a width off: IoU 1/3 each.
    moved = {frame: (10 * frame + 10, 0, 10 * frame + 30, 20) for frame in range(5, 9)}
    assert judged(tube_temporal_iou, tube(moved, span="5, 8")) == pytest.approx(1 / 5)
    assert judged(tube_spatial_iou, tube(moved)) == pytest.approx(2 / 3 / 6)
    assert judged(tube_think_iou, tube(TUBE, think=moved)) == pytest.approx(2 / 3 / 6)
    assert judged(tube_consistency, tube(TUBE, think=moved)) == pytest.approx(2 / 3 / 6)
    assert judged(tube_consistency, tube(moved, think=moved)) == 1
    assert judged(tube_temporal_iou, tube(TUBE, span="7, 9")) == 0


STVG = [tube_format, tube_consistency, tube_temporal_iou, tube_spatial_iou, tube_think_iou]


@pytest.mark.parametrize(
    "action",
    [
        "",
        tube(TUBE, span="6, 3"),
        tube(TUBE, span="3"),
        tube({}),
        tube([1, 2]),
        tube({"three": [0, 0, 1, 1]}),
        tube({"3": [0, 0, 0, 1]}),
        tube({"3": [0, 0, 1, True]}),
        tube({"3": [0, 0, 1]}),
        tube(TUBE) + "<time>3, 6</time>",
        "</time>3, 6<time>",
        "<pred_bbox>" * 10_000,
    ],
    ids=lambda action: action[:30],
)
def test_an_unreadable_tube_has_no_form(action: str) -> None:
    assert judged(tube_format, action) == 0
    assert all(0 <= judged(reward, action) <= 1 for reward in STVG)
    if '<pred_bbox>{"3": [10' not in action:
        assert judged(tube_spatial_iou, action) in (0, judged(tube_think_iou, action))


def test_growing_a_tube_never_pays() -> None:
    for reward in (tube_spatial_iou, tube_think_iou):
        paid = [judged(reward, tube({f: grown(box, by) for f, box in TUBE.items()})) for by in (0, 1, 5, 50)]
        assert paid == sorted(paid, reverse=True)
        more = [judged(reward, tube({f: (10 * f, 0, 10 * f + 20, 20) for f in range(3, end)})) for end in (7, 8, 20)]
        assert more == sorted(more, reverse=True)
    spans = [judged(tube_temporal_iou, tube(TUBE, span=span)) for span in ("3, 6", "2, 7", "0, 60")]
    assert spans == sorted(spans, reverse=True)


def test_works_stvg_o1_ranks_perturbations() -> None:
    """The sum of the five falls with the size of the perturbation, on average over 10 draws of each."""
    total = sum(STVG[1:], STVG[0])
    for seed in range(3):
        rng = np.random.default_rng(seed)
        means = []
        for size in (0.0, 1.0, 3.0, 6.0, 12.0):
            paid = []
            for _ in range(10):
                noise = {f: (np.array(box) + np.tile(rng.normal(0, size, 2), 2)).tolist() for f, box in TUBE.items()}
                shift = float(np.abs(rng.normal(0, size))) / 6
                paid.append(judged(total, tube(noise, span=f"{3 + shift}, {6 + shift}")))
            means.append(np.mean(paid))
        assert means[0] == pytest.approx(5)
        assert all(a > b for a, b in pairwise(means)), means


def path(*positions: tuple[float, float], waypoints: Any = ((0, 0), (30, 0), (30, 40))) -> Trajectory:
    turns = [Turn("o", "a", info={"position": position, "waypoints": waypoints}) for position in positions]
    return Trajectory("X-v0", None, 0, turns, Status.TERMINATED)


def test_works_kagi_progress() -> None:
    # The way is 30 + 40 = 70 long.  (10, 0) leaves 60; (30, 0) reaches the corner and leaves 40; (30, 40) leaves 0.
    [values] = waypoint_progress([path((10, 0), (30, 0), (30, 40))])
    np.testing.assert_allclose(values, np.array([10, 20, 40]) / 70)
    # The short cut misses the corner: what is left is the way to the corner and the 40 after it.
    [values] = waypoint_progress([path((0, 40), (30, 40))])
    np.testing.assert_allclose(values, np.array([70 - 90, 90 - 80]) / 70)
    # Going back costs what it gained.
    [values] = waypoint_progress([path((10, 0), (0, 0), (10, 0), (0, 0))])
    assert values is not None
    assert values.sum() == pytest.approx(0)
    # A radius of 10 reaches the corner early.
    [values] = waypoint_progress([path((21, 0))])
    np.testing.assert_allclose(values, (70 - math.hypot(9, 40)) / 70)
    for broken in (((0, 0),), ((0, 0), (0, 0)), ("a",)):
        with pytest.raises((RewardError, ValueError)):
            waypoint_progress([path((0, 0), waypoints=broken)])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=8))
def test_progress_totals_at_most_one(positions: list[tuple[float, float]]) -> None:
    [values] = waypoint_progress([path(*positions)])
    assert values is not None
    assert values.sum() <= 1 + 1e-9


def test_the_dense_reward_stands_in_where_the_sparse_is_zero() -> None:
    trajectory = path((10, 0), (30, 0), (30, 40))
    trajectory.turns[-1].reward = 5.0
    [values] = sparse_else_dense(env, waypoint_progress)([trajectory])
    np.testing.assert_allclose(values, [10 / 70, 20 / 70, 5])


def test_pose_curiosity_on_hand_computed_numbers() -> None:
    def still(poses: np.ndarray, actions: list[Any]) -> np.ndarray:
        assert actions == ["b", "c"]
        return poses

    turns = [Turn("o", a, info={"pose": pose}) for a, pose in zip("abc", [(0, 0), (3, 4), (3, 5)], strict=True)]
    [values] = pose_curiosity(still, scale=2.0)([Trajectory("X-v0", None, 0, turns, Status.TERMINATED)])
    np.testing.assert_allclose(values, [0, 25, 1])
    with pytest.raises(RewardError, match="predict must give poses"):
        pose_curiosity(lambda poses, actions: poses[:1])([Trajectory("X", None, 0, turns, Status.TERMINATED)])
    assert pose_curiosity(still)([Trajectory("X-v0", None, 0, turns[:1], Status.TERMINATED)])[0] == 0


def trained(
    reward: Reward,
    start: np.ndarray,
    say: Callable[[np.ndarray], str],
    infos: list[dict[str, Any]],
    *,
    seed: int,
    steps: int,
    advantage: str,
    rate: float,
) -> np.ndarray:
    """The means [tasks, d] of a unit Gaussian policy for each task, after training; ``say`` writes out a sample."""
    rng, means, estimate = np.random.default_rng(seed), np.tile(start, (len(infos), 1)), estimator(advantage, {})
    for _ in range(steps):
        for mean, info in zip(means, infos, strict=True):
            samples = mean + rng.normal(size=(8, len(start)))
            group = Group([Trajectory("G", 0, 0, [Turn("o", say(x), info=info)], Status.TERMINATED) for x in samples])
            score(reward, group)
            advantages = np.concatenate(estimate(Scored.by(reward, group)))
            mean += rate * advantages @ (samples - mean) / 8
    return means


def hit_rate(means: np.ndarray, say: Callable[[np.ndarray], str], infos: list[dict[str, Any]]) -> float:
    rng = np.random.default_rng(99)
    return float(
        np.mean(
            [
                pay(box_hit, say(mean + rng.normal(size=len(mean))), **info)
                for mean, info in zip(means, infos, strict=True)
                for _ in range(100)
            ]
        )
    )


def click(sample: np.ndarray) -> str:
    """A click, 15 pixels to the unit of the policy."""
    return f"click({15 * sample[0]:.2f}, {15 * sample[1]:.2f})"


def fine_click(sample: np.ndarray) -> str:
    return f"click({6 * sample[0]:.2f}, {6 * sample[1]:.2f})"


def test_works_gui_g2() -> None:
    infos = [{"target_box": TARGET}]
    for seed in range(3):
        rates = [
            hit_rate(
                trained(reward, np.full(2, 4.0), click, infos, seed=seed, steps=60, advantage="grpo", rate=0.5),
                click,
                infos,
            )
            for reward in (gaussian_point, box_hit)
        ]
        print("gaussian, hit", rates)
        assert rates[0] > 0.7 > 0.3 > rates[1]


def boxed(sample: np.ndarray) -> str:
    """A box around (125, 125) in steps of 20 pixels, of 50 pixels times e to 0.2 times what the policy says."""
    x, y = 125 + 20 * sample[:2]
    width, height = 25 * np.exp(0.2 * sample[2:])
    return f"[{x - width:.2f}, {y - height:.2f}, {x + width:.2f}, {y + height:.2f}]"


@pytest.mark.slow
def test_works_gui_g1() -> None:
    infos = [{"target_box": TARGET, "screen": SCREEN}]

    def areas(reward: Reward) -> np.ndarray:
        """The area of the policy's box in targets, for some seeds; it starts at the target's own size."""
        means = [
            trained(reward, np.zeros(4), boxed, infos, seed=seed, steps=600, advantage="dr_grpo", rate=0.4)[0]
            for seed in range(4)
        ]
        return np.exp(0.2 * np.array(means)[:, 2:].sum(axis=1))

    hit, overlap = areas(box_hit), areas(box_iou)
    constrained = areas(box_hit + 0.25 * box_iou + 0.125 * box_edges)
    print("hit", hit.round(2), "iou", overlap.round(2), "constrained", constrained.round(2))
    by_hit, by_overlap, held = (float(np.abs(np.log(x)).mean()) for x in (hit, overlap, constrained))
    assert held < min(by_hit, by_overlap) - 0.05
    assert overlap.min() > 1.1  # aiming badly, a larger box overlaps more


@pytest.mark.slow
def test_works_gui_g1_difficulty() -> None:
    """Small targets are hit more often after the same steps if the reward is worth more there."""
    small = [{"target_box": (50 + k, 50, 70 + k, 70), "screen": (400, 400)} for k in range(3)]
    large = [{"target_box": (40 + k, 40, 140 + k, 140), "screen": (400, 400)} for k in range(3)]
    rates = np.zeros((6, 2, 2))  # [seed, weighted or not, small or large]
    for seed in range(6):
        for which, reward in enumerate((small_targets(box_hit), box_hit)):
            means = trained(
                reward, np.full(2, 8.0), fine_click, small + large, seed=seed, steps=20, advantage="dr_grpo", rate=0.5
            )
            rates[seed, which] = hit_rate(means[:3], fine_click, small), hit_rate(means[3:], fine_click, large)
    weighted, plain = rates.mean(axis=0)
    print("weighted (small, large)", weighted.round(3), "plain", plain.round(3))
    assert weighted[0] > plain[0] + 0.02
    assert weighted[1] < plain[1]  # what the small gain, the large lose


MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))
WAY = ((10, 10), (170, 10), (170, 170))
"""Waypoints in pixels of a 9 x 9 grid of cells of 20 pixels: along one wall, then up the other."""


@turn_reward
def arrived(turn: Turn) -> float:
    return float(turn.info["position"] == (170, 170))


def steps_to_learn(reward: Reward, waypoints: Any, seed: int, most: int = 60_000) -> int:
    """Environment steps until Q-learning, off its policy, succeeds in 16 of its last 20 episodes of 40 turns."""
    rng, values, steps, outcomes = np.random.default_rng(seed), np.zeros((9, 9, 4)), 0, []
    while steps < most and sum(outcomes[-20:]) < 16:
        place, turns, visited = (0, 0), [], [(0, 0)]
        for _ in range(40):
            best = np.flatnonzero(values[place] == values[place].max())
            action = int(rng.integers(4)) if rng.random() < 0.1 else int(rng.choice(best))
            place = tuple(int(np.clip(at + by, 0, 8)) for at, by in zip(place, MOVES[action], strict=True))  # type: ignore[assignment]
            pixels = (20 * place[0] + 10, 20 * place[1] + 10)
            turns.append(Turn("o", action, info={"position": pixels, "waypoints": waypoints}))
            visited.append(place)
            if place == (8, 8):
                break
        [paid] = reward([Trajectory("K", None, 0, turns, Status.TERMINATED)])
        assert paid is not None
        for turn, amount, before, after in zip(turns, paid, visited, visited[1:], strict=False):
            future = 0.0 if after == (8, 8) else 0.98 * values[after].max()
            values[before][turn.action] += 0.5 * (amount + future - values[before][turn.action])
        steps += len(turns)
        outcomes.append(visited[-1] == (8, 8))
    return steps


@pytest.mark.slow
def test_works_kagi() -> None:
    reward = sparse_else_dense(arrived, waypoint_progress(radius=20))
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(0, 5, (3, 2))
        noisy = tuple(tuple(point) for point in np.array(WAY) + noise)
        sparse, dense, shaken = (
            steps_to_learn(by, way, seed) for by, way in ((arrived, WAY), (reward, WAY), (reward, noisy))
        )
        print("steps: sparse", sparse, "dense", dense, "noisy", shaken)
        assert max(dense, shaken) <= sparse / 2


class Memory:
    """A model of what follows: the mean of what followed the same cell and action, and no change before any did."""

    def __init__(self) -> None:
        self.means: dict[Any, np.ndarray] = {}
        self.counts: dict[Any, int] = {}

    def __call__(self, poses: np.ndarray, actions: list[Any]) -> np.ndarray:
        return np.stack([self.means.get((*pose[:2], a), pose) for pose, a in zip(poses, actions, strict=True)])

    def learn(self, pose: np.ndarray, action: int, following: np.ndarray) -> None:
        key = (*pose[:2], action)
        self.counts[key] = self.counts.get(key, 0) + 1
        mean = self.means.get(key, np.zeros_like(following))
        self.means[key] = mean + (following - mean) / self.counts[key]


def first_contact(background: int, seed: int, most: int = 2500) -> int:
    """Steps until the gripper first touches the object in the far corner, driven by curiosity alone.

    The pose is where the object lies from the gripper, on a grid of 7 x 7; ``background`` more numbers flicker.
    """
    rng, memory, values, steps = np.random.default_rng(seed), Memory(), np.zeros((7, 7, 4)), 0
    reward = pose_curiosity(memory)
    while steps < most:
        place = (0, 0)
        seen = [np.array([*place, *rng.uniform(0, 2, background)], np.float64)]
        for _ in range(40):
            best = np.flatnonzero(values[place] == values[place].max())
            action = int(rng.integers(4)) if rng.random() < 0.3 else int(rng.choice(best))
            following = tuple(int(np.clip(at + by, 0, 6)) for at, by in zip(place, MOVES[action], strict=True))
            seen.append(np.array([*following, *rng.uniform(0, 2, background)], np.float64))
            turns = [Turn("o", a, info={"pose": pose}) for a, pose in zip((None, action), seen[-2:], strict=True)]
            [paid] = reward([Trajectory("E", None, 0, turns, Status.TERMINATED)])
            assert paid is not None
            memory.learn(seen[-2], action, seen[-1])
            values[place][action] += 0.5 * (paid[-1] + 0.9 * values[following].max() - values[place][action])  # type: ignore[index]
            place, steps = following, steps + 1  # type: ignore[assignment]
            if place == (6, 6):
                return steps
    return most


@pytest.mark.slow
def test_works_evovla_curiosity() -> None:
    by_pose = [first_contact(0, seed) for seed in range(6)]
    by_pixels = [first_contact(30, seed) for seed in range(6)]
    print("steps to contact: pose", by_pose, "pixels", by_pixels)
    assert np.mean(by_pose) < np.mean(by_pixels)
