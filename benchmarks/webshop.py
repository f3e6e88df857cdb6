"""How fast ``WebShop-v0`` is, and what a large catalogue costs.

    python benchmarks/webshop.py                      # steps, snapshots, and a catalogue of 100,000 products
    python benchmarks/webshop.py --products 0         # without the large catalogue

Steps and snapshots are timed in CPU seconds of one thread, loading in wall-clock seconds of a process of its own.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gymnasium as gym

import palestra  # noqa: F401 - registers the environments

#: About as many instructions as WebShop has (12,087), at the embedded shop's nine for a product.
INSTRUCTED_PRODUCTS = 1_340


def act(rng: random.Random, info: dict[str, Any]) -> str:
    """An action as agents mix them: mostly legal, over all kinds of page, with a query of its own for every search."""
    clickables = info["clickables"]
    draw = rng.random()
    if draw < 0.02:
        return "click[something that is not there]"
    if "search" in clickables or draw < 0.10:
        words = info["goal"]["instruction"].split()
        return f"search[{' '.join(rng.sample(words, min(len(words), rng.randint(2, 8))))}]"
    if "buy now" not in clickables:
        return f"click[{rng.choice(clickables)}]"
    if draw < 0.30:
        return "click[buy now]"
    return f"click[{rng.choice(clickables[2:])}]"


def measure_steps(observation: str, steps: int) -> dict[str, float]:
    """Steps per second, resets included, of the environment itself; and microseconds of a snapshot and a restore."""
    env = gym.make("WebShop-v0", observation=observation).unwrapped
    env.reset(seed=0)
    env.step("search[builds the index]")
    rng = random.Random(0)
    clock = time.process_time
    spent = 0.0
    kinds: dict[str, int] = {}
    _, info = env.reset(options={"split": "train"})
    over = False
    for _ in range(steps):
        if over:
            start = clock()
            _, info = env.reset()
            spent += clock() - start
        action = act(rng, info)
        start = clock()
        _, _, over, _, info = env.step(action)
        spent += clock() - start
        kind = action.partition("[")[0] if info["valid_action"] else "invalid"
        kinds[kind] = kinds.get(kind, 0) + 1
    env.reset(seed=1)
    env.step("search[shoes]")
    start = clock()
    for _ in range(20_000):
        state = env.snapshot()
    snapshot = clock() - start
    start = clock()
    for _ in range(20_000):
        env.restore(state)
    restore = clock() - start
    return {"steps/s": steps / spent, "snapshot us": snapshot * 50, "restore us": restore * 50, **kinds}


def write_catalogue(folder: Path, products: int) -> None:
    """The three files of a generated catalogue, under WebShop's names."""
    from palestra.envs.webshop.shop import generate

    names = ("items_shuffle.json", "items_ins_v2.json", "items_human_ins.json")
    items, attributes, instructions = generate(products=products)
    few = {asin: instructions[asin] for asin in itertools.islice(instructions, INSTRUCTED_PRODUCTS)}
    for name, content in zip(names, (items, attributes, few), strict=True):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def measure_load(folder: Path) -> None:
    """Load the catalogue of ``folder`` in this process and print what it took, as JSON."""
    start = time.perf_counter()
    env = gym.make("WebShop-v0", catalogue=folder)
    env.reset(seed=0)
    loaded = time.perf_counter()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    env.step("search[waterproof hiking boots]")
    searched = time.perf_counter()
    rng = random.Random(0)
    words = ["soft", "red", "cotton", "shirt", "men", "steel", "knife", "large", "desk", "lamp"]
    for _ in range(200):
        env.step(f"search[{' '.join(rng.sample(words, 4))}]")
    figures = {
        "load s": loaded - start,
        "first search s": searched - loaded,
        "ms per search after": (time.perf_counter() - searched) * 5,
        "peak RSS MB loaded": rss / 1024,
        "peak RSS MB searched": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def show(title: str, figures: dict[str, float]) -> None:
    print(f"{title}: " + ", ".join(f"{name} {value:,.1f}" for name, value in figures.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50_000, help="steps to time, for each form of observation")
    parser.add_argument("--products", type=int, default=100_000, help="products of the large catalogue; 0: none")
    parser.add_argument("--load", type=Path, help="only load the catalogue in this folder and print figures as JSON")
    parser.add_argument("--write", type=Path, help="only write the large catalogue into this folder")
    arguments = parser.parse_args()
    if arguments.write:
        write_catalogue(arguments.write, arguments.products)
        return
    if arguments.load:
        measure_load(arguments.load)
        return
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("gymnasium", "numpy", "bm25s"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
    for observation in ("text", "text_rich"):
        show(f"embedded catalogue, {observation}", measure_steps(observation, arguments.steps))
    if not arguments.products:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Also in a process of its own: a parent's peak memory would count as its children's.
        subprocess.run([sys.executable, __file__, "--write", name, "--products", str(arguments.products)], check=True)
        megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"{arguments.products:,} products in files of {megabytes:,.0f} MB")
        for title in ("first load", "cached load"):
            # A process of its own each time: its peak memory is that of the load, and nothing is left in memory.
            output = subprocess.run(
                [sys.executable, __file__, "--load", name],
                env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
                stdout=subprocess.PIPE,
                check=True,
            )
            show(title, json.loads(output.stdout))
        cached = sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file()) / 1e6
        print(f"cache on disk {cached:,.0f} MB")


if __name__ == "__main__":
    main()
