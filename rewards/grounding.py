"""Pointing: how well a point, a box or a tube of boxes in the action marks what it should, and moving toward a point.

Points are pixels (x, y), boxes are (x1, y1, x2, y2) with x1 < x2 and y1 < y2, in three dimensions (x1, y1, z1, x2, y2,
z2).  Where a reward reads one point or box, it is the last bracket of the action's text that holds 2 or 4 numbers, so
that listing guesses earns nothing: ``click(120, 48)``, ``[100, 40, 140, 56]``, ``{"bbox_2d": [100, 40, 140, 56]}``.
``pattern`` is a regular expression whose first group is the numbers, for other forms.  What cannot be read, and a box
with no area, gets 0.  The target is ``info["target_box"]``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..envs.tool_calls import read_json
from ..trajectory import Trajectory, Turn
from .combinator import Operation, combinator
from .lift import episode_reward, turn_reward
from .reward import Episodes, Reward, RewardError, Scope, Values
from .tool import action_text, required

__all__ = [
    "box_edges",
    "box_hit",
    "box_iou",
    "boxes_perception",
    "gaussian_coverage",
    "gaussian_point",
    "pose_curiosity",
    "small_targets",
    "sparse_else_dense",
    "tube_consistency",
    "tube_format",
    "tube_spatial_iou",
    "tube_temporal_iou",
    "tube_think_iou",
    "waypoint_progress",
]

BRACKET = r"[\[(]([^\[\]()]*)[\])]"
"""Numbers in square or round brackets."""
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*")


@turn_reward
def box_hit(turn: Turn, pattern: str = BRACKET) -> float:
    """1 if the action's point, or the centre of its box, lies in the target box or on its edge; else 0."""
    answer, target = read_answer(turn, pattern), _target(turn)
    if answer is None:
        return 0.0
    point = _centre(answer)
    return float((target[:2] <= point).all() and (point <= target[2:]).all())


@turn_reward
def box_iou(turn: Turn, pattern: str = BRACKET) -> float:
    """Intersection over union of the action's box and the target box, in [0, 1]; 0 for a point."""
    answer, target = read_answer(turn, pattern), _target(turn)
    return iou(answer, target) if answer is not None and len(answer) == 4 else 0.0


@turn_reward
def gaussian_point(turn: Turn, alpha: float = 0.5, pattern: str = BRACKET) -> float:
    """exp(-((x - cx)^2 / sx^2 + (y - cy)^2 / sy^2) / 2) for the action's point or its box's centre, in (0, 1].

    (cx, cy) is the target's centre, sx = alpha * its width, sy = alpha * its height: 1 at the centre and
    exp(-1/2) at the middle of an edge for alpha = 1/2, whatever the size.  It slopes toward the target from afar,
    where :func:`box_hit` is flat.  ``gaussian_point + gaussian_coverage`` is the reward of GUI-G2 (arXiv:2507.15846);
    alpha is that of published implementations.
    """
    answer, target = read_answer(turn, pattern), _target(turn)
    if answer is None:
        return 0.0
    offset = (_centre(answer) - _centre(target)) / (alpha * _size(target))
    return math.exp(-float(offset @ offset) / 2)


@turn_reward
def gaussian_coverage(turn: Turn, alpha: float = 0.5, pattern: str = BRACKET) -> float:
    """The Bhattacharyya coefficient of the action's box and the target, each taken as a Gaussian, in [0, 1].

    With means at the centres and deviations alpha * (width, height), and per axis the mean variance
    v = (s1^2 + s2^2) / 2,

        prod over the axes of sqrt(s1 * s2 / v) * exp(-(m1 - m2)^2 / (8 * v)).

    1 for the target itself, and less for a larger or a smaller box on the same centre; 0 for a point.
    Source: GUI-G2 (arXiv:2507.15846).
    """
    answer, target = read_answer(turn, pattern), _target(turn)
    if answer is None or len(answer) == 2:
        return 0.0
    own, wanted = alpha * _size(answer), alpha * _size(target)
    variance = (own**2 + wanted**2) / 2
    distance = (_centre(answer) - _centre(target)) ** 2 / (8 * variance)
    return float(np.prod(np.sqrt(own * wanted / variance) * np.exp(-distance)))


