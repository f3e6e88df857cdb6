"""Rewards for programs that an environment has run.

The environment runs the program of a turn and says in ``info["execution"]`` what came of it::

    {"status": "ok", "passed": 3, "total": 4, "steps": 120, "reference_steps": 100}

``status`` is ``"ok"``, ``"error"`` or ``"timeout"``, ``passed`` of ``total`` hidden tests passed.  ``steps`` counts
the work that the program did over all tests in a unit that does not depend on the machine (executed lines, say), and
``reference_steps`` that of a known solution, so that the same program is always worth the same; only
:data:`code_efficiency` reads these two, and only where every test passed.  A turn that ran nothing lacks the key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..trajectory import Trajectory, Turn
from .combinator import Operation, combinator
from .combine import paid_at_the_end, totals
from .lift import episode_reward
from .reward import Episodes, Reward, RewardError, Scope, Values, place

__all__ = ["code_efficiency", "explained", "hidden_tests", "rescored", "sample_balanced"]


@dataclass(frozen=True, slots=True)
class Execution:
    """What came of running a program: see the module's text for the fields."""

    status: str
    passed: int
    total: int
    steps: float | None = None
    reference_steps: float | None = None

    @property
    def correct(self) -> bool:
        """Whether it ran and passed every test."""
        return self.status == "ok" and self.passed == self.total

    @classmethod
    def of(cls, turn: Turn) -> Execution | None:
        """What the environment recorded for the turn, None if it ran nothing; RewardError if the record is broken."""
        record = turn.info.get("execution")
        if record is None:
            return None
        if not isinstance(record, Mapping) or not {"status", "passed", "total"} <= record.keys():
            raise RewardError(f'info["execution"] needs status, passed and total, got {record!r:.200}')
        execution = cls(**{field: record[field] for field in cls.__dataclass_fields__ if field in record})
        if execution.status not in ("ok", "error", "timeout"):
            raise RewardError(f'info["execution"]: status {execution.status!r} is not "ok", "error" or "timeout"')
        if not 0 <= execution.passed <= execution.total or execution.total < 1:
            raise RewardError(f'info["execution"]: {execution.passed} of {execution.total} tests passed')
        return execution


@episode_reward
def code_efficiency(trajectory: Trajectory, broken: float = -1.0, wrong: float = -0.5, correct: float = 0.5) -> float:
    """The last program's worth: broken < wrong < correct and slow < correct and fast.

        error, timeout or no program    broken
        p of its tests passed, p < 1    wrong + (0 - wrong) p
        correct in n steps              correct + (1 - correct) m / (n + m),   m = the reference's steps

    With the defaults -1, [-0.5, 0), (0.5, 1): a correct program always beats a wrong one, and fewer steps always pay
    more, also beyond the reference (which gets 0.75).  Paid on the last turn.  RewardError if a correct program's
    steps were not counted.  Source: ACECode (arXiv:2412.17264), which rewards correctness and run time together; the
    order is its own, the levels are ours, and a step counter takes the place of its clock.
    """
    if not broken < wrong < 0 < correct < 1:
        raise ValueError(f"needs broken < wrong < 0 < correct < 1, got {broken}, {wrong}, {correct}")
    execution = last_execution(trajectory)
    if execution is None or execution.status != "ok":
        return broken
    if not execution.correct:
        return wrong * (1 - execution.passed / execution.total)
    steps, reference = execution.steps, execution.reference_steps
    if steps is None or reference is None or not (steps >= 0 and 0 < reference < np.inf):
        raise RewardError(f"steps {steps} and reference_steps {reference} of a correct program of {place(trajectory)}")
    return float(correct + (1 - correct) * reference / (steps + reference))


@episode_reward
def hidden_tests(trajectory: Trajectory, partial: bool = False) -> float:
    """1 on the last turn if the last program passes every hidden test, else 0; with ``partial``, the share it passes.

    For episodes in which the agent explains what is wrong with its program and refines it: only what stands at the end
    counts, and a first program that was right is worth the same as one that was mended, or the agent would learn to
    fail first.  Source: LeDex (arXiv:2405.18649), the execution part of its refinement reward.
    """
    execution = last_execution(trajectory)
    if execution is None or execution.status != "ok":
        return 0.0
    return execution.passed / execution.total if partial else float(execution.correct)


@combinator()
def explained(scorer: Callable[[str, Turn], float], key: str = "explanation") -> Operation:
    """``scorer(explanation, turn)`` on each turn whose ``info[key]`` holds what the agent wrote about its own mistake.

    The scorer says how good the explanation is, as its likeness to a reference in an embedding.  It is paid on that
    turn and never mixed into the refinement's own: ``hidden_tests + 0.2*explained(my_module:likeness)``.
    Source: LeDex (arXiv:2405.18649), which rewards explanation and refinement by separate terms.
    """

    def operation(episodes: Episodes) -> Values:
        return [
            np.array([scorer(turn.info[key], turn) if key in turn.info else 0.0 for turn in episode.turns], np.float64)
            for episode in episodes
        ]

    return operation


