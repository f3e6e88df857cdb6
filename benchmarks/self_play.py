"""How close self-play comes to an equilibrium, and in how much computing time: ``train.py`` on Kuhn poker.

    python benchmarks/self_play.py               # one seed
    python benchmarks/self_play.py --seeds 5
    python benchmarks/self_play.py --env LeducPoker-v0 --steps 200

Each seed is a run of the recipe in a process of its own, in one thread.  Exploitability is exact, and of the policy
of the step (no average over steps); time is all CPU time of the process, from start to report.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from palestra.training import metrics

ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.05


def run(env: str, seed: int, folder: Path, extra: list[str]) -> tuple[list[tuple[int, float]], float]:
    """Train; the exploitability of each step at which it was measured, and the CPU seconds that the process took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, str(ROOT / "train.py"), "--env", env, "--self-play", f"--seed={seed}", f"--run={folder}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--device=cpu", *extra], check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = metrics.read(folder)
    name = "evaluation/exploitability"
    curve = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
    return curve, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run every seed and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="KuhnPoker-v0", help="a game whose recipe measures exploitability")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--steps", type=int, help="of training, if not the recipe's")
    options = parser.parse_args()
    extra = [] if options.steps is None else [f"--steps={options.steps}"]
    print(f"{options.env} on {platform.processor() or platform.machine()}, torch {version('torch')}, one thread")
    reached = 0
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            curve, seconds = run(options.env, seed, Path(folder) / "run", extra)
        step, last = curve[-1]
        first = next((at for at, value in curve if value <= GOAL), None)
        reached += last <= GOAL
        said = f"at most {GOAL} first at step {first}" if first is not None else f"never at most {GOAL}"
        points = ", ".join(f"{at}: {value:.3f}" for at, value in curve)
        print(f"seed {seed}: {last:.4f} after {step} steps and {seconds / 60:.1f} CPU minutes; {said}\n  {points}")
    print(f"{reached} of {options.seeds} seeds end at most at {GOAL}")


if __name__ == "__main__":
    main()