@turn_reward
def box_edges(turn: Turn, pattern: str = BRACKET) -> float:
    """How near the four edges of the action's box are to the target's, in [0, 1]: the box-size constraint of GUI-G1.

    The harmonic mean of 1 - |edge - target's edge| / (screen's width or height), with ``info["screen"]`` (width,
    height) in pixels; 0 where an edge is off by the whole screen or more, and for a point.
    :func:`box_hit` alone leaves the size free, and what is free drifts.  The authors' code trains with
    ``box_hit + 0.25*box_iou + 0.125*box_edges`` and without dividing by the group's deviation.
    Source: GUI-G1 (arXiv:2505.15810).
    """
    answer, target = read_answer(turn, pattern), _target(turn)
    if answer is None or len(answer) == 2:
        return 0.0
    screen = np.tile(_vector(turn, "screen", 2), 2)
    near = 1 - np.abs(answer - target) / screen
    return float(4 / (1 / near).sum()) if (near > 0).all() else 0.0


@combinator()
def small_targets(reward: Reward, typical: float = 0.1, most: float = 4.0) -> Operation:
    """The reward, worth more where the target is small and so hard to hit.

    Times min(most, typical / sqrt(target's area / screen's area)), from ``info["target_box"]`` and ``info["screen"]``
    (width, height): 1 for a target of ``typical`` (0.1) of the screen's side.  It weighs groups, so it does nothing
    under an estimator that divides by the group's deviation.  GUI-G1 (arXiv:2505.15810) weighs its loss by a
    difficulty that it takes from the relative size of the box; its exact function could not be checked.
    """
    if not typical > 0 or not most > 0:
        raise ValueError(f"small_targets: typical {typical} and most {most} must be above 0")

    def weight(turn: Turn) -> float:
        share = float(np.prod(_size(_target(turn))) / np.prod(_vector(turn, "screen", 2)))
        return min(most, typical / math.sqrt(share))

    def operation(episodes: Episodes) -> Values:
        return [
            values * np.array([weight(turn) for turn in trajectory.turns])
            for values, trajectory in zip(episodes.values(reward), episodes, strict=True)
        ]

    return operation


@turn_reward
def boxes_perception(turn: Turn) -> float:
    """The mean over the boxes in the action of the best IoU with one of ``info["target_boxes"]``, in [0, 1].

    The action's boxes are all its brackets with 6 numbers, or with 4 where the targets are flat; those that are no
    proper box count with 0, and so does an action without one.
    ``0.3*my_format + 0.4*boxes_perception + 0.3*semantic_similarity(my_encoder)`` is the reward of 3D-R1
    (arXiv:2507.23478) with the weights of its authors' code.
    """
    targets = [_as_box(box, "target_boxes") for box in required(turn, "target_boxes")]
    if not targets or len({len(target) for target in targets}) > 1:
        raise RewardError('info["target_boxes"] must hold boxes of 4 or of 6 numbers')
    numbers = [_numbers(piece) for piece in re.findall(BRACKET, action_text(turn))]
    boxes = [np.array(values) for values in numbers if values is not None and len(values) == len(targets[0])]
    best = [max(iou(box, target) for target in targets) if _is_proper(box) else 0.0 for box in boxes]
    return float(np.mean(best)) if best else 0.0


@episode_reward
def waypoint_progress(trajectory: Trajectory, radius: float = 10.0) -> np.ndarray:
    """What each turn takes off the way along ``info["waypoints"]``, as a share of the whole way.

    ``waypoints`` is a list of points [d], in pixels, of which the first is where the episode starts, and
    ``info["position"]`` [d] where the gripper is after the turn.  The waypoints are visited in order: one is reached
    within ``radius``, and the way that is left leads straight to the next and then along the others.  The turns of an
    episode sum to at most 1, going back costs what it gained, and circling earns nothing.  The waypoints are those
    that a vision-language model drew in the first image.  ``sparse_else_dense(success, waypoint_progress)`` is
    the reward of KAGI (arXiv:2407.10341), whose exact dense term could not be checked.
    """
    points = np.stack([_point(point, "waypoints") for point in required(trajectory.turns[0], "waypoints")])
    legs = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if not legs.sum() > 0:
        raise RewardError('info["waypoints"] must lead somewhere')
    left = np.append(np.cumsum(legs[::-1])[::-1], 0.0)  # from each waypoint to the last
    following, remaining = 1, [float(left[0])]
    for turn in trajectory.turns:
        position = _point(required(turn, "position"), "position")
        while following < len(points) - 1 and np.linalg.norm(position - points[following]) <= radius:
            following += 1
        remaining.append(float(np.linalg.norm(position - points[following]) + left[following]))
    return -np.diff(remaining) / left[0]


