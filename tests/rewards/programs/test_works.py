"""What the methods that write programs promise, with scripted proposers on a grid with lava."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from palestra import Trajectory
from palestra.rewards import Reward, delta, env
from palestra.rewards.programs.evaluator import shared_evaluator
from palestra.rewards.programs.reward import from_source
from palestra.rewards.programs.roles import Rollouts, design
from palestra.rewards.programs.search import Search, Trained, evolve, prefer
from palestra.rewards.programs.writing import Critic, NoProgramError, propose

from ..lab import learn, play
from .grid import SCHEMA, LavaGrid

LAVA = ((1, 1), (2, 3), (3, 3), (4, 1), (3, 5))


def critic() -> Critic:
    return Critic(SCHEMA, shared_evaluator())


def success_rate(reward: Reward, seed: int, steps: int = 40, lava: tuple[tuple[int, int], ...] = LAVA) -> float:
    """Of the last five steps of a training."""
    _, history = learn(LavaGrid(7, 20, lava), reward, steps=steps, groups=2, size=8, learning_rate=2.0, seed=seed)
    return float(np.mean(history[-5:]))


DENSE = "```python\ndef reward(distance, in_lava, at_goal):\n    return -distance / 10 - in_lava + at_goal\n```"


@pytest.mark.slow
def test_works_text2reward(tmp_path: Path) -> None:
    """A written program is accepted or refused on random states, and teaches what the sparse reward does not."""
    replies = iter(["def reward(distance):\n    return 1 / distance", DENSE])
    verdict = propose(lambda _: next(replies), critic())
    with pytest.raises(NoProgramError, match="ZeroDivisionError"):
        propose(lambda _: "def reward(distance):\n    return 1 / distance", critic())
    written = delta(from_source(verdict.source, tmp_path / "dense.py"))
    dense = [success_rate(written, seed) for seed in range(3)]
    sparse = [success_rate(env, seed) for seed in range(3)]
    print("text2reward", dense, sparse)
    assert min(dense) > 0.9
    assert max(sparse) < 0.1


@pytest.mark.slow
def test_works_auto_mc_reward(tmp_path: Path) -> None:
    """The critic refuses the broken program, the note selects the refinement, and that beats the sparse reward."""
    seen: list[str] = []

    def designer(text: str) -> str:
        seen.append(text)
        if len(seen) == 1:
            return "def reward(in_lava):\n    import os\n    return -in_lava"
        if "gets no nearer" in text:
            return "def reward(distance, in_lava):\n    return -distance / 10 - 2 * in_lava"
        return "def reward(in_lava):\n    return -2 * in_lava"

    def analyser(text: str) -> str:
        return "It stays out of lava but gets no nearer to the goal: pay that too." if "in_lava=False" in text else "?"

    def train(reward: Reward) -> Rollouts:
        grid = LavaGrid(7, 20, LAVA)
        policy, _ = learn(grid, delta(reward), steps=40, groups=2, size=8, learning_rate=2.0, seed=seed)
        rng = np.random.default_rng(seed)
        played = [play(grid, policy, rng) for _ in range(50)]
        failures = [trajectory for trajectory in played if trajectory.score == 0]
        return Rollouts(1 - len(failures) / 50, failures)

    for seed in range(3):
        seen.clear()
        (tmp_path / str(seed)).mkdir()
        course = design(designer, critic(), analyser, train, tmp_path / str(seed), rounds=2)
        rates = [one.rollouts.success_rate for one in course]
        sparse = success_rate(env, seed)
        print("auto mc", rates, sparse)
        assert "import" in seen[1]
        assert "distance" in course[1].verdict.source
        assert rates[0] < 0.1
        assert rates[1] > 0.85
        assert sparse < 0.1


NAMES = ("distance", "lava_distance", "in_lava", "at_goal")


def source_of(weights: Sequence[float]) -> str:
    terms = " + ".join(f"({weight:.3f}) * {name}" for weight, name in zip(weights, NAMES, strict=True))
    return f"def reward({', '.join(NAMES)}):\n    return {terms}\n"


def weights_in(text: str) -> list[float]:
    """The weights of the first program that a request shows."""
    return [float(found) for found in re.findall(r"\((-?\d+\.\d+)\) \*", text)[: len(NAMES)]]


class Mutator:
    """Proposes weights near those of the program that it is shown first, else any; now and then a broken program."""

    def __init__(self, seed: int, blind: bool = False, spread: float = 0.4) -> None:
        self.rng, self.blind, self.spread = np.random.default_rng(seed), blind, spread
        self.broken = 0

    def __call__(self, text: str) -> str:
        if not self.blind and self.rng.random() < 0.1:
            self.broken += 1
            return "def reward(x):\n    return x.__class__"
        shown = [] if self.blind else weights_in(text)
        if shown:
            return source_of(np.array(shown) + self.spread * self.rng.normal(size=len(NAMES)))
        return source_of(self.rng.normal(size=len(NAMES)))


def speed(reward: Reward) -> Trained:
    """How soon a policy learns: the mean success over a short training, of two seeds; and three checkpoints."""
    histories, checkpoints = [], list[list[Trajectory]]()
    for seed in (0, 1):
        _, groups = learn(
            LavaGrid(5, 12, ((1, 1), (2, 3), (3, 0))),
            delta(reward),
            steps=16,
            groups=1,
            size=8,
            learning_rate=2.0,
            seed=seed,
            measure=lambda batch: batch[0],
        )
        histories += [np.mean([t.score for t in group]) for group in groups]
        checkpoints = [list(groups[0]), list(groups[8]), list(groups[-1])]
    return Trained(float(np.mean(histories)), checkpoints)


@pytest.mark.slow
def test_works_eureka(tmp_path: Path) -> None:
    """Five generations get better and beat as many programs drawn at once; broken ones cost nothing."""
    evolved, at_once, courses = [], [], []
    for seed in range(3):
        for name in ("evolved", "at_once"):
            (tmp_path / f"{name}{seed}").mkdir()
        mutator = Mutator(seed)
        search = evolve(mutator, critic(), speed, tmp_path / f"evolved{seed}", generations=5, samples=4)
        once = evolve(
            Mutator(seed + 100, blind=True), critic(), speed, tmp_path / f"at_once{seed}", generations=1, samples=20
        )
        course = [best.fitness if best else -np.inf for best in search.best]
        assert course == sorted(course)
        refused = [c for tried in search.rounds for c in tried if not c.verdict.accepted]
        assert len(refused) == mutator.broken
        assert all(c.fitness == -np.inf for c in refused)
        evolved.append(course[-1])
        at_once.append(once.winner.fitness)
        courses.append([max(c.fitness for c in tried) for tried in search.rounds])
    print("eureka", evolved, at_once, courses)
    assert np.mean(evolved) > np.mean(at_once)


class BradleyTerry:
    """A reward model from scratch: a linear utility of the weights, fitted to pairs by gradient ascent."""

    def __init__(self) -> None:
        self.pairs: list[np.ndarray] = []  # the better policy's mean features less the worse one's
        self.utility = np.zeros(len(NAMES))

    def fit(self) -> None:
        differences = np.array(self.pairs)
        for _ in range(300):
            wrong = 1 / (1 + np.exp(np.clip(differences @ self.utility, -30, 30)))
            self.utility += 0.1 * (wrong @ differences / len(differences) - 0.01 * self.utility)


def hidden(trajectories: Sequence[Trajectory]) -> float:
    """What the ranker likes, and nobody is told: arriving soon."""
    return float(np.mean([t.score * (1 - 0.02 * len(t.turns)) for t in trajectories]))


def features(trajectories: Sequence[Trajectory]) -> np.ndarray:
    """The mean of each field's sum over an episode's gains, which is what delta(program) pays for weight 1."""
    return np.mean([[float(t.turns[-1].info[name]) for name in NAMES] for t in trajectories], axis=0)


TARGET = 0.5


def comparisons_of_icpl(seed: int, folder: Path) -> tuple[Search, float]:
    """The search, and the comparisons it took to reach the target."""

    def rank(behaviours: Sequence[Sequence[Trajectory]]) -> list[int]:
        return sorted(range(len(behaviours)), key=lambda index: -hidden(behaviours[index]))

    search = prefer(Mutator(seed), critic(), quick, rank, folder, rounds=5, samples=4)
    spent = np.cumsum([len([c for c in tried if c.trained]) - (n == 0) for n, tried in enumerate(search.rounds)])
    reached = [n for n, best in enumerate(search.best) if best and hidden(best.trained.checkpoints[-1]) >= TARGET]  # type: ignore[union-attr]
    return search, float(spent[reached[0]]) if reached else np.inf


def quick(reward: Reward) -> Trained:
    """One short training; the last checkpoint is of its last four groups."""
    _, groups = learn(
        LavaGrid(5, 12, ((1, 1), (2, 3), (3, 0))),
        delta(reward),
        steps=20,
        groups=1,
        size=8,
        learning_rate=2.0,
        seed=0,
        measure=lambda batch: batch[0],
    )
    return Trained(0.0, [list(groups[0]), [t for group in groups[-4:] for t in group]])


def comparisons_of_a_reward_model(seed: int, folder: Path, most: int = 20) -> float:
    """Pairs of episodes, compared one by one by the same ranker, until the policy of the fitted reward is as good."""
    rng = np.random.default_rng(seed)
    model = BradleyTerry()
    behaviour = quick(from_source(source_of(np.zeros(len(NAMES))), folder / "start.py")).checkpoints[-1]
    for asked in range(1, most + 1):
        first, second = (behaviour[int(index)] for index in rng.choice(len(behaviour), 2, replace=False))
        better, worse = (first, second) if hidden([first]) >= hidden([second]) else (second, first)
        model.pairs.append(features([better]) - features([worse]))
        if asked % 4 == 0:  # as often as ICPL trains in a round
            model.fit()
            behaviour = quick(from_source(source_of(model.utility), folder / f"{asked}.py")).checkpoints[-1]
            if hidden(behaviour) >= TARGET:
                return asked
    return np.inf


@pytest.mark.slow
def test_works_icpl(tmp_path: Path) -> None:
    """What the ranker likes never gets worse over five rounds; against a reward model from as many comparisons."""
    icpl, model = [], []
    for seed in range(3):
        for name in ("icpl", "model"):
            (tmp_path / f"{name}{seed}").mkdir()
        search, spent = comparisons_of_icpl(seed, tmp_path / f"icpl{seed}")
        course = [hidden(best.trained.checkpoints[-1]) for best in search.best if best and best.trained]
        assert course == sorted(course)
        icpl.append(spent)
        model.append(comparisons_of_a_reward_model(seed, tmp_path / f"model{seed}"))
        print("icpl", course)
    print("icpl", icpl, model)
    assert np.median(icpl) < np.median(model)
