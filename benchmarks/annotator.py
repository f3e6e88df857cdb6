"""What an asynchronous annotator costs the environments that it watches.

    python benchmarks/annotator.py                    # WebShop with and without an annotator that takes 50 ms a page

A random agent shops; with the annotator, each page is offered to a judge in another thread, which sleeps, so that its
own work is not measured.  Wall-clock steps per second, the two sides in turn, the median of the rounds.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym

import palestra  # noqa: F401 - registers the environments
from palestra.agents.scripted import RandomAgent
from palestra.rewards.intrinsic.annotation import Annotator


def rate(env: gym.Env[Any, Any], steps: int, annotator: Annotator[str, int] | None) -> float:
    """Steps per second of a random agent, every page offered to the annotator if there is one."""
    agent = RandomAgent(0)
    played = seed = 0
    began = time.perf_counter()
    while played < steps:
        observation, info = env.reset(seed=seed)
        agent.reset(env, seed)
        over = False
        while not over and played < steps:
            observation, _, terminated, truncated, info = env.step(agent.act(observation, info))
            if annotator is not None:
                annotator.offer(observation)
            over = terminated or truncated
            played += 1
        seed += 1
    return played / (time.perf_counter() - began)


def judge(page: str) -> int:
    """Stands for a model that takes 50 ms."""
    time.sleep(0.05)
    return len(page)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000, help="steps of each side in a round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    env = gym.make("WebShop-v0", disable_env_checker=True)
    rate(env, options.steps, None)  # loads the shop, and fills its caches
    annotator: Annotator[str, int] = Annotator(judge, capacity=1000)
    alone, watched = [], []
    for _ in range(options.rounds):
        alone.append(rate(env, options.steps, None))
        watched.append(rate(env, options.steps, annotator))
    annotator.close()
    ratios = [with_it / without for with_it, without in zip(watched, alone, strict=True)]
    print(f"Python {platform.python_version()}, {options.rounds} rounds of {options.steps} steps of WebShop-v0")
    print(f"alone       {statistics.median(alone):8.0f} steps/s")
    print(f"annotated   {statistics.median(watched):8.0f} steps/s")
    print(f"ratio       {statistics.median(ratios):8.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    print(f"offered {annotator.offered}, annotated {annotator.annotated}, dropped {annotator.dropped}")


if __name__ == "__main__":
    main()