@combinator()
def sparse_else_dense(sparse: Reward, dense: Reward) -> Operation:
    """``sparse`` on the turns where it is not 0, ``dense`` on the others.  Source: KAGI (arXiv:2407.10341)."""
    return lambda episodes: [
        np.where(outcome != 0, outcome, shaping)
        for outcome, shaping in zip(episodes.values(sparse), episodes.values(dense), strict=True)
    ]


Predictor = Callable[[np.ndarray, list[Any]], np.ndarray]
"""Maps poses [n, k] and the n actions taken there to the poses [n, k] that it expects to follow."""


@combinator(Scope.PAST)
def pose_curiosity(predict: Predictor, scale: float = 1.0) -> Operation:
    """How much the turn surprised a model of the object's relative pose: scale / 2 * |predict(z_(t-1), a_t) - z_t|^2.

    z is ``info["pose"]`` [k], the object's pose seen from the gripper (axis-angle and translation).  What moves in the
    background does not enter it, so it cannot be farmed for novelty.  ``predict`` is a model of your own, trained
    beside the policy.  0 on the first turn.  Source: pose-based object exploration of EvoVLA (arXiv:2511.16166).
    """

    def surprise(trajectory: Trajectory) -> np.ndarray:
        values = np.zeros(len(trajectory.turns))
        if len(trajectory.turns) > 1:
            poses = np.stack([_point(required(turn, "pose"), "pose") for turn in trajectory.turns])
            expected = np.asarray(predict(poses[:-1], [turn.action for turn in trajectory.turns[1:]]), np.float64)
            if expected.shape != poses[1:].shape:
                raise RewardError(f"predict must give poses {poses[1:].shape}, and gave {expected.shape}")
            values[1:] = scale / 2 * ((expected - poses[1:]) ** 2).sum(axis=1)
        return values

    return lambda episodes: [surprise(trajectory) for trajectory in episodes]


@turn_reward
def tube_format(turn: Turn) -> float:
    """1 if the action has its three elements, once each and readable, else 0.

    ``<time>start, end</time>`` in the unit of the frames' numbers with start <= end, ``<think_bbox>`` and
    ``<pred_bbox>``, each with a JSON object from frame numbers to boxes: ``{"3": [10, 20, 50, 80], ...}``.
    This and the four rewards below are the five of STVG-o1 (arXiv:2511.21375).  The elements and the two overlaps are
    the paper's; how it weighs the five and defines its consistency could not be checked.
    """
    return float(None not in (_span(turn), _tube(turn, "think_bbox"), _tube(turn, "pred_bbox")))


@turn_reward
def tube_temporal_iou(turn: Turn) -> float:
    """Intersection over union of the action's ``<time>`` and ``info["target_span"]`` (start, end), in [0, 1]."""
    first, last = _vector(turn, "target_span", 2)
    span = _span(turn)
    if span is None:
        return 0.0
    start, end = span
    common = max(0.0, min(end, last) - max(start, first))
    union = (end - start) + (last - first) - common
    return float(common / union) if union > 0 else float(span == (first, last))


@turn_reward
def tube_spatial_iou(turn: Turn) -> float:
    """The overlap of the action's ``<pred_bbox>`` with ``info["target_tube"]``, a box for each frame, in [0, 1].

    The sum of the boxes' IoU over the frames that both have, divided by the number of frames that either has.
    """
    return tube_iou(_tube(turn, "pred_bbox"), _target_tube(turn))


@turn_reward
def tube_think_iou(turn: Turn) -> float:
    """:func:`tube_spatial_iou` of the boxes that the action thought of first, ``<think_bbox>``."""
    return tube_iou(_tube(turn, "think_bbox"), _target_tube(turn))


@turn_reward
def tube_consistency(turn: Turn) -> float:
    """The overlap of ``<think_bbox>`` and ``<pred_bbox>``, as in :func:`tube_spatial_iou`: 1 only if they are equal."""
    pred = _tube(turn, "pred_bbox")
    return tube_iou(_tube(turn, "think_bbox"), pred) if pred else 0.0


Tube = Mapping[int, np.ndarray]
"""A box for each of some frames."""


