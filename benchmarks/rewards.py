"""How fast rewards are: many trajectories scored by a composite of three parts.

    python benchmarks/rewards.py                      # 10,000 trajectories of 20 turns, and reward programs

Seconds are CPU seconds of this process, one thread; the median and range of five runs, each on trajectories without
recorded rewards.  What the worker process of a reward program uses is not among them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, score, success, turns, valid_action
from palestra.rewards.programs.reward import program

PROGRAM = """
import math

def reward(distance, valid_action):
    near = math.exp(-distance)
    return near + 0.1 * valid_action, {"near": near}
"""


def make_groups(trajectories: int, turns: int, size: int, seed: int = 0) -> list[Group]:
    """Groups of ``size`` trajectories; half of them solved, nine actions in ten valid."""
    rng = np.random.default_rng(seed)

    def trajectory(task: int) -> Trajectory:
        infos = [{"valid_action": bool(rng.random() < 0.9), "distance": float(rng.random())} for _ in range(turns)]
        infos[-1]["success"] = bool(rng.random() < 0.5)
        made = [Turn("a page", "click[buy now]", 0.1, info=info) for info in infos]
        return Trajectory("Shop-v0", task, seed, made, Status.TERMINATED)

    return [Group([trajectory(task) for _ in range(size)]) for task in range(trajectories // size)]


def measure(reward: Reward, groups: Sequence[Group], runs: int = 5) -> list[float]:
    """CPU seconds of each run."""
    seconds = []
    for _ in range(runs):
        for group in groups:
            for trajectory in group:
                trajectory.rewards.clear()
        start = time.process_time()
        for group in groups:
            score(reward, group)
        seconds.append(time.process_time() - start)
    return seconds


def show(name: str, seconds: Sequence[float]) -> None:
    print(f"{name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f}-{max(seconds):.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=10_000, help="how many to score")
    parser.add_argument("--turns", type=int, default=20, help="turns of each")
    parser.add_argument("--size", type=int, default=8, help="trajectories of a group")
    arguments = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("palestra", "numpy"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
    groups = make_groups(arguments.trajectories, arguments.turns, arguments.size)
    print(f"{len(groups) * arguments.size:,} trajectories of {arguments.turns} turns in groups of {arguments.size}")
    composite = success + 0.2 * valid_action - 0.01 * turns
    show(str(composite), measure(composite, groups))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "near.py"
        path.write_text(PROGRAM)
        written = program(str(path))
        show("a reward program of two components", measure(written, groups))


if __name__ == "__main__":
    main()
