"""How fast robots are stepped: Palestra's batches beside Gymnasium's vector environments and EnvPool.

    pip install 'palestra[bench]'
    python benchmarks/robot.py                       # 64 environments, two threads, 5 rounds
    python benchmarks/robot.py --envs 16 --rounds 2 --seconds 1
    python benchmarks/robot.py --only Ant-v5

**The same on all sides**: the model, its frame skip, and what an observation and a reward are (Gymnasium's for
HalfCheetah-v5 and Ant-v5, whose episodes Palestra's are to the bit; EnvPool's are its own of the same version);
random actions drawn beforehand; episodes that end are reopened.

The sides take turns, a stretch of ``--seconds`` each, and the median over the rounds counts.  *steps/s* is by the
clock, of all environments together, so the machine should have nothing else to do: its load is printed.  *steps/CPU s*
is by the processor time of this process and those that it started, which another program's load moves less.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import palestra  # noqa: F401 - registers the environments
from palestra.envs.robot.registry import LOCOMOTION

OURS = ("Reach-v0", "PickPlace-v0")
SIDES = ("palestra", "sync", "async", "envpool")


def make(side: str, env_id: str, envs: int, threads: int) -> Any:
    """A vector of environments, or ``None`` where a side has no such environment."""
    if side in ("sync", "async"):
        return gymnasium.make_vec(env_id, num_envs=envs, vectorization_mode=side)
    if side == "envpool":
        if env_id in OURS or importlib.util.find_spec("envpool") is None:
            return None
        import envpool

        return envpool.make(env_id, env_type="gymnasium", num_envs=envs, num_threads=threads)
    name = f"palestra/{env_id}" if env_id in LOCOMOTION else env_id
    return gymnasium.make_vec(name, num_envs=envs, threads=threads)


def cpu_seconds() -> float:
    """Processor time of this process and its children."""
    total, tick = time.process_time(), os.sysconf("SC_CLK_TCK")
    for thread in Path("/proc/self/task").iterdir():
        for child in (thread / "children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / tick
    return total


def stretch(vector: Any, actions: np.ndarray, seconds: float) -> tuple[float, float]:
    """Step for so long: environment steps by the second, and by the CPU second."""
    began, began_cpu, steps = time.perf_counter(), cpu_seconds(), 0
    while time.perf_counter() - began < seconds:
        for batch in actions:
            vector.step(batch)
        steps += actions.shape[0] * actions.shape[1]
    return steps / (time.perf_counter() - began), steps / max(cpu_seconds() - began_cpu, 1e-9)


def compare(env_id: str, envs: int, threads: int, rounds: int, seconds: float) -> None:
    """Print the rates of all sides on one environment, and their ratios."""
    vectors = {side: made for side in SIDES if (made := make(side, env_id, envs, threads)) is not None}
    space = vectors["palestra"].action_space
    actions = np.random.default_rng(0).uniform(space.low, space.high, size=(8, *space.shape)).astype(np.float32)
    rates: dict[str, list[tuple[float, float]]] = {side: [] for side in vectors}
    for vector in vectors.values():
        vector.reset()
        stretch(vector, actions, seconds / 4)
    for number in range(rounds):
        order = list(vectors) if number % 2 == 0 else list(reversed(vectors))
        for side in order:
            rates[side].append(stretch(vectors[side], actions, seconds))

    def median(side: str, which: int) -> float:
        return statistics.median(rate[which] for rate in rates[side])

    print(f"\n{env_id}, {envs} environments")
    for side in vectors:
        ratios = [median("palestra", which) / median(side, which) for which in (0, 1)]
        print(
            f"  {side:9} {median(side, 0):9,.0f} steps/s {median(side, 1):9,.0f} steps/CPU s"
            f"   palestra is {ratios[0]:.2f}x by the clock, {ratios[1]:.2f}x by CPU"
        )
    for vector in vectors.values():
        vector.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2, help="of Palestra and of EnvPool")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", choices=[*LOCOMOTION, *OURS])
    options = parser.parse_args()
    packages = ("palestra", "gymnasium", "mujoco", "numpy", "envpool")
    found = {name: importlib.metadata.version(name) for name in packages if importlib.util.find_spec(name)}
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    if "envpool" not in found:
        print("EnvPool is left out; install it with: pip install 'palestra[bench]'")
    for env_id in [options.only] if options.only else [*LOCOMOTION, *OURS]:
        compare(env_id, options.envs, options.threads, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
