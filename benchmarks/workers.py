"""What threads are worth for a small model: none, PyTorch's own, or workers that each take a share of a batch.

    python benchmarks/workers.py                      # two threads, five rounds

The model is the size of the main job's (0.8 million parameters).  *Learning* is one gradient step on 32 rows of about
750 tokens; *sampling* is 128 replies of 12 tokens after contexts of 400, reading those included.  The kinds take turns,
each time in a process of its own; seconds are by the clock, so the machine should have nothing else to do.  PyTorch's
threads are measured as ``train.py`` starts them, waiting for each other asleep (OpenMP's ``PASSIVE``), and awake
(``ACTIVE``), which is fast only while nothing else wants a core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

KINDS = {"one thread": "", "PyTorch's, asleep": "PASSIVE", "PyTorch's, awake": "ACTIVE", "workers": ""}
VOCABULARY = 1500


def measure(kind: str, threads: int, folder: str) -> None:
    """Measure learning and sampling, and print it."""
    import torch

    from palestra.agents.engine import Request, Sampling, generate
    from palestra.agents.packed import load_model
    from palestra.agents.transformers_engine import TransformersEngine
    from palestra.agents.workers import Workers
    from palestra.training.config import Objective, Optimizer
    from palestra.training.learner import Learner
    from palestra.training.rows import Row

    torch.set_num_threads(threads if kind.startswith("PyTorch") else 1)
    workers = Workers(threads if kind == "workers" else 1)
    model = load_model(folder)
    objective = Objective(max_batch_tokens=2048)
    learner = Learner(model, Optimizer(), objective, 1, workers=workers)
    rng = np.random.default_rng(0)
    rows = []
    for length in rng.integers(600, 900, 32):
        sampled = (np.arange(length) % 60) > 45
        logprobs = np.where(sampled, -0.1, 0).astype(np.float32)
        ids = rng.integers(3, VOCABULARY, length).astype(np.int32)
        rows.append(Row(ids, sampled, logprobs, np.where(sampled, rng.normal(), 0).astype(np.float32)))
    engine = TransformersEngine(model, slots=128, workers=workers)
    sampling = Sampling(12)
    for _ in range(2):  # the first time warms up
        began = time.monotonic()
        learner.update(rows, np.random.default_rng(0))
        learned = time.monotonic()
        contexts = rng.integers(3, VOCABULARY, (128, 400)).astype(np.int32)
        generate(engine, [Request(n, context, sampling, (n,)) for n, context in enumerate(contexts)])
        done = time.monotonic()
        for session in range(128):
            engine.release(session)
    print(json.dumps({"learning": learned - began, "sampling": done - learned}))
    workers.close()


def main() -> None:
    """Have the kinds take turns, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(options.measure[0], options.threads, options.measure[1])

    from palestra.agents.small import save_small_model

    with tempfile.TemporaryDirectory() as folder:
        letters = np.random.default_rng(0).choice(list("abcdefghijklmnopqrstuvwxyz"), (4000, 6))
        save_small_model(folder, [" ".join(map("".join, letters))], vocab_size=VOCABULARY, hidden=128, layers=3)
        base = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
        command = [sys.executable, __file__, "--threads", str(options.threads), "--measure"]
        seconds: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for _ in range(options.rounds):
            for kind, policy in KINDS.items():
                environment = base | ({"OMP_WAIT_POLICY": policy} if policy else {})
                done = subprocess.run(
                    [*command, kind, folder], stdout=subprocess.PIPE, text=True, check=True, env=environment
                )
                seconds[kind].append(json.loads(done.stdout))
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {load:.1f}, {options.threads} threads")
    print(f"{'':20}{'learning':>22}{'sampling':>22}")
    first = {what: statistics.median(each[what] for each in seconds["one thread"]) for what in ("learning", "sampling")}
    for kind, each in seconds.items():
        medians = {what: statistics.median(one[what] for one in each) for what in first}
        cells = "".join(f"{medians[what]:12.2f} s {first[what] / medians[what]:6.2f}x" for what in first)
        print(f"{kind:20}{cells}")


if __name__ == "__main__":
    main()