def tube_iou(answer: Tube | None, target: Tube) -> float:
    """The sum of the IoU over the frames of both, by the number of frames of either; 0 for None."""
    if answer is None:
        return 0.0
    common = answer.keys() & target.keys()
    return sum(iou(answer[frame], target[frame]) for frame in sorted(common)) / len(answer.keys() | target.keys())


def iou(left: np.ndarray, right: np.ndarray) -> float:
    """Intersection over union of two proper boxes, [2 * d] each, in d dimensions."""
    half = len(left) // 2
    sides = np.minimum(left[half:], right[half:]) - np.maximum(left[:half], right[:half])
    if (sides <= 0).any():
        return 0.0
    common = np.prod(sides)
    return float(common / (np.prod(_size(left)) + np.prod(_size(right)) - common))


def read_answer(turn: Turn, pattern: str = BRACKET) -> np.ndarray | None:
    """The action's point [2] or proper box [4], the last match of ``pattern`` with that many numbers; None without."""
    for piece in reversed(re.findall(pattern, action_text(turn))):
        numbers = _numbers(piece)
        if numbers is not None and len(numbers) in (2, 4):
            answer = np.array(numbers)
            return answer if len(answer) == 2 or _is_proper(answer) else None
    return None


def _numbers(text: str) -> list[float] | None:
    """The numbers below a billion in a comma-separated text, None if there is anything else in it."""
    pieces = text.split(",")
    if not all(_NUMBER.fullmatch(piece) for piece in pieces):
        return None
    numbers = [float(piece) for piece in pieces]
    return numbers if all(abs(number) < 1e9 for number in numbers) else None


def _is_proper(box: np.ndarray) -> bool:
    return bool((_size(box) > 0).all())


def _centre(answer: np.ndarray) -> np.ndarray:
    """Of a box [4], or a point [2] itself."""
    return answer if len(answer) == 2 else (answer[:2] + answer[2:]) / 2


def _size(box: np.ndarray) -> np.ndarray:
    half = len(box) // 2
    return np.asarray(box[half:] - box[:half])


def _point(value: Any, key: str) -> np.ndarray:
    """What the environment says, as a finite float64 array [d]; RewardError if it is anything else."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.ndim != 1 or not np.isfinite(array).all():
        raise RewardError(f"info[{key!r}] must hold finite numbers, not {value!r:.200}")
    return array


def _vector(turn: Turn, key: str, size: int) -> np.ndarray:
    array = _point(required(turn, key), key)
    if len(array) != size:
        raise RewardError(f"info[{key!r}] must hold {size} numbers, not {len(array)}")
    return array


def _as_box(value: Any, key: str) -> np.ndarray:
    box = _point(value, key)
    if len(box) not in (4, 6) or not _is_proper(box):
        raise RewardError(f"info[{key!r}] must be a box with an area, not {value!r:.200}")
    return box


def _target(turn: Turn) -> np.ndarray:
    return _as_box(_vector(turn, "target_box", 4), "target_box")


def _target_tube(turn: Turn) -> Tube:
    tube = required(turn, "target_tube")
    if not tube:
        raise RewardError('info["target_tube"] is empty')
    return {int(frame): _as_box(box, "target_tube") for frame, box in tube.items()}


def _element(turn: Turn, tag: str) -> str | None:
    """What stands in the action's only ``<tag>``; None unless there is exactly one."""
    text, opening, closing = action_text(turn), f"<{tag}>", f"</{tag}>"
    if text.count(opening) != 1 or text.count(closing) != 1:
        return None
    inside, closed, _ = text.partition(opening)[2].partition(closing)
    return inside if closed else None


def _span(turn: Turn) -> tuple[float, float] | None:
    numbers = _numbers(_element(turn, "time") or "")
    return (numbers[0], numbers[1]) if numbers and len(numbers) == 2 and numbers[0] <= numbers[1] else None


def _tube(turn: Turn, tag: str) -> Tube | None:
    """The boxes in an element; None if it is missing or empty, or holds anything but proper flat boxes."""
    values = read_json(_element(turn, tag) or "")
    if not values or len(values) != 1 or not isinstance(values[0], dict) or not values[0]:
        return None
    tube = {}
    for frame, box in values[0].items():
        numbers = _numbers(",".join(str(number) for number in box)) if isinstance(box, list) else None
        if not re.fullmatch(r"[0-9]{1,9}", frame) or numbers is None or len(numbers) != 4:
            return None
        tube[int(frame)] = np.array(numbers)
        if not _is_proper(tube[int(frame)]):
            return None
    return tube
