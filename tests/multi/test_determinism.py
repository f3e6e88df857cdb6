"""The same seed gives the same episode, whatever is played beside it and in whatever process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import palestra
from palestra.envs.multi.registry import GAMES

NAMES = sorted(GAMES)
TOGETHER = 64
"""Episodes that are alive at the same time."""


def episode(env: Any, seed: int) -> Iterator[None]:
    """Play one episode by drawn moves, some of them illegal, yielding after each; returns what it showed."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    record = hashlib.sha256()
    for _ in range(30):
        agent = env.agent_selection
        info = env.infos[agent]
        record.update(repr((agent, env.observe(agent), info, env.rewards)).encode())
        if env.terminations[agent] or env.truncations[agent]:
            break
        legal = info["legal_actions"]
        env.step("nonsense" if rng.random() < 0.05 else legal[int(rng.integers(len(legal)))])
        yield
    return record.hexdigest()  # what StopIteration carries


def play(count: int, order: int) -> str:
    """The digest of episodes 0 to ``count`` over all games, interleaved as ``order`` seeds it."""
    rng = np.random.default_rng(order)
    spare: dict[str, list[Any]] = {name: [] for name in NAMES}
    waiting, alive, digests = list(rng.permutation(count)), {}, {}
    while waiting or alive:
        while waiting and len(alive) < TOGETHER:
            seed = int(waiting.pop())
            name = NAMES[seed % len(NAMES)]
            env = spare[name].pop() if spare[name] else palestra.make_multi(f"{name}-v0")
            alive[seed] = name, env, episode(env, seed)
        seed = sorted(alive)[int(rng.integers(len(alive)))]
        name, env, steps = alive[seed]
        try:
            next(steps)
        except StopIteration as over:
            digests[seed] = over.value
            spare[name].append(env)
            del alive[seed]
    return hashlib.sha256("".join(digests[seed] for seed in range(count)).encode()).hexdigest()


def elsewhere(count: int, order: int, hash_seed: int) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    code = f"import test_determinism as t; print(t.play({count}, {order}))"
    folder = os.path.dirname(__file__)
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_interleaved_episodes_are_the_same_in_every_process_and_order() -> None:
    count = int(os.environ.get("PALESTRA_EPISODES", 100_000))
    processes = [elsewhere(count, order, hash_seed) for order, hash_seed in ((1, 1), (2, 77))]
    digests = [process.communicate(timeout=7200)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(digests[0]) == 64
    assert digests[0] == digests[1]