@combinator(Scope.GROUP)
def rescored(verdict: Reward, *, path: str = "path", flips: float = 0.2) -> Operation:
    """A noisy verdict in [0, 1] per turn, rescored by every verdict in the group on the same line of reasoning.

    The environment names a turn's line of reasoning in ``info[path]``, such as a program without its variable names:
    samples and refinements that come back to it were tested again.  If a test bench is wrong with probability
    ``flips``, each time on its own, and k verdicts of n on a line say yes, then with even odds beforehand

        P(right) = 1 / (1 + (flips / (1 - flips)) ** (2k - n))

    which each of these turns is paid in the place of its own verdict; turns without a line keep theirs.  RewardError
    for a verdict outside [0, 1].  Source: VeriRL (arXiv:2508.18462) rescores by tracing back along reasoning paths and
    refinements; this posterior is our reading of it, not the paper's formula.
    """
    if not 0 < flips < 0.5:
        raise ValueError(f"rescored: flips {flips} is not between 0 and 0.5")
    evidence = float(np.log((1 - flips) / flips))

    def operation(episodes: Episodes) -> Values:
        raw = episodes.values(verdict)
        lines: defaultdict[Any, float] = defaultdict(float)  # by line: the sum of 2v - 1
        for trajectory, values in zip(episodes, raw, strict=True):
            if ((values < 0) | (values > 1)).any():
                raise RewardError(f"rescored: a verdict of {verdict} outside [0, 1] for {place(trajectory)}")
            for turn, value in zip(trajectory.turns, values, strict=True):
                if path in turn.info:
                    lines[turn.info[path]] += 2 * value - 1
        return [
            np.array(
                [
                    1 / (1 + np.exp(-evidence * lines[turn.info[path]])) if path in turn.info else value
                    for turn, value in zip(trajectory.turns, values, strict=True)
                ],
                np.float64,
            )
            for trajectory, values in zip(episodes, raw, strict=True)
        ]

    return operation


@combinator(Scope.GROUP)
def sample_balanced(reward: Reward, floor: float = 0.1) -> Operation:
    """Each episode's advance over the group's mean, weighted so that what the policy already does weighs little.

        w_i (R_i - mean(R)),   w of :func:`sample_balanced_weights`

    R_i is the episode's total, which must lie in [0, 1], and p_i the geometric mean of its tokens' probabilities.
    Paid on the last turn.  RewardError for an episode without log-probabilities.  Source: VeriRL (arXiv:2508.18462).
    """
    _check_floor(floor)

    def operation(episodes: Episodes) -> Values:
        total = totals(episodes.values(reward))
        if ((total < 0) | (total > 1)).any():
            raise RewardError(f"sample_balanced: {reward} totals {total.min()} to {total.max()}, not within [0, 1]")
        probability = np.array([_token_probability(trajectory) for trajectory in episodes])
        return paid_at_the_end(sample_balanced_weights(total, probability, floor) * (total - total.mean()), episodes)

    return operation


def sample_balanced_weights(rewards: ArrayLike, probabilities: ArrayLike, floor: float = 0.1) -> np.ndarray:
    """Weights [n] that sum to n: w_i = n g_i / sum(g), with the gap g_i = floor + |R_i - p_i|.

    ``rewards`` and ``probabilities`` [n] lie in [0, 1].  A sample that is likely and good, or unlikely and bad, has
    nothing left to teach and weighs ``floor / (floor + 1)`` of one that is the other way round.  VeriRL
    (arXiv:2508.18462) balances samples by the joint distribution of reward and probability; the gap is our form of it.
    """
    _check_floor(floor)
    gap = floor + np.abs(np.asarray(rewards, np.float64) - np.asarray(probabilities, np.float64))
    return np.asarray(len(gap) * gap / gap.sum())


def last_execution(trajectory: Trajectory) -> Execution | None:
    """What came of the last program that the episode ran, None if it ran none."""
    for turn in reversed(trajectory.turns):
        if (execution := Execution.of(turn)) is not None:
            return execution
    return None


def _check_floor(floor: float) -> None:
    if not 0 < floor < np.inf:
        raise ValueError(f"sample_balanced: floor {floor} is not above 0")


def _token_probability(trajectory: Trajectory) -> float:
    logprobs = np.concatenate([turn.logprobs for turn in trajectory.turns] or [np.zeros(0)])
    if len(logprobs) == 0:
        raise RewardError(f"sample_balanced: no log-probabilities in {place(trajectory)}")
    return float(np.exp(logprobs.astype(np.float64).mean()))
